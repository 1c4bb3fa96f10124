//! What the events come to, by plain bookkeeping: a second opinion on the ledger that shares no
//! code with it. Every event that is entered is held to the rules, so that every prefix of a
//! journal is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account::Account;
use super::check::{Checked, agree, hold};
use super::said::Said;
use crate::base::error::ErrorKind;
use crate::base::{AccountId, AccountKey, AccountKind, ReservationId, Seq, TimeMs};
use crate::event::Policy;
use crate::event::{End, Event, EventLine, Fact, Part, PartLine, Request};
use crate::ledger::{Line, NotPending};

/// A pending reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingReservation {
    /// On whose behalf.
    pub owner: Option<AccountId>,
    /// What it took.
    pub lines: Vec<Line>,
    /// Its deadline.
    pub expires_at: TimeMs,
}

/// What a confirmed reservation consumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// When it was confirmed.
    pub at: TimeMs,
    /// How much, and how much of that is back.
    pub lines: Vec<PartLine>,
}

/// How a reservation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its units are consumed.
    Confirmed,
    /// It was given up.
    Released,
    /// Its deadline passed.
    Expired,
    /// It was confirmed, and what it consumed went back.
    Returned,
}

impl Ended {
    /// What somebody hears who comes too late.
    fn told(self) -> NotPending {
        match self {
            Self::Confirmed => NotPending::Confirmed,
            Self::Released => NotPending::Released,
            Self::Expired => NotPending::Expired,
            Self::Returned => NotPending::Returned,
        }
    }
}

/// What a keyed request was answered first, and the event that did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub fingerprint: u64,
    /// What came of it.
    pub outcome: Said,
    /// In which event.
    pub seq: Seq,
    /// Whose it is.
    pub owner: u64,
    /// Until then the key does nothing again.
    pub until: TimeMs,
    /// Of commands that happened together, what came of each.
    pub parts: Vec<Said>,
    /// How long what was told is, in bytes, where that is kept.
    pub told: usize,
}

/// The state after an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// The number of that event.
    pub seq: Seq,
    /// The newest time of an event, since time was last set back.
    pub at: TimeMs,
    /// The latest time that was ever set back. Answers that were to be kept no longer than until
    /// then may be forgotten, or not.
    pub was_ahead: TimeMs,
    /// Every account.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Their names; shared, since a search copies the state at every step.
    pub keys: Arc<BTreeMap<AccountKey, AccountId>>,
    /// The name of each account, also of those that were closed.
    pub names: Arc<BTreeMap<AccountId, AccountKey>>,
    /// What waits.
    pub pending: BTreeMap<ReservationId, PendingReservation>,
    /// What expired, with what it held.
    pub expired: BTreeMap<ReservationId, PendingReservation>,
    /// What the confirmed reservations consumed of which something was not returned.
    pub consumed: BTreeMap<ReservationId, Consumed>,
    /// What was put into collections.
    pub documents: BTreeMap<(String, String), Vec<u8>>,
    /// What keyed requests were answered first, by the number of their keys.
    pub answers: BTreeMap<u128, Answer>,
    /// How each reservation ended that did; one that was confirmed at once ended so.
    pub ended: BTreeMap<ReservationId, Ended>,
    /// Of those, on whose behalf they were.
    pub owners: BTreeMap<ReservationId, AccountId>,
    /// Those of which an engine may have forgotten how they ended, since it was opened after that.
    pub faded: BTreeSet<ReservationId>,
}

impl Books {
    /// Enters the next event. Its time may be before that of the last one: commands read the clock
    /// before they wait for each other.
    ///
    /// # Errors
    /// What rule it breaks.
    pub fn enter(&mut self, event: &Event<'_>) -> Checked {
        self.seq += 1;
        self.at = match event.fact {
            // The one event that sets the time back.
            Fact::ClockMended { from } => {
                hold(self.at <= from && event.at < from, || {
                    self.told(&format!("the time is {}, and is set back from {from}", self.at))
                })?;
                self.was_ahead = self.was_ahead.max(from);
                event.at
            }
            _ => self.at.max(event.at),
        };
        self.hold_lines(event.facts())
            .and_then(|()| {
                event.facts().iter().try_for_each(|fact| self.enter_fact(event.at, fact))
            })
            .and_then(|()| self.enter_answer(event))
            .map_err(|why| self.told(&why))
    }

