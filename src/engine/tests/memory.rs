//! Would catch an engine in memory that leaves something behind, forgets what a restart should find,
//! or grows without a bound; and a clock that runs although nobody let it.

use super::*;
use crate::base::clock::Clock;
use crate::event::Fact;
use crate::ledger::PutDocument;
use crate::vfs::memory::MemoryDisk;

#[test]
fn what_one_engine_left_the_next_one_finds() {
    let disk = MemoryDisk::default();
    let open = || Engine::in_memory_on(&disk).clock(Arc::new(ManualClock::new(1_000))).open();
    let engine = open().expect("there is memory");
    let second = open().map(drop).expect_err("one is open");
    assert_eq!(second.kind(), ErrorKind::AlreadyOpen);
    let tea = stock(&engine, 10);
    let taken = reserve(&engine, tea, 4);
    let (levels, pending, identity) = (engine.levels(), engine.pending(taken), engine.identity());
    drop(engine);
    let engine = open().expect("the one before is gone");
    assert_eq!((engine.levels(), engine.pending(taken)), (levels.clone(), pending.clone()));
    assert_eq!(engine.identity().directory, identity.directory);
    assert_eq!(engine.identity().epoch, identity.epoch + 1);
    engine.close().expect("it closes");
    let engine = open().expect("the one before is closed");
    assert_eq!((engine.levels(), engine.pending(taken)), (levels, pending));
    assert!(!std::path::Path::new("/ledger").exists(), "nothing is on the machine's disk");

    let other = Engine::in_memory().open().expect("each has a disk of its own");
    assert!(other.levels().is_empty());
}

#[test]
fn there_is_no_history_and_whoever_asks_for_it_is_told() {
    let refused = Engine::in_memory().history(true).open().map(drop).expect_err("there is none");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let engine = Engine::in_memory().open().expect("there is memory");
    let tea = stock(&engine, 1);
    let taken = reserve(&engine, tea, 1);
    drop(engine.confirm(taken).expect("it is decided"));
    let kinds = [
        engine.history().reservation(taken).map(drop),
        engine.catch_up().wait(),
        engine.refund(taken).map(drop),
    ]
    .map(|outcome| outcome.expect_err("history is off").kind());
    assert_eq!(kinds, [ErrorKind::Unavailable; 3]);
}

#[test]
fn its_files_are_bounded_and_subscriptions_read_them() {
    let disk = MemoryDisk::with_bytes_max(8 << 20);
    let builder = Engine::in_memory_on(&disk).segment_bytes(128 << 10);
    let engine = builder.open().expect("there is memory");
    let tea = stock(&engine, 1);
    let (mut most, mut checkpoints) = (0, Vec::new());
    for _ in 0..40 {
        for _ in 0..2_000 {
            let note = "a note that takes some room in the journal";
            drop(engine.receive(Receive::new(tea, 1).note(note)).expect("there is room"));
        }
        // Some 300 KiB of journal; two checkpoints keep what came since the older one.
        checkpoints.push(engine.checkpoint().expect("there is room"));
        most = most.max(disk.bytes());
    }
    assert!(most < 4 << 20, "{most} bytes although all but a little can go");
    assert!(engine.status().oldest_seq > 1, "nothing went");
    // What the older of two checkpoints needs stays; what is older may go at any moment.
    let (last, oldest) = (engine.durable_seq(), checkpoints[checkpoints.len() - 2] + 1);
    let mut events = engine.subscribe(oldest).expect("it is there");
    let mut seqs = oldest..=last;
    for seq in seqs.by_ref() {
        let (told, event) = events.try_next().expect("it reads").expect("it is durable");
        assert_eq!(told, seq);
        assert!(matches!(event.fact, Fact::Received { .. }));
    }
    assert_eq!(engine.subscribe(1).map(drop).expect_err("it is gone").kind(), ErrorKind::NotFound);
}

#[test]
fn on_a_disk_that_is_nearly_full_nothing_new_is_taken() {
    let disk = MemoryDisk::with_bytes_max(4 << 20);
    let builder = Engine::in_memory_on(&disk).segment_bytes(128 << 10);
    let engine = builder.open().expect("there is memory");
    let tea = stock(&engine, 10);
    let taken = reserve(&engine, tea, 1);
    let bodies = (0..64).map(|number| {
        engine.put_document(PutDocument::new("notes", &number.to_string(), &[7; 60_000]))
    });
    let mut refused = None;
    for body in bodies {
        match body.and_then(|ticket| ticket.wait()) {
            Ok(_) => upkeep::room::look(&engine.0.core),
            Err(error) => {
                refused = Some(error.kind());
                break;
            }
        }
    }
    assert_eq!(refused, Some(ErrorKind::LowSpace));
    let lines = [Line { account: tea, quantity: 1 }];
    let new = engine.reserve(Reserve::new(&lines, 100)).map(drop).expect_err("there is no room");
    assert_eq!(new.kind(), ErrorKind::LowSpace);
    engine.confirm(taken).and_then(|ticket| ticket.wait()).expect("what was taken is still ended");
    assert!(disk.bytes() <= disk.bytes_max());
}

/// Waits until the reservation expires by itself.
fn wait_for_expiry(engine: &Engine, reservation: ReservationId) {
    let mut events = engine.subscribe(1).expect("the journal is whole");
    loop {
        let (_, event) = events.next_event().expect("it reads").expect("the engine is open");
        match event.fact {
            Fact::Expired(end) if end.reservation == reservation => return,
            _ => {}
        }
    }
}

#[test]
fn with_a_clock_that_runs_at_no_speed_expiry_comes_by_itself_when_it_is_moved() {
    let clock = Arc::new(ManualClock::running(1_000).at_speed(0));
    let engine =
        Engine::in_memory().clock(Arc::clone(&clock) as _).open().expect("there is memory");
    let tea = stock(&engine, 1);
    let taken = reserve(&engine, tea, 1);
    assert_eq!((clock.now_ms(), engine.now_ms()), (1_000, 1_000), "it stands still");
    clock.advance(99);
    assert!(engine.pending(taken).is_some());
    clock.advance(1);
    wait_for_expiry(&engine, taken);
    assert_eq!((engine.now_ms(), engine.level(tea).expect("it is there").available), (1_100, 1));
}

#[test]
fn with_a_clock_that_runs_fast_an_hour_is_soon_over() {
    let clock = ManualClock::running(1_000).at_speed(1_000_000);
    let engine = Engine::in_memory().clock(Arc::new(clock)).open().expect("there is memory");
    let tea = stock(&engine, 1);
    let lines = [Line { account: tea, quantity: 1 }];
    let taken = engine.reserve(Reserve::new(&lines, 3_600_000)).expect("there is one");
    taken.wait().expect("it is durable");
    let pending = engine.pending_pages().flatten().next();
    // It may be over already.
    pending.into_iter().for_each(|held| wait_for_expiry(&engine, held.reservation));
    assert_eq!(engine.level(tea).expect("it is there").reserved, 0);
}

#[test]
fn with_a_clock_that_stands_still_expiry_comes_when_it_is_asked_for() {
    let clock = Arc::new(ManualClock::new(1_000));
    assert!(!clock.is_running());
    let engine =
        Engine::in_memory().clock(Arc::clone(&clock) as _).open().expect("there is memory");
    let tea = stock(&engine, 1);
    let taken = reserve(&engine, tea, 1);
    clock.advance(100);
    assert!(engine.pending(taken).is_some(), "nobody has turned the wheels");
    assert_eq!(engine.expire_due().expect("it is open"), 1);
    assert_eq!(engine.pending(taken), None);
}
