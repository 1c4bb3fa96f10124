//! Memory and file descriptors of the server, over the calm part of a soak.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::trials::bench;

/// How much memory may grow after the warm-up, whatever the server does: what allocators and caches
/// make of the same work.
const GROWTH_BYTES: u64 = 48 << 20;
/// How much it may grow with each request: a key that is remembered, and what waits to be moved to
/// sled.
const GROWTH_BYTES_A_REQUEST: u64 = 256;
/// How many file descriptors may be more after the warm-up: segments that are read, and files that
/// sled opens.
const GROWTH_DESCRIPTORS: u64 = 16;

/// Looks at one process again and again.
#[derive(Debug)]
pub(super) struct Gauge {
    started: Instant,
    warm_up: Duration,
    bytes: Series,
    descriptors: Series,
    requests_at_start: Option<u64>,
    requests: u64,
}

/// A number over time, from the end of the warm-up on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Series {
    pub(super) samples: u64,
    pub(super) start: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) last: u64,
    /// The most that `last` may be.
    pub(super) bound: u64,
}

impl Series {
    fn take(&mut self, value: u64) {
        if self.samples == 0 {
            (self.start, self.min, self.max) = (value, value, value);
        }
        self.samples += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last = value;
    }

    pub(super) fn is_flat(&self) -> bool {
        self.last <= self.bound
    }
}

impl Gauge {
    pub(super) fn new(warm_up: Duration) -> Self {
        Self {
            started: Instant::now(),
            warm_up,
            bytes: Series::default(),
            descriptors: Series::default(),
            requests_at_start: None,
            requests: 0,
        }
    }

    /// Looks at the process, after it has answered `requests`.
    pub(super) fn look(&mut self, process: u32, requests: u64) {
        if self.started.elapsed() < self.warm_up {
            return;
        }
        let looked = bench::resident_bytes_of(process).zip(bench::descriptors_of(process));
        if let Some((bytes, descriptors)) = looked {
            self.requests_at_start.get_or_insert(requests);
            self.requests = requests;
            self.bytes.take(bytes);
            self.descriptors.take(descriptors);
        }
    }

    /// Memory in bytes, and file descriptors; `None` where the system does not tell.
    pub(super) fn series(&self) -> Option<(Series, Series)> {
        let requests = self.requests - self.requests_at_start?;
        let bytes = self.bytes.start + GROWTH_BYTES + requests * GROWTH_BYTES_A_REQUEST;
        let descriptors = self.descriptors.start + GROWTH_DESCRIPTORS;
        Some((
            Series { bound: bytes, ..self.bytes },
            Series { bound: descriptors, ..self.descriptors },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_beyond_the_bound_is_seen_in_the_end() {
        let mut series = Series { bound: 20, ..Series::default() };
        [10, 30, 8, 15].into_iter().for_each(|value| series.take(value));
        assert_eq!(series, Series { samples: 4, start: 10, min: 8, max: 30, last: 15, bound: 20 });
        assert!(series.is_flat(), "a peak that is over is no leak");
        series.take(21);
        assert!(!series.is_flat());
    }

    #[test]
    fn a_process_that_does_nothing_is_flat() {
        let mut gauge = Gauge::new(Duration::ZERO);
        assert_eq!(gauge.series(), None, "nobody has looked");
        (0..3).for_each(|requests| gauge.look(std::process::id(), requests));
        let (bytes, descriptors) = gauge.series().expect("this system tells");
        assert!(bytes.samples == 3 && bytes.start > 0 && bytes.is_flat(), "{bytes:?}");
        assert_eq!(bytes.bound, bytes.start + GROWTH_BYTES + 2 * GROWTH_BYTES_A_REQUEST);
        assert!(descriptors.start > 0 && descriptors.samples == 3, "{descriptors:?}");
    }
}
