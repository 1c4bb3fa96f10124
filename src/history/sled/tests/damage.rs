//! Catches a store that panics on damage, hides it, or reads an emptied directory as "no history".
#![allow(clippy::disallowed_methods, reason = "damage is done past the store")]

use std::fs;

use super::*;

/// Damages a filled and closed store, and expects the next opening to begin an empty one that
/// works.
#[track_caller]
fn check(moved: bool, reason: &str, damage: impl FnOnce(&Home)) {
    let home = Home::new();
    let store = filled(&home);
    store.close().expect("a close");
    drop(store);
    damage(&home);
    let store = home.open();
    let aside = store.set_aside().expect("the store is set aside").clone();
    assert_eq!(aside.path.is_some(), moved, "{aside:?}");
    assert!(aside.reason.contains(reason), "{aside:?}");
    if let Some(path) = aside.path {
        assert!(path.exists());
    }
    assert_eq!((store.watermark(), store.projected()), (0, 0));
    assert_eq!(store.reservation(id(7)).expect("a read"), None);
    feed(&store, accounts());
    feed(&store, [reserved(8, true)]);
    store.close().expect("a close");
    drop(store);
    assert_eq!(home.reopen().watermark(), 6);
}

/// Bytes that look like nothing, the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(next).collect()
}

fn overwrite(path: &Path) {
    let length = fs::metadata(path).expect("the file is there").len() as usize;
    fs::write(path, noise(length.max(64))).expect("the file is written");
}

#[test]
fn a_directory_that_is_gone() {
    check(false, "gone or empty", |home| fs::remove_dir_all(home.dir()).expect("it is removed"));
}

#[test]
fn a_directory_that_is_emptied() {
    check(false, "gone or empty", |home| {
        fs::remove_dir_all(home.dir()).expect("it is removed");
        fs::create_dir(home.dir()).expect("it is made anew");
    });
}

#[test]
fn a_directory_without_its_database() {
    check(true, "", |home| fs::remove_file(home.dir().join("db")).expect("it is removed"));
}

#[test]
fn a_file_where_the_directory_was() {
    check(true, "", |home| {
        fs::remove_dir_all(home.dir()).expect("it is removed");
        fs::write(home.dir(), b"not a directory").expect("it is written");
    });
}

#[test]
fn a_database_of_noise() {
    check(true, "", |home| overwrite(&home.dir().join("db")));
}

#[test]
fn a_database_cut_short() {
    check(true, "", |home| {
        let file =
            fs::OpenOptions::new().write(true).open(home.dir().join("db")).expect("it opens");
        file.set_len(100).expect("it is cut");
    });
}

#[test]
fn a_configuration_of_noise() {
    check(true, "", |home| overwrite(&home.dir().join("conf")));
}

#[test]
fn a_manifest_of_noise() {
    check(true, "checksum", |home| overwrite(&Manifest::path(&home.dir())));
}

#[test]
fn a_manifest_that_is_gone() {
    check(true, "no manifest", |home| {
        fs::remove_file(Manifest::path(&home.dir())).expect("it is removed")
    });
}

#[test]
fn a_manifest_of_another_store() {
    let other = Home::new();
    filled(&other).close().expect("a close");
    check(true, "another store", |home| {
        fs::copy(Manifest::path(&other.dir()), Manifest::path(&home.dir())).expect("it is copied");
    });
}

#[test]
fn a_manifest_that_is_ahead() {
    check(true, "ends at event 7", |home| {
        let manifest = Manifest::read(&home.dir()).expect("it reads").expect("it is there");
        Manifest { watermark: 8, ..manifest }.write(&home.dir()).expect("it is written");
    });
}

#[test]
fn rows_that_are_missing() {
    check(true, "rows of", |home| {
        let db = open_sled(&home.dir());
        db.remove(block_with(&db, Key::reservation(id(7))).0).expect("a removal");
        db.flush().expect("a flush");
    });
}

