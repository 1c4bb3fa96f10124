//! Times as RFC 3339 writes them.

use std::time::{Duration, UNIX_EPOCH};

use super::TimeMs;

/// The last that it can write: that of the year 9999.
const LAST_MS: TimeMs = 253_402_300_799_999;

/// A time in UTC, to the millisecond; `None` past the year 9999.
pub(crate) fn rfc3339(at: TimeMs) -> Option<String> {
    let written =
        |at| humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at)).to_string();
    (at <= LAST_MS).then(|| written(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_past_every_calendar_are_not_written() {
        assert_eq!(rfc3339(1).as_deref(), Some("1970-01-01T00:00:00.001Z"));
        assert_eq!(rfc3339(LAST_MS).as_deref(), Some("9999-12-31T23:59:59.999Z"));
        assert_eq!((rfc3339(LAST_MS + 1), rfc3339(TimeMs::MAX)), (None, None));
    }
}
