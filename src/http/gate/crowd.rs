//! How much each user, and each address, has asked of late: a count that halves as time goes by.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use super::share::ONE;
use crate::http::rows::Rows;

const PLACES: usize = 1 << 15;
/// In what time a count halves, in milliseconds: a power of two.
const HALF_LIFE_MS: u64 = 256;

#[derive(Debug)]
pub(super) struct Crowd {
    /// A count in the lower half, and in the upper one when it was that much, in half-lives.
    counts: Rows<AtomicU64>,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { counts: Rows::new(PLACES) }
    }
}

impl Crowd {
    /// Counts one request, and says how much `who` has asked of late, this one included.
    pub(super) fn count(&self, who: impl Hash, now_ms: u64) -> u32 {
        // Wraps after many years.
        let at = (now_ms / HALF_LIFE_MS) as u32;
        let mut least = u32::MAX;
        for cell in self.counts.of(who).0 {
            // Relaxed: the number is the whole message. What is lost to a race is one of many.
            let (then, count) = added(cell.load(Ordering::Relaxed), at);
            cell.store(u64::from(then) << 32 | u64::from(count), Ordering::Relaxed);
            least = least.min(count);
        }
        least
    }
}

/// A cell with one request more. A thread may have looked at the clock before another that came
/// first.
fn added(cell: u64, at: u32) -> (u32, u32) {
    let (then, count) = ((cell >> 32) as u32, cell as u32);
    let left = count.checked_shr(at.saturating_sub(then)).unwrap_or(0);
    (then.max(at), left.saturating_add(ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_halves_as_time_goes_by() {
        let crowd = Crowd::default();
        for more in 1..=8 {
            assert_eq!(crowd.count("ann", 0), more * ONE);
        }
        assert_eq!(crowd.count("ben", 0), ONE, "another has a count of his own");
        assert_eq!(crowd.count("ann", HALF_LIFE_MS), 5 * ONE);
        assert_eq!(crowd.count("ann", 3 * HALF_LIFE_MS), 5 * ONE / 4 + ONE);
        assert_eq!(crowd.count("ann", HALF_LIFE_MS), 5 * ONE / 4 + 2 * ONE, "a clock read before");
        assert_eq!(crowd.count("ann", 1_000_000), ONE, "all is forgotten");
    }

    #[test]
    fn a_count_has_an_end() {
        let most = u64::from(u32::MAX);
        assert_eq!(added(most, 0), (0, u32::MAX));
        assert_eq!(added(most, 40), (40, ONE), "no shift is too long");
    }
}
