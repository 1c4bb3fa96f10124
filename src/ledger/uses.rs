//! What a quota was used for: how many units, and when. Which of them count, the rule in
//! force decides; so a rule that changes finds everything that was bought before.

use smallvec::SmallVec;

use crate::base::TimeMs;
use crate::base::flaw::{self, Flaw};
use crate::event::Window;

/// How many uses an account keeps apart. Of one more, the two oldest become one, which counts as
/// long as the later of them would: a limit may then hold for longer than it should, and never for
/// less. A limit of so many units in a window is exact at all times.
pub(super) const USES_MAX: usize = 1024;

/// The most units that are ever counted: room for every sum in an `i64`.
const COUNTED_MAX: u64 = 1 << 61;

/// Units consumed at some time from `from` to `at`; nearly always that is one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) from: TimeMs,
    pub(super) at: TimeMs,
    pub(super) quantity: u64,
}

/// The uses of one account.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    /// Oldest first; no two share a moment.
    list: SmallVec<[Use; 1]>,
    /// What was consumed before this may be missing: releases with checkpoints of version 1 forgot
    /// what a window had given back.
    pub(super) forgotten_before: TimeMs,
}

/// What the uses at one moment come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) quantity: u64,
    /// Units consumed after them.
    pub(super) newer: u64,
}

impl Uses {
    pub(super) fn add(&mut self, at: TimeMs, quantity: u64) {
        self.add_span(Use { from: at, at, quantity });
    }

    /// Adds units of which the moment is not known. Times of concurrent commands may be a little
    /// out of order.
    pub(super) fn add_span(&mut self, mut used: Use) {
        let place = self.list.partition_point(|other| other.at < used.at);
        if let Some(before) = place.checked_sub(1).map(|before| self.list[before]) {
            used.from = used.from.max(before.at + 1);
        }
        match self.list.get_mut(place) {
            Some(other) if other.from <= used.at => other.join(used),
            _ => self.list.insert(place, used),
        }
        if self.list.len() > USES_MAX {
            let oldest = self.list.remove(0);
            self.list[0].join(oldest);
        }
    }

    /// The units that count at `now` under a rule, in whose force they need not have been consumed.
    pub(super) fn counted(&self, window: Window, now: TimeMs) -> u64 {
        let counted = self.list.iter().rev().take_while(|used| counts(window, used.at, now));
        counted.fold(0, |sum: u64, used| sum.saturating_add(used.quantity)).min(COUNTED_MAX)
    }

    /// When the first of the units that count no longer does.
    pub(super) fn next_return(&self, window: Window, now: TimeMs) -> Option<TimeMs> {
        let first = self.list.iter().find(|used| counts(window, used.at, now))?;
        match window {
            Window::Never | Window::Outstanding => None,
            Window::Rolling { length_ms } => Some(first.at.saturating_add(length_ms)),
            Window::Fixed { length_ms, offset_ms } => {
                Some(window_end(first.at, length_ms, offset_ms))
            }
        }
    }

    /// What was consumed at this moment.
    pub(super) fn find(&self, at: TimeMs) -> Found {
        if flaw::is_made(Flaw::ReturnsNewest) {
            return Found { quantity: self.counted(Window::Never, at), newer: 0 };
        }
        let Some(place) = self.place(at) else {
            return Found::default();
        };
        let newer = self.list[place + 1..]
            .iter()
            .fold(0, |sum: u64, used| sum.saturating_add(used.quantity));
        Found { quantity: self.list[place].quantity, newer }
    }

    /// Takes out units that were consumed at this moment.
    pub(super) fn remove(&mut self, at: TimeMs, quantity: u64) {
        if flaw::is_made(Flaw::ReturnsNewest) {
            return self.forget_newest(quantity);
        }
        let Some(place) = self.place(at) else { return };
        self.list[place].quantity = self.list[place].quantity.saturating_sub(quantity);
        if self.list[place].quantity == 0 {
            self.list.remove(place);
        }
    }

