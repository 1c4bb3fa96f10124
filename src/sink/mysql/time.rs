//! Times as the database takes them: UTC, in milliseconds.

use mysql_async::Value;

use crate::base::TimeMs;

const DAY_MS: u64 = 86_400_000;
/// The end of the year 9999, which is the end of `DATETIME`.
const LAST_MS: TimeMs = 253_402_300_799_999;

/// A time as a `DATETIME(3)`; what is beyond the year 9999 is its end.
pub(super) fn datetime(at: TimeMs) -> Value {
    let at = at.min(LAST_MS);
    let (year, month, day) = date(at / DAY_MS);
    let ms = (at % DAY_MS) as u32;
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    Value::Date(year, month, day, hour as u8, minute as u8, second as u8, ms % 1_000 * 1_000)
}

pub(super) fn optional(at: Option<TimeMs>) -> Value {
    at.map_or(Value::NULL, datetime)
}

/// The day of the Gregorian calendar this many days after 1970-01-01. Years begin in March here, so
/// that the leap day is the last (E. Richards, "Calendars", 1998).
fn date(days: u64) -> (u16, u8, u8) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year as u16, month as u8, day as u8)
}

/// The time that a `DATETIME` shows, in milliseconds since 1970; `None` when it is no time we
/// wrote.
pub(super) fn read(value: &Value) -> Option<TimeMs> {
    let &Value::Date(year, month, day, hour, minute, second, micros) = value else {
        return None;
    };
    let days = days(u64::from(year), u64::from(month), u64::from(day))?;
    let seconds = u64::from(hour) * 3_600 + u64::from(minute) * 60 + u64::from(second);
    Some(days * DAY_MS + seconds * 1_000 + u64::from(micros) / 1_000)
}

fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times_are_written_right() {
        for (at, shown) in [
            (0, Value::Date(1970, 1, 1, 0, 0, 0, 0)),
            (951_782_399_999, Value::Date(2000, 2, 28, 23, 59, 59, 999_000)),
            (951_782_400_000, Value::Date(2000, 2, 29, 0, 0, 0, 0)),
            (1_750_000_000_123, Value::Date(2025, 6, 15, 15, 6, 40, 123_000)),
            (2_147_483_648_000, Value::Date(2038, 1, 19, 3, 14, 8, 0)),
            (4_107_542_400_000, Value::Date(2100, 3, 1, 0, 0, 0, 0)),
            (LAST_MS, Value::Date(9999, 12, 31, 23, 59, 59, 999_000)),
            (u64::MAX, Value::Date(9999, 12, 31, 23, 59, 59, 999_000)),
        ] {
            assert_eq!(datetime(at), shown, "{at}");
        }
    }

    proptest! {
        #[test]
        fn every_time_reads_back(at in 0..=LAST_MS) {
            prop_assert_eq!(read(&datetime(at)), Some(at));
        }
    }
}