    fn told(&self, why: &str) -> String {
        format!("event {}: {why}", self.seq)
    }

    fn enter_fact(&mut self, at: TimeMs, fact: &Fact<'_>) -> Checked {
        match fact {
            Fact::AccountOpened { account, key, policy } => self.open(*account, key, *policy),
            Fact::PolicyChanged { account, policy, available, consumed } => {
                self.change(*account, *available, |it| {
                    it.rule(*policy, at);
                    agree("the units that count by the new rule", consumed, &Some(it.consumed))
                })
            }
            Fact::Received { account, quantity, available, .. } => {
                self.change(*account, *available, |it| {
                    it.add(*quantity as i64);
                    Ok(())
                })
            }
            Fact::Adjusted { account, delta, available, .. } => {
                self.change(*account, *available, |it| {
                    it.add(*delta);
                    Ok(())
                })
            }
            Fact::WrittenOff { account, quantity, available, .. } => {
                self.change(*account, *available, |it| {
                    it.add(-(*quantity as i64));
                    Ok(())
                })
            }
            Fact::Renewed { account, quantity, available, kept } => {
                self.change(*account, *available, |it| {
                    agree("the units that renew", quantity, &it.due(at))?;
                    it.renew(*quantity);
                    hold(*kept, || "what renews is forgotten".to_owned())
                })
            }
            Fact::Reserved { reservation, owner, expires_at, confirmed, lines, .. } => {
                let is_new = !self.pending.contains_key(reservation)
                    && !self.ended.contains_key(reservation);
                hold(is_new, || format!("the number {reservation} was given before"))?;
                if *confirmed {
                    self.ended.insert(*reservation, Ended::Confirmed);
                    self.owners.extend(owner.map(|owner| (*reservation, owner)));
                }
                let taken: Vec<Line> = lines.iter().map(line_of).collect();
                match confirmed {
                    true => self.consume(*reservation, at, lines),
                    false => {
                        let held = PendingReservation {
                            owner: *owner,
                            lines: taken,
                            expires_at: *expires_at,
                        };
                        self.pending.insert(*reservation, held);
                    }
                }
                self.change_lines(lines, |it, line| it.take(line.quantity, *confirmed, at))
            }
            Fact::Confirmed(end) => {
                hold(at < end.expires_at, || {
                    format!("a confirm at {at}, after the deadline {}", end.expires_at)
                })?;
                self.consume(end.reservation, at, &end.lines);
                self.end(end, Ended::Confirmed, at)
            }
            Fact::Released(end) => {
                hold(at < end.expires_at, || {
                    format!("a release at {at}, after the deadline {}", end.expires_at)
                })?;
                self.end(end, Ended::Released, at)
            }
            Fact::Expired(end) => {
                hold(at >= end.expires_at, || {
                    format!("an expiry at {at}, before the deadline {}", end.expires_at)
                })?;
                let held = self.pending.get(&end.reservation).cloned();
                self.expired.extend(held.map(|held| (end.reservation, held)));
                self.end(end, Ended::Expired, at)
            }
            Fact::Returned { reservation, lines, consumed_at, part, .. } => {
                let used_at = self.hold_return(*reservation, lines, part.as_deref())?;
                agree("when it was consumed", consumed_at, &Some(used_at))?;
                let written_off = part.as_deref().map_or(&[][..], |part| &part.written_off);
                self.change_lines(lines, |it, line| match written_off.contains(&line.account()) {
                    true => it.discard(line.quantity, line.consumed, used_at),
                    false => it.give_back(line.quantity, line.consumed, used_at),
                })
            }
            Fact::Transferred { from, to, quantity, from_available, to_available, .. } => {
                let units = *quantity as i64;
                for (account, by, available) in
                    [(from, -units, from_available), (to, units, to_available)]
                {
                    self.change(*account, *available, |it| {
                        it.add(by);
                        Ok(())
                    })?;
                }
                Ok(())
            }
            Fact::Extended { reservation, was, expires_at, lines } => {
                hold(at < *was && at < *expires_at, || {
                    format!("the deadline {was} is changed at {at} to {expires_at}")
                })?;
                let held = self.pending.get_mut(reservation);
                let held = held.ok_or_else(|| format!("{reservation} is not pending"))?;
                agree("the deadline that was", was, &held.expires_at)?;
                agree("what is held", &lines.iter().map(line_of).collect(), &held.lines)?;
                held.expires_at = *expires_at;
                self.change_lines(lines, |_, line| {
                    hold(line.consumed == 0, || "an extension consumes".to_owned())
                })
            }
            Fact::Revived { reservation, owner, expires_at, lines } => {
                let held = self.expired.remove(reservation);
                let held = held.ok_or_else(|| format!("{reservation} is revived, not expired"))?;
                agree("whose it is", &(*owner, *expires_at), &(held.owner, held.expires_at))?;
                let again: Vec<Line> = lines.iter().map(line_of).collect();
                agree("what is revived", &self.by_source(&again), &self.by_source(&held.lines))?;
                hold(lines.iter().all(|line| line.consumed == line.quantity), || {
                    format!("{reservation} is revived in part")
                })?;
                self.ended.insert(*reservation, Ended::Confirmed);
                // Whoever revives it remembers that.
                self.faded.remove(reservation);
                self.consume(*reservation, at, lines);
                self.change_lines(lines, |it, line| it.take(line.quantity, true, at))
            }
            Fact::AccountClosed { account, key } => {
                let open = Arc::make_mut(&mut self.keys).remove(key);
                agree("the account that closes", &open, &Some(*account))?;
                let is_quota = key.kind() == AccountKind::Quota;
                let closed = self.accounts.get_mut(account).ok_or("it was never opened")?;
                let left = match closed.counting_against(is_quota, at) {
                    Some(counting) => counting > 0,
                    None => closed.available != 0,
                };
                closed.closed = true;
                let left = left || !closed.line.is_empty();
                hold(!left && closed.reserved == 0, || format!("it is not empty: {closed:?}"))
            }
            Fact::Queued { .. } | Fact::Dequeued { .. } => self.enter_line(at, fact),
            // What happens together is entered one by one.
            Fact::Noted { .. }
            | Fact::ClockMended { .. }
            | Fact::Answered { .. }
            | Fact::Atomic(_) => Ok(()),
            Fact::Document { collection, key, body } => {
                let name = (collection.to_string(), key.to_string());
                match body {
                    Some(body) => self.documents.insert(name, body.to_vec()),
                    None => self.documents.remove(&name),
                };
                Ok(())
            }
        }
    }

