//! One account in the auditor's books. Plain arithmetic on `i128`: nothing overflows, and nothing is refused; what is
//! wrong is said.

use std::collections::{BTreeMap, VecDeque};

use super::finding::Kind;
use super::snapshot::AccountRow;
use crate::command::{Policy, Window};
use crate::types::TimeMs;

/// Units and when they come back, earliest first.
type Renewals = VecDeque<(TimeMs, i128)>;

/// What a change found wrong.
pub(super) type Wrong = (Kind, String);

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) key: String,
    pub(super) policy: Policy,
    pub(super) available: i128,
    pub(super) reserved: i128,
    pub(super) consumed: i128,
    pub(super) received: i128,
    pub(super) written_off: i128,
    /// How many held lines lapse when.
    pub(super) deadlines: BTreeMap<TimeMs, u32>,
    /// When consumed units of a window come back.
    pub(super) renewals: Renewals,
    /// Something about it was wrong and told: what follows from it is not told again.
    pub(super) doubtful: bool,
}

impl Account {
    /// A new account: a quota starts with its limit.
    pub(super) fn new(key: String, policy: Policy) -> Self {
        Self {
            key,
            policy,
            available: policy.limit.into(),
            reserved: 0,
            consumed: 0,
            received: policy.limit.into(),
            written_off: 0,
            deadlines: BTreeMap::new(),
            renewals: VecDeque::new(),
            doubtful: false,
        }
    }

    /// An account as a snapshot has it, which is believed.
    pub(super) fn from_row(row: &AccountRow) -> Self {
        Self {
            available: row.available.into(),
            reserved: row.reserved.into(),
            consumed: row.consumed.into(),
            received: row.received.into(),
            written_off: row.written_off.into(),
            deadlines: row.deadlines.iter().copied().collect(),
            renewals: row.renewals.iter().map(|(at, quantity)| (*at, i128::from(*quantity))).collect(),
            ..Self::new(row.key.clone(), row.policy)
        }
    }

    /// Whether its window gives consumed units back by itself, so that a return may bring back less.
    pub(super) fn is_windowed(&self) -> bool {
        matches!(self.policy.window, Window::Fixed { .. } | Window::Rolling { .. })
    }

    /// What is wrong with the account as it stands.
    pub(super) fn imbalance(&self) -> Option<Wrong> {
        let out = self.reserved + self.consumed + self.written_off;
        let wrong = |what: String| Some((Kind::Conservation, what));
        if self.received != self.available + out {
            return wrong(format!(
                "{}: received {} is not available {} + reserved {} + consumed {} + written off {}",
                self.key, self.received, self.available, self.reserved, self.consumed, self.written_off
            ));
        }
        let counters = [("reserved", self.reserved), ("consumed", self.consumed), ("received", self.received)];
        let below = counters.iter().find(|(_, units)| *units < 0);
        below.and_then(|(name, units)| wrong(format!("{}: {units} units are {name}", self.key)))
    }

    pub(super) fn receive(&mut self, quantity: i128) {
        self.received += quantity;
        self.available += quantity;
    }

    pub(super) fn write_off(&mut self, quantity: i128) -> Option<Wrong> {
        self.written_off += quantity;
        self.let_out(quantity)
    }

    /// Units leave what is available: below zero only by the allowance.
    fn let_out(&mut self, quantity: i128) -> Option<Wrong> {
        let before = self.available;
        self.available -= quantity;
        let allowed = quantity == 0 || self.available >= -i128::from(self.policy.backorder);
        let what = || format!("{}: {quantity} units are taken, and {before} were available", self.key);
        (!allowed).then(|| (Kind::Conservation, what()))
    }

    pub(super) fn set_policy(&mut self, policy: Policy) -> Option<Wrong> {
        let in_use = self.reserved > 0 || self.consumed > 0;
        let changed = self.policy.window != policy.window && in_use;
        let more = i128::from(policy.limit) - i128::from(self.policy.limit);
        self.policy = policy;
        self.received += more;
        let taken = self.let_out(-more).filter(|_| more < 0);
        let what = || format!("{}: its window changed while units of it were out", self.key);
        taken.or_else(|| changed.then(|| (Kind::Quota, what())))
    }

    /// A line of a reservation takes units; consumes them at once when it is confirmed in the same step.
    pub(super) fn take(&mut self, quantity: i128, confirmed: bool, deadline: TimeMs, at: TimeMs) -> Option<Wrong> {
        let wrong = self.let_out(quantity);
        if confirmed {
            return wrong.or(self.consume(quantity, at));
        }
        self.reserved += quantity;
        *self.deadlines.entry(deadline).or_default() += 1;
        wrong
    }

