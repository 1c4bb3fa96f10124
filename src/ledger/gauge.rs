//! What can be taken of an account, readable without a lock: the sold-out fast path.

use crate::base::TimeMs;
use crate::base::sync::atomic::{AtomicU64, Ordering};

/// Published under the shard's lock after each change, read by anybody.
///
/// It never shows less than the account had at some moment of the read: it is stored once, after
/// the change is whole, so that a refusal from it is true.
#[derive(Debug)]
pub(super) struct Gauge {
    takeable: AtomicU64,
    /// 0 when nothing that holds units has a deadline; with [`Gauge::LINE`] where others wait.
    next_release_at: AtomicU64,
}

impl Gauge {
    /// Not known without the time: for accounts that have a window.
    pub(super) const UNKNOWN: u64 = u64::MAX;
    /// The account is closed, which callers are told under the lock.
    pub(super) const CLOSED: u64 = u64::MAX - 1;

    /// Added to the deadline where others wait for the units. No time is that late.
    const LINE: u64 = 1 << 63;

    pub(super) fn new() -> Self {
        Self { takeable: AtomicU64::new(Self::UNKNOWN), next_release_at: AtomicU64::new(0) }
    }

    pub(super) fn publish(&self, takeable: u64, next_release_at: Option<TimeMs>, has_line: bool) {
        // Relaxed, then Release: pairs with the Acquire in `takeable`, so that a reader of the
        // number reads a deadline that is at least as new.
        let line = if has_line { Self::LINE } else { 0 };
        self.next_release_at.store(next_release_at.unwrap_or(0) | line, Ordering::Relaxed);
        self.takeable.store(takeable, Ordering::Release);
    }

    pub(super) fn takeable(&self) -> u64 {
        // Pairs with the Release in `publish`.
        self.takeable.load(Ordering::Acquire)
    }

    /// Whether others wait for what there is.
    pub(super) fn has_line(&self) -> bool {
        self.next_release_at.load(Ordering::Relaxed) & Self::LINE != 0
    }

    /// Never in the past: what lapsed comes back when the wheel turns.
    pub(super) fn next_release_at(&self, now: TimeMs) -> Option<TimeMs> {
        Some(self.next_release_at.load(Ordering::Relaxed) & !Self::LINE)
            .filter(|at| *at != 0)
            .map(|at| at.max(now))
    }
}
