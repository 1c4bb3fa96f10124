//! A ledger with a list for a journal, for tests that threads are real in and for those that loom runs.

use super::*;
use crate::event::{decode, encode, kind_of};

/// A journal in memory.
#[derive(Default)]
pub(super) struct List(Mutex<Vec<(u16, Vec<u8>)>>);

impl Recorder for List {
    fn admit(&self) -> Result<()> {
        Ok(())
    }

    fn record(&self, event: &Event<'_>) -> Seq {
        let mut payload = Vec::new();
        encode(event, &mut payload);
        let mut events = self.0.lock();
        events.push((kind_of(event), payload));
        events.len() as Seq
    }

    fn last_seq(&self) -> Seq {
        self.0.lock().len() as Seq
    }
}

pub(super) struct Fixture {
    pub(super) ledger: Ledger,
    pub(super) list: List,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let limits = Limits { answers_per_shard_max: 4, ..Limits::default() };
        Self { ledger: Ledger::new(limits, 0), list: List::default() }
    }

    pub(super) fn open(&self, key: &str, policy: Policy) -> AccountId {
        let key = key.parse().expect("a valid key");
        self.ledger.open_account(&key, policy, 0, &self.list).expect("there is room").0
    }

    pub(super) fn execute(&self, command: Command<'_>, now: TimeMs) -> Outcome {
        self.ledger.execute(&command, now, &self.list).expect("the command is sound").0
    }

    pub(super) fn numbers(&self, account: AccountId) -> (i64, u64, u64, u64, u64) {
        let level = self.ledger.level(account).expect("the account exists");
        (level.available, level.reserved, level.consumed, level.received, level.written_off)
    }

    /// The parts of a snapshot, each with the last event it shows.
    pub(super) fn parts(&self) -> Vec<(Seq, Vec<u8>)> {
        let capture = |part| {
            let mut bytes = Vec::new();
            let seq = self.ledger.capture(part, &self.list, &mut bytes);
            (seq, bytes)
        };
        (0..PART_COUNT).map(capture).collect()
    }

    /// A ledger rebuilt from `parts` and the events after them; without parts, from all events.
    pub(super) fn rebuilt(&self, parts: &[(Seq, Vec<u8>)]) -> Fixture {
        let other = Fixture::new();
        let mut replay = Replay::new(&other.ledger);
        for (part, (seq, bytes)) in parts.iter().enumerate() {
            replay.load(part, *seq, bytes).expect("a captured part loads");
        }
        let shown_by_all = parts.iter().map(|(seq, _)| *seq).min().unwrap_or(0);
        let events = self.list.0.lock();
        for (index, (kind, payload)) in events.iter().enumerate().skip(shown_by_all as usize) {
            let event = decode(*kind, payload).expect("a recorded event decodes");
            replay.apply(index as Seq + 1, &event).expect("a recorded event applies");
        }
        drop(replay);
        other.list.0.lock().extend(events.iter().cloned());
        drop(events);
        other
    }
}

pub(super) fn reservation_of(outcome: Outcome) -> ReservationId {
    match outcome {
        Outcome::Reserved { reservation, .. } => reservation,
        other => panic!("expected a reservation, got {other:?}"),
    }
}

pub(super) fn confirm(reservation: ReservationId) -> Command<'static> {
    Command::Confirm { reservation, owner: None, quantities: None, key: None }
}

pub(super) fn release(reservation: ReservationId) -> Command<'static> {
    Command::Release { reservation, owner: None, key: None }
}