#[test]
fn a_store_ahead_of_its_journal() {
    let home = Home::new();
    let store = filled(&home);
    store.close().expect("a close");
    drop(store);
    let judge = |shown: &Shown| {
        assert_eq!(shown.watermark, 7, "what it shows is judged");
        Ok(Belongs::Elsewhere("another journal's".into()))
    };
    let open = |judge| Store::open_judged(&home.dir(), StoreConfig::default(), judge);
    let refused =
        open(&|_| Err(Error::corrupt("proof of loss"))).map(drop).expect_err("the judge refused");
    assert_eq!(refused.to_string(), "proof of loss");
    home.reopen().close().expect("a refusal sets nothing aside");
    let store = open(&judge).expect("it opens");
    assert!(store.set_aside().expect("it is set aside").reason.contains("another journal's"));
    assert_eq!(store.watermark(), 0);
}

#[test]
fn a_second_one_gets_another_name() {
    let home = Home::new();
    for number in 1..=3 {
        filled(&home).close().expect("a close");
        fs::remove_file(Manifest::path(&home.dir())).expect("it is removed");
        let store = home.open();
        let path = store.set_aside().and_then(|aside| aside.path.clone()).expect("it is set aside");
        assert!(path.ends_with(format!("store.set-aside-{number}")));
        drop(store);
        fs::remove_dir_all(home.dir()).expect("it is removed");
        fs::remove_file(Manifest::path(&home.dir())).expect("it is removed");
    }
}

#[test]
fn scattered_bits_never_panic_and_never_lie() {
    for seed in 0..8u64 {
        let home = Home::new();
        let store = filled(&home);
        let truth = (store.reservation(id(7)).expect("a read"), kinds(&store, STOCK));
        store.close().expect("a close");
        drop(store);
        let path = home.dir().join("db");
        let mut bytes = fs::read(&path).expect("it reads");
        for (index, byte) in noise(64).into_iter().enumerate() {
            let used = bytes.len().min(4_096);
            let at = (usize::from(byte) * 977 + index * 131 + seed as usize * 7_919) % used;
            bytes[at] ^= 1 << (byte % 8);
        }
        fs::write(&path, bytes).expect("it is written");
        let store = home.open();
        if store.set_aside().is_none() {
            assert_eq!(
                (store.reservation(id(7)).expect("a read"), kinds(&store, STOCK)),
                truth,
                "seed {seed}"
            );
        }
    }
}

#[test]
fn a_flipped_bit_in_a_value_is_corrupt_and_remembered() {
    let keys = [Key::reservation(id(7)), Key::change(STOCK, 7, 0), Key::owner(POINTS, id(7))];
    for key in keys {
        let home = Home::new();
        let store = filled(&home);
        let disk = store.disk().expect("it is open");
        let (at, mut value) = block_with(disk.db(), key);
        let middle = value.len() / 2;
        value[middle] ^= 1;
        disk.db().insert(at, value).expect("a write");
        drop(disk);
        let error = match key {
            key if key == keys[0] => store.reservation(id(7)).map(drop),
            key if key == keys[1] => store.changes_of(STOCK, None, 9).map(drop),
            _ => store.reservations_of(POINTS, None, 9).map(drop),
        };
        let error = error.expect_err("the checksum does not fit");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("checksum"), "{error}");
        // The watermark stands still, so that the journal keeps what a rebuilding needs.
        feed(&store, [reserved(9, true)]);
        assert_eq!(store.flush(100).expect_err("no writes any more").kind(), ErrorKind::Corrupt);
        assert_eq!(store.close().expect_err("nor at the close").kind(), ErrorKind::Corrupt);
        drop(store);
        let store = home.open();
        assert!(store.set_aside().expect("it is set aside").reason.contains("damage"));
        assert_eq!(store.watermark(), 0);
    }
}

#[test]
fn a_flipped_bit_is_found_when_the_store_is_read_through() {
    check(true, "checksum", |home| {
        let db = open_sled(&home.dir());
        let (at, mut value) = block_with(&db, Key::change(STOCK, 5, 0));
        value[9] ^= 1;
        db.insert(at, value).expect("a write");
        db.flush().expect("a flush");
    });
}
