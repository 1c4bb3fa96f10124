//! A successor that follows a directory in use and takes it over. Would catch an event that it
//! misses or applies twice, a directory that is taken while its owner has it, one that somebody else
//! had in between, and an engine that is not what the one before left.

use super::*;
use crate::engine::handing_over::Left;
use crate::engine::opening::warm::Warm;
use crate::ledger::Receive;
use crate::vfs::Vfs;

fn settings(fixture: &Fixture) -> EngineBuilder {
    Engine::builder(fixture.dir.path())
        .clock(Arc::clone(&fixture.clock) as _)
        .segment_bytes(128 << 10)
}

/// Takes over, whatever is there; and what that is.
fn take_over(warm: Warm) -> (Engine, Left) {
    let locked = warm.lock().expect("nobody has it");
    let mut found = None;
    let seen = |left: &Left| {
        found = Some(*left);
        Ok(())
    };
    let engine = warm.take_over(locked, seen, || ()).expect("it takes over");
    (engine, found.expect("it was asked"))
}

/// Every file of a directory, by path, with what is in it.
#[allow(clippy::disallowed_methods, reason = "the test looks at files")]
fn files(dir: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).expect("it is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it lists").path()).collect();
    paths.sort();
    let inside = |path: std::path::PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![(path.clone(), std::fs::read(path).expect("it reads"))],
    };
    paths.into_iter().flat_map(inside).collect()
}

/// Sells so much that segments roll over, and leaves some of it pending.
fn sell(engine: &Engine, tea: AccountId, from: u64) {
    static DETAILS: [u8; 16 << 10] = [7; 16 << 10];
    for step in from..from + 40 {
        let lines = [Line { account: tea, quantity: 1 }];
        let taken = engine.reserve(Reserve::new(&lines, 1_000).details(&DETAILS));
        let Ok(ReserveOutcome::Reserved(Reserved { reservation, .. })) =
            taken.and_then(Ticket::wait)
        else {
            panic!("enough")
        };
        if step % 3 > 0 {
            engine.confirm(reservation).and_then(Ticket::wait).expect("it is decided");
        }
        let cup = AccountKey::stock(&format!("cup-{step}")).expect("a valid key");
        engine.open_account(&cup, Policy::strict()).expect("there is room");
        let name = step.to_string();
        let cup = crate::ledger::PutDocument::new("cups", &name, b"blue");
        engine.put_document(cup).and_then(Ticket::wait).expect("there is room");
    }
}

#[test]
fn a_successor_goes_on_where_the_owner_ended() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 1_000);
    sell(&engine, tea, 0);
    engine.expect_successor().expect("it writes a checkpoint");
    sell(&engine, tea, 100);
    let mut warm = Warm::read(settings(&fixture)).expect("it reads");
    assert_eq!(warm.last_seq(), engine.status().last_seq, "all that is durable by then");
    sell(&engine, tea, 200);
    assert!(warm.follow().expect("it follows") > 100);
    assert_eq!(warm.follow().expect("it follows"), 0, "each event once");
    sell(&engine, tea, 300);
    let hasty = Warm::read(settings(&fixture)).expect("it reads");
    let refused = hasty.lock().map(drop).expect_err("its owner has it");
    assert_eq!(refused.kind(), ErrorKind::AlreadyOpen);
    engine.settle();
    engine.hand_over().expect("it gives the directory up");
    let refused = engine.receive(Receive::new(tea, 1)).map(drop).expect_err("it is closed");
    assert_eq!(refused.kind(), ErrorKind::Closed);
    let left = engine.left().expect("it tells");
    let before = (engine.levels(), engine.0.core.ledger.all_pending(), engine.documents("cups"));
    let (next, found) = take_over(warm);
    assert_eq!(found, left);
    assert_eq!(Some(next.digest()), left.digest);
    let after = (next.levels(), next.0.core.ledger.all_pending(), next.documents("cups"));
    assert!(before == after, "the ledger is the same");
    engine.close().expect("the rest closes");
    sell(&next, tea, 400);
    assert_ne!(Some(next.digest()), left.digest);
    let digest = next.digest();
    drop(next);
    assert_eq!(fixture.open().digest(), digest, "what it wrote opens again");
}

#[test]
fn an_owner_whose_successor_is_gone_goes_on_as_before() {
    let fixture = Fixture::new();
    let engine = settings(&fixture).history(false).open().expect("the directory opens");
    let tea = stock(&engine, 1_000);
    engine.expect_successor().expect("it writes a checkpoint");
    engine.settle();
    for round in 1..4 {
        sell(&engine, tea, 100 * round);
        engine.checkpoint().expect("it is written");
    }
    let held = engine.status();
    assert_eq!((held.archive_bytes, held.oldest_seq), (0, 1), "all is kept, and nothing recycled");
    engine.expect_no_successor();
    for _ in 0..20_000_000 {
        if engine.status().archive_bytes > 0 {
            return engine.close().expect("it closes");
        }
        std::thread::yield_now();
    }
    panic!("the recycler never went on");
}

#[test]
fn a_successor_follows_to_the_end_of_an_owner_that_died() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 1_000);
    let warm = Warm::read(settings(&fixture)).expect("it reads");
    sell(&engine, tea, 0);
    let digest = engine.digest();
    drop(engine);
    assert_eq!(take_over(warm).0.digest(), digest);
}

