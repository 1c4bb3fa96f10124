//! Leaks: what is held and should not be, and what should be held and is not. Nothing here is damage
//! of a record; each event is sound, and something never happened, or nobody knows of it.

use std::collections::{BTreeMap, VecDeque};

use super::books::Books;
use super::finding::{Findings, Kind};
use crate::base::TimeMs;

/// For how long an engine may run after a deadline without giving back what has lapsed. It needs some
/// milliseconds; where very much lapses together, seconds.
const LAPSE_LAG_MS: u64 = 60_000;
/// The longest pause between two events in which an engine counts as running: what was closed cannot
/// let anything lapse.
const PAUSE_MS: u64 = 1_000;

/// How long the engine was seen running, by the times of the events.
#[derive(Debug, Default)]
pub(super) struct Running {
    ran_ms: u64,
    last_at: Option<TimeMs>,
    /// How long it had run at which time, each [`PAUSE_MS`] at least after the one before, as far
    /// back as [`LAPSE_LAG_MS`].
    past: VecDeque<(u64, TimeMs)>,
}

impl Running {
    pub(super) fn event(&mut self, at: TimeMs) {
        match self.last_at {
            // The clock was set back: what was due by the other is not by this one.
            Some(last) if at < last.saturating_sub(PAUSE_MS) => *self = Self::default(),
            Some(last) => self.ran_ms += at.saturating_sub(last).min(PAUSE_MS),
            None => {}
        }
        self.last_at = self.last_at.max(Some(at));
        if self.past.back().is_none_or(|(ran_ms, _)| ran_ms + PAUSE_MS <= self.ran_ms) {
            self.past.push_back((self.ran_ms, at));
        }
        while self.past.get(1).is_some_and(|(ran_ms, _)| ran_ms + LAPSE_LAG_MS <= self.ran_ms) {
            self.past.pop_front();
        }
    }

    /// What had lapsed by this time has had its time to go back.
    fn lapsed_by(&self) -> Option<TimeMs> {
        let (ran_ms, at) = self.past.front()?;
        (ran_ms + LAPSE_LAG_MS <= self.ran_ms).then_some(*at)
    }
}

/// Looks at the books as they are at the end.
pub(super) fn check(books: &Books, running: &Running, findings: &mut Findings) {
    if let Some(lapsed_by) = running.lapsed_by() {
        let mut overdue: Vec<_> =
            books.pending.iter().filter(|(_, held)| held.expires_at <= lapsed_by).collect();
        overdue.sort_unstable_by_key(|(id, _)| **id);
        for (id, held) in overdue {
            let what = format!(
                "reservation {id} is pending, though its deadline {} has passed and events have gone on for {} s since",
                held.expires_at,
                LAPSE_LAG_MS / 1_000
            );
            findings.add_whole(Kind::Leak, what);
        }
    }
    // Where the books themselves are wrong, what is held follows from that.
    let causes =
        [Kind::Sequence, Kind::Record, Kind::Conservation, Kind::Available, Kind::Reservation];
    if causes.iter().all(|kind| findings.count(*kind) == 0) {
        check_held(books, findings);
    }
}

/// What is reserved of each account is what pending reservations hold of it.
fn check_held(books: &Books, findings: &mut Findings) {
    let mut held: BTreeMap<u32, i128> = BTreeMap::new();
    for (account, quantity) in books.pending.values().flat_map(|pending| &pending.lines) {
        *held.entry(*account).or_default() += i128::from(*quantity);
    }
    let mut numbers: Vec<_> = books.accounts.keys().copied().collect();
    numbers.sort_unstable();
    for number in numbers {
        let (account, held) = (&books.accounts[&number], held.get(&number).copied().unwrap_or(0));
        if account.reserved != held && !account.doubtful {
            let what = format!(
                "{}: {} units are reserved, and pending reservations hold {held}",
                account.key, account.reserved
            );
            findings.add_whole(Kind::Leak, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_engine_that_ran_on_could_have_let_things_lapse() {
        let mut running = Running::default();
        assert_eq!(running.lapsed_by(), None);
        // Started once a day, for one event each time.
        for day in 0..50 {
            running.event(day * 86_400_000);
        }
        assert_eq!(running.lapsed_by(), None);
        let start = 50 * 86_400_000;
        for second in 0..=70 {
            running.event(start + second * 1_000);
        }
        let lapsed_by = running.lapsed_by().expect("it ran long enough");
        assert!((start..=start + 10_000).contains(&lapsed_by), "{lapsed_by}");
        // Set back, nothing is known yet.
        running.event(start);
        assert_eq!(running.lapsed_by(), None);
    }

    #[test]
    fn events_of_one_moment_take_no_time() {
        let mut running = Running::default();
        for _ in 0..100_000 {
            running.event(5);
            running.event(4);
        }
        assert_eq!((running.lapsed_by(), running.past.len()), (None, 1));
    }
}
