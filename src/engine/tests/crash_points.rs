//! Power is cut at every write, sync, creation, rename, removal and sync of a directory, in turn,
//! and what is left is recovered. Would catch a sync that is missing or comes too late, and files
//! that only a whole step explains.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::*;
use crate::base::IdempotencyKey;
use crate::base::clock::ManualClock;
use crate::event::Policy;
use crate::ledger::Line;
use crate::ledger::{Receive, Reserve, ReserveOutcome, Reserved};
use crate::vfs::crash::{CrashVfs, Fault, Operation};

const STEPS: u64 = 48;
const NOW_MS: TimeMs = 1_000;
/// Long enough that a handful of reservations fill a segment, so that segments roll over, and are
/// archived and used again.
static DETAILS: [u8; 24 << 10] = [7; 24 << 10];

/// What the ledger shows: levels, and what is pending.
type Shown = (Vec<Level>, Vec<Option<Pending>>);

/// What somebody knows who saw a run up to its crash.
#[derive(Default)]
struct Witness {
    /// The ledger after each event.
    shown: BTreeMap<Seq, Shown>,
    /// Everything up to this event was acknowledged.
    acknowledged: Seq,
    reservations: Vec<ReservationId>,
    /// Keyed requests that were acknowledged, with their first answers.
    answers: Vec<(u64, ReserveOutcome)>,
}

fn open(vfs: &CrashVfs) -> Result<Engine> {
    let builder =
        Engine::builder(Path::new("data")).vfs(vfs.clone()).history(false).segment_bytes(128 << 10);
    builder.clock(Arc::new(ManualClock::new(NOW_MS))).archive_bytes_max(Some(1 << 20)).open()
}

fn key(step: u64) -> IdempotencyKey {
    IdempotencyKey::new("buyer", &step.to_string()).expect("a valid key")
}

fn shown(engine: &Engine, reservations: &[ReservationId]) -> Shown {
    (engine.levels(), reservations.iter().map(|id| engine.pending(*id)).collect())
}

fn reserve(engine: &Engine, tea: AccountId, step: u64) -> Result<Ticket<ReserveOutcome>> {
    let lines = [Line { account: tea, quantity: 1 + step % 3 }];
    engine.reserve(Reserve::new(&lines, 1_000_000).details(&DETAILS).key(key(step)))
}

impl Witness {
    /// Sees what a command did, and whether it is heard of.
    fn hear<T: Copy>(&mut self, engine: &Engine, ticket: Ticket<T>) -> Result<T> {
        let seq = self.see(engine, &ticket);
        let outcome = ticket.wait()?;
        self.acknowledged = seq;
        Ok(outcome)
    }

    /// Sees what a command did in memory.
    fn see<T>(&mut self, engine: &Engine, ticket: &Ticket<T>) -> Seq {
        let seq = ticket.seq().unwrap_or_default();
        self.shown.insert(seq, shown(engine, &self.reservations));
        seq
    }

    /// Reserves, and remembers the reservation.
    fn reserve(
        &mut self,
        engine: &Engine,
        tea: AccountId,
        step: u64,
    ) -> Result<Ticket<ReserveOutcome>> {
        let ticket = reserve(engine, tea, step)?;
        self.reservations.extend(ticket.outcome().reserved().ok().map(|taken| taken.reservation));
        Ok(ticket)
    }

    /// A sale: units are received and reserved, reservations confirmed and released, checkpoints
    /// taken.
    fn work(&mut self, vfs: &CrashVfs) -> Result<()> {
        let engine = open(vfs)?;
        let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
        let received = engine.receive(Receive::new(tea, 1_000).note("first delivery"))?;
        self.hear(&engine, received)?;
        for step in 0..STEPS {
            let ticket = self.reserve(&engine, tea, step)?;
            let outcome = self.hear(&engine, ticket)?;
            self.answers.push((step, outcome));
            let ReserveOutcome::Reserved(Reserved { reservation, .. }) = outcome else {
                panic!("there is enough for all")
            };
            match step % 3 {
                0 => drop(self.hear(&engine, engine.confirm(reservation)?)?),
                1 => drop(self.hear(&engine, engine.release(reservation)?)?),
                _ => {}
            }
            if step % 16 == 15 {
                // The checkpoint shows an event that nobody has waited for.
                let unheard = self.reserve(&engine, tea, STEPS + step)?;
                self.see(&engine, &unheard);
                engine.checkpoint()?;
            }
        }
        engine.close()
    }

