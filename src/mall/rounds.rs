//! Rounds over the books while the shop sells: whether every account adds up, how many points and
//! units there are, and how old the oldest reservation is that waits.
//!
//! A round goes through everything a few pages at a time, with pauses between them, so what it costs
//! does not grow with the shop: it takes longer then. No lock is held for longer than a page, and what
//! is seen is not one moment's picture; but an account that does not add up, does so in no moment.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::base::{AccountKind, TimeMs};
use crate::engine::{AccountPages, Engine, PendingPages};
use crate::ledger::{Level, Pending, made_at_ms};

/// How many pages of accounts, and of reservations, one step looks at.
const PAGES_AT_ONCE: usize = 4;
/// How long after the beginning of a round the next one begins.
const ACCOUNTS_EVERY_MS: u64 = 30_000;
const PENDING_EVERY_MS: u64 = 5_000;

/// What is told apart of the units of a kind.
pub(crate) const STATES: [&str; 4] = ["available", "reserved", "consumed", "written_off"];
/// The kinds of accounts.
pub(crate) const KINDS: [&str; 4] = ["stock", "points", "quota", "custom"];

/// Units by kind and state, in the order of [`KINDS`] and [`STATES`].
pub(crate) type Units = [[i128; STATES.len()]; KINDS.len()];

/// What the rounds have seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BooksSeen {
    /// How often an account was looked at, and how often one did not add up.
    pub(crate) accounts: u64,
    pub(crate) unbalanced: u64,
    /// Of the last whole round; `None` before it.
    pub(crate) units: Option<Units>,
    pub(crate) accounts_seen_at: Option<TimeMs>,
    /// When the oldest reservation was made that waits; `None` where none does.
    pub(crate) oldest_made_at: Option<TimeMs>,
    /// How far the one that is longest overdue is past its deadline.
    pub(crate) overdue_ms: u64,
    /// When the reservations were last looked at.
    pub(crate) pending_seen_at: Option<TimeMs>,
}

/// Rounds, one after another.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    state: Mutex<State>,
    /// Counted as they are seen, not at the end of a round.
    accounts: AtomicU64,
    unbalanced: AtomicU64,
    seen: Mutex<BooksSeen>,
}

#[derive(Debug, Default)]
struct State {
    accounts: Option<(AccountPages, Units)>,
    accounts_begun_ms: Option<TimeMs>,
    pending: Option<(PendingPages, Oldest)>,
    pending_begun_ms: Option<TimeMs>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Oldest {
    made_at: Option<TimeMs>,
    overdue_ms: u64,
}

impl Rounds {
    /// What was seen so far.
    pub(crate) fn seen(&self) -> BooksSeen {
        // Relaxed, here and below: the numbers are the whole message.
        let accounts = self.accounts.load(Ordering::Relaxed);
        let unbalanced = self.unbalanced.load(Ordering::Relaxed);
        BooksSeen { accounts, unbalanced, ..self.seen.lock().clone() }
    }

    /// Goes on a little. Whether there is more of a round to do.
    pub(crate) fn step(&self, engine: &Engine) -> bool {
        let mut state = self.state.lock();
        let now_ms = engine.now_ms();
        let has_accounts = self.step_accounts(&mut state, engine, now_ms);
        let has_pending = self.step_pending(&mut state, engine, now_ms);
        has_accounts || has_pending
    }

    fn step_accounts(&self, state: &mut State, engine: &Engine, now_ms: TimeMs) -> bool {
        if state.accounts.is_none() && is_due(state.accounts_begun_ms, ACCOUNTS_EVERY_MS, now_ms) {
            state.accounts = Some((engine.level_pages(), Units::default()));
            state.accounts_begun_ms = Some(now_ms);
        }
        let Some((pages, units)) = &mut state.accounts else { return false };
        for _ in 0..PAGES_AT_ONCE {
            let Some(page) = pages.next() else {
                let mut seen = self.seen.lock();
                (seen.units, seen.accounts_seen_at) = (Some(*units), Some(now_ms));
                state.accounts = None;
                return false;
            };
            self.look(&page, units);
        }
        true
    }

    /// Adds a page of accounts up.
    fn look(&self, page: &[Level], units: &mut Units) {
        self.accounts.fetch_add(page.len() as u64, Ordering::Relaxed);
        for level in page {
            let there = states(level);
            if there.iter().sum::<i128>() != i128::from(level.received) {
                self.unbalanced.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    account = level.account.number(),
                    level = ?(level.received, there),
                    "an account does not add up"
                );
            }
            let sums = &mut units[kind(level.key.kind())];
            sums.iter_mut().zip(there).for_each(|(sum, more)| *sum = sum.saturating_add(more));
        }
    }

    fn step_pending(&self, state: &mut State, engine: &Engine, now_ms: TimeMs) -> bool {
        if state.pending.is_none() && is_due(state.pending_begun_ms, PENDING_EVERY_MS, now_ms) {
            state.pending = Some((engine.pending_pages(), Oldest::default()));
            state.pending_begun_ms = Some(now_ms);
        }
        let Some((pages, oldest)) = &mut state.pending else { return false };
        for _ in 0..PAGES_AT_ONCE {
            let Some(page) = pages.next() else {
                let mut seen = self.seen.lock();
                (seen.oldest_made_at, seen.overdue_ms) = (oldest.made_at, oldest.overdue_ms);
                seen.pending_seen_at = Some(now_ms);
                state.pending = None;
                return false;
            };
            // Each page is held against the time of its own.
            oldest.look(&page, engine.now_ms());
        }
        true
    }
}

