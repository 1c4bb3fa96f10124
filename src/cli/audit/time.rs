//! Times as people read them.

use std::time::{Duration, UNIX_EPOCH};

use crate::types::TimeMs;

/// A time in UTC, to the millisecond; the number where it is past every calendar.
pub(super) fn show_time(at: TimeMs) -> String {
    // The calendar that is written here ends with the year 9999.
    match at {
        0..=253_402_300_799_999 => humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at)).to_string(),
        _ => at.to_string(),
    }
}
