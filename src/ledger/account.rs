//! One account: its counters, and the changes that keep `received = available + reserved + consumed + written_off`.

use std::collections::VecDeque;

use super::lapses::Lapses;
use crate::command::{Level, Policy, Window};
use crate::error::{Error, Result};
use crate::event::EventLine;
use crate::flaw::{self, Flaw};
use crate::types::{AccountId, AccountKey, TimeMs};

#[derive(Debug)]
pub(crate) struct Account {
    pub(super) key: AccountKey,
    pub(super) policy: Policy,
    pub(super) available: i64,
    pub(super) reserved: u64,
    pub(super) consumed: u64,
    pub(super) received: u64,
    pub(super) written_off: u64,
    pub(super) lapses: Lapses,
    /// Consumed units of a window and when they come back, earliest first.
    #[allow(clippy::box_collection, reason = "only windowed quotas have any; the box keeps other accounts small")]
    pub(super) renewals: Option<Box<VecDeque<Renewal>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Renewal {
    pub(super) at: TimeMs,
    pub(super) quantity: u64,
}

/// Why a change from the journal cannot be applied. Never seen by a live command: deciding rules it out.
fn impossible(what: &'static str) -> Error {
    Error::corrupt(format!("an event contradicts the ledger: {what}"))
}

impl Account {
    pub(super) fn new(key: AccountKey, policy: Policy) -> Self {
        Self {
            key,
            policy,
            available: policy.limit as i64,
            reserved: 0,
            consumed: 0,
            received: policy.limit,
            written_off: 0,
            lapses: Lapses::default(),
            renewals: None,
        }
    }

    /// What can be taken now, in units: what is available, the backorder allowance, and what a window gives back.
    pub(super) fn takeable(&self, now: TimeMs) -> u64 {
        let takeable = self.available + self.policy.backorder as i64 + self.renewable(now) as i64;
        takeable.max(0) as u64
    }

    /// What the window gives back by `now`.
    pub(super) fn renewable(&self, now: TimeMs) -> u64 {
        let renewals = self.renewals.iter().flat_map(|renewals| renewals.iter());
        renewals.take_while(|renewal| renewal.at <= now).map(|renewal| renewal.quantity).sum()
    }

    /// What of the consumed units may still be returned: what a window gave back is not returned again.
    pub(super) fn returnable(&self) -> u64 {
        match self.policy.window {
            Window::Fixed { .. } | Window::Rolling { .. } => {
                self.renewals.iter().flat_map(|renewals| renewals.iter()).map(|renewal| renewal.quantity).sum()
            }
            Window::Never | Window::Outstanding => self.consumed,
        }
    }

    /// When units may come back by themselves: never in the past, though what lapsed waits for the wheel to turn.
    pub(super) fn next_release_at(&self, now: TimeMs) -> Option<TimeMs> {
        let mut renewals = self.renewals.iter().flat_map(|renewals| renewals.iter());
        let renewal = renewals.find(|renewal| renewal.at > now).map(|renewal| renewal.at);
        [self.lapses.first(), renewal].into_iter().flatten().min().map(|at| at.max(now))
    }

    /// Whether what can be taken depends on the time, so that one number cannot say it.
    pub(super) fn is_windowed(&self) -> bool {
        matches!(self.policy.window, Window::Fixed { .. } | Window::Rolling { .. })
    }

    pub(super) fn receive(&mut self, quantity: u64) -> Result<()> {
        self.received = self.received.checked_add(quantity).ok_or_else(|| impossible("received overflows"))?;
        self.add(quantity)
    }

    pub(super) fn write_off(&mut self, quantity: u64) -> Result<()> {
        self.written_off = self.written_off.checked_add(quantity).ok_or_else(|| impossible("written off overflows"))?;
        self.subtract(quantity)
    }

    pub(super) fn adjust(&mut self, delta: i64) -> Result<()> {
        match u64::try_from(delta) {
            Ok(up) => self.receive(up),
            Err(_) => self.write_off(delta.unsigned_abs()),
        }
    }

    /// Reserves a line; consumes it at once when `confirmed`.
    pub(super) fn take(&mut self, line: &EventLine, expires_at: TimeMs, confirmed: bool, at: TimeMs) -> Result<()> {
        self.subtract(line.quantity)?;
        if confirmed {
            return self.consume(line.quantity, at);
        }
        self.reserved = self.reserved.checked_add(line.quantity).ok_or_else(|| impossible("reserved overflows"))?;
        self.lapses.insert(expires_at);
        Ok(())
    }

    /// Ends a reserved line: so much is consumed, the rest goes back.
    pub(super) fn end(&mut self, line: &EventLine, expires_at: TimeMs, at: TimeMs) -> Result<()> {
        self.reserved = self.reserved.checked_sub(line.quantity).ok_or_else(|| impossible("more ends than is held"))?;
        if !self.lapses.remove(expires_at) {
            return Err(impossible("no reservation with this deadline holds units"));
        }
        let back = line.quantity.checked_sub(line.consumed).ok_or_else(|| impossible("more consumed than held"))?;
        self.add(back)?;
        self.consume(line.consumed, at)
    }

    /// Returns consumed units. The units that would renew last go first, so a return never brings a renewal forward.
    pub(super) fn give_back(&mut self, quantity: u64) -> Result<()> {
        self.consumed = self.consumed.checked_sub(quantity).ok_or_else(|| impossible("more returns than consumed"))?;
        self.add(quantity)?;
        if self.is_windowed() {
            self.forget(quantity, VecDeque::back_mut, VecDeque::pop_back)?;
        }
        Ok(())
    }