impl Oldest {
    fn look(&mut self, page: &[Pending], now_ms: TimeMs) {
        for pending in page {
            let made_at = made_at_ms(pending.reservation);
            self.made_at = Some(self.made_at.map_or(made_at, |oldest| oldest.min(made_at)));
            self.overdue_ms = self.overdue_ms.max(now_ms.saturating_sub(pending.expires_at));
        }
    }
}

fn is_due(begun_ms: Option<TimeMs>, every_ms: u64, now_ms: TimeMs) -> bool {
    begun_ms.is_none_or(|begun_ms| now_ms.saturating_sub(begun_ms) >= every_ms)
}

/// What there is of an account, in the order of [`STATES`].
fn states(level: &Level) -> [i128; STATES.len()] {
    let Level { available, reserved, consumed, written_off, .. } = level;
    [(*available).into(), (*reserved).into(), (*consumed).into(), (*written_off).into()]
}

/// The place of a kind in [`KINDS`].
fn kind(kind: AccountKind) -> usize {
    match kind {
        AccountKind::Stock => 0,
        AccountKind::Points => 1,
        AccountKind::Quota => 2,
        AccountKind::Custom => 3,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::AccountKey;
    use crate::base::clock::ManualClock;
    use crate::event::Policy;
    use crate::ledger::{Line, Receive, Reserve};

    /// An engine in memory with 10 units of tea, of which 3 are reserved for a second, and 300 other
    /// accounts with a point each.
    fn engine(clock: &Arc<ManualClock>) -> Engine {
        let clock = Arc::clone(clock) as _;
        let engine = Engine::in_memory().clock(clock).open().expect("there is memory");
        let tea = AccountKey::stock("tea").expect("a name");
        let tea = engine.open_account(&tea, Policy::strict()).expect("it opens");
        engine.receive(Receive::new(tea, 10)).expect("it is received").wait().expect("durable");
        for user in 0..300 {
            let key = AccountKey::points(&format!("user-{user}")).expect("a name");
            let account = engine.open_account(&key, Policy::strict()).expect("it opens");
            drop(engine.receive(Receive::new(account, 1)).expect("it is received"));
        }
        let lines = [Line { account: tea, quantity: 3 }];
        let reserve = Reserve::new(&lines, 1_000);
        engine.reserve(reserve).expect("it is reserved").wait().expect("durable");
        engine
    }

    fn round(rounds: &Rounds, engine: &Engine) {
        let mut steps = 0;
        while rounds.step(engine) {
            steps += 1;
            assert!(steps < 1_000, "a round ends");
        }
    }

    #[test]
    fn a_round_adds_everything_up_and_finds_the_oldest_that_waits() {
        let clock = Arc::new(ManualClock::new(50_000));
        let (engine, rounds) = (engine(&clock), Rounds::default());
        assert_eq!(rounds.seen(), BooksSeen::default());
        round(&rounds, &engine);
        let seen = rounds.seen();
        assert_eq!((seen.accounts, seen.unbalanced), (301, 0));
        let units = seen.units.expect("a whole round");
        assert_eq!((units[0], units[1]), ([7, 3, 0, 0], [300, 0, 0, 0]));
        assert_eq!((seen.oldest_made_at, seen.overdue_ms), (Some(50_000), 0));
        assert!(!rounds.step(&engine) && rounds.seen() == seen, "the next is not due yet");
    }

    #[test]
    fn what_has_lapsed_is_not_waited_for_any_more() {
        let clock = Arc::new(ManualClock::new(50_000));
        let (engine, rounds) = (engine(&clock), Rounds::default());
        round(&rounds, &engine);
        clock.advance(ACCOUNTS_EVERY_MS);
        engine.expire_due().expect("it expires");
        round(&rounds, &engine);
        let seen = rounds.seen();
        assert_eq!((seen.oldest_made_at, seen.overdue_ms, seen.accounts), (None, 0, 602));
        assert_eq!(seen.units.expect("a whole round")[0], [10, 0, 0, 0]);
    }

    #[test]
    fn how_far_a_deadline_has_passed_is_seen() {
        let clock = Arc::new(ManualClock::new(50_000));
        let engine = engine(&clock);
        let page = engine.pending_pages().next().expect("one waits");
        let mut oldest = Oldest::default();
        oldest.look(&page, 53_500);
        assert_eq!((oldest.made_at, oldest.overdue_ms), (Some(50_000), 2_500));
    }

    #[test]
    fn an_account_that_does_not_add_up_is_counted() {
        let clock = Arc::new(ManualClock::new(50_000));
        let engine = engine(&clock);
        let mut page = engine.level_pages().next().expect("accounts");
        let (rounds, mut units) = (Rounds::default(), Units::default());
        page[0].consumed += 1;
        rounds.look(&page, &mut units);
        assert_eq!(rounds.seen().unbalanced, 1);
    }
}
