//! One account by itself: what the sold-out fast path promises. It reads one atomic of one account,
//! so its answers are held to the history of that account alone, and not to all accounts of a
//! reservation at once.

use std::collections::BTreeMap;

use stockhold::outcome::{Changed, ExtendOutcome, Outcome, Reserved, TransferOutcome};
use stockhold::test_util::oracle::{self, Said};
use stockhold::{
    AccountId, ConfirmOutcome, Policy, ReleaseOutcome, ReservationId, ReserveOutcome, TimeMs,
    Waiting,
};

use super::checker::Timed;
use super::history::{Call, Op};
use super::wish::Wish;
use crate::reference::{Ask, Place};

/// What an operation did to the account, or saw of it.
#[derive(Clone, Debug)]
pub enum Sight {
    /// A reservation took units; consumed at once when there is no deadline. Past a line when it is
    /// for who was first, who had the place with this number.
    Take {
        id: ReservationId,
        quantity: u64,
        expires_at: Option<TimeMs>,
        first: Option<u64>,
    },
    /// It waits for longer, or not as long.
    Extend {
        id: ReservationId,
        expires_at: TimeMs,
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
    /// Units that were consumed went back, or were written off.
    Back {
        units: u64,
        are_broken: bool,
    },
    /// A receipt or a correction, and what was available then.
    Change {
        delta: i64,
        available: i64,
    },
    /// So many units were counted, and what was available then.
    Count {
        units: u64,
        available: i64,
    },
    /// Somebody has this place in the line, from now on or since before.
    Waits(u64),
    /// Nobody has it any more.
    Left(u64),
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
    HasLine(bool),
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
            Sight::Take { id, quantity, expires_at, first } => {
                let holds =
                    expires_at.is_none_or(|at| self.pending.insert(id, (quantity, at)).is_none());
                let there = match first {
                    Some(place) if !self.leave(place, true) => return false,
                    Some(_) => self.it.takeable_in_line(0),
                    None => self.takeable(),
                };
                // What is confirmed at once is never outstanding.
                let is_skipped = expires_at.is_none() && self.it.is_cap();
                holds
                    && (is_skipped || there >= quantity)
                    && self.it.take(quantity, expires_at.is_none(), 0).is_ok()
            }
            Sight::Extend { id, expires_at } => {
                self.pending.get_mut(&id).map(|(_, at)| *at = expires_at).is_some()
            }
            Sight::End { id, consumed } => self.end(id, consumed),
            Sight::Expire { id, at } => {
                self.pending.get(&id).is_some_and(|(_, expires_at)| *expires_at <= at)
                    && self.end(id, 0)
            }
            Sight::Back { units, are_broken } => {
                let counted = self.it.counting(0).min(units);
                let past = units - counted;
                match are_broken {
                    true => self.it.discard(counted, past, 0).is_ok(),
                    false => self.it.give_back(counted, past, 0).is_ok(),
                }
            }
            Sight::Change { delta, available } => {
                self.it.add(delta);
                self.it.available == available
            }
            Sight::Count { units, available } => {
                self.it.add(units as i64 - self.it.available - self.it.reserved as i64);
                self.it.available == available
            }
            Sight::Waits(place) => {
                let is_next = place == self.it.given;
                if is_next {
                    self.it.given += 1;
                    let body = Box::default();
                    // Who it is, all accounts together tell.
                    let owner = AccountId::from_number(0);
                    self.it.line.push(Waiting { place, owner, since: 0, body });
                }
                is_next || self.it.line.iter().any(|waiting| waiting.place == place)
            }
            Sight::Left(place) => self.leave(place, false),
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
            Sight::HasLine(has_line) => has_line != self.it.line.is_empty(),
        }
    }

    fn end(&mut self, id: ReservationId, consumed: u64) -> bool {
        let held = self.pending.remove(&id);
        held.is_some_and(|(quantity, _)| self.it.end(quantity, consumed.min(quantity), 0).is_ok())
    }

    /// Whether somebody had this place in the line, and, when that matters, the first.
    fn leave(&mut self, place: u64, is_first: bool) -> bool {
        let found = self.it.line.iter().position(|waiting| waiting.place == place);
        let found = found.filter(|at| !is_first || *at == 0);
        found.map(|at| self.it.line.remove(at)).is_some()
    }
}

