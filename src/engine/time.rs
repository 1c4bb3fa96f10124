//! The engine's time: what the machine's clock shows, as long as a clock that nobody can set agrees
//! with it.
//!
//! | the machine's clock | the engine's time |
//! |---|---|
//! | goes as the monotonic clock does | is what it shows |
//! | jumped forwards | goes on at the monotonic clock's pace, until the jump is confirmed or has lasted |
//! | jumped backwards, or is behind the newest event | goes on, a tenth slower, until the machine has caught up |
//!
//! So a clock that is wrong for a moment moves no deadline, and one that is behind stops none. Of a
//! clock that has no monotonic companion the engine takes what it shows, and holds it when it goes
//! backwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::base::TimeMs;
use crate::base::clock::{Clock, Latest};
use crate::base::sync::Mutex;
use crate::event::{Event, Fact};

/// How far the machine's clock may be set at once without being called a jump.
pub(super) const JUMP_MS: u64 = 2_000;
/// One of this many milliseconds is left out while the engine's time is ahead of the machine's.
const SLOWER_BY: u64 = 10;

/// No monotonic clock gets there.
const UNSEEN: u64 = u64::MAX;

/// Tells what time it is for the engine. It never goes back, but by [`EngineTime::set_back`].
pub(super) struct EngineTime {
    clock: Arc<dyn Clock>,
    /// How long a jump forwards must last before it is followed.
    trust_after_ms: u64,
    latest: Latest,
    /// The monotonic millisecond whose time is the latest; [`UNSEEN`] when that is to be found out.
    seen_monotonic_ms: AtomicU64,
    /// While `settled`, the machine's clock is so far before the monotonic one.
    offset_ms: AtomicI64,
    settled: AtomicBool,
    course: Mutex<Course>,
}

/// From where on time is counted.
#[derive(Clone, Copy)]
struct Course {
    from_ms: TimeMs,
    from_monotonic_ms: u64,
    /// The machine's clock shows something else.
    astray: Option<Astray>,
}

#[derive(Clone, Copy)]
struct Astray {
    since_monotonic_ms: u64,
    /// How far the machine's clock was before the engine's time, as it was last seen.
    gap_ms: i64,
}

impl Course {
    /// The time on this course.
    fn at(&self, monotonic_ms: u64) -> TimeMs {
        let passed_ms = monotonic_ms.saturating_sub(self.from_monotonic_ms);
        let slower = self.astray.is_some_and(|astray| astray.gap_ms < 0);
        self.from_ms.saturating_add(if slower {
            passed_ms - passed_ms / SLOWER_BY
        } else {
            passed_ms
        })
    }
}

/// What is to be told of the clock.
enum Told {
    Nothing,
    Jumped(i64),
    Agrees,
    Trusted(i64),
}

impl EngineTime {
    /// Time from `floor_ms`, the newest that was recorded, or from now when that is later.
    pub(super) fn new(clock: Arc<dyn Clock>, floor_ms: TimeMs, trust_after_ms: u64) -> Self {
        let time = Self {
            latest: Latest::default(),
            seen_monotonic_ms: AtomicU64::new(UNSEEN),
            offset_ms: AtomicI64::new(0),
            settled: AtomicBool::new(false),
            course: Mutex::new(Course { from_ms: 0, from_monotonic_ms: 0, astray: None }),
            clock,
            trust_after_ms,
        };
        time.set_back(time.wall_ms().max(floor_ms));
        time.now_ms();
        time
    }

    /// The time as the engine sees it. The machine's clock is read once in each millisecond: to read
    /// a clock costs as much as to refuse a command.
    pub(super) fn now_ms(&self) -> TimeMs {
        let Some(monotonic_ms) = self.clock.monotonic_ms() else {
            return self.latest.hold(self.clock.now_ms());
        };
        // Acquire: what was shown in this millisecond is there.
        if self.seen_monotonic_ms.load(Ordering::Acquire) == monotonic_ms {
            return self.latest.shown();
        }
        let now_ms = self.read(monotonic_ms);
        self.seen_monotonic_ms.store(monotonic_ms, Ordering::Release);
        now_ms
    }

    fn read(&self, monotonic_ms: u64) -> TimeMs {
        let wall_ms = self.clock.now_ms();
        // Relaxed: both are hints that save a lock; whoever finds them old looks under it.
        if self.settled.load(Ordering::Relaxed) {
            let expected_ms =
                monotonic_ms.saturating_add_signed(self.offset_ms.load(Ordering::Relaxed));
            if wall_ms.abs_diff(expected_ms) <= JUMP_MS / 4 {
                return self.latest.hold(wall_ms);
            }
        }
        self.look(wall_ms, monotonic_ms)
    }

