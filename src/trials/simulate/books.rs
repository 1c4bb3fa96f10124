//! What the events come to, by plain bookkeeping: a second opinion on the ledger that shares no
//! code with it. Every event that is entered is held to the rules, so that every prefix of a
//! journal is.

use std::collections::{BTreeMap, BTreeSet};

use super::said::Said;
use super::{Checked, agree, hold};
use crate::base::{AccountId, AccountKey, ReservationId, Seq, TimeMs};
use crate::event::{End, Event, EventLine, Fact, Request};
use crate::event::{Policy, Window};
use crate::ledger::Line;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) policy: Policy,
    pub(super) available: i64,
    pub(super) reserved: u64,
    pub(super) consumed: u64,
    pub(super) received: u64,
    pub(super) written_off: u64,
    /// Units granted, for good or for a window: the limit, and what was added beside it.
    granted: u64,
    /// What was consumed and not returned: when, and how many units.
    uses: Vec<(TimeMs, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) owner: Option<AccountId>,
    pub(super) lines: Vec<Line>,
    pub(super) expires_at: TimeMs,
}

/// What a keyed request was answered first, and the event that did it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) fingerprint: u64,
    pub(super) outcome: Said,
    pub(super) seq: Seq,
    pub(super) owner: u64,
    /// Until then the key does nothing again.
    pub(super) until: TimeMs,
}

/// The state after an event.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) seq: Seq,
    /// The newest time of an event.
    pub(super) at: TimeMs,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) keys: BTreeMap<AccountKey, AccountId>,
    pub(super) pending: BTreeMap<ReservationId, Held>,
    /// What the confirmed reservations consumed that was not returned, and when.
    pub(super) consumed: BTreeMap<ReservationId, (TimeMs, Vec<Line>)>,
    pub(super) documents: BTreeMap<(String, String), Vec<u8>>,
    pub(super) answers: BTreeMap<u128, Answer>,
    numbers: BTreeSet<ReservationId>,
}

impl Account {
    pub(super) fn is_windowed(&self) -> bool {
        matches!(self.policy.window, Window::Fixed { .. } | Window::Rolling { .. })
    }

    /// Of what was consumed, what counts at `now` under a rule: the oracle of all limits.
    pub(super) fn counted(&self, window: Window, now: TimeMs) -> u64 {
        let counts = |at: TimeMs| match window {
            Window::Never => true,
            Window::Outstanding => false,
            Window::Rolling { length_ms } => at + length_ms > now,
            Window::Fixed { length_ms, offset_ms } => {
                let number = |time: TimeMs| {
                    (i128::from(time) - i128::from(offset_ms)).div_euclid(length_ms.into())
                };
                number(at) >= number(now)
            }
        };
        self.uses.iter().filter(|(at, _)| counts(*at)).map(|(_, quantity)| quantity).sum()
    }

    /// What could be taken if so many consumed units counted; below zero where more is out than is
    /// granted.
    fn room(&self, consumed: u64) -> i64 {
        self.granted as i64 - (self.written_off + self.reserved + consumed) as i64
    }

    pub(super) fn takeable(&self, now: TimeMs) -> u64 {
        let room = self.room(self.counted(self.policy.window, now)) + self.policy.backorder as i64;
        u64::try_from(room).unwrap_or(0)
    }

    /// What the window gives back by `now`.
    pub(super) fn due(&self, now: TimeMs) -> u64 {
        if self.is_windowed() { self.consumed - self.counted(self.policy.window, now) } else { 0 }
    }

    /// Of the units consumed at a moment, those that events have not told to count no longer.
    pub(super) fn counting(&self, used_at: TimeMs) -> u64 {
        let sum = |counts: fn(TimeMs, TimeMs) -> bool| -> u64 {
            self.uses
                .iter()
                .filter(|(at, _)| counts(*at, used_at))
                .map(|(_, quantity)| quantity)
                .sum()
        };
        let (same, newer) = (sum(|at, used_at| at == used_at), sum(|at, used_at| at > used_at));
        // Those that count are always the newest.
        self.consumed.saturating_sub(newer).min(same)
    }

    pub(super) fn is_cap(&self) -> bool {
        self.policy.window == Window::Outstanding
    }

    /// When the next of the units that count come back.
    pub(super) fn next_renewal(&self, now: TimeMs) -> Option<TimeMs> {
        let back_at = |at: TimeMs| match self.policy.window {
            Window::Never | Window::Outstanding => None,
            Window::Rolling { length_ms } => Some(at + length_ms),
            // The first border after it.
            Window::Fixed { length_ms, offset_ms } => {
                let first = offset_ms % length_ms;
                Some(if at < first {
                    first
                } else {
                    first + ((at - first) / length_ms + 1) * length_ms
                })
            }
        };
        self.uses.iter().filter_map(|(at, _)| back_at(*at)).filter(|at| *at > now).min()
    }

