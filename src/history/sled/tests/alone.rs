//! Catches a store of an earlier release that loses what it has: its rows stand alone in sled.

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
    assert_eq!((store.run_count(), look(&store)), (0, before));
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
