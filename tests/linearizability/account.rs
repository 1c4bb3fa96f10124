//! One account by itself: what the sold-out fast path promises. It reads one atomic of one account,
//! so its answers are held to the history of that account alone, and not to all accounts of a
//! reservation at once.

use std::collections::BTreeMap;

use stockhold::outcome::{ChangeOutcome, Changed, Outcome, Reserved};
use stockhold::test_util::oracle;
use stockhold::{
    ConfirmOutcome, Policy, ReleaseOutcome, ReservationId, ReserveOutcome, TimeMs, Window,
};

use super::checker::Timed;
use super::history::{Call, Op};
use crate::reference::{Ask, Place};

/// What an operation did to the account, or saw of it.
#[derive(Clone, Debug)]
pub enum Sight {
    /// A reservation took units; consumed at once when there is no deadline.
    Take {
        id: ReservationId,
        quantity: u64,
        expires_at: Option<TimeMs>,
    },
    /// It ended, and so many units did not come back.
    End {
        id: ReservationId,
        consumed: u64,
    },
    Expire {
        id: ReservationId,
        at: TimeMs,
    },
    /// A receipt or a correction, and what was available then.
    Change {
        delta: i64,
        available: i64,
    },
    /// Available, reserved, consumed, received, written off.
    Level([i64; 5]),
    /// The gauge.
    Takeable(u64),
    /// A line of so many units was refused, after `before` units of the same account in earlier
    /// lines.
    Refused {
        quantity: u64,
        before: u64,
        available: u64,
    },
    NextRelease(Option<TimeMs>),
}

/// The oracle's account, and what holds units of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    it: oracle::Account,
    pending: BTreeMap<ReservationId, (u64, TimeMs)>,
}

impl Account {
    pub fn new(policy: Policy) -> Self {
        Self { it: oracle::Account::open(policy), pending: BTreeMap::new() }
    }

    /// What can be taken: no rule here asks for the time.
    fn takeable(&self) -> u64 {
        self.it.takeable(0)
    }

    /// The account after an operation, or nothing where it cannot have been so.
    pub fn step(&self, sight: &Sight) -> Vec<Self> {
        let mut next = self.clone();
        let can_be = next.apply(sight);
        next.it.forget_times();
        if can_be { vec![next] } else { Vec::new() }
    }

    fn apply(&mut self, sight: &Sight) -> bool {
        match *sight {
            Sight::Take { id, quantity, expires_at } => {
                let holds =
                    expires_at.is_none_or(|at| self.pending.insert(id, (quantity, at)).is_none());
                holds
                    && self.takeable() >= quantity
                    && self.it.take(quantity, expires_at.is_none(), 0).is_ok()
            }
            Sight::End { id, consumed } => self.end(id, consumed),
            Sight::Expire { id, at } => {
                self.pending.get(&id).is_some_and(|(_, expires_at)| *expires_at <= at)
                    && self.end(id, 0)
            }
            Sight::Change { delta, available } => {
                self.it.add(delta);
                self.it.available == available
            }
            Sight::Level([available, rest @ ..]) => {
                let it = &self.it;
                let is = [it.reserved, it.consumed, it.received, it.written_off];
                available == it.available && rest == is.map(|units| units as i64)
            }
            Sight::Takeable(units) => self.takeable() == units,
            // Read from the gauge, which knows nothing of the other lines, or decided under the
            // lock.
            Sight::Refused { quantity, before, available } => {
                available < quantity
                    && [self.takeable(), self.takeable().saturating_sub(before)]
                        .contains(&available)
            }
            // What lapsed comes back now, whenever that was.
            Sight::NextRelease(at) => {
                let first = self.pending.values().map(|(_, expires_at)| *expires_at).min();
                first.is_some() == at.is_some() && first <= at
            }
        }
    }

    fn end(&mut self, id: ReservationId, consumed: u64) -> bool {
        let held = self.pending.remove(&id);
        held.is_some_and(|(quantity, _)| self.it.end(quantity, consumed.min(quantity), 0).is_ok())
    }
}

/// What the history shows of one account.
pub fn sights(history: &[Timed<Call>], place: Place, policy: Policy) -> Vec<Timed<Sight>> {
    let mut made: BTreeMap<ReservationId, Vec<(Place, u64)>> = BTreeMap::new();
    for Timed { op: Call { op, .. }, .. } in history {
        if let Op::Ask {
            ask: Ask::Reserve { lines, .. },
            said: Ok(Outcome::Reserve(ReserveOutcome::Reserved(Reserved { reservation, .. }))),
            ..
        } = op
        {
            made.insert(*reservation, lines.clone());
        }
    }
    let once = effects_once(history);
    let seen = once.iter().flat_map(|timed| {
        let sights = sights_of(&timed.op.op, place, policy, &made);
        sights.into_iter().map(|op| Timed { called: timed.called, returned: timed.returned, op })
    });
    seen.collect()
}