    fn consume(&mut self, quantity: u64, now: TimeMs) {
        if !self.is_cap() {
            self.consumed += quantity;
        }
        if quantity > 0 {
            self.uses.push((now, quantity));
        }
    }

    /// Other rules, by which so many of the consumed units count.
    pub(super) fn rule(&mut self, policy: Policy, now: TimeMs) {
        self.granted = self.granted + policy.limit - self.policy.limit;
        self.policy = policy;
        self.consumed = self.counted(policy.window, now);
        self.balance();
    }

    /// What is out beyond what is granted is not there: nothing is available then, and it is told
    /// as received.
    fn balance(&mut self) {
        let room = self.room(self.consumed);
        self.available = if self.policy.limit > 0 { room.max(0) } else { room };
        self.received =
            (self.available + (self.reserved + self.consumed + self.written_off) as i64) as u64;
    }
}

impl Books {
    /// Enters the next event.
    ///
    /// # Errors
    /// What rule it breaks.
    pub(super) fn enter(&mut self, event: &Event<'_>) -> Checked {
        self.seq += 1;
        hold(event.at >= self.at, || format!("its time goes back from {}", self.at))
            .map_err(|why| self.told(&why))?;
        self.at = event.at;
        self.enter_fact(event)
            .and_then(|()| self.enter_answer(event))
            .map_err(|why| self.told(&why))
    }

    fn told(&self, why: &str) -> String {
        format!("event {}: {why}", self.seq)
    }

