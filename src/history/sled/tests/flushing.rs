//! Catches a watermark that is ahead of its rows, rows applied twice, and batches that are too
//! large for sled.

use super::*;

#[test]
fn replayed_events_are_ignored() {
    let home = Home::new();
    let store = filled(&home);
    let before = store.reservation(id(7)).expect("a read");
    store.project(6, &event(1, reserved(7, false))).expect("a replay");
    store.project(1, &event(1, Fact::Released(end(7, false)))).expect("a replay");
    assert_eq!(store.reservation(id(7)).expect("a read"), before);
    assert_eq!(store.memtable_len(), 0);
    let gap = store.project(9, &event(1, reserved(9, false))).expect_err("event 8 is missing");
    assert_eq!(gap.kind(), ErrorKind::Invalid);
}

#[test]
fn an_order_confirmed_before_the_flush_is_one_row() {
    let home = Home::new();
    let store = home.open();
    feed(&store, accounts());
    let before = store.memtable_len();
    feed(&store, [reserved(1, false), Fact::Confirmed(end(1, true))]);
    // The record, its index entry, two changes of each of two accounts, and an entry of each event.
    assert_eq!(store.memtable_len() - before, 8);
}

#[test]
fn the_watermark_waits_for_the_last_row() {
    let home = Home::new();
    let store = home.open();
    feed(&store, accounts());
    feed(&store, (1..=100).map(|reservation| reserved(reservation, true)));
    let all = store.memtable_len();
    // One page of quotas joins them.
    assert_eq!(store.flush(100).expect("a flush"), 0);
    assert_eq!(store.memtable_len(), all + 1 - 100);
    feed(&store, [Fact::Released(end(1, false))]);
    store.close().expect("a close moves all");
    assert_eq!((store.watermark(), store.memtable_len()), (106, 0));
    drop(store);
    let store = home.reopen();
    let record = store.reservation(id(1)).expect("a read").expect("the reservation");
    assert_eq!((store.watermark(), record.state), (106, ReservationState::Released));
}

#[test]
fn a_flush_cut_short_is_replayed() {
    let home = Home::new();
    let store = filled(&home);
    let facts = || {
        let body = Cow::Borrowed(&b"sent"[..]);
        let back = [line(STOCK, 1, 0, 10)].into_iter().collect();
        let mut facts: Vec<Fact<'_>> =
            (100..400).map(|reservation| reserved(reservation, false)).collect();
        facts.push(Fact::Noted { reservation: id(7), body });
        facts.push(Fact::Returned {
            reservation: id(7),
            lines: back,
            note: "".into(),
            consumed_at: None,
            expires_at: 0,
            part: None,
        });
        facts.push(Fact::Expired(end(100, false)));
        facts
    };
    feed(&store, facts());
    let whole =
        (store.reservation(id(7)).expect("a read"), store.reservation(id(100)).expect("a read"));
    let changes = store.changes_of(STOCK, None, 1_000).expect("a read");
    // Change rows sort before index rows and records: all but a few rows are moved.
    let left = store.memtable_len() - 3;
    assert_eq!(store.flush(left).expect("a flush"), 7);
    drop(store);

    let store = home.reopen();
    assert_eq!(store.watermark(), 7);
    assert_eq!(
        store.changes_of(STOCK, None, 9).expect("a read").len(),
        3,
        "what is beyond the watermark is unseen"
    );
    feed(&store, facts());
    assert_eq!(
        (store.reservation(id(7)).expect("a read"), store.reservation(id(100)).expect("a read")),
        whole
    );
    assert_eq!(store.changes_of(STOCK, None, 1_000).expect("a read"), changes);
    store.close().expect("a close");
    drop(store);
    assert_eq!(home.reopen().changes_of(STOCK, None, 1_000).expect("a read"), changes);
}

#[test]
fn a_table_of_many_blocks_reads_back() {
    let home = Home::new();
    let store = home.open();
    feed(&store, accounts());
    feed(&store, (1..=4_000).map(|reservation| reserved(reservation, true)));
    let changes = store.changes_of(STOCK, None, 10_000).expect("a read");
    store.close().expect("a close");
    drop(store);
    let store = home.reopen();
    let disk = store.disk().expect("it is open");
    assert!(disk.db().len() > 10, "one row is a fraction of a block, and there are many");
    assert!(disk.db().len() < 100);
    assert_eq!(store.changes_of(STOCK, None, 10_000).expect("a read"), changes);
    for number in [1, 2, 1_999, 4_000] {
        assert!(store.reservation(id(number)).expect("a read").is_some());
    }
    let newest = store.reservations(Some(id(3_000)), 2_500).expect("a read");
    assert!(newest.iter().map(|it| it.reservation).eq((500..3_000).rev().map(id)));
}

#[test]
fn a_store_may_begin_late() {
    let home = Home::new();
    let store = home.open();
    store.begin_after(500, [QUOTA].into_iter()).expect("a late beginning");
    feed(&store, [Fact::Confirmed(end(7, true))]);
    store.flush_all().expect("a flush");
    let record = store.reservation(id(7)).expect("a read").expect("a part of the record");
    assert_eq!((record.created_at, record.ended_at, record.lines.len()), (0, Some(5010), 3));
    assert_eq!(
        (store.watermark(), kinds(&store, QUOTA).len(), kinds(&store, STOCK).len()),
        (501, 0, 1)
    );
    let late = store.begin_after(400, std::iter::empty()).expect_err("it is further already");
    assert_eq!(late.kind(), ErrorKind::Invalid);
    assert_eq!(store.first_seq().expect("it is open"), 501);
    store.close().expect("a close");
    drop(store);
    assert_eq!(home.reopen().first_seq().expect("it is open"), 501, "it says so ever after");
}

#[test]
fn events_without_rows_move_the_watermark() {
    let home = Home::new();
    let store = home.open();
    feed(&store, [Fact::Document { collection: "product".into(), key: "tea".into(), body: None }]);
    assert_eq!(store.flush(10).expect("a flush"), 1);
    assert_eq!(store.flush(10).expect("nothing to do"), 1);
    store.close().expect("a close");
    drop(store);
    assert_eq!(home.reopen().watermark(), 1);
}
