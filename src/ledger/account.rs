//! One account: its counters, and the changes that keep `received = available + reserved + consumed
//! + written_off`.

use super::lapses::Lapses;
use super::queue::Queue;
use super::uses::{Found, Use, Uses};
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountId, AccountKey, AccountKind, TimeMs};
use crate::event::EventLine;
use crate::event::{Policy, Window};
use crate::ledger::{Level, Waiting};

#[derive(Debug)]
pub(crate) struct Account {
    pub(super) key: AccountKey,
    pub(super) policy: Policy,
    pub(super) available: i64,
    pub(super) reserved: u64,
    /// Of what was consumed, what counts under the rule in force, as far as events have said so.
    pub(super) consumed: u64,
    pub(super) received: u64,
    pub(super) written_off: u64,
    pub(super) lapses: Lapses,
    /// Units that are out and that the rule no longer grants: what comes back pays them first, so
    /// while any are owed nothing is available.
    pub(super) owed: u64,
    /// What it was used for; of quotas alone, and of what has a window.
    pub(super) uses: Option<Box<Uses>>,
    /// Those who wait for its units; `None` where nobody ever did.
    pub(super) queue: Option<Box<Queue>>,
    /// Nothing happens with it any more.
    pub(super) is_closed: bool,
}

/// Why a change from the journal cannot be applied. Never seen by a live command: deciding rules it
/// out.
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
            owed: 0,
            uses: None,
            queue: None,
            is_closed: false,
        }
    }

    /// A copy for a draft, out of which deadlines are taken that are among `deadlines`: an account
    /// may have a million others, which are not copied.
    pub(super) fn sketch(&self, deadlines: &[TimeMs]) -> Self {
        let (key, uses) = (self.key.clone(), self.uses.clone());
        let queue = self.queue.as_deref().map(|queue| Box::new(queue.sketch()));
        Self { key, uses, queue, lapses: self.lapses.sketch(deadlines), ..*self }
    }

    /// What anybody can take now, in units: nothing while others wait for it.
    pub(super) fn takeable(&self, now: TimeMs) -> u64 {
        if self.has_line() { 0 } else { self.takeable_in_line(now) }
    }

    /// Whether somebody waits, so that nobody else takes any.
    pub(super) fn has_line(&self) -> bool {
        self.waiting() > 0 && !flaw::is_made(Flaw::SellsPastQueue)
    }

    /// How many wait for its units.
    pub(super) fn waiting(&self) -> usize {
        self.queue.as_deref().map_or(0, |queue| queue.places.len())
    }

    /// What whoever is the first in the line can take now, in units: what is available, the
    /// backorder allowance, and what a window gives back. Units that are good until a moment cannot be
    /// taken from then on, whatever becomes of them.
    pub(super) fn takeable_in_line(&self, now: TimeMs) -> u64 {
        if self.key.until().is_some_and(|until| until <= now) && !flaw::is_made(Flaw::TakesEnded) {
            return 0;
        }
        let there =
            i128::from(self.available) + i128::from(self.policy.backorder) - i128::from(self.owed);
        u64::try_from(there + i128::from(self.renewable(now))).unwrap_or(0)
    }

    /// What the window gives back by `now`.
    pub(super) fn renewable(&self, now: TimeMs) -> u64 {
        if !self.is_windowed() {
            return 0;
        }
        self.consumed.saturating_sub(self.counted(self.policy.window, now))
    }

    /// Of all that was consumed, what counts at `now` under a rule.
    fn counted(&self, window: Window, now: TimeMs) -> u64 {
        match (&self.uses, window) {
            (Some(uses), _) => uses.counted(window, now),
            (None, Window::Outstanding) => 0,
            (None, _) => self.consumed,
        }
    }

    /// What would be consumed and available at `now` under another rule.
    pub(super) fn under(&self, policy: Policy, now: TimeMs) -> (u64, i64) {
        let forgets = flaw::is_made(Flaw::ForgetsUses);
        let consumed = if forgets { 0 } else { self.counted(policy.window, now) };
        let (limit, was) = (policy.limit as i64, self.policy.limit as i64);
        let room = self.available - self.owed as i64 + limit - was + self.consumed as i64
            - consumed as i64;
        // What was taken beyond the units that there were, by an allowance, stays so.
        let back = (limit - was).max(0) + (self.consumed as i64 - consumed as i64).max(0);
        (consumed, if room >= 0 { room } else { (self.available + back).min(0) })
    }

    /// What is available when this many units come back: what is owed is paid first.
    pub(super) fn available_after(&self, back: u64) -> i64 {
        let available = self.available + back as i64;
        available - available.clamp(0, self.owed as i64)
    }

    /// What was consumed at a moment; `None` where nothing is known of moments.
    pub(super) fn used_at(&self, at: TimeMs) -> Option<Found> {
        let none = self.keeps_uses().then(Found::default);
        self.uses.as_ref().map(|uses| uses.find(at)).or(none)
    }

    /// Whether uses of this moment may have been forgotten by an earlier release.
    pub(super) fn may_have_forgotten(&self, at: TimeMs) -> bool {
        self.uses.as_ref().is_some_and(|uses| at < uses.forgotten_before)
    }

    /// When units may come back by themselves: never in the past, though what lapsed waits for the
    /// wheel to turn.
    pub(super) fn next_release_at(&self, now: TimeMs) -> Option<TimeMs> {
        let renewal = self.uses.as_ref().and_then(|uses| uses.next_return(self.policy.window, now));
        [self.lapses.first(), renewal].into_iter().flatten().min().map(|at| at.max(now))
    }

    /// Whether what can be taken depends on the time, so that one number cannot say it.
    pub(super) fn depends_on_time(&self) -> bool {
        self.is_windowed() || self.key.until().is_some()
    }

    /// Whether a window gives back what was consumed.
    pub(super) fn is_windowed(&self) -> bool {
        matches!(self.policy.window, Window::Fixed { .. } | Window::Rolling { .. })
    }

    /// Somebody waits for its units.
    pub(super) fn join(&mut self, waiting: Waiting) -> Result<()> {
        self.queue.get_or_insert_default().join(waiting)
    }

    /// When those were served in its line who were last, the oldest first.
    pub(super) fn served(&self) -> impl Iterator<Item = TimeMs> {
        self.queue.iter().flat_map(|queue| queue.served.iter().copied())
    }

    /// Somebody waits no longer.
    pub(super) fn leave(
        &mut self,
        place: u64,
        owner: AccountId,
        served: Option<TimeMs>,
    ) -> Result<()> {
        let queue = self.queue.as_deref_mut();
        queue.ok_or_else(|| impossible("nobody waits for it"))?.leave(place, owner, served)
    }

    /// Whether it caps what is reserved at one time: what is consumed goes back at once.
    pub(super) fn is_cap(&self) -> bool {
        self.policy.window == Window::Outstanding
    }

    /// Whether its units are what a rule grants, and not what came in.
    pub(super) fn is_granted(&self) -> bool {
        self.key.kind() == AccountKind::Quota
            || self.policy.limit > 0
            || self.policy.window != Window::Never
    }

    /// What hinders closing it: what is held, and of a quota what counts and what is owed; otherwise
    /// what is available. What was consumed of a stock is sold, and no unit of the account.
    pub(super) fn close_hindrance(&self, now: TimeMs) -> Option<u64> {
        let counting = self.consumed.saturating_sub(self.renewable(now));
        let left = match self.is_granted() {
            true => counting > 0 || self.owed > 0,
            false => self.available != 0,
        };
        (left || self.reserved > 0 || self.waiting() > 0).then_some(if self.is_granted() {
            counting
        } else {
            0
        })
    }

    /// Nothing happens with it from now on.
    pub(super) fn close(&mut self) -> Result<()> {
        if self.is_closed || self.reserved > 0 || self.waiting() > 0 {
            return Err(impossible("an account is closed twice, or holds units, or is waited for"));
        }
        self.is_closed = true;
        Ok(())
    }

    /// A stock is consumed by millions, and no rule will ask when.
    fn keeps_uses(&self) -> bool {
        self.policy.window != Window::Never || self.key.kind() == AccountKind::Quota
    }

    pub(super) fn receive(&mut self, quantity: u64) -> Result<()> {
        self.received =
            self.received.checked_add(quantity).ok_or_else(|| impossible("received overflows"))?;
        self.add(quantity)
    }

    pub(super) fn write_off(&mut self, quantity: u64) -> Result<()> {
        self.written_off = self
            .written_off
            .checked_add(quantity)
            .ok_or_else(|| impossible("written off overflows"))?;
        self.subtract(quantity)
    }

    pub(super) fn adjust(&mut self, delta: i64) -> Result<()> {
        match u64::try_from(delta) {
            Ok(up) => self.receive(up),
            Err(_) => self.write_off(delta.unsigned_abs()),
        }
    }

    /// Reserves a line; consumes it at once when `confirmed`.
    pub(super) fn take(
        &mut self,
        line: &EventLine,
        expires_at: TimeMs,
        confirmed: bool,
        at: TimeMs,
    ) -> Result<()> {
        if confirmed && self.is_cap() {
            // It is never outstanding.
            return self.consume(line.quantity, at);
        }
        self.subtract(line.quantity)?;
        if confirmed {
            return self.consume(line.quantity, at);
        }
        self.reserved = self
            .reserved
            .checked_add(line.quantity)
            .ok_or_else(|| impossible("reserved overflows"))?;
        self.lapses.insert(expires_at);
        Ok(())
    }

    /// Ends a reserved line: so much is consumed, the rest goes back.
    pub(super) fn end(&mut self, line: &EventLine, expires_at: TimeMs, at: TimeMs) -> Result<()> {
        self.reserved = self
            .reserved
            .checked_sub(line.quantity)
            .ok_or_else(|| impossible("more ends than is held"))?;
        if !self.lapses.remove(expires_at) {
            return Err(impossible("no reservation with this deadline holds units"));
        }
        let rest = line
            .quantity
            .checked_sub(line.consumed)
            .ok_or_else(|| impossible("more consumed than held"))?;
        self.add(if self.is_cap() { line.quantity } else { rest })?;
        self.consume(line.consumed, at)
    }

    /// A reserved line has another deadline.
    pub(super) fn extend(&mut self, was: TimeMs, expires_at: TimeMs) -> Result<()> {
        if !self.lapses.remove(was) {
            return Err(impossible("no reservation with this deadline holds units"));
        }
        self.lapses.insert(expires_at);
        Ok(())
    }

    /// Returns consumed units to where they were: those of a reservation that consumed them at
    /// `consumed_at`. Releases that kept no more than what counted did not say when, and meant
    /// units that counted.
    pub(super) fn give_back(
        &mut self,
        line: &EventLine,
        consumed_at: Option<TimeMs>,
    ) -> Result<()> {
        self.uncount(line.quantity)?;
        match (&mut self.uses, consumed_at) {
            (Some(uses), Some(at)) => uses.remove(at, line.quantity.saturating_add(line.consumed)),
            (Some(uses), None) => uses.forget_some(line.quantity),
            (None, _) => {}
        }
        Ok(())
    }

    /// Consumed units came back, and are written off. No rule asks when they were consumed.
    pub(super) fn discard(&mut self, line: &EventLine) -> Result<()> {
        if self.is_granted() {
            return Err(impossible("units that a rule grants are written off"));
        }
        let consumed = self.consumed.checked_sub(line.quantity);
        self.consumed = consumed.ok_or_else(|| impossible("more comes back than was consumed"))?;
        let written_off = self.written_off.checked_add(line.quantity);
        self.written_off = written_off.ok_or_else(|| impossible("written off overflows"))?;
        Ok(())
    }

    /// A window gives consumed units back. They stay known for rules to come, but for events of
    /// releases that forgot them.
    pub(super) fn renew(&mut self, quantity: u64, kept: bool, at: TimeMs) -> Result<()> {
        self.uncount(quantity)?;
        if let Some(uses) = self.uses.as_mut().filter(|_| !kept) {
            uses.forget_oldest(quantity, at);
        }
        Ok(())
    }

    /// Sets other rules, by which this many of the units consumed so far count; events of earlier
    /// releases do not say how many, and changed nothing about it. What is out and no longer
    /// granted is owed.
    pub(super) fn set_policy(
        &mut self,
        policy: Policy,
        consumed: Option<u64>,
        at: TimeMs,
    ) -> Result<()> {
        if self.uses.is_none() && self.consumed > 0 && policy.window != Window::Never {
            // No time was recorded until now: it may have been this moment.
            self.uses.get_or_insert_default().add_span(Use {
                from: 0,
                at,
                quantity: self.consumed,
            });
        }
        let (old, new) = (self.policy.limit, policy.limit);
        self.policy = policy;
        if !self.keeps_uses() {
            self.uses = None;
        }
        let consumed = consumed.unwrap_or(self.consumed);
        self.owe(old.saturating_sub(new))?;
        self.receive(new.saturating_sub(old))?;
        let more = consumed.saturating_sub(self.consumed);
        self.consumed =
            self.consumed.checked_add(more).ok_or_else(|| impossible("consumed overflows"))?;
        self.received =
            self.received.checked_add(more).ok_or_else(|| impossible("received overflows"))?;
        self.owe(more)?;
        self.uncount(self.consumed - consumed)
    }

    fn consume(&mut self, quantity: u64, at: TimeMs) -> Result<()> {
        if quantity == 0 {
            return Ok(());
        }
        if !self.is_cap() {
            self.consumed = self
                .consumed
                .checked_add(quantity)
                .ok_or_else(|| impossible("consumed overflows"))?;
        }
        if self.keeps_uses() {
            self.uses.get_or_insert_default().add(at, quantity);
        }
        Ok(())
    }

    /// Consumed units count no longer.
    fn uncount(&mut self, quantity: u64) -> Result<()> {
        self.consumed = self
            .consumed
            .checked_sub(quantity)
            .ok_or_else(|| impossible("more goes back than counts"))?;
        self.add(quantity)
    }

    /// Units are no longer granted: those that are there go now, the others when they come back.
    fn owe(&mut self, quantity: u64) -> Result<()> {
        let owed = self.owed.checked_add(quantity).filter(|owed| i64::try_from(*owed).is_ok());
        self.owed = owed.ok_or_else(|| impossible("more is owed than can be counted"))?;
        self.add(0)
    }

    /// Units come back, and pay what is owed first.
    fn add(&mut self, quantity: u64) -> Result<()> {
        let available = self.available.checked_add_unsigned(quantity);
        let available = available.ok_or_else(|| impossible("available overflows"))?;
        let paid = available.clamp(0, self.owed as i64);
        self.available = available - paid;
        self.owed -= paid as u64;
        self.received = self
            .received
            .checked_sub(paid as u64)
            .ok_or_else(|| impossible("received falls below zero"))?;
        Ok(())
    }

    fn subtract(&mut self, quantity: u64) -> Result<()> {
        let available = self.available.checked_sub_unsigned(quantity);
        let lowest = -(self.policy.backorder as i64) - i64::from(flaw::is_made(Flaw::Oversells));
        // Below zero only by the backorder allowance; what an allowance let out stays out when it
        // shrinks.
        self.available = available
            .filter(|left| *left >= lowest || quantity == 0)
            .ok_or_else(|| impossible("more is taken than is there"))?;
        Ok(())
    }

    /// Invariant 1.
    pub(super) fn is_conserved(&self) -> bool {
        let out =
            i128::from(self.reserved) + i128::from(self.consumed) + i128::from(self.written_off);
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
            waiting: self.waiting(),
            closed: self.is_closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(quantity: u64, consumed: u64) -> EventLine {
        EventLine { quantity, consumed, ..EventLine::default() }
    }

    fn quota(limit: u64, window: Window) -> Account {
        Account::new(
            AccountKey::quota("ann", "tea").expect("a valid key"),
            Policy::quota(limit, window),
        )
    }

    #[test]
    fn a_rolling_quota_renews_each_unit_after_its_own_window() {
        let mut account = quota(3, Window::Rolling { length_ms: 100 });
        for at in [10, 20, 30] {
            account.take(&unit(1, 1), at, true, at).expect("the quota has a unit");
        }
        assert_eq!((account.takeable(109), account.next_release_at(109)), (0, Some(110)));
        assert_eq!(account.takeable(120), 2);
        account.give_back(&unit(1, 0), Some(20)).expect("a unit was consumed");
        assert_eq!(
            (account.takeable(109), account.takeable(129)),
            (1, 2),
            "the return took its own unit"
        );
        account.renew(1, true, 120).expect("a unit is due");
        assert!(account.is_conserved());
        assert_eq!((account.available, account.next_release_at(120)), (2, Some(130)));
    }

    #[test]
    fn what_a_lower_limit_no_longer_grants_is_paid_by_what_comes_back() {
        let mut account = quota(5, Window::Never);
        for at in [1, 2] {
            account.take(&unit(2, 2), 9, false, at).expect("there are units");
        }
        let (lower, higher) = (Policy::quota(2, Window::Never), Policy::quota(6, Window::Never));
        assert_eq!(account.under(lower, 3), (0, 0));
        account.set_policy(lower, Some(0), 3).expect("it can be set");
        assert_eq!((account.available, account.received, account.takeable(3)), (0, 4, 0));
        assert_eq!(account.available_after(2), 0);
        account.end(&unit(2, 0), 9, 4).expect("it is held");
        assert!(account.is_conserved());
        assert_eq!((account.available, account.received, account.owed), (0, 2, 0));
        assert_eq!(account.under(higher, 5), (0, 4));
        account.set_policy(higher, Some(0), 5).expect("it can be set");
        assert_eq!((account.available, account.received), (4, 6));
    }
}
