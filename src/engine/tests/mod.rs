//! The engine on real files: what is acknowledged survives, by snapshot and by journal.

mod accounts;
mod atomic;
mod background;
mod bit_rot;
mod bound;
mod claims;
mod closing;
mod crash_points;
mod directory_reader;
#[cfg(feature = "history")]
mod ended;
mod hanging;
mod identity;
mod memory;
#[cfg(feature = "bin")]
mod mend;
mod metrics;
#[cfg(feature = "history")]
mod revived;
#[cfg(feature = "history")]
mod too_late;
#[cfg(feature = "history")]
mod waiting;
mod warm;
#[cfg(not(feature = "history"))]
mod without_history;

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::base::clock::ManualClock;
use crate::base::error::ErrorKind;
use crate::event::Policy;
use crate::ledger::Line;
use crate::ledger::{ConfirmOutcome, Receive, Reserve, ReserveOutcome, Reserved};

struct Fixture {
    dir: TempDir,
    clock: Arc<ManualClock>,
}

impl Fixture {
    fn new() -> Self {
        Self {
            dir: TempDir::new().expect("a temporary directory"),
            clock: Arc::new(ManualClock::new(1_000)),
        }
    }

    fn open(&self) -> Engine {
        let builder = Engine::builder(self.dir.path())
            .clock(Arc::clone(&self.clock) as _)
            .segment_bytes(128 << 10);
        builder.open().expect("the directory opens")
    }
}

fn stock(engine: &Engine, quantity: u64) -> AccountId {
    let key = AccountKey::stock("tea").expect("a valid key");
    let account = engine.open_account(&key, Policy::strict()).expect("there is room");
    engine
        .receive(Receive::new(account, quantity).note("first delivery"))
        .and_then(Ticket::wait)
        .expect("it is received");
    account
}

fn reserve(engine: &Engine, account: AccountId, quantity: u64) -> ReservationId {
    let lines = [Line { account, quantity }];
    let outcome =
        engine.reserve(Reserve::new(&lines, 100)).and_then(Ticket::wait).expect("it is decided");
    match outcome {
        ReserveOutcome::Reserved(Reserved { reservation, .. }) => reservation,
        other => panic!("expected a reservation, got {other:?}"),
    }
}

#[test]
fn what_is_acknowledged_survives_a_drop_and_a_close() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let first = reserve(&engine, tea, 2);
    let before = (engine.levels(), engine.pending(first));
    drop(engine);
    let engine = fixture.open();
    assert_eq!((engine.levels(), engine.pending(first)), before, "from the journal alone");
    engine.close().expect("it closes");
    let engine = fixture.open();
    assert_eq!((engine.levels(), engine.pending(first)), before, "from the checkpoint");
    engine.confirm(first).and_then(Ticket::wait).expect("it is decided");
    let second = reserve(&engine, tea, 1);
    drop(engine);
    let engine = fixture.open();
    assert_eq!(engine.pending(first), None);
    assert!(engine.pending(second).is_some());
    let level = engine.level(tea).expect("the account exists");
    assert_eq!((level.available, level.reserved, level.consumed), (7, 1, 2));
}

#[test]
fn expiry_is_an_event_and_survives() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let reservation = reserve(&engine, tea, 4);
    fixture.clock.advance(99);
    assert_eq!(engine.expire_due().expect("it admits"), 0);
    fixture.clock.advance(1);
    let late = engine.confirm(reservation).and_then(Ticket::wait).expect("it is decided");
    assert_eq!(late, ConfirmOutcome::Late { reservation, expires_at: 1_100 });
    assert_eq!(engine.expire_due().expect("it admits"), 1);
    engine.checkpoint().expect("it is written");
    drop(engine);
    let level = fixture.open().level(tea).expect("the account exists");
    assert_eq!((level.available, level.reserved), (10, 0));
}

#[test]
fn a_directory_has_one_engine() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let second = Engine::builder(fixture.dir.path()).open();
    assert_eq!(second.err().map(|error| error.kind()), Some(ErrorKind::AlreadyOpen));
    drop(engine);
    fixture.open();
}

#[test]
fn a_damaged_snapshot_gives_way_to_the_one_before() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 1_000);
    for _ in 0..3 {
        for _ in 0..50 {
            reserve(&engine, tea, 1);
        }
        engine.checkpoint().expect("it is written");
    }
    let before = engine.levels();
    drop(engine);
    let dir = fixture.dir.path().join("checkpoint");
    let vfs = crate::vfs::RealVfs;
    let names = crate::vfs::Vfs::list(&vfs, &dir).expect("the directory is there");
    assert_eq!(names.len(), 2, "two generations: {names:?}");
    let newest = crate::vfs::Vfs::open(&vfs, &dir.join(&names[1])).expect("the snapshot is there");
    newest.write_at(&[0xff; 16], 500).expect("it is damaged");
    assert_eq!(fixture.open().levels(), before);
}