/// A successor raised the epoch and began a segment before it compared the books, and then closed with
/// a checkpoint of its own.
#[test]
fn a_successor_that_does_not_agree_changes_no_file() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 1_000);
    let warm = Warm::read(settings(&fixture)).expect("it reads");
    sell(&engine, tea, 0);
    engine.hand_over().expect("it gives the directory up");
    engine.close().expect("the rest closes");
    let before = files(fixture.dir.path());
    let locked = warm.lock().expect("nobody has it");
    let disagrees = |_: &Left| Err(crate::Error::corrupt("other books"));
    let refused = warm.take_over(locked, disagrees, || ());
    assert_eq!(refused.map(drop).expect_err("it is refused").to_string(), "other books");
    assert!(files(fixture.dir.path()) == before, "not a byte is another");
    fixture.open().close().expect("it opens again");
}

/// One such file failed every take-over, after the owner had stopped.
#[test]
#[allow(clippy::disallowed_methods, reason = "the test damages a file")]
fn a_damaged_old_snapshot_is_in_no_successors_way() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 1_000);
    for round in 1..3 {
        sell(&engine, tea, 100 * round);
        engine.checkpoint().expect("it is written");
    }
    let warm = Warm::read(settings(&fixture)).expect("it reads");
    let snapshots = crate::engine::files::snapshot::list(&crate::vfs::RealVfs, fixture.dir.path());
    let snapshots = snapshots.expect("it lists");
    let [newest, oldest] = snapshots.as_slice() else { panic!("two: {snapshots:?}") };
    let seen = || {
        let seen =
            crate::engine::files::generations::seen(&crate::vfs::RealVfs, fixture.dir.path());
        let seen = seen.expect("it reads");
        (seen.newest(), seen.needed_from())
    };
    let newest_seq = seen().0;
    std::fs::write(oldest, b"damaged").expect("it is written");
    assert_eq!(seen(), (newest_seq, 1), "with a single one the journal is kept whole");
    assert!(std::fs::exists(newest).expect("it can be looked at"));
    engine.hand_over().expect("it gives the directory up");
    let left = engine.left().expect("it tells");
    assert_eq!(take_over(warm).1, left);
}

/// It was counted as left, although no file has it: every successor found other books.
#[test]
fn a_decision_that_came_too_late_for_the_journal_is_not_said_to_be_left() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 1_000);
    let warm = Warm::read(settings(&fixture)).expect("it reads");
    engine.hand_over().expect("it gives the directory up");
    let left = engine.left().expect("it tells");
    assert!(left.digest.is_some(), "the files have it all");
    // As whoever was admitted before does.
    engine.0.core.journal.append(1, |_| ());
    let late = engine.left().expect("it tells");
    assert_eq!(late, Left { digest: None, ..left }, "the files are as they were");
    let (next, found) = take_over(warm);
    assert_eq!(found, left);
    assert_eq!(next.level(tea).expect("it is open").available, 1_000);
}

#[test]
fn a_directory_that_somebody_had_in_between_is_not_taken() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    stock(&engine, 10);
    let warm = Warm::read(settings(&fixture)).expect("it reads");
    engine.close().expect("it closes");
    fixture.open().close().expect("it closes");
    let refused = warm.lock().map(drop).expect_err("it is another opening");
    assert!(refused.to_string().contains("in between"), "{refused}");
    fixture.open().close().expect("it opens all the same");
}

#[test]
fn what_a_successor_fell_too_far_behind_of_is_said() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 1_000);
    let mut warm = Warm::read(settings(&fixture)).expect("it reads");
    for round in 1..5 {
        sell(&engine, tea, 100 * round);
        engine.checkpoint().expect("it is written");
    }
    drop(engine);
    // As the recycler does with what nobody needs.
    let journal = fixture.dir.path().join("journal");
    let vfs = crate::vfs::RealVfs;
    let oldest = vfs.list(&journal).expect("it lists");
    let oldest: Vec<_> = oldest.iter().filter(|name| name.starts_with("segment")).take(2).collect();
    oldest.iter().for_each(|name| vfs.remove(&journal.join(name)).expect("it goes"));
    let refused = warm.follow().expect_err("the next segment is gone");
    assert_eq!(refused.kind(), ErrorKind::NotFound, "{refused}");
}

#[cfg(feature = "history")]
#[test]
fn history_comes_when_its_owner_has_closed_it_and_reads_wait_for_it() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 1_000);
    sell(&engine, tea, 0);
    let warm = Warm::read(settings(&fixture)).expect("it reads");
    let taken_at = engine.status().last_seq;
    let pending = engine.0.core.ledger.all_pending()[0].reservation;
    engine.hand_over().expect("it gives the directory up");
    let (closed, is_closed) = std::sync::mpsc::channel::<()>();
    let locked = warm.lock().expect("nobody has it");
    let taken = warm.take_over(
        locked,
        |_| Ok(()),
        move || {
            let _ = is_closed.recv();
        },
    );
    let next = taken.expect("it takes over");
    assert_eq!(next.status().history_seq, None, "it is with the one before still");
    assert!(!next.status().history_failed);
    assert!(next.release(crate::ledger::Release::new(pending)).and_then(Ticket::wait).is_ok());
    let reading = {
        let next = next.clone();
        std::thread::spawn(move || next.history().reservation(pending).expect("it reads").is_some())
    };
    engine.close().expect("history is closed");
    drop(closed);
    assert!(reading.join().expect("it ends"), "it waited, and found it");
    next.catch_up().wait().expect("history follows");
    assert!(next.history().seq().expect("it is there") > taken_at);
    next.close().expect("it closes");
    fixture.open().close().expect("it opens");
}
