//! Whether the process lives, and whether it can serve.

use hyper::StatusCode;
use serde::Serialize;

use super::reply::{HttpResponse, respond};
use super::router::Call;
use crate::types::TimeMs;

#[derive(Serialize)]
struct Report {
    status: &'static str,
    /// ISO 8601, in UTC.
    timestamp: String,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    engine: &'static str,
    accepting: bool,
}

/// 503 once the engine cannot serve any more: only a restart helps then.
pub(super) fn health(call: &Call<'_>) -> HttpResponse {
    report(call, call.app.mall.engine().check_ready().is_ok(), ["healthy", "unhealthy"])
}

/// 503 also while the server drains: no new requests should be sent here.
pub(super) fn ready(call: &Call<'_>) -> HttpResponse {
    let ready = call.app.mall.engine().check_ready().is_ok() && !call.app.is_draining();
    report(call, ready, ["ready", "not ready"])
}

fn report(call: &Call<'_>, well: bool, [good, bad]: [&'static str; 2]) -> HttpResponse {
    let engine = if call.app.mall.engine().check_ready().is_ok() { "fulfilled" } else { "rejected" };
    let report = Report {
        status: if well { good } else { bad },
        timestamp: iso_8601(call.app.mall.now_ms()),
        checks: Checks { engine, accepting: !call.app.is_draining() },
    };
    respond(if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, call.format, &report)
}

/// The moment as text. Source of the calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn iso_8601(at_ms: TimeMs) -> String {
    let (days, ms) = (at_ms / 86_400_000, at_ms % 86_400_000);
    // Years start in March, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_iso_8601() {
        for (at_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso_8601(at_ms), text);
        }
    }
}
