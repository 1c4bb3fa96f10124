//! Time as an argument. Only this module reads the system clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::base::TimeMs;

/// Where the engine takes the time from.
///
/// A clock that has a [monotonic companion](Clock::monotonic_ms) may jump: the engine notices, and
/// goes on at the companion's pace. Of another, the engine takes what it shows, and holds it when
/// it goes backwards.
pub trait Clock: Send + Sync + 'static {
    /// The time that it shows now, in milliseconds since 1970.
    fn now_ms(&self) -> TimeMs;

    /// Milliseconds since some moment, by a clock that nobody can set; `None` when there is none.
    fn monotonic_ms(&self) -> Option<u64> {
        None
    }

    /// Whether it runs by itself. What is due expires by itself then; with a clock that is moved by
    /// hand, whoever moves it calls [`Engine::expire_due`](crate::Engine::expire_due).
    fn is_running(&self) -> bool {
        true
    }
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> TimeMs {
        machine_ms()
    }

    fn monotonic_ms(&self) -> Option<u64> {
        Some(self.started.elapsed().as_millis() as u64)
    }
}

/// The machine's clock as if somebody had set it, and whoever set it was believed at once: for
/// trials of a whole server.
#[cfg(feature = "bin")]
#[derive(Debug, Default)]
pub(crate) struct ShiftedClock {
    latest: Latest,
    shift_ms: std::sync::atomic::AtomicI64,
}

#[cfg(feature = "bin")]
impl ShiftedClock {
    /// Sets the machine's clock so far forwards, or backwards when it is negative.
    pub(crate) fn shift(&self, by_ms: i64) {
        self.shift_ms.store(by_ms, Ordering::SeqCst);
    }
}

#[cfg(feature = "bin")]
impl Clock for ShiftedClock {
    fn now_ms(&self) -> TimeMs {
        self.latest.hold(machine_ms().saturating_add_signed(self.shift_ms.load(Ordering::SeqCst)))
    }
}

/// The latest time that was shown: no later reading shows an earlier time.
#[derive(Debug, Default)]
pub(crate) struct Latest(AtomicU64);

impl Latest {
    /// What to show when the machine's clock shows `now_ms`.
    pub(crate) fn hold(&self, now_ms: TimeMs) -> TimeMs {
        // Relaxed: the value is the whole message, nothing else is published with it.
        let latest_ms = self.0.load(Ordering::Relaxed);
        if latest_ms >= now_ms {
            latest_ms
        } else {
            self.0.fetch_max(now_ms, Ordering::Relaxed).max(now_ms)
        }
    }

    /// What was shown last.
    pub(crate) fn shown(&self) -> TimeMs {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets time go on from `now_ms`, also when that was before.
    pub(crate) fn reset(&self, now_ms: TimeMs) {
        self.0.store(now_ms, Ordering::Relaxed);
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
fn machine_ms() -> TimeMs {
    let since_1970 =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since_1970.as_millis() as u64
}

/// A clock that is in the caller's hands: it stands still until it is moved, or runs at a speed of
/// its own. For tests, simulations and demonstrations.
///
/// ```
/// use stockhold::clock::{Clock, ManualClock};
/// let clock = ManualClock::new(1_000);
/// clock.advance(500);
/// assert_eq!((clock.now_ms(), clock.is_running()), (1_500, false));
///
/// // An hour passes in a second.
/// let fast = ManualClock::running(1_000).at_speed(3_600);
/// assert!(fast.is_running() && fast.now_ms() >= 1_000);
/// ```
///
/// What is due expires by itself with a clock that [runs](ManualClock::running), also when it runs
/// at speed 0 and is moved by hand: within 10 ms, by the machine's time, of the moment at which the
/// clock shows the deadline. With one that stands still ([`ManualClock::new`]) nothing expires
/// before [`Engine::expire_due`](crate::Engine::expire_due) is called, so that a test says when.
#[derive(Debug, Default)]
pub struct ManualClock {
    /// What it shows, but for what has passed since `started`.
    base_ms: AtomicU64,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    started: Instant,
    speed: u32,
}

impl ManualClock {
    /// A clock that stands still and shows `now_ms`.
    pub fn new(now_ms: TimeMs) -> Self {
        Self { base_ms: AtomicU64::new(now_ms), running: None }
    }

    /// A clock that shows `now_ms` and goes on from there as fast as the machine's does. It can be
    /// moved forwards besides.
    pub fn running(now_ms: TimeMs) -> Self {
        let running = Some(Running { started: Instant::now(), speed: 1 });
        Self { base_ms: AtomicU64::new(now_ms), running }
    }

    /// The same, `speed` times as fast as the machine's clock from now on. At 0 it moves only by
    /// [`ManualClock::advance`], and what is due then expires by itself.
    pub fn at_speed(self, speed: u32) -> Self {
        let base_ms = AtomicU64::new(self.now_ms());
        Self { base_ms, running: Some(Running { started: Instant::now(), speed }) }
    }

    /// Moves the clock forwards.
    pub fn advance(&self, by_ms: u64) {
        self.base_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> TimeMs {
        let passed_ms = self.running.as_ref().map_or(0, |Running { started, speed }| {
            let passed = started.elapsed().saturating_mul(*speed);
            u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
        });
        self.base_ms.load(Ordering::SeqCst).saturating_add(passed_ms)
    }

    fn is_running(&self) -> bool {
        self.running.is_some()
    }
}

#[cfg(all(test, feature = "bin"))]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_sets_its_clock_backwards_holds_time_and_does_not_turn_it_back() {
        let clock = ShiftedClock::default();
        clock.shift(60_000);
        let ahead = clock.now_ms();
        clock.shift(-60_000);
        assert_eq!((clock.now_ms(), clock.now_ms()), (ahead, ahead));
        clock.shift(120_000);
        assert!(clock.now_ms() >= ahead + 60_000, "it goes on once the machine has caught up");
    }
}