    fn open(&mut self, id: AccountId, key: &AccountKey, policy: Policy) -> Checked {
        let account = Account::open(policy).good_until(key.until());
        let twice = self.accounts.insert(id, account).is_some()
            | Arc::make_mut(&mut self.keys).insert(key.clone(), id).is_some();
        Arc::make_mut(&mut self.names).insert(id, key.clone());
        hold(!twice, || format!("{key} is opened twice"))
    }

    fn end(&mut self, end: &End, how: Ended, at: TimeMs) -> Checked {
        let held = self.pending.remove(&end.reservation);
        let held = held.ok_or_else(|| format!("{} ends, but is not pending", end.reservation))?;
        let lines: Vec<Line> = end.lines.iter().map(line_of).collect();
        agree("the lines that end", &lines, &held.lines)?;
        agree("the deadline that ends", &end.expires_at, &held.expires_at)?;
        self.ended.insert(end.reservation, how);
        self.owners.extend(held.owner.map(|owner| (end.reservation, owner)));
        self.change_lines(&end.lines, |it, line| it.end(line.quantity, line.consumed, at))
    }

    fn consume(&mut self, id: ReservationId, at: TimeMs, lines: &[EventLine]) {
        let used = lines.iter().filter(|line| line.consumed > 0);
        let lines = used.map(|line| PartLine {
            account: line.account(),
            consumed: line.consumed,
            returned: 0,
        });
        self.consumed.insert(id, Consumed { at, lines: lines.collect() });
    }

