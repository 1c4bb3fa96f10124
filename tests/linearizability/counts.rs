//! What a run tried, so that one that tried nothing is seen.

use std::collections::{BTreeMap, BTreeSet};

use stockhold::outcome::{ExtendOutcome, Outcome, TransferOutcome};
use stockhold::test_util::oracle::Said;
use stockhold::{ConfirmOutcome, ErrorKind, ReleaseOutcome, ReserveOutcome};

use super::checker::Timed;
use super::history::{Call, History, Op};
use super::wish::Wish;
use crate::reference::Ask;

/// What must happen in a run.
const WANTED: [&str; 24] = [
    "reserved",
    "refused",
    "confirmed",
    "released",
    "expired",
    "late",
    "not pending",
    "extended",
    "conflicts",
    "retries",
    "counted",
    "transferred",
    "written off",
    "not transferred",
    "waits",
    "waits not",
    "left",
    "granted",
    "not first",
    "granted nothing",
    "revived",
    "not revived",
    "back",
    "too much back",
];

/// How often each thing happened.
#[derive(Debug, Default)]
pub struct Counts {
    pub operations: usize,
    pub overlaps: usize,
    things: BTreeMap<&'static str, usize>,
    /// What was refused of points that had ended.
    ended: usize,
}

impl Counts {
    pub fn add(&mut self, history: &History) {
        self.operations += history.calls.len();
        self.overlaps += history.overlaps();
        let mut keys = BTreeSet::new();
        for Timed { op: Call { op, .. }, .. } in &history.calls {
            if let Op::Ask { key: Some(key), said: Ok(outcome), .. } = op
                && (outcome.reserved().is_some() || outcome.changed().is_some())
                && !keys.insert(*key)
            {
                self.count("retries");
            }
            if let Op::Ask { said: Ok(outcome), .. } = op
                && let Some(refusal) = outcome.refusal()
            {
                self.ended += usize::from(history.has_end(refusal.account));
            }
            if let Some(thing) = thing(op) {
                self.count(thing);
            }
        }
    }

    fn count(&mut self, thing: &'static str) {
        *self.things.entry(thing).or_default() += 1;
    }

    pub fn assert_tried(&self) {
        let never: Vec<_> =
            WANTED.iter().filter(|thing| !self.things.contains_key(*thing)).collect();
        let tried = never.is_empty() && self.overlaps > 0 && self.ended > 0;
        assert!(self.operations > 20_000 && tried, "{never:?} was never tried: {self:?}");
    }
}

/// What an operation came to, by name.
fn thing(op: &Op) -> Option<&'static str> {
    Some(match op {
        Op::Expire { .. } => "expired",
        Op::Ask { said: Err(ErrorKind::Conflict), .. } => "conflicts",
        Op::Ask { ask, said: Ok(outcome), .. } => thing_asked(ask, outcome)?,
        Op::Wish { wish, said: Ok(said) } => thing_wished(wish, *said)?,
        Op::Ask { .. } | Op::Wish { .. } => return None,
        Op::Level { .. } | Op::Takeable { .. } | Op::Standing { .. } => return None,
    })
}

fn thing_asked(ask: &Ask, outcome: &Outcome) -> Option<&'static str> {
    Some(match (ask, outcome) {
        (_, Outcome::Reserve(ReserveOutcome::Reserved(_))) => "reserved",
        (_, Outcome::Transfer(TransferOutcome::Transferred(_))) => "transferred",
        (_, Outcome::Transfer(_)) => "not transferred",
        (_, outcome) if outcome.refusal().is_some() => "refused",
        (Ask::Count { .. }, _) => "counted",
        (Ask::WriteOff { .. }, _) => "written off",
        (_, Outcome::Confirm(ConfirmOutcome::Confirmed { .. })) => "confirmed",
        (_, Outcome::Release(ReleaseOutcome::Released { .. })) => "released",
        (_, Outcome::Extend(ExtendOutcome::Extended { .. })) => "extended",
        (_, Outcome::Confirm(ConfirmOutcome::Late { .. }))
        | (_, Outcome::Release(ReleaseOutcome::Late { .. })) => "late",
        (_, Outcome::Confirm(ConfirmOutcome::NotPending { .. }))
        | (_, Outcome::Release(ReleaseOutcome::NotPending { .. })) => "not pending",
        _ => return None,
    })
}

fn thing_wished(wish: &Wish, said: Said) -> Option<&'static str> {
    Some(match (wish, said) {
        (_, Said::Waiting { .. }) => "waits",
        (Wish::Join { .. }, _) => "waits not",
        (_, Said::Left { .. }) => "left",
        (_, Said::Reserved { .. }) => "granted",
        (_, Said::NotFirst) => "not first",
        (Wish::Grant { .. }, _) => "granted nothing",
        (_, Said::Revived { .. }) => "revived",
        (Wish::Revive { .. }, _) => "not revived",
        (_, Said::Returned { .. } | Said::ReturnedInPart { .. }) => "back",
        (_, Said::TooMuch { .. }) => "too much back",
        _ => return None,
    })
}
