//! Catches a store of an earlier release that loses what it has: its rows stand alone in sled.
#![allow(clippy::disallowed_methods, reason = "damage is done past the store")]

use super::value::seal;
use super::*;

/// Makes of a store one as an earlier release left it.
fn turn_back(home: &Home) {
    let manifest = Manifest::read(&home.dir()).expect("it reads").expect("it is there");
    let db = open_sled(&home.dir());
    let blocks: Vec<_> =
        db.range(&b"b"[..]..&b"c"[..]).map(|block| block.expect("a read")).collect();
    for (at, value) in blocks {
        let mut block = Block::open(&at, &value).expect("it is whole");
        while let Some(row) = block.next_from(Key::LEAST).expect("it is whole") {
            let framed = seal(row.key, row.seq, row.payload());
            db.insert(row.key.to_bytes(), framed).expect("a write");
        }
        db.remove(at).expect("a removal");
    }
    let mut meta = [&manifest.store_id[..], &manifest.first_seq.to_le_bytes()].concat();
    meta.extend_from_slice(&manifest.rows.to_le_bytes());
    meta.extend_from_slice(&manifest.branch.encode());
    let meta = seal(Key::meta(), manifest.watermark, &meta);
    db.insert(Key::meta().to_bytes(), meta).expect("a write");
    db.flush().expect("a flush");
}

#[test]
fn what_an_earlier_release_kept_is_read_and_added_to() {
    let home = Home::new();
    let store = filled(&home);
    feed(&store, (10..60).map(|reservation| reserved(reservation, false)));
    let look = |store: &Store| {
        (
            store.reservation(id(7)).expect("a read"),
            store.changes_of(STOCK, None, 1_000).expect("a read"),
            store.reservations_of(POINTS, None, 1_000).expect("a read"),
            store.reservations(None, 1_000).expect("a read"),
        )
    };
    let before = look(&store);
    store.close().expect("a close");
    drop(store);
    turn_back(&home);
    let store = home.reopen();
    assert_eq!((store.disk().expect("it is open").runs().0.len(), look(&store)), (0, before));
    feed(&store, [Fact::Confirmed(end(20, true)), reserved(70, true)]);
    let memory = look(&store);
    store.flush_all().expect("a flush");
    assert_eq!(look(&store), memory, "a run says more than a row that stands alone");
    for number in 71..80 {
        feed(&store, [reserved(number, true)]);
        store.flush_all().expect("a flush");
    }
    let memory = look(&store);
    merge_all(&store);
    assert_eq!(look(&store), memory);
    assert_eq!(memory.0.map(|record| record.reservation), Some(id(7)));
    store.close().expect("a close");
    drop(store);
    assert_eq!(look(&home.reopen()).1, memory.1);
}

/// Makes the manifest one of the release that kept rows one by one.
fn turn_manifest_back(home: &Home) {
    let path = Manifest::path(&home.dir());
    let mut bytes = std::fs::read(&path).expect("it reads");
    bytes[7] = 3;
    let end = bytes.len() - 4;
    let crc = crc32c::crc32c(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, bytes).expect("it is written");
}

#[test]
fn the_manifest_says_that_an_earlier_release_cannot_read_it_before_there_is_a_block() {
    let home = Home::new();
    filled(&home).close().expect("a close");
    turn_back(&home);
    turn_manifest_back(&home);
    assert!(Manifest::of_earlier_release(&home.dir()).expect("it reads").is_some());
    let store = home.reopen();
    assert_eq!(Manifest::of_earlier_release(&home.dir()).expect("it reads"), None);
    drop(store);
}

#[test]
fn a_row_that_stood_alone_and_is_gone_is_missed_whatever_was_added() {
    let home = Home::new();
    let store = filled(&home);
    feed(&store, [reserved(8, false)]);
    store.close().expect("a close");
    drop(store);
    turn_back(&home);
    let store = home.reopen();
    feed(&store, [Fact::Confirmed(end(8, true))]);
    store.close().expect("a close");
    drop(store);
    {
        let db = open_sled(&home.dir());
        db.remove(Key::reservation(id(7)).to_bytes()).expect("a removal");
        db.flush().expect("a flush");
    }
    let store = home.open();
    assert!(store.set_aside().expect("it is set aside").reason.contains("rows of"));
}

#[test]
fn a_row_that_stands_alone_has_a_checksum() {
    let home = Home::new();
    filled(&home).close().expect("a close");
    turn_back(&home);
    let key = Key::change(STOCK, 5, 0).to_bytes();
    {
        let db = open_sled(&home.dir());
        let mut value = db.get(&key).expect("a read").expect("a value").to_vec();
        value[9] ^= 1;
        db.insert(&key, value).expect("a write");
        db.flush().expect("a flush");
    }
    let store = home.open();
    assert!(store.set_aside().expect("it is set aside").reason.contains("checksum"));
}