    /// Holds what was recovered to what was seen.
    fn check(&self, engine: &Engine, what: &str) {
        let last = engine.durable_seq();
        assert!(
            last >= self.acknowledged,
            "{what}: {last} of {} acknowledged events are left",
            self.acknowledged
        );
        if let Some(before) = self.shown.get(&last) {
            let known = before.1.len();
            assert_eq!(
                &shown(engine, &self.reservations[..known]),
                before,
                "{what}: the ledger after event {last}"
            );
        } else {
            assert!(
                engine.levels().iter().all(|level| level.received == 0),
                "{what}: only the account was opened"
            );
        }
        for level in engine.levels() {
            let out = level.reserved + level.consumed + level.written_off;
            assert_eq!(level.received as i64, level.available + out as i64, "{what}: {level:?}");
        }
        for (step, first) in &self.answers {
            let tea = engine.levels()[0].account;
            let again = reserve(engine, tea, *step).expect("it is decided");
            assert_eq!(again.outcome(), *first, "{what}: a retry of step {step}");
        }
        assert_eq!(engine.ledger_last_seq(), last, "{what}: retries do nothing");
    }
}

impl Engine {
    fn ledger_last_seq(&self) -> Seq {
        self.0.core.journal.last_seq()
    }
}

/// Runs until power is cut at `operation`.
fn run_until(operation: u64) -> (CrashVfs, Witness) {
    let vfs = CrashVfs::new(operation);
    vfs.fault_at(operation, Fault::PowerCut);
    let mut witness = Witness::default();
    let outcome = witness.work(&vfs);
    // In the background work goes on after the last step; power is cut there too.
    assert!(
        outcome.is_err() || vfs.is_off() || vfs.operations() <= operation,
        "a power cut is not survived"
    );
    vfs.cut_power();
    (vfs, witness)
}

#[test]
fn power_is_cut_at_every_operation() {
    let vfs = CrashVfs::new(0);
    Witness::default().work(&vfs).expect("nothing fails");
    let (operations, counts) = (vfs.operations(), vfs.counts());
    let mut recoveries = 0;
    for operation in 0..operations {
        let (vfs, witness) = run_until(operation);
        for seed in 0..3 {
            let what = format!("power cut at operation {operation}, crash {seed}");
            let left = vfs.crash(seed);
            let engine = open(&left).unwrap_or_else(|error| panic!("{what}: {error}"));
            witness.check(&engine, &what);
            let before = shown(&engine, &witness.reservations);
            drop(engine);
            // Recovery is a function of the files: a second one comes to the same.
            let engine = open(&left).unwrap_or_else(|error| panic!("{what}, again: {error}"));
            assert_eq!(shown(&engine, &witness.reservations), before, "{what}, again");
            recoveries += 2;
        }
    }
    println!("{operations} crash points {counts:?}, {recoveries} recoveries");
    for kind in [
        Operation::Write,
        Operation::Sync,
        Operation::Create,
        Operation::Rename,
        Operation::SyncDir,
    ] {
        assert!(counts[&kind] >= 3, "the workload does not try {kind:?}: {counts:?}");
    }
    assert!(
        counts.contains_key(&Operation::Remove) && operations > 400,
        "{operations}: {counts:?}"
    );
}

#[test]
fn power_is_cut_again_at_every_operation_of_a_recovery() {
    let whole = CrashVfs::new(0);
    Witness::default().work(&whole).expect("nothing fails");
    let mut recoveries = 0;
    for operation in (0..whole.operations()).step_by(23) {
        let (vfs, witness) = run_until(operation);
        let left = vfs.crash(operation);
        // More than any recovery has: the last round runs through.
        for second in 0.. {
            let again = left.crash(second);
            again.fault_at(second, Fault::PowerCut);
            let opened = open(&again);
            let went_through = opened.is_ok() && !again.is_off();
            drop(opened);
            again.cut_power();
            let what =
                format!("power cut at operation {operation}, and at {second} of its recovery");
            let engine =
                open(&again.crash(second)).unwrap_or_else(|error| panic!("{what}: {error}"));
            witness.check(&engine, &what);
            recoveries += 1;
            if went_through {
                break;
            }
        }
    }
    println!("{recoveries} recoveries from a recovery that was cut off");
    assert!(recoveries > 200, "{recoveries}");
}
