//! An account of the oracle: what is granted, what is out, and when what was consumed counts.

use super::check::{Checked, hold};
use crate::base::TimeMs;
use crate::event::{Policy, Window};
use crate::ledger::Waiting;

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its rules.
    pub policy: Policy,
    /// What can be taken but for the allowance; below zero only by that.
    pub available: i64,
    /// What pending reservations hold.
    pub reserved: u64,
    /// What was consumed and counts, as far as events have told.
    pub consumed: u64,
    /// Everything that ever came in.
    pub received: u64,
    /// Everything that ever went out but by a reservation.
    pub written_off: u64,
    /// Nothing happens with it any more.
    pub closed: bool,
    /// Until when its units are good; `None` is for ever.
    pub until: Option<TimeMs>,
    /// Those who wait for its units, the first first.
    pub line: Vec<Waiting>,
    /// How many places in the line were ever given out.
    pub given: u64,
    /// Units granted, for good or for a window: the limit, and what was added beside it.
    granted: u64,
    /// What was consumed and not returned: when, and how many units.
    uses: Vec<(TimeMs, u64)>,
}

impl Account {
    /// A new one.
    pub fn open(policy: Policy) -> Self {
        let limit = policy.limit;
        Self { policy, available: limit as i64, received: limit, granted: limit, ..Self::default() }
    }

    /// The same with units that are good until a moment.
    pub fn good_until(self, until: Option<TimeMs>) -> Self {
        Self { until, ..self }
    }

    /// Whether time alone changes what can be taken.
    pub fn depends_on_time(&self) -> bool {
        self.is_windowed() || self.until.is_some()
    }

    /// Whether what was consumed comes back at a time.
    pub fn is_windowed(&self) -> bool {
        matches!(self.policy.window, Window::Fixed { .. } | Window::Rolling { .. })
    }