    /// What it takes beside the account.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        let spilled = if self.list.spilled() { self.list.capacity() * size_of::<Use>() } else { 0 };
        (size_of::<Self>() + spilled) as u64
    }

    fn place(&self, at: TimeMs) -> Option<usize> {
        let place = self.list.partition_point(|used| used.at < at);
        self.list.get(place).filter(|used| used.from <= at).map(|_| place)
    }

    /// Forgets the oldest units, as releases did that kept no more than what counted.
    pub(super) fn forget_oldest(&mut self, mut quantity: u64, before: TimeMs) {
        self.forgotten_before = self.forgotten_before.max(before);
        while quantity > 0 && !self.list.is_empty() {
            let part = quantity.min(self.list[0].quantity);
            quantity -= part;
            self.list[0].quantity -= part;
            if self.list[0].quantity == 0 {
                self.list.remove(0);
            }
        }
    }

    /// What [`Flaw::ReturnsNewest`] makes of a return.
    fn forget_newest(&mut self, mut quantity: u64) {
        while let Some(newest) = self.list.last_mut().filter(|_| quantity > 0) {
            let part = quantity.min(newest.quantity);
            quantity -= part;
            newest.quantity -= part;
            if newest.quantity == 0 {
                self.list.pop();
            }
        }
    }

    /// Takes out units for which no event says when they were consumed. Of what is left the moment
    /// is then not known either.
    pub(super) fn forget_some(&mut self, quantity: u64) {
        let Some(mut all) = self.list.first().copied() else {
            return;
        };
        self.list.drain(1..).for_each(|used| all.join(used));
        all.quantity = all.quantity.saturating_sub(quantity);
        self.list.clear();
        if all.quantity > 0 {
            self.list.push(all);
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Use> {
        self.list.iter()
    }

    /// Puts back the next use of a snapshot; `None` when it cannot be the next.
    pub(super) fn restore(&mut self, used: Use) -> Option<()> {
        let follows = self.list.last().is_none_or(|last| last.at < used.from);
        let sound =
            follows && used.from <= used.at && used.quantity > 0 && self.list.len() < USES_MAX;
        sound.then(|| self.list.push(used))
    }
}

impl Use {
    /// Makes one of two neighbours.
    fn join(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.at = self.at.max(other.at);
        self.quantity = self.quantity.saturating_add(other.quantity);
    }
}

/// Whether units consumed at `at` count at `now`.
fn counts(window: Window, at: TimeMs, now: TimeMs) -> bool {
    match window {
        Window::Never => true,
        Window::Rolling { length_ms } => at.saturating_add(length_ms) > now,
        Window::Fixed { length_ms, offset_ms } => window_end(at, length_ms, offset_ms) > now,
        Window::Outstanding => false,
    }
}

/// The first window border after `at`.
pub(super) fn window_end(at: TimeMs, length_ms: u64, offset_ms: u64) -> TimeMs {
    // No rule has a window of nothing; an event that was forged may.
    let Some(offset_ms) = offset_ms.checked_rem(length_ms) else {
        return TimeMs::MAX;
    };
    let windows = at.checked_sub(offset_ms).map_or(0, |past| past / length_ms + 1);
    windows.saturating_mul(length_ms).saturating_add(offset_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(list: &[(TimeMs, u64)]) -> Uses {
        let mut uses = Uses::default();
        list.iter().for_each(|(at, quantity)| uses.add(*at, *quantity));
        uses
    }

    #[test]
    fn fixed_windows_end_at_the_next_border() {
        for (at, end) in [(0, 3), (2, 3), (3, 13), (12, 13), (13, 23)] {
            assert_eq!(window_end(at, 10, 3), end, "a window of 10 with offset 3, at {at}");
        }
        assert_eq!(window_end(TimeMs::MAX, 10, 3), TimeMs::MAX);
    }

    #[test]
    fn each_rule_counts_what_it_should() {
        let uses = uses(&[(10, 1), (95, 2), (100, 4), (100, 8)]);
        for (window, now, counted, next) in [
            (Window::Never, 5_000, 15, None),
            (Window::Outstanding, 100, 0, None),
            (Window::Rolling { length_ms: 10 }, 104, 14, Some(105)),
            (Window::Rolling { length_ms: 10 }, 105, 12, Some(110)),
            (Window::Rolling { length_ms: 10 }, 110, 0, None),
            (Window::Fixed { length_ms: 100, offset_ms: 0 }, 99, 15, Some(100)),
            (Window::Fixed { length_ms: 100, offset_ms: 0 }, 100, 12, Some(200)),
            (Window::Fixed { length_ms: 100, offset_ms: 95 }, 100, 14, Some(195)),
        ] {
            assert_eq!(
                (uses.counted(window, now), uses.next_return(window, now)),
                (counted, next),
                "{window:?} at {now}"
            );
        }
    }

    #[test]
    fn a_use_is_found_at_its_own_moment_though_times_come_out_of_order() {
        let mut uses = uses(&[(10, 1), (30, 1), (20, 2)]);
        assert_eq!(uses.find(20), Found { quantity: 2, newer: 1 });
        assert_eq!(uses.find(15), Found::default());
        uses.remove(20, 2);
        assert_eq!((uses.find(20), uses.counted(Window::Never, 30)), (Found::default(), 2));
    }

    #[test]
    fn the_table_is_bounded_and_errs_on_the_side_of_the_limit() {
        let mut uses = Uses::default();
        let count = USES_MAX as u64 + 500;
        (0..count).for_each(|at| uses.add(at, 1));
        assert_eq!((uses.iter().len(), uses.counted(Window::Never, count)), (USES_MAX, count));
        let oldest = *uses.iter().next().expect("there are uses");
        assert_eq!(
            oldest,
            Use { from: 0, at: 500, quantity: 501 },
            "the old ones count as long as the last of them"
        );
        assert_eq!(uses.find(3).quantity, 501, "and are found by any of their moments");
        assert_eq!(uses.find(501), Found { quantity: 1, newer: count - 502 });
    }
}
