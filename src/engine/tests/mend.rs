//! Would catch a mend of the clock that records what follows from the new time before the time is
//! set back, that a crash leaves half done for good, or that releases what was made at the right
//! time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::super::*;
use crate::base::clock::ManualClock;
use crate::event::{Event, Fact, Policy};
use crate::ledger::{Command, Line, Receive, Reserve, ReserveOutcome};
use crate::vfs::crash::{CrashVfs, Fault};

const NOW_MS: TimeMs = 1_750_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const YEAR_MS: u64 = 365 * 24 * HOUR_MS;

fn builder(vfs: &CrashVfs, now_ms: TimeMs) -> EngineBuilder {
    let clock = Arc::new(ManualClock::new(now_ms));
    let builder = Engine::builder(Path::new("data")).vfs(vfs.clone()).clock(clock).history(false);
    builder.segment_bytes(128 << 10).stepped(vfs.operations())
}

fn open(vfs: &CrashVfs, now_ms: TimeMs) -> Engine {
    builder(vfs, now_ms).open().expect("it opens")
}

fn reserve(engine: &Engine, product: &str, ttl_ms: u64) -> ReservationId {
    let key = AccountKey::stock(product).expect("a valid key");
    let account = engine.open_account(&key, Policy::strict()).expect("there is room");
    engine.receive(Receive::new(account, 1)).and_then(Ticket::wait).expect("it is received");
    let lines = [Line { account, quantity: 1 }];
    let taken = engine.reserve(Reserve::new(&lines, ttl_ms)).and_then(Ticket::wait);
    taken.expect("it is decided").reserved().expect("there is one").reservation
}

/// Receives a unit and reserves it, in one event.
fn reserve_together(engine: &Engine, product: &str, ttl_ms: u64) -> ReservationId {
    let key = AccountKey::stock(product).expect("a valid key");
    let account = engine.account(&key).expect("it is open");
    let lines = [Line { account, quantity: 1 }];
    let commands: [Command<'_>; 2] =
        [Receive::new(account, 1).into(), Reserve::new(&lines, ttl_ms).into()];
    let outcome = engine.atomic(&commands).and_then(Ticket::wait).expect("it is decided");
    let outcomes = outcome.done().expect("both happen");
    let reserved: ReserveOutcome = outcomes[1].try_into().expect("it is a reserve's");
    reserved.reserved().expect("there is one").reservation
}

/// A directory of which the time is a year ahead, what waits since before, and what was made then.
fn ahead() -> (CrashVfs, ReservationId, Vec<ReservationId>) {
    let vfs = CrashVfs::new(1);
    let engine = open(&vfs, NOW_MS);
    let before = reserve(&engine, "tea", 30 * 24 * HOUR_MS);
    engine.close().expect("it closes");
    let engine = open(&vfs, NOW_MS + YEAR_MS);
    let made = ["tea", "cup", "pot"].map(|product| reserve(&engine, product, HOUR_MS));
    engine.close().expect("it closes");
    (vfs, before, made.to_vec())
}

fn pending(engine: &Engine) -> BTreeSet<ReservationId> {
    engine.0.core.ledger.all_pending().into_iter().map(|pending| pending.reservation).collect()
}

fn events(engine: &Engine) -> Vec<Event<'static>> {
    let mut events = engine.subscribe(1).expect("everything is kept");
    std::iter::from_fn(|| events.try_next().expect("it reads").map(|(_, event)| event)).collect()
}

/// What is left once a mend went through, whatever cut off those before it.
fn check_mended(vfs: &CrashVfs, left: &[ReservationId], what: &str) {
    let engine = open(vfs, NOW_MS + 10);
    assert_eq!(pending(&engine), left.iter().copied().collect(), "{what}");
    assert!(engine.now_ms() <= NOW_MS + HOUR_MS, "{what}: the time is the machine's again");
    let (mut at_ms, mut mends) = (0, 0);
    for event in events(&engine) {
        if let Fact::ClockMended { from } = event.fact {
            assert_eq!((from, at_ms), (NOW_MS + YEAR_MS, from), "{what}: what it is set back from");
            (mends, at_ms) = (mends + 1, event.at);
        }
        assert!(event.at >= at_ms, "{what}: the time goes back by {:?}", event.fact);
        at_ms = event.at;
    }
    assert_eq!(mends, 1, "{what}: a mend is recorded once");
}

#[test]
fn power_is_cut_at_every_operation_of_a_mend() {
    let (whole, before, made) = ahead();
    let (mut cut_between, mut operation) = (0, 0);
    loop {
        let vfs = whole.duplicate();
        vfs.fault_at(vfs.operations() + operation, Fault::PowerCut);
        // With room for one event in the queue, each is written before the next is recorded.
        let slow = builder(&vfs, NOW_MS).queue_bytes_max(1);
        let went_through = mend_clock(slow, true).is_ok() && !vfs.is_off();
        vfs.cut_power();
        for seed in 0..3 {
            let what = format!("power cut at operation {operation}, crash {seed}");
            let left = vfs.crash(seed);
            let again = mend_clock(builder(&left, NOW_MS + 5), true);
            let again = again.unwrap_or_else(|error| panic!("{what}: {error}"));
            cut_between += usize::from(again.seq.is_none() && again.reservations > 0);
            check_mended(&left, &[before], &what);
            let third = mend_clock(builder(&left, NOW_MS + 10), true).expect("it looks");
            assert_eq!((third.seq, third.reservations), (None, 0), "{what}: nothing is left");
        }
        if went_through {
            break;
        }
        operation += 1;
    }
    println!("{operation} operations, {cut_between} mends cut off between time and releases");
    assert!(operation > 20 && cut_between > 0, "{operation} {cut_between}");
    assert_eq!(made.len(), 3);
}

/// A shard goes on from its highest number, which stands for the time that was ahead.
#[test]
fn what_was_made_after_a_mend_is_not_taken_for_made_ahead() {
    let (vfs, before, made) = ahead();
    // Cut off once the time was set back: those made ahead wait still.
    mend_clock(builder(&vfs, NOW_MS), true).expect("it is mended");
    let engine = open(&vfs, NOW_MS + 20);
    let live = reserve(&engine, "tea", HOUR_MS);
    // Of an event that holds several as well.
    let together = reserve_together(&engine, "tea", HOUR_MS);
    engine.close().expect("it closes");
    assert!(live > made[0], "{live} {made:?}");
    let looked = mend_clock(builder(&vfs, NOW_MS + 30), false).expect("it looks");
    assert_eq!((looked.is_ahead, looked.reservations), (false, 0));
    mend_clock(builder(&vfs, NOW_MS + 30), true).expect("there is nothing to mend");
    // And another year ahead.
    let engine = open(&vfs, NOW_MS + 40 + YEAR_MS);
    let ahead = reserve(&engine, "cup", HOUR_MS);
    assert_eq!(pending(&engine), [before, live, together, ahead].into());
    drop(engine);
    let mended = mend_clock(builder(&vfs, NOW_MS + 50), true).expect("it is mended");
    assert_eq!((mended.is_ahead, mended.reservations), (true, 1));
    assert_eq!(pending(&open(&vfs, NOW_MS + 60)), [before, live, together].into());
}
