//! How fast those who wait are served, from the grants of late.

use std::collections::VecDeque;

use crate::base::TimeMs;

/// How many grants are looked back on.
const GRANTS: usize = 16;

/// When the newest grants were, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate(VecDeque<TimeMs>);

impl Rate {
    /// Somebody was served.
    pub(super) fn add(&mut self, at: TimeMs) {
        if self.0.len() == GRANTS {
            self.0.pop_front();
        }
        self.0.push_back(at);
    }

    /// How long somebody may wait who has so many ahead, in milliseconds. `None` while fewer than two
    /// were served, or all of them at one time. The time since the last counts, so that a line that
    /// does not move any more takes longer and longer.
    pub(super) fn wait_ms(&self, ahead: usize, now: TimeMs) -> Option<u64> {
        let first = self.0.front().filter(|_| self.0.len() > 1)?;
        let span = u128::from(now.saturating_sub(*first));
        let turns = ahead as u128 + 1;
        let wait = (span * turns) / (self.0.len() as u128 - 1);
        u64::try_from(wait).ok().filter(|wait| *wait > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_follows_from_the_newest_grants() {
        let mut rate = Rate::default();
        assert_eq!(rate.wait_ms(0, 10), None);
        rate.add(100);
        assert_eq!(rate.wait_ms(0, 500), None, "one tells nothing");
        rate.add(100);
        assert_eq!(rate.wait_ms(0, 100), None, "nor do two at once");
        rate.add(300);
        assert_eq!((rate.wait_ms(0, 300), rate.wait_ms(4, 300)), (Some(100), Some(500)));
        assert_eq!(rate.wait_ms(0, 700), Some(300), "nobody was served since");
        for at in 1..=GRANTS as u64 {
            rate.add(1_000 + 10 * at);
        }
        assert_eq!(rate.wait_ms(0, 1_160), Some(10), "what is long past counts no more");
    }
}
