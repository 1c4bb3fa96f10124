//! One account in the auditor's books. Plain arithmetic on `i128`: nothing overflows, and nothing
//! is refused; what is wrong is said.

use std::collections::BTreeMap;

use super::finding::Kind;
use super::snapshot::{AccountRow, Line, Place, SERVED_MAX, Use};
use crate::base::TimeMs;
use crate::event::{Policy, Window};

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
    /// Units that are out and that the rule no longer grants.
    pub(super) owed: i128,
    /// What it was used for, oldest first, each at the moment of its own event. Of quotas and of
    /// what has a window.
    uses: Vec<Use>,
    /// How many units they are.
    used: i128,
    /// Uses before this may be missing: releases of version 1 forgot what a window had given back.
    forgotten_before: TimeMs,
    /// A release of version 1 returned units and did not say whose: the ledger may have taken
    /// others out than are here.
    moved: bool,
    /// The newest time of an event about it: times of concurrent commands may be a little out of
    /// order.
    latest: TimeMs,
    /// Something about it was wrong and told: what follows from it is not told again.
    pub(super) doubtful: bool,
    /// Nothing may happen with it any more.
    pub(super) closed: bool,
    /// Those who wait for its units, the first first, and how many places it ever gave out; `None`
    /// where nobody ever waited.
    pub(super) line: Option<Line>,
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
            owed: 0,
            uses: Vec::new(),
            used: 0,
            forgotten_before: 0,
            moved: false,
            latest: 0,
            doubtful: false,
            closed: false,
            line: None,
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
            owed: row.owed.into(),
            uses: row.uses.clone(),
            used: row.uses.iter().map(|used| used.quantity).sum(),
            forgotten_before: row.forgotten_before,
            closed: row.closed,
            line: row.line.clone(),
            ..Self::new(row.key.clone(), row.policy)
        }
    }

    /// Whether its window gives consumed units back by itself, so that a return may bring back
    /// less.
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
                self.key,
                self.received,
                self.available,
                self.reserved,
                self.consumed,
                self.written_off
            ));
        }
        if self.owed < 0 || (self.owed > 0 && self.available > 0) {
            return wrong(format!(
                "{}: {} units are owed, and {} available",
                self.key, self.owed, self.available
            ));
        }
        let counters =
            [("reserved", self.reserved), ("consumed", self.consumed), ("received", self.received)];
        let below = counters.iter().find(|(_, units)| *units < 0);
        below.and_then(|(name, units)| wrong(format!("{}: {units} units are {name}", self.key)))
    }

    pub(super) fn receive(&mut self, quantity: i128) {
        self.received += quantity;
        self.let_in(quantity);
    }

    pub(super) fn write_off(&mut self, quantity: i128) -> Option<Wrong> {
        self.written_off += quantity;
        self.let_out(quantity)
    }

    /// Units come back, and pay what is owed first.
    fn let_in(&mut self, quantity: i128) {
        let there = self.available + quantity;
        let paid = self.owed.min(there.max(0));
        self.available = there - paid;
        self.owed -= paid;
        self.received -= paid;
    }

    /// Units leave what is available: below zero only by the allowance.
    fn let_out(&mut self, quantity: i128) -> Option<Wrong> {
        let before = self.available;
        self.available -= quantity;
        let allowed = quantity == 0 || self.available >= -i128::from(self.policy.backorder);
        let what =
            || format!("{}: {quantity} units are taken, and {before} were available", self.key);
        (!allowed).then(|| (Kind::Conservation, what()))
    }

    /// Other rules, by which so many of the consumed units count; `None` is of version 1, where as
    /// many did as before.
    pub(super) fn set_policy(
        &mut self,
        policy: Policy,
        consumed: Option<u64>,
        at: TimeMs,
    ) -> Option<Wrong> {
        let changed =
            self.policy.window != policy.window && (self.reserved > 0 || self.consumed > 0);
        if self.uses.is_empty() && self.consumed > 0 && policy.window != Window::Never {
            // What nobody counted by time until now may have been consumed at any.
            self.uses.push(Use { from: 0, at, quantity: self.consumed });
            self.used = self.consumed;
        }
        let (before, more) =
            (self.consumed, i128::from(policy.limit) - i128::from(self.policy.limit));
        let all = if self.uses.is_empty() { before } else { self.used };
        self.policy = policy;
        let counted = if self.keeps_uses() { self.counted(at) } else { all };
        if !self.keeps_uses() {
            self.uses.clear();
            self.used = 0;
        }
        self.consumed = consumed.map_or(before, i128::from);
        // What counts now and did not before is granted as if it had been received, and owed at
        // once.
        self.received += more.max(0) + (self.consumed - before).max(0);
        self.owed += (-more).max(0) + (self.consumed - before).max(0);
        self.let_in(more.max(0) + (before - self.consumed).max(0));
        let what = match consumed {
            None if changed => {
                format!("{}: its window changed while units of it were out", self.key)
            }
            Some(_) if self.consumed < counted || self.consumed > all => format!(
                "{}: by its new rule {} consumed units count, of {all} that were consumed {counted} do",
                self.key, self.consumed
            ),
            _ => return None,
        };
        Some((Kind::Quota, what))
    }

    /// A line of a reservation takes units; consumes them at once when it is confirmed in the same
    /// step.
    pub(super) fn take(
        &mut self,
        quantity: i128,
        confirmed: bool,
        deadline: TimeMs,
        at: TimeMs,
    ) -> Option<Wrong> {
        if confirmed && self.policy.window == Window::Outstanding {
            self.consume(quantity, at);
            return None;
        }
        let wrong = self.let_out(quantity);
        if confirmed {
            self.consume(quantity, at);
        } else {
            self.reserved += quantity;
            *self.deadlines.entry(deadline).or_default() += 1;
        }
        wrong.or_else(|| self.excess(at))
    }

    /// More units in use than the rule grants, when some were just taken. What a rule that changed
    /// found in use is no take.
    fn excess(&mut self, at: TimeMs) -> Option<Wrong> {
        if !self.keeps_uses() {
            return None;
        }
        let counted = self.counted(at);
        let granted =
            self.received - self.owed - self.written_off + i128::from(self.policy.backorder);
        let what = || {
            let reserved = self.reserved;
            format!(
                "{}: {granted} units are granted, {counted} count and {reserved} are held",
                self.key
            )
        };
        (counted + self.reserved > granted).then(|| (Kind::Quota, what()))
    }

    /// A held line ends: so much is consumed, and the rest goes back. What caps the outstanding
    /// gets all of it back.
    pub(super) fn end(&mut self, quantity: i128, consumed: i128, deadline: TimeMs, at: TimeMs) {
        self.reserved -= quantity;
        let is_cap = self.policy.window == Window::Outstanding;
        self.let_in(if is_cap { quantity } else { quantity - consumed });
        self.lapse(deadline);
        self.consume(consumed, at);
    }

    /// A held line has another deadline.
    pub(super) fn extend(&mut self, was: TimeMs, deadline: TimeMs) {
        self.lapse(was);
        *self.deadlines.entry(deadline).or_default() += 1;
    }

    fn lapse(&mut self, deadline: TimeMs) {
        if let Some(count) = self.deadlines.get_mut(&deadline) {
            *count -= 1;
            if *count == 0 {
                self.deadlines.remove(&deadline);
            }
        }
    }

    fn consume(&mut self, quantity: i128, at: TimeMs) {
        self.latest = self.latest.max(at);
        if self.policy.window != Window::Outstanding {
            self.consumed += quantity;
        }
        if quantity == 0 || !self.keeps_uses() {
            return;
        }
        self.used += quantity;
        let place = self.uses.partition_point(|used| used.at < at);
        match self.uses.get_mut(place).filter(|used| used.from <= at) {
            Some(used) => used.quantity += quantity,
            None => self.uses.insert(place, Use { from: at, at, quantity }),
        }
    }

    /// A window gives units back: those that are due, and no more. Version 1 forgot them then.
    pub(super) fn renew(&mut self, quantity: i128, kept: bool, at: TimeMs) -> Option<Wrong> {
        let due = (self.consumed - self.counted(at)).max(0);
        self.consumed -= quantity;
        self.let_in(quantity);
        if !kept {
            self.forgotten_before = self.forgotten_before.max(at);
            self.forget_oldest(quantity);
        }
        let what =
            || format!("{}: its window gave {quantity} units back, and {due} were due", self.key);
        (quantity > due && !self.moved).then(|| (Kind::Quota, what()))
    }

    /// Units that a reservation consumed at this moment go back by hand: `quantity` that counted,
    /// and `past` that did not any more.
    pub(super) fn give_back(
        &mut self,
        quantity: i128,
        past: i128,
        consumed_at: TimeMs,
        at: TimeMs,
    ) -> Option<Wrong> {
        self.consumed -= quantity;
        self.let_in(quantity);
        if !self.keeps_uses() {
            return None;
        }
        let missing = self.take_out(quantity + past, consumed_at);
        let counted = self.counted(at);
        let what = if missing > 0 && consumed_at >= self.forgotten_before && !self.moved {
            format!(
                "{}: {missing} units are returned that were not consumed at {consumed_at}",
                self.key
            )
        } else if self.consumed < counted && !self.moved {
            let left = self.consumed;
            format!(
                "{}: a return leaves {left} units consumed, and {counted} of other uses count",
                self.key
            )
        } else {
            return None;
        };
        Some((Kind::Quota, what))
    }

    /// Units that a reservation consumed come back to be written off. What a rule grants cannot
    /// break.
    pub(super) fn discard(&mut self, quantity: i128, past: i128) -> Option<Wrong> {
        self.consumed -= quantity;
        self.written_off += quantity;
        let what = || format!("{}: a return writes off what a rule grants", self.key);
        (self.is_granted() || past > 0).then(|| (Kind::Quota, what()))
    }

    /// Whether its units are what a rule grants, and none that came in.
    fn is_granted(&self) -> bool {
        self.key.starts_with("quota/")
            || self.policy.limit > 0
            || self.policy.window != Window::Never
    }

    /// A return of version 1, which did not tell whose units it took out. `consumed_at` is when
    /// they were consumed, where the books know.
    pub(super) fn give_back_unsaid(
        &mut self,
        quantity: i128,
        consumed_at: Option<TimeMs>,
    ) -> Option<Wrong> {
        let more = self.is_windowed() && quantity > self.consumed;
        let what = format!(
            "{}: {quantity} units are returned, and its window has {} consumed",
            self.key, self.consumed
        );
        self.consumed -= quantity;
        self.let_in(quantity);
        self.moved |= self.uses.len() > 1;
        match consumed_at {
            Some(at) => self.moved |= self.take_out(quantity, at) > 0,
            None => self.forget_oldest(quantity),
        }
        more.then_some((Kind::Quota, what))
    }

    /// The place of who is the first in the line.
    pub(super) fn first_place(&self) -> Option<u64> {
        Some(self.line.as_ref()?.places.first()?.place)
    }

    /// Somebody waits for its units: at the end of the line, with the next number, once.
    pub(super) fn join(&mut self, next: Place) -> Option<Wrong> {
        let line = self.line.get_or_insert_default();
        let wrong = |what: &str| Some((Kind::Record, format!("{}: {what}", self.key)));
        if next.place != line.given {
            return wrong("a place in its line has not the next number");
        }
        if line.places.iter().any(|place| place.owner == next.owner) {
            return wrong("who joins its line is in it");
        }
        line.given += 1;
        line.places.push(next);
        None
    }

    /// Somebody waits no longer; who got something was the first.
    pub(super) fn leave(
        &mut self,
        place: u64,
        owner: u32,
        served: Option<TimeMs>,
    ) -> Option<Wrong> {
        let first = self.first_place();
        let found = self.line.as_mut().and_then(|Line { places, served: all, .. }| {
            let at = places.iter().position(|it| (it.place, it.owner) == (place, owner))?;
            all.extend(served);
            all.drain(..all.len().saturating_sub(SERVED_MAX));
            Some(places.remove(at))
        });
        if found.is_none() {
            return Some((Kind::Record, format!("{}: place {place} is not in its line", self.key)));
        }
        (served.is_some() && first != Some(place)).then(|| {
            (Kind::Reservation, format!("{}: place {place} is served out of turn", self.key))
        })
    }

    /// It is closed: nothing may be left in it. What a rule grants is not its own, but what counts
    /// against that is.
    pub(super) fn close(&mut self, at: TimeMs) -> Option<Wrong> {
        let left = match self.is_granted() {
            true if self.policy.window == Window::Outstanding => self.owed,
            true if self.keeps_uses() => self.owed + self.counted(at),
            true => self.owed + self.consumed,
            false => self.available,
        };
        self.closed = true;
        let what =
            || format!("{}: it is closed with {left} units, {} held", self.key, self.reserved);
        if let Some(first) = self.first_place() {
            return Some((Kind::Record, format!("{}: place {first} waits for it", self.key)));
        }
        (left != 0 || self.reserved != 0).then(|| (Kind::Record, what()))
    }

    /// Takes units out of the uses of a moment; what was not there is told.
    fn take_out(&mut self, quantity: i128, at: TimeMs) -> i128 {
        let place = self.uses.partition_point(|used| used.at < at);
        let Some(used) = self.uses.get_mut(place).filter(|used| used.from <= at) else {
            return quantity;
        };
        let part = quantity.min(used.quantity);
        used.quantity -= part;
        if used.quantity == 0 {
            self.uses.remove(place);
        }
        self.used -= part;
        quantity - part
    }

    fn forget_oldest(&mut self, mut quantity: i128) {
        for used in &mut self.uses {
            let part = quantity.min(used.quantity);
            used.quantity -= part;
            quantity -= part;
            self.used -= part;
        }
        self.uses.retain(|used| used.quantity > 0);
    }

    /// The units that count by the rule in force: no more than can be shown, where the moment of a
    /// use is not known.
    fn counted(&mut self, at: TimeMs) -> i128 {
        self.latest = self.latest.max(at);
        let now = self.latest;
        let counts = |used: &&Use| match self.policy.window {
            Window::Never | Window::Outstanding => false,
            Window::Rolling { length_ms } => used.from.saturating_add(length_ms) > now,
            Window::Fixed { length_ms, offset_ms } => {
                border_after(used.from, length_ms, offset_ms) > now
            }
        };
        match self.policy.window {
            Window::Never => self.used,
            _ => self.uses.iter().rev().take_while(counts).map(|used| used.quantity).sum(),
        }
    }

    /// Whether a use of this moment may be missing, since a release of version 1 forgot it.
    pub(super) fn may_have_forgotten(&self, at: TimeMs) -> bool {
        at < self.forgotten_before
    }

    /// A stock is consumed by millions, and no rule will ask when.
    fn keeps_uses(&self) -> bool {
        self.policy.window != Window::Never || self.key.starts_with("quota/")
    }

    /// In what an account of a snapshot is another one.
    pub(super) fn difference(&self, row: &AccountRow) -> Option<String> {
        if self.key != row.key {
            return Some(format!("it is {} by the events", self.key));
        }
        if self.closed != row.closed {
            return Some(format!("it is closed: {}, by the events {}", row.closed, self.closed));
        }
        if self.policy != row.policy {
            return Some(format!(
                "its policy is {:?}, by the events {:?}",
                row.policy, self.policy
            ));
        }
        let numbers = [
            ("available", i128::from(row.available), self.available),
            ("reserved", row.reserved.into(), self.reserved),
            ("consumed", row.consumed.into(), self.consumed),
            ("received", row.received.into(), self.received),
            ("written off", row.written_off.into(), self.written_off),
            ("owed", row.owed.into(), self.owed),
        ];
        if let Some((name, shows, makes)) =
            numbers.into_iter().find(|(_, shows, makes)| shows != makes)
        {
            return Some(format!("{name} is {shows}, by the events {makes}"));
        }
        if self.line != row.line {
            return Some("those who wait for its units are others".into());
        }
        let deadlines: BTreeMap<TimeMs, u32> = row.deadlines.iter().copied().collect();
        if deadlines != self.deadlines {
            return Some("the deadlines of what is held are others".into());
        }
        (!self.agrees_on_uses(&row.uses)).then(|| "what was consumed, and when, is another".into())
    }

    /// Whether these are the uses, unit by unit: a table that is bounded, or upgraded, knows some
    /// moments less well.
    fn agrees_on_uses(&self, shown: &[Use]) -> bool {
        if self.moved {
            return true;
        }
        if shown.iter().map(|used| used.quantity).sum::<i128>() != self.used {
            return false;
        }
        let (mut shown, mut made) = (shown.iter().copied(), self.uses.iter().copied());
        let (mut one, mut other) = (shown.next(), made.next());
        while let (Some(a), Some(b)) = (&mut one, &mut other) {
            if a.from > b.at || b.from > a.at {
                return false;
            }
            let part = a.quantity.min(b.quantity);
            a.quantity -= part;
            b.quantity -= part;
            if a.quantity == 0 {
                one = shown.next();
            }
            if b.quantity == 0 {
                other = made.next();
            }
        }
        true
    }
}

/// The first border of a window after `at`.
fn border_after(at: TimeMs, length_ms: u64, offset_ms: u64) -> TimeMs {
    if length_ms == 0 {
        return TimeMs::MAX;
    }
    let (at, length, offset) =
        (u128::from(at), u128::from(length_ms), u128::from(offset_ms % length_ms));
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
