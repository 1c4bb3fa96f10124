//! Times as people write them and read them.

use std::time::UNIX_EPOCH;

use crate::base::error::{Error, Result};
use crate::base::{Seq, TimeMs, rfc3339};

/// A moment of the ledger: after an event, or at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Moment {
    Seq(Seq),
    Time(TimeMs),
}

/// A number is an event; anything else must be a time.
///
/// # Errors
/// As [`parse_time`].
pub(in crate::cli) fn parse_moment(text: &str) -> Result<Moment> {
    match text.parse() {
        Ok(seq) => Ok(Moment::Seq(seq)),
        Err(_) => parse_time(text).map(Moment::Time),
    }
}

/// A time such as `2026-03-01T09:30:00Z`; the `T`, the `Z` and the clock may be left out.
///
/// # Errors
/// `Invalid`, naming the text.
pub(in crate::cli) fn parse_time(text: &str) -> Result<TimeMs> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let time = humantime::parse_rfc3339_weak(&whole).ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let ms = since.and_then(|since| TimeMs::try_from(since.as_millis()).ok());
    ms.ok_or_else(|| {
        Error::invalid(format!("{text:?} is no time: write it in UTC, as in 2026-03-01T09:30:00Z"))
    })
}

/// A time in UTC, to the millisecond; the number where it is past every calendar.
pub(in crate::cli) fn show_time(at: TimeMs) -> String {
    rfc3339(at).unwrap_or_else(|| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_strictly_and_shown_again() {
        assert_eq!(parse_moment("17").ok(), Some(Moment::Seq(17)));
        for (text, ms) in [
            ("1970-01-01", 0),
            ("2026-03-01T09:30:00Z", 1_772_357_400_000),
            ("2026-03-01 09:30:00", 1_772_357_400_000),
            ("2026-03-01T09:30:00.250Z", 1_772_357_400_250),
        ] {
            assert_eq!(parse_moment(text).ok(), Some(Moment::Time(ms)), "{text}");
            assert_eq!(parse_time(&show_time(ms)).ok(), Some(ms), "{text}");
        }
        for wrong in [
            "",
            "-1",
            "noon",
            "2026-13-01",
            "2026-03-01T25:00:00Z",
            "1969-12-31",
            "99999999999999999999",
        ] {
            assert!(parse_moment(wrong).is_err(), "{wrong:?} must be refused");
        }
        assert_eq!(show_time(u64::MAX), u64::MAX.to_string());
    }
}