    /// Whether these units are left to return, and what the event says of the others; answers when
    /// they were consumed.
    fn hold_return(
        &mut self,
        id: ReservationId,
        lines: &[EventLine],
        part: Option<&Part>,
    ) -> Checked<TimeMs> {
        let Consumed { at, lines: used } = self
            .consumed
            .remove(&id)
            .ok_or_else(|| format!("{id} returns what it did not consume"))?;
        let back = lines
            .iter()
            .map(|line| Line { account: line.account(), quantity: line.quantity + line.consumed });
        let after = after_return(&used, &back.collect::<Vec<_>>())?;
        let is_over = after.iter().all(|line| line.returned == line.consumed);
        match part {
            None => {
                let is_first = used.iter().all(|line| line.returned == 0);
                hold(is_first && is_over, || format!("{id} is not returned as a whole"))?;
            }
            Some(part) => agree("what is back of it", &part.lines, &after)?,
        }
        if is_over {
            self.ended.insert(id, Ended::Returned);
        } else {
            self.consumed.insert(id, Consumed { at, lines: after });
        }
        Ok(at)
    }

    fn change_lines(
        &mut self,
        lines: &[EventLine],
        change: impl Fn(&mut Account, &EventLine) -> Checked,
    ) -> Checked {
        lines
            .iter()
            .try_for_each(|line| self.change(line.account(), line.available, |it| change(it, line)))
    }

    /// Changes an account, and holds it to invariant 1 and to what the event says came out.
    fn change(
        &mut self,
        id: AccountId,
        available: i64,
        change: impl FnOnce(&mut Account) -> Checked,
    ) -> Checked {
        let account = self
            .accounts
            .get_mut(&id)
            .ok_or_else(|| format!("there is no account {}", id.number()))?;
        hold(!account.closed, || format!("account {} was closed", id.number()))?;
        let before = account.available;
        change(account)?;
        account.balance();
        agree("what is available", &available, &account.available)?;
        // An allowance that shrinks takes nothing back, but lets no more out.
        let floor = -(account.policy.backorder as i64);
        hold(account.available >= floor || account.available >= before, || {
            format!("oversold: {account:?}")
        })
    }

    /// Why somebody who asks on behalf of `owner` finds no such reservation pending.
    pub(super) fn why(&self, id: ReservationId, owner: Option<AccountId>) -> NotPending {
        let is_anothers = |of: Option<AccountId>| owner.is_some() && owner != of;
        match self.ended.get(&id) {
            _ if self.pending.get(&id).is_some_and(|held| is_anothers(held.owner)) => {
                NotPending::Anothers
            }
            Some(_) if is_anothers(self.owners.get(&id).copied()) => NotPending::Anothers,
            Some(ended) => ended.told(),
            None if self.is_new(id) => NotPending::NeverMade,
            // Its number was passed over.
            None => NotPending::Unknown,
        }
    }

    /// Whether no number as high as this one was given out in its shard.
    fn is_new(&self, id: ReservationId) -> bool {
        let is_before = |made: &&ReservationId| made.shard() == id.shard() && **made >= id;
        !self.pending.keys().chain(self.ended.keys()).any(|made| is_before(&made))
    }

    /// Takes what was said for the whole answer where a part of that may be forgotten by now: how a
    /// reservation ended.
    ///
    /// # Errors
    /// What should have been said.
    pub fn hold_answer(
        &self,
        said: &Result<Said, ErrorKind>,
        should: &Result<Said, ErrorKind>,
    ) -> Checked {
        let known = match (said, should) {
            (
                Ok(Said::NotPending { reservation, why: NotPending::Unknown }),
                Ok(Said::NotPending { reservation: id, .. }),
            ) if reservation == id && self.faded.contains(id) => should,
            _ => said,
        };
        agree("the answer", known, should)
    }

    fn enter_answer(&mut self, event: &Event<'_>) -> Checked {
        let (Some(request), Some(outcome)) = (event.request, outcome_of(&event.fact)) else {
            return Ok(());
        };
        let kept = request.kept.ok_or("a keyed request without a promise")?;
        let Request { key, fingerprint, .. } = request;
        let parts = match &event.fact {
            Fact::Atomic(facts) => facts.iter().filter_map(outcome_of).collect(),
            _ => Vec::new(),
        };
        let answer = Answer {
            fingerprint,
            outcome,
            seq: self.seq,
            owner: kept.owner,
            until: kept.until,
            parts,
            told: match &event.fact {
                Fact::Answered { answer } => answer.len(),
                _ => 0,
            },
        };
        let before = self.answers.insert(key.number(), answer);
        let may_be_gone = |before: Answer| before.until <= event.at.max(self.was_ahead);
        hold(before.is_none_or(may_be_gone), || "a second effect of one request".to_owned())
    }