#[test]
fn a_journal_that_lost_what_the_checkpoint_shows_is_refused() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    stock(&engine, 1);
    engine.close().expect("it closes");
    let dir = fixture.dir.path().join("journal");
    let vfs = crate::vfs::RealVfs;
    for name in crate::vfs::Vfs::list(&vfs, &dir).expect("the directory is there") {
        crate::vfs::Vfs::remove(&vfs, &dir.join(name)).expect("it is removed");
    }
    let error = Engine::builder(fixture.dir.path()).open().err().map(|error| error.kind());
    assert_eq!(error, Some(ErrorKind::Corrupt));
}

#[test]
fn opening_lets_go_of_nothing_that_the_checkpoint_needs() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 1 << 20);
    for _ in 0..2 {
        reserve(&engine, tea, 1);
        engine.checkpoint().expect("it is written");
    }
    let lines = [Line { account: tea, quantity: 1 }];
    let details = [7; 40 << 10];
    for _ in 0..40 {
        engine
            .reserve(Reserve::new(&lines, 100).details(&details))
            .and_then(Ticket::wait)
            .expect("it is decided");
    }
    // History is at the end, and the older checkpoint at the beginning: the journal must be kept
    // for the latter.
    drop(engine);
    // The recycler's thread must not find a moment, so it gets many to try.
    for _ in 0..15 {
        let status = fixture.open().status();
        assert!(status.segments > 10, "{status:?}");
    }
}

#[test]
fn a_subscription_sees_each_event_once_and_in_order() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 100);
    for _ in 0..10 {
        reserve(&engine, tea, 1);
    }
    let mut subscription = engine.subscribe(1).expect("the first event is there");
    let last = engine.durable_seq();
    let seqs: Vec<Seq> = (0..last)
        .map(|_| subscription.next_event().expect("it reads").expect("it is there").0)
        .collect();
    assert_eq!(seqs, (1..=last).collect::<Vec<_>>());
    assert!(subscription.try_next().expect("it reads").is_none());
    engine.close().expect("it closes");
    assert!(
        subscription.next_event().expect("it reads").is_none(),
        "closed, and all was delivered"
    );
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test is in the way of sled's manifest")]
fn a_history_that_fails_is_told_all_else_goes_on_and_the_next_opening_makes_it_whole() {
    let fixture = Fixture::new();
    let open = || {
        let builder = Engine::builder(fixture.dir.path()).clock(Arc::clone(&fixture.clock) as _);
        builder.segment_bytes(128 << 10).history_flush_rows(1).open().expect("the directory opens")
    };
    let engine = open();
    let tea = stock(&engine, 10);
    let last_seq = engine.status().last_seq;
    while engine.status().history_seq != Some((last_seq, last_seq)) {
        std::thread::yield_now();
    }
    assert!(!engine.status().history_failed);
    // Where the manifest is written before it gets its name.
    let in_the_way = fixture.dir.path().join("store.manifest.new");
    std::fs::create_dir(&in_the_way).expect("it is made");
    let taken = reserve(&engine, tea, 2);
    while !engine.status().history_failed {
        std::thread::yield_now();
    }
    engine.check_ready().expect("commands are accepted");
    assert_eq!(
        engine.confirm(taken).and_then(Ticket::wait).ok(),
        Some(ConfirmOutcome::Confirmed { reservation: taken })
    );
    assert_eq!(engine.catch_up().wait().expect_err("it ended").kind(), ErrorKind::Unavailable);
    drop(engine);
    std::fs::remove_dir(in_the_way).expect("it is empty");
    let engine = open();
    engine.catch_up().wait().expect("history follows");
    let record = engine.history().reservation(taken).expect("it reads").expect("it is known");
    assert_eq!(record.state, crate::history::record::ReservationState::Confirmed);
    assert!(!engine.status().history_failed);
}

/// Checkpoints ended with the first that failed, for as long as the process lived, and nobody was
/// told.
#[test]
#[allow(clippy::disallowed_methods, reason = "the test is in the way of the snapshot")]
fn a_checkpoint_that_failed_is_told_and_tried_again() {
    let fixture = Fixture::new();
    let builder = Engine::builder(fixture.dir.path())
        .clock(Arc::clone(&fixture.clock) as _)
        .segment_bytes(128 << 10);
    let engine = builder.checkpoint_events(5).open().expect("the directory opens");
    let in_the_way = fixture.dir.path().join("checkpoint/snapshot.tmp");
    std::fs::create_dir(&in_the_way).expect("it is made");
    let tea = stock(&engine, 10);
    (0..5).for_each(|_| _ = reserve(&engine, tea, 1));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let until = |what: &str, reached: &dyn Fn(Status) -> bool| {
        while !reached(engine.status()) {
            assert!(std::time::Instant::now() < deadline, "{what}: {:?}", engine.status());
            std::thread::yield_now();
        }
    };
    until("it fails", &|status| status.checkpoint_failures > 0);
    assert_eq!(engine.status().checkpoint_seq, 0);
    std::fs::remove_dir(in_the_way).expect("it is empty");
    until("it is tried again", &|status| status.checkpoint_seq > 0);
    until("it is told that it was written", &|status| status.checkpoint_failures == 0);
}
