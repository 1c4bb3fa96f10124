//! Moments as text: seconds in UTC, as RFC 3339 writes them. Each has one spelling, so that it can
//! be part of a name.

use super::TimeMs;

const DAY_S: u64 = 24 * 60 * 60;
/// The last second of the year 9999.
const LAST_S: u64 = 253_402_300_799;

/// The moment, as `2026-12-31T16:00:00Z`; `None` when it is no whole second, or after the year 9999.
pub(crate) fn write(at: TimeMs) -> Option<String> {
    let seconds = at / 1_000;
    if !at.is_multiple_of(1_000) || seconds > LAST_S {
        return None;
    }
    let (year, month, day) = date(seconds / DAY_S);
    let (hour, minute, second) = (seconds % DAY_S / 3_600, seconds % 3_600 / 60, seconds % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// The moment that [`write()`] has written so.
pub(crate) fn read(text: &str) -> Option<TimeMs> {
    // Most that is asked about is no moment: that is told by the length.
    if text.len() != "2026-12-31T16:00:00Z".len() || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().ok();
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let seconds = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let at = (days * DAY_S + seconds) * 1_000;
    // Whatever is spelled otherwise, or no date, is written differently.
    write(at).filter(|written| written == text).map(|_| at)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar: Hinnant, "chrono-compatible low-level
/// date algorithms". Years begin with March, so that the leap day is the last of one.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month > 2 { year } else { year.checked_sub(1)? };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * 146_097 + of_era).checked_sub(719_468)
}

/// The date so many days after 1970-01-01: the same source.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_one_spelling() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_798_732_799_000, "2026-12-31T15:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (LAST_S * 1_000, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(write(at).as_deref(), Some(text));
            assert_eq!(read(text), Some(at), "{text}");
        }
        for at in [1, 999, (LAST_S + 1) * 1_000, TimeMs::MAX] {
            assert_eq!(write(at), None, "{at}");
        }
        for text in [
            "",
            "2026-12-31",
            "2026-12-31t16:00:00Z",
            "2026-12-31T16:00:00z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "1969-12-31T23:59:59Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:0éZ",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_reads_back() {
        for day in 0..=LAST_S / DAY_S {
            let at = day * DAY_S * 1_000;
            assert_eq!(write(at).as_deref().and_then(read), Some(at), "{day}");
        }
    }
}
