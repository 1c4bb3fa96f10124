//! How long something took, counted by bounds: a histogram that many threads add to, and one reads.

// The standard library's also under loom: counting is not a step of a model.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of what is told apart, in microseconds. None is a whole number of seconds: such a
/// bound is written `1` in one text format and `1.0` in another, and would be two series to whoever
/// reads both.
pub(crate) const BOUNDS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    2_500_000, 7_500_000,
];

/// Times that are added up.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// Up to each bound, and beyond all of them.
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// The same at one moment.
#[cfg(feature = "server")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimesSeen {
    pub(crate) counts: [u64; BOUNDS_US.len() + 1],
    pub(crate) sum_us: u64,
}

impl Times {
    pub(crate) fn add(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS_US.partition_point(|bound| *bound < us);
        // Relaxed, here and below: the numbers are the whole message.
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    #[cfg(feature = "server")]
    pub(crate) fn seen(&self) -> TimesSeen {
        let counts = std::array::from_fn(|place| self.counts[place].load(Ordering::Relaxed));
        TimesSeen { counts, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

#[cfg(feature = "server")]
impl TimesSeen {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn include(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(ours, more)| *ours += more);
        self.sum_us = self.sum_us.wrapping_add(other.sum_us);
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_up_to_the_first_bound_that_it_does_not_pass() {
        let times = Times::default();
        for us in [0, 100, 101, 7_500_000, 7_500_001] {
            times.add(Duration::from_micros(us));
        }
        let mut seen = times.seen();
        assert_eq!((seen.counts[0], seen.counts[1]), (2, 1), "a bound is in its own bucket");
        assert_eq!(seen.counts[BOUNDS_US.len() - 1..], [1, 1]);
        assert_eq!((seen.count(), seen.sum_us), (5, 15_000_202));
        seen.include(&times.seen());
        assert_eq!((seen.count(), seen.sum_us), (10, 30_000_404));
    }

    #[test]
    fn no_bound_is_a_whole_number_of_seconds() {
        assert!(BOUNDS_US.iter().all(|us| us % 1_000_000 != 0));
        assert!(BOUNDS_US.is_sorted(), "they are looked for by halves");
    }
}