    /// A window gives consumed units back.
    pub(super) fn renew(&mut self, quantity: u64) -> Result<()> {
        self.consumed = self.consumed.checked_sub(quantity).ok_or_else(|| impossible("more renews than consumed"))?;
        self.add(quantity)?;
        self.forget(quantity, VecDeque::front_mut, VecDeque::pop_front)
    }

    /// Takes `quantity` out of the renewals, from the end that `peek` and `pop` name.
    fn forget(
        &mut self,
        mut quantity: u64,
        peek: fn(&mut VecDeque<Renewal>) -> Option<&mut Renewal>,
        pop: fn(&mut VecDeque<Renewal>) -> Option<Renewal>,
    ) -> Result<()> {
        let renewals = self.renewals.as_mut().ok_or_else(|| impossible("nothing is to renew"))?;
        while quantity > 0 {
            let renewal = peek(renewals).ok_or_else(|| impossible("more renews than its window consumed"))?;
            let part = quantity.min(renewal.quantity);
            renewal.quantity -= part;
            quantity -= part;
            if renewal.quantity == 0 {
                pop(renewals);
            }
        }
        if renewals.is_empty() {
            self.renewals = None;
        }
        Ok(())
    }

    /// Sets other rules. A quota's limit moves as far as its units are there; what is out of reach now stays for the
    /// next change, and `policy.limit` says how far it came.
    pub(super) fn set_policy(&mut self, policy: Policy) -> Result<()> {
        let (old, new) = (self.policy.limit, policy.limit);
        self.policy = policy;
        if new >= old {
            return self.receive(new - old);
        }
        self.received = self.received.checked_sub(old - new).ok_or_else(|| impossible("the limit falls below zero"))?;
        self.subtract(old - new)
    }

    fn consume(&mut self, quantity: u64, at: TimeMs) -> Result<()> {
        self.consumed = self.consumed.checked_add(quantity).ok_or_else(|| impossible("consumed overflows"))?;
        let at = match self.policy.window {
            _ if quantity == 0 => return Ok(()),
            Window::Never | Window::Outstanding => return Ok(()),
            Window::Rolling { length_ms } => at.saturating_add(length_ms),
            Window::Fixed { length_ms, offset_ms } => window_end(at, length_ms, offset_ms),
        };
        let renewals = self.renewals.get_or_insert_default();
        match renewals.back_mut() {
            // Times of concurrent commands may be a little out of order; the queue stays sorted all the same.
            Some(last) if last.at >= at => last.quantity += quantity,
            _ => renewals.push_back(Renewal { at, quantity }),
        }
        Ok(())
    }

    fn add(&mut self, quantity: u64) -> Result<()> {
        self.available =
            self.available.checked_add_unsigned(quantity).ok_or_else(|| impossible("available overflows"))?;
        Ok(())
    }

    fn subtract(&mut self, quantity: u64) -> Result<()> {
        let available = self.available.checked_sub_unsigned(quantity);
        let lowest = -(self.policy.backorder as i64) - i64::from(flaw::is_made(Flaw::Oversells));
        // Below zero only by the backorder allowance; what an allowance let out stays out when it shrinks.
        self.available = available
            .filter(|left| *left >= lowest || quantity == 0)
            .ok_or_else(|| impossible("more is taken than is there"))?;
        Ok(())
    }

    /// Invariant 1.
    pub(super) fn is_conserved(&self) -> bool {
        let out = i128::from(self.reserved) + i128::from(self.consumed) + i128::from(self.written_off);
        i128::from(self.available) + out == i128::from(self.received)
    }

    pub(super) fn level(&self, account: AccountId) -> Level {
        Level {
            account,
            key: self.key.clone(),
            policy: self.policy,
            available: self.available,
            reserved: self.reserved,
            consumed: self.consumed,
            received: self.received,
            written_off: self.written_off,
        }
    }
}

/// The first window border after `at`.
fn window_end(at: TimeMs, length_ms: u64, offset_ms: u64) -> TimeMs {
    let offset_ms = offset_ms % length_ms;
    let windows = at.checked_sub(offset_ms).map_or(0, |past| past / length_ms + 1);
    windows.saturating_mul(length_ms).saturating_add(offset_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_windows_end_at_the_next_border() {
        for (at, end) in [(0, 3), (2, 3), (3, 13), (12, 13), (13, 23)] {
            assert_eq!(window_end(at, 10, 3), end, "a window of 10 with offset 3, at {at}");
        }
    }

    #[test]
    fn a_rolling_quota_renews_each_unit_after_its_own_window() {
        let key = AccountKey::quota("ann", "tea").expect("a valid key");
        let mut account = Account::new(key, Policy::quota(3, Window::Rolling { length_ms: 100 }));
        let unit = EventLine { quantity: 1, consumed: 1, ..EventLine::default() };
        for at in [10, 20, 30] {
            account.take(&unit, at, true, at).expect("the quota has a unit");
        }
        assert_eq!((account.takeable(109), account.next_release_at(109)), (0, Some(110)));
        assert_eq!(account.takeable(120), 2);
        account.give_back(1).expect("a unit was consumed");
        assert_eq!((account.returnable(), account.takeable(120)), (2, 3), "the return took the unit that renews last");
        account.renew(2).expect("two units are due");
        assert!(account.is_conserved());
        assert_eq!((account.available, account.next_release_at(120)), (3, None));
    }
}