    /// What the machine's clock shows, right or wrong.
    pub(super) fn wall_ms(&self) -> TimeMs {
        self.clock.now_ms()
    }

    /// How far the engine's time is ahead of the machine's clock; negative when it is behind. Small
    /// differences are none.
    pub(super) fn ahead_ms(&self) -> i64 {
        let (now_ms, wall_ms) = (self.now_ms(), self.wall_ms());
        if now_ms.abs_diff(wall_ms) <= JUMP_MS { 0 } else { gap(now_ms, wall_ms) }
    }

    /// Follows the machine's clock at once, if it is ahead. Returns the time then.
    pub(super) fn confirm(&self) -> TimeMs {
        if let Some(monotonic_ms) = self.clock.monotonic_ms() {
            let wall_ms = self.wall_ms();
            let mut course = self.course.lock();
            if wall_ms > course.at(monotonic_ms) {
                self.settle(&mut course, wall_ms, monotonic_ms);
            }
        }
        self.now_ms()
    }

    /// Lets time go on from `now_ms`, also when that was before.
    pub(super) fn set_back(&self, now_ms: TimeMs) {
        let mut course = self.course.lock();
        self.latest.reset(now_ms);
        self.settle(&mut course, now_ms, self.clock.monotonic_ms().unwrap_or_default());
    }

    fn settle(&self, course: &mut Course, now_ms: TimeMs, monotonic_ms: u64) {
        *course = Course { from_ms: now_ms, from_monotonic_ms: monotonic_ms, astray: None };
        self.offset_ms.store(gap(now_ms, monotonic_ms), Ordering::Relaxed);
        self.settled.store(true, Ordering::Relaxed);
        self.seen_monotonic_ms.store(UNSEEN, Ordering::Release);
    }

    fn look(&self, wall_ms: TimeMs, monotonic_ms: u64) -> TimeMs {
        let (now_ms, told) = {
            let mut course = self.course.lock();
            let told = self.judge(&mut course, wall_ms, monotonic_ms);
            (self.latest.hold(course.at(monotonic_ms)), told)
        };
        match told {
            Told::Nothing => {}
            Told::Jumped(gap_ms) => tracing::warn!(
                gap_ms,
                "the machine's clock and the engine's time are apart: no deadline moves by it; see docs/operations.md"
            ),
            Told::Agrees => {
                tracing::info!("the machine's clock agrees with the engine's time again")
            }
            Told::Trusted(gap_ms) => {
                tracing::warn!(
                    gap_ms,
                    "the machine's clock has kept what it jumped to, and is followed from now on"
                );
            }
        }
        now_ms
    }

    /// Decides on which course time goes on.
    fn judge(&self, course: &mut Course, wall_ms: TimeMs, monotonic_ms: u64) -> Told {
        let expected_ms = course.at(monotonic_ms);
        let gap_ms = gap(wall_ms, expected_ms);
        let before = course.astray;
        if gap_ms.unsigned_abs() <= JUMP_MS {
            self.settle(course, wall_ms, monotonic_ms);
            return before.map_or(Told::Nothing, |_| Told::Agrees);
        }
        // While it is behind, the gap closes slowly; that is not another jump.
        let same = before.is_some_and(|astray| {
            astray.gap_ms.signum() == gap_ms.signum()
                && (gap_ms < 0 && astray.gap_ms < gap_ms
                    || astray.gap_ms.abs_diff(gap_ms) <= JUMP_MS)
        });
        match before.filter(|_| same) {
            Some(astray)
                if gap_ms > 0
                    && monotonic_ms.saturating_sub(astray.since_monotonic_ms)
                        >= self.trust_after_ms =>
            {
                self.settle(course, wall_ms, monotonic_ms);
                Told::Trusted(gap_ms)
            }
            Some(astray) => {
                if gap_ms < 0 {
                    course.astray = Some(Astray { gap_ms, ..astray });
                }
                Told::Nothing
            }
            None => {
                let astray = Some(Astray { since_monotonic_ms: monotonic_ms, gap_ms });
                *course = Course { from_ms: expected_ms, from_monotonic_ms: monotonic_ms, astray };
                self.settled.store(false, Ordering::Relaxed);
                Told::Jumped(gap_ms)
            }
        }
    }
}

/// The newest time that is to be believed after an event.
pub(super) fn floor_after(floor_ms: TimeMs, event: &Event<'_>) -> TimeMs {
    match event.fact {
        Fact::ClockMended { .. } => event.at,
        _ => floor_ms.max(event.at),
    }
}

/// How far `a` is before `b`.
fn gap(a: u64, b: u64) -> i64 {
    let gap = i64::try_from(a.abs_diff(b)).unwrap_or(i64::MAX);
    if a >= b { gap } else { -gap }
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests;