/// Requests under one key have one effect, in whichever of them; by the time that the first returns
/// it has happened.
fn effects_once(history: &[Timed<Call>]) -> Vec<Timed<Call>> {
    let mut once: Vec<Timed<Call>> = Vec::new();
    let mut by_key: BTreeMap<u8, usize> = BTreeMap::new();
    for timed in history {
        let Op::Ask { key: Some(key), said: Ok(outcome), .. } = &timed.op.op else {
            once.push(timed.clone());
            continue;
        };
        let effective = !matches!(
            outcome,
            Outcome::Adjust(ChangeOutcome::Refused(_))
                | Outcome::WriteOff(ChangeOutcome::Refused(_))
                | Outcome::Reserve(ReserveOutcome::Refused(_))
                | Outcome::Confirm(ConfirmOutcome::Late { .. } | ConfirmOutcome::NotPending { .. })
                | Outcome::Release(ReleaseOutcome::Late { .. } | ReleaseOutcome::NotPending { .. })
        );
        match by_key.get(key).filter(|_| effective) {
            Some(at) => {
                let first = &mut once[*at];
                first.called = first.called.min(timed.called);
                first.returned = first.returned.min(timed.returned);
            }
            None => {
                if effective {
                    by_key.insert(*key, once.len());
                }
                once.push(timed.clone());
            }
        }
    }
    once
}

fn sights_of(
    op: &Op,
    place: Place,
    policy: Policy,
    made: &BTreeMap<ReservationId, Vec<(Place, u64)>>,
) -> Vec<Sight> {
    let on = |lines: &[(Place, u64)]| {
        lines.iter().filter(|(at, _)| *at == place).map(|(_, units)| units).sum::<u64>()
    };
    let holds = |id: &ReservationId| made.get(id).is_some_and(|lines| on(lines) > 0);
    match op {
        Op::Level { place: at, numbers } if *at == place => vec![Sight::Level(*numbers)],
        Op::Takeable { place: at, units } if *at == place => vec![Sight::Takeable(*units)],
        Op::Expire { id, at } if holds(id) => vec![Sight::Expire { id: *id, at: *at }],
        Op::Ask { ask, said: Ok(outcome), .. } => match (ask, outcome) {
            (
                Ask::Reserve { lines, .. },
                Outcome::Reserve(ReserveOutcome::Reserved(Reserved {
                    reservation,
                    expires_at,
                    confirmed,
                })),
            ) => {
                let skipped = *confirmed && policy.window == Window::Outstanding;
                let quantity = on(lines);
                let expires_at = (!confirmed).then_some(*expires_at);
                Vec::from_iter((quantity > 0 && !skipped).then_some(Sight::Take {
                    id: *reservation,
                    quantity,
                    expires_at,
                }))
            }
            (Ask::Reserve { lines, .. }, Outcome::Reserve(ReserveOutcome::Refused(refusal)))
                if lines[refusal.line].0 == place =>
            {
                let (quantity, before) = (lines[refusal.line].1, on(&lines[..refusal.line]));
                let available = refusal.available;
                vec![
                    Sight::Refused { quantity, before, available },
                    Sight::NextRelease(refusal.next_release_at),
                ]
            }
            (
                Ask::Confirm { parts, .. },
                Outcome::Confirm(ConfirmOutcome::Confirmed { reservation }),
            ) if holds(reservation) => {
                let lines = &made[reservation];
                let part = |at: usize, units: u64| parts.as_ref().map_or(units, |parts| parts[at]);
                let consumed = lines.iter().enumerate().filter(|(_, (at, _))| *at == place);
                let consumed = consumed.map(|(at, (_, units))| part(at, *units)).sum();
                vec![Sight::End { id: *reservation, consumed }]
            }
            (_, Outcome::Release(ReleaseOutcome::Released { reservation }))
                if holds(reservation) =>
            {
                vec![Sight::End { id: *reservation, consumed: 0 }]
            }
            (Ask::Receive { account, quantity }, Outcome::Receive(Changed { available, .. }))
                if *account == place =>
            {
                vec![Sight::Change { delta: *quantity as i64, available: *available }]
            }
            (
                Ask::Adjust { account, delta },
                Outcome::Adjust(ChangeOutcome::Changed(Changed { available, .. })),
            ) if *account == place => {
                vec![Sight::Change { delta: *delta, available: *available }]
            }
            (
                Ask::WriteOff { account, quantity },
                Outcome::WriteOff(ChangeOutcome::Changed(Changed { available, .. })),
            ) if *account == place => {
                vec![Sight::Change { delta: -(*quantity as i64), available: *available }]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
