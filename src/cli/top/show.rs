//! Figures in words.

use std::time::Duration;

use super::figures::{Known, Took};
use crate::base::grouped;
use crate::base::times::BOUNDS_US;

/// What stands for a value that the server does not say.
pub(super) const UNKNOWN: &str = "unknown";

pub(super) fn count(value: Known) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), whole)
}

pub(super) fn rate(value: Known) -> String {
    match value {
        None => UNKNOWN.to_owned(),
        Some(rate) if rate < 100.0 => format!("{rate:.1}/s"),
        Some(rate) => format!("{}/s", whole(rate)),
    }
}

/// Seconds, of something that may be long.
pub(super) fn age(value: Known) -> String {
    let seconds = value.filter(|it| it.is_finite() && *it >= 0.0);
    match seconds {
        None => UNKNOWN.to_owned(),
        Some(seconds) if seconds < 10.0 => format!("{seconds:.1}s"),
        // What is past every count is the largest.
        Some(seconds) => {
            humantime::format_duration(Duration::from_secs(seconds as u64)).to_string()
        }
    }
}

/// What half of all took at most, and what all but one of a hundred did.
pub(super) fn took(took: Option<Took>, without: &str) -> String {
    took.map_or_else(
        || without.to_owned(),
        |it| format!("{} / {} ms", within(it.p50), within(it.p99)),
    )
}

/// Milliseconds; what is past every bound is past the last of them.
fn within(seconds: f64) -> String {
    if seconds.is_finite() {
        format!("<={}", seconds * 1e3)
    } else {
        format!(">{}", BOUNDS_US[BOUNDS_US.len() - 1] / 1000)
    }
}

pub(super) fn bytes(value: Known) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let Some(mut left) = value else { return UNKNOWN.to_owned() };
    let mut unit = 0;
    while left >= 1024.0 && unit + 1 < UNITS.len() {
        (left, unit) = (left / 1024.0, unit + 1);
    }
    let digits = usize::from(unit > 0);
    format!("{left:.digits$} {}", UNITS[unit])
}

/// A whole number in groups of digits.
fn whole(value: f64) -> String {
    let sign = if value.round() < 0.0 { "-" } else { "" };
    sign.to_owned() + &grouped(value.abs().round() as u128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_at_a_glance() {
        assert_eq!(
            [count(Some(1_234_567.0)), count(Some(0.0)), count(Some(-999.0)), count(None)],
            ["1,234,567", "0", "-999", UNKNOWN]
        );
        assert_eq!([rate(Some(0.25)), rate(Some(12_345.6))], ["0.2/s", "12,346/s"]);
        assert_eq!(
            [bytes(Some(512.0)), bytes(Some(1536.0 * 1024.0)), bytes(None)],
            ["512 B", "1.5 MiB", UNKNOWN]
        );
        assert_eq!(
            [age(Some(2.0)), age(Some(3725.9)), age(Some(f64::NAN))],
            ["2.0s", "1h 2m 5s", UNKNOWN]
        );
        let both = Took { p50: 0.0025, p99: f64::INFINITY };
        assert_eq!(took(Some(both), "idle"), "<=2.5 / >7500 ms");
        assert_eq!(took(None, "idle"), "idle");
    }
}