    /// A held line ends: so much is consumed, and the rest goes back.
    pub(super) fn end(&mut self, quantity: i128, consumed: i128, deadline: TimeMs, at: TimeMs) -> Option<Wrong> {
        self.reserved -= quantity;
        self.available += quantity - consumed;
        if let Some(count) = self.deadlines.get_mut(&deadline) {
            *count -= 1;
            if *count == 0 {
                self.deadlines.remove(&deadline);
            }
        }
        self.consume(consumed, at)
    }

    fn consume(&mut self, quantity: i128, at: TimeMs) -> Option<Wrong> {
        self.consumed += quantity;
        if quantity == 0 {
            return None;
        }
        let back_at = match self.policy.window {
            Window::Never => return None,
            Window::Outstanding => {
                let what = format!("{}: {quantity} units of a cap on what is outstanding are consumed", self.key);
                return Some((Kind::Quota, what));
            }
            Window::Rolling { length_ms } => at.saturating_add(length_ms),
            Window::Fixed { length_ms, offset_ms } => border_after(at, length_ms, offset_ms),
        };
        // Events of one moment can stand a little out of order: a unit never comes back before one that went earlier.
        match self.renewals.back_mut().filter(|last| last.0 >= back_at) {
            Some(last) => last.1 += quantity,
            None => self.renewals.push_back((back_at, quantity)),
        }
        None
    }

    /// A window gives units back: those that are due, and no more.
    pub(super) fn renew(&mut self, quantity: i128, at: TimeMs) -> Option<Wrong> {
        let due: i128 = self.renewals.iter().take_while(|renewal| renewal.0 <= at).map(|renewal| renewal.1).sum();
        self.consumed -= quantity;
        self.available += quantity;
        self.forget(quantity, VecDeque::pop_front, VecDeque::push_front);
        let what = || format!("{}: its window gave {quantity} units back, and {due} were due", self.key);
        (quantity > due).then(|| (Kind::Quota, what()))
    }

    /// Consumed units go back by hand: those first that the window would give back last.
    pub(super) fn give_back(&mut self, quantity: i128) -> Option<Wrong> {
        self.consumed -= quantity;
        self.available += quantity;
        let left: i128 = self.renewals.iter().map(|renewal| renewal.1).sum();
        let more = self.is_windowed() && quantity > left;
        if self.is_windowed() {
            self.forget(quantity, VecDeque::pop_back, VecDeque::push_back);
        }
        let what = || format!("{}: {quantity} units are returned, and its window has {left} consumed", self.key);
        more.then(|| (Kind::Quota, what()))
    }

    /// Takes units out of what is to come back, from one end.
    fn forget(
        &mut self,
        mut quantity: i128,
        pop: fn(&mut Renewals) -> Option<(TimeMs, i128)>,
        push: fn(&mut Renewals, (TimeMs, i128)),
    ) {
        while quantity > 0 {
            let Some((at, units)) = pop(&mut self.renewals) else { return };
            if units > quantity {
                push(&mut self.renewals, (at, units - quantity));
            }
            quantity -= units.min(quantity);
        }
    }

    /// In what an account of a snapshot is another one.
    pub(super) fn difference(&self, row: &AccountRow) -> Option<String> {
        if self.key != row.key {
            return Some(format!("it is {} by the events", self.key));
        }
        if self.policy != row.policy {
            return Some(format!("its policy is {:?}, by the events {:?}", row.policy, self.policy));
        }
        let numbers = [
            ("available", i128::from(row.available), self.available),
            ("reserved", row.reserved.into(), self.reserved),
            ("consumed", row.consumed.into(), self.consumed),
            ("received", row.received.into(), self.received),
            ("written off", row.written_off.into(), self.written_off),
        ];
        if let Some((name, shows, makes)) = numbers.into_iter().find(|(_, shows, makes)| shows != makes) {
            return Some(format!("{name} is {shows}, by the events {makes}"));
        }
        let deadlines: BTreeMap<TimeMs, u32> = row.deadlines.iter().copied().collect();
        if deadlines != self.deadlines {
            return Some("the deadlines of what is held are others".into());
        }
        let renewals = row.renewals.iter().map(|(at, quantity)| (*at, i128::from(*quantity)));
        (!renewals.eq(self.renewals.iter().copied())).then(|| "what is to come back, and when, is another".into())
    }
}

/// The first border of a window after `at`.
fn border_after(at: TimeMs, length_ms: u64, offset_ms: u64) -> TimeMs {
    let (at, length, offset) = (u128::from(at), u128::from(length_ms), u128::from(offset_ms % length_ms));
    // Borders are at offset + n * length for every n from 0 on.
    let passed = if at < offset { 0 } else { (at - offset) / length + 1 };
    TimeMs::try_from(offset + passed * length).unwrap_or(TimeMs::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_window_ends_at_the_next_border() {
        for (at, end) in [(0, 3), (2, 3), (3, 13), (12, 13), (13, 23)] {
            assert_eq!(border_after(at, 10, 3), end, "a window of 10 with offset 3, at {at}");
        }
    }
}
