//! When days end.

use crate::base::TimeMs;

const DAY_MS: u64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// The end of the day that `at` is in, where days end `offset_min` minutes before those of UTC; a
/// moment that is the end of a day stays. `None` beyond what time can be counted.
pub(super) fn end_of_day(at: TimeMs, offset_min: i32) -> Option<TimeMs> {
    let offset_ms = i64::from(offset_min) * MINUTE_MS;
    let there = at.checked_add_signed(offset_ms)?;
    let end = there.checked_next_multiple_of(DAY_MS)?;
    end.checked_add_signed(offset_ms.checked_neg()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_mall_is() {
        const HOUR_MS: u64 = 3_600_000;
        let midnight = 20_000 * DAY_MS;
        for (at, offset_min, end) in [
            (midnight, 0, Some(midnight)),
            (midnight + 1, 0, Some(midnight + DAY_MS)),
            (midnight - 1, 0, Some(midnight)),
            (midnight, 480, Some(midnight + 16 * HOUR_MS)),
            (midnight + 16 * HOUR_MS, 480, Some(midnight + 16 * HOUR_MS)),
            (midnight + 16 * HOUR_MS + 1, 480, Some(midnight + 40 * HOUR_MS)),
            (midnight, -300, Some(midnight + 5 * HOUR_MS)),
            (u64::MAX, 0, None),
            (u64::MAX, 480, None),
        ] {
            assert_eq!(end_of_day(at, offset_min), end, "{at} {offset_min}");
        }
    }
}
