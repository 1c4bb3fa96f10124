//! What threads asked of one group of accounts and were told, and the checks of it.

use stockhold::outcome::Outcome;
use stockhold::test_util::oracle::Said;
use stockhold::{AccountId, AccountKey, ErrorKind, Policy, ReservationId, ReserveOutcome, TimeMs};

use super::account::{Account, sights};
use super::checker::{Stuck, Timed, linearize, overlaps};
use super::wish::Wish;
use crate::reference::{Ask, Place, Reference};

/// An operation, with the times that the clock showed during it: it may have read any of them.
#[derive(Clone, Debug)]
pub struct Call {
    pub op: Op,
    pub times: Vec<TimeMs>,
}

#[derive(Clone, Debug)]
pub enum Op {
    Ask {
        ask: Ask,
        key: Option<u8>,
        said: Result<Outcome, ErrorKind>,
    },
    Wish {
        wish: Wish,
        said: Result<Said, ErrorKind>,
    },
    /// Available, reserved, consumed, received, written off.
    Level {
        place: Place,
        numbers: [i64; 5],
    },
    /// The gauge of an account.
    Takeable {
        place: Place,
        units: u64,
    },
    /// The numbers of those who wait, and who they are.
    Standing {
        place: Place,
        line: Vec<(u64, AccountId)>,
    },
    /// A wheel that stood at `at` ended a reservation.
    Expire {
        id: ReservationId,
        at: TimeMs,
    },
}

/// Accounts that reservations tie together, and everything that happened to them.
pub struct History {
    pub accounts: Vec<(AccountId, AccountKey, Policy)>,
    pub calls: Vec<Timed<Call>>,
}

impl History {
    /// Holds the whole to the reference, and then each account to itself.
    pub fn check(&self) {
        // The fast path looks at one account; where it may have answered, the account alone is
        // asked, below.
        let decided = self.calls.iter().filter(|timed| !self.may_be_fast(&timed.op.op));
        let decided: Vec<Timed<Call>> = decided.cloned().collect();
        let mut start = Reference::new(0);
        for (account, key, policy) in &self.accounts {
            start.open(*account, key.clone(), *policy);
        }
        start.forget_times();
        let step = |state: &Reference, call: &Call| self.step(state, call);
        explain("the accounts together", &decided, linearize(&decided, start, step));
        for (place, (_, key, policy)) in self.accounts.iter().enumerate() {
            // What ends has no gauge.
            if key.until().is_some() {
                continue;
            }
            let seen = sights(&self.calls, place);
            let outcome = linearize(&seen, Account::new(*policy), Account::step);
            explain(&format!("account {place} by itself"), &seen, outcome);
        }
    }

    pub fn overlaps(&self) -> usize {
        overlaps(&self.calls)
    }

    /// Whether the units of this account end.
    pub fn has_end(&self, account: AccountId) -> bool {
        self.accounts.iter().any(|(id, key, _)| *id == account && key.until().is_some())
    }

    /// The states after a call that agree with what was said.
    fn step(&self, state: &Reference, call: &Call) -> Vec<Reference> {
        let mut states: Vec<Reference> = Vec::new();
        match &call.op {
            Op::Ask { ask, key, said } => {
                for now in &call.times {
                    let next = self.ask(state, *now, ask, *key, said);
                    states.extend(next.filter(|next| !states.contains(next)));
                }
            }
            Op::Wish { wish, said } => {
                for now in &call.times {
                    let next = self.wish(state, *now, wish, said);
                    states.extend(next.filter(|next| !states.contains(next)));
                }
            }
            Op::Standing { place, line } => {
                let it = &state.books.accounts[&self.id(*place)];
                let stands = it.line.iter().map(|waiting| (waiting.place, waiting.owner));
                states.extend(stands.eq(line.iter().copied()).then(|| state.clone()));
            }
            Op::Level { place, numbers } => {
                let it = &state.books.accounts[&self.id(*place)];
                let rest = [it.reserved, it.consumed, it.received, it.written_off]
                    .map(|units| units as i64);
                let agrees = numbers[0] == it.available && numbers[1..] == rest;
                states.extend(agrees.then(|| state.clone()));
            }
            Op::Expire { id, at } => {
                let mut next = state.at(*at);
                if next.expire(*id) {
                    next.forget_times();
                    states.push(next);
                }
            }
            Op::Takeable { .. } => panic!("the gauge shows an account by itself"),
        }
        states
    }

    fn ask(
        &self,
        state: &Reference,
        now: TimeMs,
        ask: &Ask,
        key: Option<u8>,
        said: &Result<Outcome, ErrorKind>,
    ) -> Option<Reference> {
        let mut next = state.at(now);
        let request = ask.with(|place| self.id(place), 0);
        // A refusal at a glance is held to its account alone.
        next.hear(&request, key, said.map(Said::from), false).ok()?;
        // The time is each call's own, and no part of the state.
        next.forget_times();
        Some(next)
    }

    fn wish(
        &self,
        state: &Reference,
        now: TimeMs,
        wish: &Wish,
        said: &Result<Said, ErrorKind>,
    ) -> Option<Reference> {
        let mut next = state.at(now);
        let due = wish.due(&next, |place| self.id(place), said);
        next.hear_due(due, None, said).ok()?;
        next.forget_times();
        Some(next)
    }

    fn id(&self, place: Place) -> AccountId {
        self.accounts[place].0
    }

    /// Whether the answer may come from a gauge: a look at one, or the refusal of a request that
    /// asks it first. What ends has none.
    fn may_be_fast(&self, op: &Op) -> bool {
        match op {
            Op::Ask {
                ask: Ask::Reserve { confirm: false, .. },
                key: None,
                said: Ok(Outcome::Reserve(ReserveOutcome::Refused(refusal))),
            } => !self.has_end(refusal.account),
            Op::Takeable { .. } => true,
            Op::Ask { .. } | Op::Wish { .. } => false,
            Op::Level { .. } | Op::Standing { .. } | Op::Expire { .. } => false,
        }
    }
}

fn explain<O: std::fmt::Debug>(what: &str, history: &[Timed<O>], outcome: Result<(), Stuck>) {
    let Err(stuck) = outcome else { return };
    let line = |at: &usize| {
        let Timed { called, returned, op } = &history[*at];
        format!("{called:>6} {returned:>6} {op:?}\n")
    };
    let explained: String = stuck.explained.iter().map(line).collect();
    let rest: String =
        (0..history.len()).filter(|at| !stuck.explained.contains(at)).map(|at| line(&at)).collect();
    panic!(
        "no order explains {what}. In this order (call, return) so far:\n{explained}and then none of:\n{rest}"
    );
}