/// What the history shows of one account.
pub fn sights(history: &[Timed<Call>], place: Place) -> Vec<Timed<Sight>> {
    let mut made: BTreeMap<ReservationId, Vec<(Place, u64)>> = BTreeMap::new();
    for Timed { op: Call { op, .. }, .. } in history {
        match op {
            Op::Ask {
                ask: Ask::Reserve { lines, .. },
                said: Ok(Outcome::Reserve(ReserveOutcome::Reserved(Reserved { reservation, .. }))),
                ..
            }
            | Op::Wish {
                wish: Wish::Grant { lines, .. },
                said: Ok(Said::Reserved { reservation, .. }),
            } => drop(made.insert(*reservation, lines.clone())),
            _ => {}
        }
    }
    let once = effects_once(history);
    let seen = once.iter().flat_map(|timed| {
        let sights = sights_of(&timed.op.op, place, &made);
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
        // Only purchases and receipts have keys.
        let effective = outcome.refusal().is_none();
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
    made: &BTreeMap<ReservationId, Vec<(Place, u64)>>,
) -> Vec<Sight> {
    let holds = |id: &ReservationId| made.get(id).is_some_and(|lines| on(lines, place) > 0);
    match op {
        Op::Level { place: at, numbers } if *at == place => vec![Sight::Level(*numbers)],
        Op::Takeable { place: at, units } if *at == place => vec![Sight::Takeable(*units)],
        Op::Expire { id, at } if holds(id) => vec![Sight::Expire { id: *id, at: *at }],
        Op::Wish { wish, said: Ok(said) } => {
            Vec::from_iter(sight_of_wish(wish, *said, place, made))
        }
        Op::Ask { ask, said: Ok(outcome), .. } => match (ask, outcome) {
            (
                Ask::Reserve { lines, .. },
                Outcome::Reserve(ReserveOutcome::Reserved(Reserved {
                    reservation,
                    expires_at,
                    confirmed,
                })),
            ) => {
                let quantity = on(lines, place);
                let expires_at = (!confirmed).then_some(*expires_at);
                let (id, first) = (*reservation, None);
                let take = Sight::Take { id, quantity, expires_at, first };
                Vec::from_iter((quantity > 0).then_some(take))
            }
            (Ask::Reserve { lines, .. }, Outcome::Reserve(ReserveOutcome::Refused(refusal)))
                if lines[refusal.line].0 == place =>
            {
                let quantity = lines[refusal.line].1;
                let before = on(&lines[..refusal.line], place);
                let available = refusal.available;
                vec![
                    Sight::Refused { quantity, before, available },
                    Sight::NextRelease(refusal.next_release_at),
                    Sight::HasLine(refusal.has_line),
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
            (_, Outcome::Extend(ExtendOutcome::Extended { reservation, expires_at }))
                if holds(reservation) =>
            {
                vec![Sight::Extend { id: *reservation, expires_at: *expires_at }]
            }
            (ask, outcome) => Vec::from_iter(sight_of_change(ask, outcome, place)),
        },
        _ => Vec::new(),
    }
}

/// What an operator did to the account.
fn sight_of_change(ask: &Ask, outcome: &Outcome, place: Place) -> Option<Sight> {
    if let (
        Ask::Transfer { from, to, quantity },
        Outcome::Transfer(TransferOutcome::Transferred(told)),
    ) = (ask, outcome)
    {
        let units = *quantity as i64;
        let sides = [(*from, -units, told.from), (*to, units, told.to)];
        let (_, delta, told) = sides.into_iter().find(|(at, ..)| *at == place)?;
        return Some(Sight::Change { delta, available: told.available });
    }
    let Changed { available, .. } = outcome.changed()?;
    let (account, sight) = match *ask {
        Ask::Receive { account, quantity } => {
            (account, Sight::Change { delta: quantity as i64, available })
        }
        Ask::Adjust { account, delta } => (account, Sight::Change { delta, available }),
        Ask::WriteOff { account, quantity } => {
            (account, Sight::Change { delta: -(quantity as i64), available })
        }
        Ask::Count { account, units } => (account, Sight::Count { units, available }),
        _ => return None,
    };
    (account == place).then_some(sight)
}

/// What a line, a late payment or a return did to the account.
fn sight_of_wish(
    wish: &Wish,
    said: Said,
    place: Place,
    made: &BTreeMap<ReservationId, Vec<(Place, u64)>>,
) -> Option<Sight> {
    let take = |id, lines: &[(Place, u64)], expires_at, first| {
        let quantity = on(lines, place);
        (quantity > 0).then_some(Sight::Take { id, quantity, expires_at, first })
    };
    match (wish, said) {
        (Wish::Join { account, .. }, Said::Waiting { place: number, .. }) if *account == place => {
            Some(Sight::Waits(number))
        }
        (Wish::Leave { account, .. }, Said::Left { place: number }) if *account == place => {
            Some(Sight::Left(number))
        }
        (
            Wish::Grant { account, number, lines, .. },
            Said::Reserved { reservation, expires_at, .. },
        ) => {
            let first = (*account == place).then_some(*number);
            take(reservation, lines, Some(expires_at), first)
        }
        (Wish::Revive { .. }, Said::Revived { reservation }) => {
            take(reservation, &made[&reservation], None, None)
        }
        (
            Wish::GiveBack { part, broken, .. },
            Said::Returned { .. } | Said::ReturnedInPart { .. },
        ) => {
            let (units, are_broken) = (on(part, place), *broken == Some(place));
            (units > 0).then_some(Sight::Back { units, are_broken })
        }
        _ => None,
    }
}

/// How many units of the account these lines take.
fn on(lines: &[(Place, u64)], place: Place) -> u64 {
    lines.iter().filter(|(at, _)| *at == place).map(|(_, units)| units).sum()
}
