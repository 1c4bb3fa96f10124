//! Time as an argument. Only this module reads the system clock.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::types::TimeMs;

/// Where the engine takes the time from.
pub trait Clock: Send + Sync + 'static {
    /// The time now, in milliseconds since 1970. Must not go backwards.
    fn now_ms(&self) -> TimeMs;
}

/// The machine's clock, held back when the machine sets it backwards.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest_ms: AtomicU64,
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now_ms(&self) -> TimeMs {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now_ms = since_1970.as_millis() as u64;
        // Relaxed: the value is the whole message, nothing else is published with it.
        if self.latest_ms.load(Ordering::Relaxed) >= now_ms {
            return self.latest_ms.load(Ordering::Relaxed);
        }
        self.latest_ms.fetch_max(now_ms, Ordering::Relaxed).max(now_ms)
    }
}

/// A clock that stands still until it is moved: for tests and simulations.
///
/// ```
/// use stockhold::{Clock, ManualClock};
/// let clock = ManualClock::new(1_000);
/// clock.advance(500);
/// assert_eq!(clock.now_ms(), 1_500);
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    now_ms: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `now_ms`.
    pub fn new(now_ms: TimeMs) -> Self {
        Self { now_ms: AtomicU64::new(now_ms) }
    }

    /// Moves the clock forwards.
    pub fn advance(&self, by_ms: u64) {
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> TimeMs {
        self.now_ms.load(Ordering::SeqCst)
    }
}
