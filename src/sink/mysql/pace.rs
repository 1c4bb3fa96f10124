//! How large the next batch may be: large ones are fast, small ones are soon there.

use std::time::Duration;

use super::batch::Batch;

const EVENTS_MIN: u64 = 64;
const EVENTS_MAX: u64 = 8_192;
const ROWS_MAX: usize = 32_768;
const BYTES_MAX: usize = 16 << 20;
/// A batch that takes longer makes reports late and locks long: the next one is smaller.
const SLOW: Duration = Duration::from_millis(500);
/// A batch that was full and took no longer than this leaves room for a larger one.
const QUICK: Duration = Duration::from_millis(250);

/// The size of batches.
#[derive(Debug)]
pub(super) struct Pace {
    events: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { events: 4 * EVENTS_MIN }
    }

    /// Whether the batch takes one more event.
    pub(super) fn has_room(&self, batch: &Batch) -> bool {
        batch.event_count() < self.events && batch.row_count() < ROWS_MAX && batch.bytes < BYTES_MAX
    }

    /// Learns from a batch that was written.
    pub(super) fn took(&mut self, batch: &Batch, elapsed: Duration) {
        let full = batch.event_count() >= self.events;
        if elapsed >= SLOW {
            self.events = (self.events / 2).max(EVENTS_MIN);
        } else if full && elapsed <= QUICK {
            self.events = (self.events * 2).min(EVENTS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(events: u64) -> Batch {
        Batch { first_seq: 1, last_seq: events, ..Batch::default() }
    }

    #[test]
    fn batches_grow_while_they_are_full_and_quick_and_shrink_when_they_are_slow() {
        let mut pace = Pace::new();
        pace.took(&batch(10), Duration::ZERO);
        assert_eq!(pace.events, 4 * EVENTS_MIN, "a batch that was not full says nothing");
        for _ in 0..20 {
            pace.took(&batch(pace.events), QUICK);
        }
        assert_eq!(pace.events, EVENTS_MAX);
        for _ in 0..20 {
            pace.took(&batch(10), SLOW);
        }
        assert_eq!(pace.events, EVENTS_MIN);
    }

    #[test]
    fn a_batch_has_three_bounds() {
        let pace = Pace::new();
        assert!(pace.has_room(&batch(4 * EVENTS_MIN - 1)), "there is room for one more");
        assert!(!pace.has_room(&batch(4 * EVENTS_MIN)), "events");
        assert!(!pace.has_room(&Batch { bytes: BYTES_MAX, ..batch(1) }), "bytes");
    }
}
