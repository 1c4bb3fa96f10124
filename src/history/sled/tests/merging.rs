//! Catches a merge that loses rows, brings old ones back, or takes them from under a reader.

use super::*;

/// So many runs, each of one more order of an account, and of the first order in another state.
fn runs(store: &Store, count: u64) {
    feed(store, accounts());
    feed(store, [reserved(1, false)]);
    for reservation in 2..2 + count {
        let body = Cow::Owned(vec![reservation as u8]);
        feed(store, [reserved(reservation, true), Fact::Noted { reservation: id(1), body }]);
        store.flush_all().expect("a flush");
    }
}

fn run_count(store: &Store) -> usize {
    store.disk().expect("it is open").runs().0.len()
}

fn look(store: &Store) -> (Option<ReservationRecord>, Vec<ChangeRecord>, usize) {
    (
        store.reservation(id(1)).expect("a read"),
        store.changes_of(STOCK, None, 1_000).expect("a read"),
        store.reservations_of(POINTS, None, 1_000).expect("a read").len(),
    )
}

#[test]
fn what_was_merged_reads_as_before_and_is_gone() {
    let home = Home::new();
    let store = home.open();
    runs(&store, 20);
    let (before, blocks) = (look(&store), store.disk().expect("it is open").db().len());
    assert_eq!(run_count(&store), 20);
    while store.wants_merging() {
        store.merge(7).expect("a merge");
        assert_eq!(look(&store), before);
    }
    assert_eq!(run_count(&store), 1, "all of them are of one size");
    let left = store.disk().expect("it is open").db().len();
    assert!(left < 5 && blocks >= 20, "{blocks} blocks became {left}");
    store.close().expect("a close");
    drop(store);
    assert_eq!(look(&home.reopen()), before);
}

#[test]
fn a_merge_that_was_cut_short_begins_again() {
    let home = Home::new();
    let store = home.open();
    runs(&store, 5);
    let before = look(&store);
    for budget in [1, 3, 5] {
        store.merge(budget).expect("a merge");
    }
    drop(store);
    let store = home.reopen();
    let disk = store.disk().expect("it is open");
    assert_eq!((run_count(&store), disk.db().len()), (5, 6), "what it wrote is gone");
    assert_eq!(look(&store), before);
    merge_all(&store);
    assert_eq!((run_count(&store), look(&store)), (1, before));
}

#[test]
fn a_table_is_moved_while_runs_are_merged() {
    let home = Home::new();
    let store = home.open();
    runs(&store, 5);
    store.merge(1).expect("a merge");
    feed(&store, [Fact::Released(end(1, false)), reserved(90, true)]);
    let before = look(&store);
    store.flush_all().expect("a flush");
    assert_eq!((run_count(&store), look(&store)), (6, before.clone()));
    while run_count(&store) > 2 {
        store.merge(1_000).expect("a merge");
    }
    assert_eq!(look(&store), before, "the newer run says more than what was merged");
}

#[test]
fn a_reader_keeps_the_runs_that_it_reads() {
    let home = Home::new();
    let store = home.open();
    runs(&store, 5);
    let disk = store.disk().expect("it is open");
    let (runs, blocks) = (disk.runs(), disk.db().len());
    let mut rows = disk.view(&runs).rows(KeyRange::everything()).expect("a read");
    let mut seen = usize::from(rows.next().expect("a read").is_some());
    merge_all(&store);
    assert_eq!(run_count(&store), 1);
    assert!(disk.db().len() > blocks, "nothing is taken from under a reader");
    while rows.next().expect("a read").is_some() {
        seen += 1;
    }
    let now = disk.runs();
    let mut merged = disk.view(&now).rows(KeyRange::everything()).expect("a read");
    let mut count = 0;
    while merged.next().expect("a read").is_some() {
        count += 1;
    }
    assert_eq!(seen, count);
    drop((rows, runs));
    merge_all(&store);
    assert!(disk.db().len() < blocks, "once it is done it is");
}

/// Merges runs of which a block was done something to, and expects that to be noticed.
fn check_damage(damage: impl FnOnce(&sled::Db, sled::IVec, Vec<u8>)) {
    let home = Home::new();
    let store = home.open();
    runs(&store, 5);
    let disk = store.disk().expect("it is open");
    let (at, value) = block_with(disk.db(), Key::reservation(id(3)));
    damage(disk.db(), at, value);
    let merged = (0..1_000).try_for_each(|_| store.merge(1_000));
    assert_eq!(merged.expect_err("it is no whole run").kind(), ErrorKind::Corrupt);
    drop((disk, store));
    assert!(home.open().set_aside().is_some());
}

#[test]
fn a_damaged_run_is_not_merged_into_a_whole_one() {
    check_damage(|db, at, mut value| {
        value[9] ^= 1;
        db.insert(at, value).expect("a write");
    });
}

#[test]
fn a_run_that_lost_a_block_is_not_merged_into_a_whole_one() {
    check_damage(|db, at, _| drop(db.remove(at).expect("a removal")));
}

#[test]
fn a_store_that_is_closed_amid_a_merge_lets_go_of_its_files() {
    let home = Home::new();
    let store = home.open();
    runs(&store, 5);
    store.merge(3).expect("a merge");
    let before = look(&store);
    store.close().expect("a close");
    assert_eq!(look(&home.reopen()), before, "while the one that was closed is still there");
}