    fn enter_fact(&mut self, event: &Event<'_>) -> Checked {
        let at = event.at;
        match &event.fact {
            Fact::AccountOpened { account, key, policy } => self.open(*account, key, *policy),
            Fact::PolicyChanged { account, policy, available, consumed } => {
                self.change(*account, *available, |it| {
                    it.rule(*policy, at);
                    agree("the units that count by the new rule", consumed, &Some(it.consumed))
                })
            }
            Fact::Received { account, quantity, available, .. } => {
                self.change(*account, *available, |it| it.add(*quantity as i64))
            }
            Fact::Adjusted { account, delta, available, .. } => {
                self.change(*account, *available, |it| it.add(*delta))
            }
            Fact::WrittenOff { account, quantity, available, .. } => {
                self.change(*account, *available, |it| it.add(-(*quantity as i64)))
            }
            Fact::Renewed { account, quantity, available, kept } => {
                self.change(*account, *available, |it| {
                    agree("the units that renew", quantity, &it.due(at))?;
                    it.renew(*quantity);
                    hold(*kept, || "what renews is forgotten".to_owned())
                })
            }
            Fact::Reserved { reservation, owner, expires_at, confirmed, lines, .. } => {
                hold(self.numbers.insert(*reservation), || {
                    format!("the number {reservation} was given before")
                })?;
                let taken: Vec<Line> = lines.iter().map(line_of).collect();
                match confirmed {
                    true => drop(self.consumed.insert(*reservation, (at, taken))),
                    false => {
                        let held = Held { owner: *owner, lines: taken, expires_at: *expires_at };
                        self.pending.insert(*reservation, held);
                    }
                }
                self.change_lines(lines, |it, line| it.take(line.quantity, *confirmed, at))
            }
            Fact::Confirmed(end) => {
                hold(at < end.expires_at, || {
                    format!("a confirm at {at}, after the deadline {}", end.expires_at)
                })?;
                let used = end.lines.iter().filter(|line| line.consumed > 0);
                let used = used
                    .map(|line| Line { account: line.account(), quantity: line.consumed })
                    .collect();
                self.consumed.insert(end.reservation, (at, used));
                self.end(end, at)
            }
            Fact::Released(end) => {
                hold(at < end.expires_at, || {
                    format!("a release at {at}, after the deadline {}", end.expires_at)
                })?;
                self.end(end, at)
            }
            Fact::Expired(end) => {
                hold(at >= end.expires_at, || {
                    format!("an expiry at {at}, before the deadline {}", end.expires_at)
                })?;
                self.end(end, at)
            }
            Fact::Returned { reservation, lines, consumed_at, .. } => {
                let out = self.consumed.remove(reservation);
                let (used_at, _) =
                    out.ok_or_else(|| format!("{reservation} returns what it did not consume"))?;
                agree("when it was consumed", consumed_at, &Some(used_at))?;
                self.change_lines(lines, |it, line| {
                    it.give_back(line.quantity, line.consumed, used_at)
                })
            }
            Fact::Noted { .. } | Fact::ClockMended { .. } => Ok(()),
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
        let limit = policy.limit;
        let account = Account {
            policy,
            available: limit as i64,
            received: limit,
            granted: limit,
            ..Account::default()
        };
        let twice = self.accounts.insert(id, account).is_some()
            | self.keys.insert(key.clone(), id).is_some();
        hold(!twice, || format!("{key} is opened twice"))
    }

    fn end(&mut self, end: &End, at: TimeMs) -> Checked {
        let held = self.pending.remove(&end.reservation);
        let held = held.ok_or_else(|| format!("{} ends, but is not pending", end.reservation))?;
        let lines: Vec<Line> = end.lines.iter().map(line_of).collect();
        agree("the lines that end", &lines, &held.lines)?;
        agree("the deadline that ends", &end.expires_at, &held.expires_at)?;
        self.change_lines(&end.lines, |it, line| it.end(line.quantity, line.consumed, at))
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

    fn enter_answer(&mut self, event: &Event<'_>) -> Checked {
        let (Some(request), Some(outcome)) = (event.request, outcome_of(&event.fact)) else {
            return Ok(());
        };
        let kept = request.kept.ok_or("a keyed request without a promise")?;
        let Request { key, fingerprint, .. } = request;
        let answer =
            Answer { fingerprint, outcome, seq: self.seq, owner: kept.owner, until: kept.until };
        let before = self.answers.insert(key.number(), answer);
        hold(before.is_none_or(|before| before.until <= event.at), || {
            "a second effect of one request".to_owned()
        })
    }

    /// How many answers of this owner are kept.
    pub(super) fn kept(&self, owner: u64, now: TimeMs) -> usize {
        self.answers.values().filter(|answer| answer.owner == owner && answer.until > now).count()
    }

    /// When units of this account may come back by themselves; never in the past.
    pub(super) fn next_release(&self, id: AccountId, now: TimeMs) -> Option<TimeMs> {
        let holding =
            self.pending.values().filter(|held| held.lines.iter().any(|line| line.account == id));
        let renewal = self.accounts.get(&id).and_then(|account| account.next_renewal(now));
        holding.map(|held| held.expires_at.max(now)).chain(renewal).min()
    }

    /// The reservations whose deadline has come.
    pub(super) fn due(&self, now: TimeMs) -> BTreeSet<ReservationId> {
        self.pending.iter().filter(|(_, held)| held.expires_at <= now).map(|(id, _)| *id).collect()
    }
}

impl Account {
    pub(super) fn add(&mut self, delta: i64) -> Checked {
        if delta > 0 {
            self.granted += delta.unsigned_abs();
        } else {
            self.written_off += delta.unsigned_abs();
        }
        self.balance();
        Ok(())
    }

    pub(super) fn take(&mut self, quantity: u64, confirmed: bool, at: TimeMs) -> Checked {
        if confirmed {
            self.consume(quantity, at);
        } else {
            self.reserved += quantity;
        }
        self.balance();
        let whole = self.counted(self.policy.window, at) + self.reserved + self.written_off;
        // A cap does not count what is confirmed at once.
        let counts = !(confirmed && self.is_cap());
        hold(!counts || whole <= self.granted + self.policy.backorder, || {
            format!("more than is granted: {self:?}")
        })
    }

    pub(super) fn end(&mut self, quantity: u64, consumed: u64, at: TimeMs) -> Checked {
        hold(consumed <= quantity && quantity <= self.reserved, || {
            "more ends than was held".to_owned()
        })?;
        self.reserved -= quantity;
        self.consume(consumed, at);
        self.balance();
        Ok(())
    }

    pub(super) fn renew(&mut self, quantity: u64) {
        self.consumed -= quantity;
        self.balance();
    }

    /// Units consumed at `used_at` go back: so many that counted, and so many that did not any
    /// more.
    pub(super) fn give_back(&mut self, counted: u64, past: u64, used_at: TimeMs) -> Checked {
        hold(counted <= self.consumed, || "more goes back than counts".to_owned())?;
        self.consumed -= counted;
        let mut left = counted + past;
        for (_, quantity) in self.uses.iter_mut().filter(|(at, _)| *at == used_at) {
            let part = left.min(*quantity);
            *quantity -= part;
            left -= part;
        }
        self.uses.retain(|(_, quantity)| *quantity > 0);
        self.balance();
        hold(left == 0, || format!("{left} units more go back than were consumed at {used_at}"))
    }
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
        Fact::Returned { reservation, .. } => Said::Returned { reservation: *reservation },
        _ => return None,
    })
}