    /// Of what was consumed, what counts at `now` under a rule: the oracle of all limits.
    pub fn counted(&self, window: Window, now: TimeMs) -> u64 {
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

    /// What counts at `now` under the rule in force. Where nothing ever comes back that is all that
    /// was consumed, however many uses that were. What came back in a time that was ahead stays
    /// back when the time is set right.
    fn counted_now(&self, now: TimeMs) -> u64 {
        match self.policy.window {
            Window::Never => self.consumed,
            Window::Outstanding => self.counted(Window::Outstanding, now),
            window => self.counted(window, now).min(self.consumed),
        }
    }

    /// What could be taken if so many consumed units counted; below zero where more is out than is
    /// granted.
    fn room(&self, consumed: u64) -> i64 {
        self.granted as i64 - (self.written_off + self.reserved + consumed) as i64
    }

    /// Of what was consumed, what counts against what a rule grants; `None` where no rule grants
    /// anything, and what is there is its own.
    pub fn counting_against(&self, is_quota: bool, now: TimeMs) -> Option<u64> {
        let granted = is_quota || self.policy.limit > 0 || self.policy.window != Window::Never;
        granted.then(|| self.consumed - self.due(now))
    }

    /// Whether more is out than is granted.
    pub fn owes(&self, now: TimeMs) -> bool {
        self.room(self.counted_now(now)) < 0
    }

    /// What anybody can take at `now`: nothing while others wait.
    pub fn takeable(&self, now: TimeMs) -> u64 {
        if self.line.is_empty() { self.takeable_in_line(now) } else { 0 }
    }

    /// What who is first in the line can take at `now`: nothing of what was good until then.
    pub fn takeable_in_line(&self, now: TimeMs) -> u64 {
        if self.until.is_some_and(|until| now >= until) {
            return 0;
        }
        let room = self.room(self.counted_now(now)) + self.policy.backorder as i64;
        u64::try_from(room).unwrap_or(0)
    }

    /// What the window gives back by `now`.
    pub fn due(&self, now: TimeMs) -> u64 {
        if self.is_windowed() { self.consumed - self.counted_now(now) } else { 0 }
    }

    /// Of the units consumed at a moment, those that events have not told to count no longer.
    pub fn counting(&self, used_at: TimeMs) -> u64 {
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

    /// Whether it counts nothing but what is pending.
    pub fn is_cap(&self) -> bool {
        self.policy.window == Window::Outstanding
    }

    /// When the next of the units that count come back.
    pub fn next_renewal(&self, now: TimeMs) -> Option<TimeMs> {
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
    pub fn rule(&mut self, policy: Policy, now: TimeMs) {
        self.granted = self.granted + policy.limit - self.policy.limit;
        self.policy = policy;
        self.consumed = self.counted(policy.window, now);
        self.balance();
    }

    /// What is out beyond what is granted is not there: nothing is available then, and it is told
    /// as received.
    pub(super) fn balance(&mut self) {
        let room = self.room(self.consumed);
        self.available = if self.policy.limit > 0 { room.max(0) } else { room };
        self.received =
            (self.available + (self.reserved + self.consumed + self.written_off) as i64) as u64;
    }

    /// Units come in, or go out.
    pub fn add(&mut self, delta: i64) {
        if delta > 0 {
            self.granted += delta.unsigned_abs();
        } else {
            self.written_off += delta.unsigned_abs();
        }
        self.balance();
    }

    /// A reservation takes units, for good when it is confirmed at once.
    ///
    /// # Errors
    /// When it takes more than is granted, or what has ended.
    pub fn take(&mut self, quantity: u64, confirmed: bool, at: TimeMs) -> Checked {
        hold(quantity == 0 || self.until.is_none_or(|until| at < until), || {
            format!("units are taken at {at}, after their end: {self:?}")
        })?;
        if confirmed {
            self.consume(quantity, at);
        } else {
            self.reserved += quantity;
        }
        self.balance();
        let whole = self.counted_now(at) + self.reserved + self.written_off;
        // A cap does not count what is confirmed at once.
        let counts = !(confirmed && self.is_cap());
        hold(!counts || whole <= self.granted + self.policy.backorder, || {
            format!("more than is granted: {self:?}")
        })
    }

    /// A reservation ends that held so many units, and consumes so many of them.
    ///
    /// # Errors
    /// When it did not hold them.
    pub fn end(&mut self, quantity: u64, consumed: u64, at: TimeMs) -> Checked {
        hold(consumed <= quantity && quantity <= self.reserved, || {
            "more ends than was held".to_owned()
        })?;
        self.reserved -= quantity;
        self.consume(consumed, at);
        self.balance();
        Ok(())
    }

    /// So many consumed units do not count any more.
    pub fn renew(&mut self, quantity: u64) {
        self.consumed -= quantity;
        self.balance();
    }

    /// Units consumed at `used_at` go back: so many that counted, and so many that did not any
    /// more.
    ///
    /// # Errors
    /// When they were not consumed then.
    pub fn give_back(&mut self, counted: u64, past: u64, used_at: TimeMs) -> Checked {
        self.forget_uses(counted, past, used_at)?;
        self.balance();
        Ok(())
    }

    /// Units consumed at `used_at` come back to be written off.
    ///
    /// # Errors
    /// When they were not consumed then.
    pub fn discard(&mut self, quantity: u64, past: u64, used_at: TimeMs) -> Checked {
        self.forget_uses(quantity, past, used_at)?;
        self.written_off += quantity;
        self.balance();
        Ok(())
    }

    fn forget_uses(&mut self, counted: u64, past: u64, used_at: TimeMs) -> Checked {
        hold(counted <= self.consumed, || "more goes back than counts".to_owned())?;
        self.consumed -= counted;
        let mut left = counted + past;
        for (_, quantity) in self.uses.iter_mut().filter(|(at, _)| *at == used_at) {
            let part = left.min(*quantity);
            *quantity -= part;
            left -= part;
        }
        self.uses.retain(|(_, quantity)| *quantity > 0);
        hold(left == 0, || format!("{left} units more go back than were consumed at {used_at}"))
    }

    /// Forgets when what was consumed was.
    pub fn forget_times(&mut self) {
        self.line.iter_mut().for_each(|waiting| waiting.since = 0);
        let sum: u64 = self.uses.iter().map(|(_, quantity)| quantity).sum();
        self.uses = Vec::from_iter((sum > 0).then_some((0, sum)));
    }
}
