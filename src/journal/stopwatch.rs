//! How long the disk has been at one group, and how long it was at others. A disk that hangs reports
//! nothing: somebody has to look at the time.

use std::time::{Duration, Instant};

use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::base::times::Times;

/// What the time shows while nothing is under way.
const RESTING: u64 = u64::MAX;

pub(super) struct Stopwatch {
    origin: Instant,
    /// When the work under way began, in milliseconds since `origin`.
    began_ms: AtomicU64,
    /// How long each group took that is over.
    times: Times,
}

impl Stopwatch {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), began_ms: AtomicU64::new(RESTING), times: Times::default() }
    }

    /// Work has begun, and goes on until the guard is dropped. One at a time: the journal's leader.
    pub(super) fn start(&self) -> UnderWay<'_> {
        // Relaxed, here and below: the number is the whole message.
        self.began_ms.store(self.elapsed_ms(), Ordering::Relaxed);
        UnderWay { watch: self, began: Instant::now() }
    }

    /// How long groups took, those included that failed.
    #[cfg(feature = "server")]
    pub(super) fn times(&self) -> crate::base::times::TimesSeen {
        self.times.seen()
    }

    /// How long the work under way has taken until now; `None` while there is none.
    pub(super) fn age(&self) -> Option<Duration> {
        match self.began_ms.load(Ordering::Relaxed) {
            RESTING => None,
            began_ms => Some(Duration::from_millis(self.elapsed_ms().saturating_sub(began_ms))),
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis())
            .expect("no process lives for half a billion years")
    }
}

pub(super) struct UnderWay<'a> {
    watch: &'a Stopwatch,
    began: Instant,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.watch.times.add(self.began.elapsed());
        self.watch.began_ms.store(RESTING, Ordering::Relaxed);
    }
}