    /// How many answers of this owner are kept; one of several commands counts as one more than they
    /// are, and 128 bytes of what was told as one.
    pub fn kept(&self, owner: u64, now: TimeMs) -> usize {
        let kept =
            self.answers.values().filter(|answer| answer.owner == owner && answer.until > now);
        kept.map(|answer| 1 + answer.parts.len() + answer.told.div_ceil(128)).sum()
    }

    /// When units of this account may come back by themselves; never in the past.
    pub fn next_release(&self, id: AccountId, now: TimeMs) -> Option<TimeMs> {
        let holding =
            self.pending.values().filter(|held| held.lines.iter().any(|line| line.account == id));
        let renewal = self.accounts.get(&id).and_then(|account| account.next_renewal(now));
        holding.map(|held| held.expires_at.max(now)).chain(renewal).min()
    }

    /// Forgets when things happened and in which order: in a search among accounts of which no rule
    /// asks for it, states that differ in nothing else are one.
    pub fn forget_times(&mut self) {
        (self.seq, self.at) = (0, 0);
        self.accounts.values_mut().for_each(Account::forget_times);
        self.consumed.values_mut().for_each(|consumed| consumed.at = 0);
        for answer in self.answers.values_mut() {
            (answer.seq, answer.until) = (0, TimeMs::MAX);
        }
    }

    /// The reservations whose deadline has come.
    pub fn due(&self, now: TimeMs) -> BTreeSet<ReservationId> {
        self.pending.iter().filter(|(_, held)| held.expires_at <= now).map(|(id, _)| *id).collect()
    }
}

/// How a reservation stands after these units of it went back: of several lines of one account,
/// those that come first.
///
/// # Errors
/// When they are not there.
pub(super) fn after_return(used: &[PartLine], lines: &[Line]) -> Checked<Vec<PartLine>> {
    let mut after = used.to_vec();
    for Line { account, quantity } in lines {
        for unit in 0..*quantity {
            let next = after.iter_mut().find(|it| it.account == *account && it.left() > 0);
            let next = next.ok_or_else(|| {
                format!(
                    "{} units more of {} are returned than are left",
                    quantity - unit,
                    account.number()
                )
            })?;
            next.returned += 1;
        }
    }
    Ok(after)
}

fn line_of(line: &EventLine) -> Line {
    Line { account: line.account(), quantity: line.quantity }
}

/// What a retry of the request behind a fact hears.
fn outcome_of(fact: &Fact<'_>) -> Option<Said> {
    Some(match fact {
        Fact::Received { account, available, .. }
        | Fact::Adjusted { account, available, .. }
        | Fact::WrittenOff { account, available, .. } => {
            Said::Changed { account: *account, available: *available }
        }
        Fact::Reserved { reservation, expires_at, confirmed, .. } => Said::Reserved {
            reservation: *reservation,
            expires_at: *expires_at,
            confirmed: *confirmed,
        },
        Fact::Confirmed(end) => Said::Confirmed { reservation: end.reservation },
        Fact::Released(end) => Said::Released { reservation: end.reservation },
        Fact::Returned { reservation, part, .. } => match part {
            Some(part) if !part.is_last() => Said::ReturnedInPart { reservation: *reservation },
            Some(_) | None => Said::Returned { reservation: *reservation },
        },
        Fact::Noted { reservation, .. } => Said::Noted { reservation: *reservation },
        Fact::Extended { reservation, expires_at, .. } => {
            Said::Extended { reservation: *reservation, expires_at: *expires_at }
        }
        Fact::Revived { reservation, .. } => Said::Revived { reservation: *reservation },
        Fact::Transferred { from, to, from_available, to_available, .. } => {
            Said::Transferred { from: (*from, *from_available), to: (*to, *to_available) }
        }
        Fact::Atomic(_)
        | Fact::PolicyChanged { .. }
        | Fact::Document { .. }
        | Fact::Answered { .. } => Said::Recorded,
        Fact::Queued { place, .. } => Said::Before { place: *place },
        Fact::Dequeued { place, reservation: None, .. } => Said::Left { place: *place },
        // Who is first in a line is served without a key.
        Fact::Dequeued { reservation: Some(_), .. } => return None,
        Fact::AccountOpened { .. }
        | Fact::AccountClosed { .. }
        | Fact::Renewed { .. }
        | Fact::Expired(_)
        | Fact::ClockMended { .. } => return None,
    })
}
