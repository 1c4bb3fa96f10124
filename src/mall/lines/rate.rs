//! How fast those who wait are served, from when those were who were last.

use crate::base::TimeMs;

/// How long somebody may wait who has so many ahead, in milliseconds, where these were the last that
/// were served, the oldest first. `None` while fewer than two were, or all of them at one time. The
/// time since the last counts, so that a line that does not move any more takes longer and longer.
pub(super) fn wait_ms(served: &[TimeMs], ahead: usize, now: TimeMs) -> Option<u64> {
    let first = served.first().filter(|_| served.len() > 1)?;
    let span = u128::from(now.saturating_sub(*first));
    let turns = ahead as u128 + 1;
    let wait = (span * turns) / (served.len() as u128 - 1);
    u64::try_from(wait).ok().filter(|wait| *wait > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_follows_from_those_who_were_served() {
        assert_eq!(wait_ms(&[], 0, 10), None);
        assert_eq!(wait_ms(&[100], 0, 500), None, "one tells nothing");
        assert_eq!(wait_ms(&[100, 100], 0, 100), None, "nor do two at once");
        let served = [100, 100, 300];
        assert_eq!((wait_ms(&served, 0, 300), wait_ms(&served, 4, 300)), (Some(100), Some(500)));
        assert_eq!(wait_ms(&served, 0, 700), Some(300), "nobody was served since");
    }
}
