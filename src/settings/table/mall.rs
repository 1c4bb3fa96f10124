//! How the mall does business.

use super::DAY_MS;
use crate::base::{PLACES_MAX, TTL_MS_MAX};
use crate::mall::{Experiments, Zone};
use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};

const OUTSTANDING_MAX: u64 = 1_000_000;

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "reservation_ttl",
        value: "TIME",
        default: Is("15m"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.reservation_ttl_ms = time.as_millis() as u64,
        },
        help: "How long an order waits for its confirmation",
        more: "",
    },
    Setting {
        name: "max_outstanding",
        value: "N",
        default: Unset("no limit"),
        takes: Takes::Number {
            max: OUTSTANDING_MAX,
            set: |to, count| to.mall.outstanding_max = Some(count),
        },
        help: "How many waiting orders a user may have",
        more: "",
    },
    Setting {
        name: "waiting_places",
        value: "N",
        default: Unset("nobody"),
        takes: Takes::Number {
            max: PLACES_MAX as u64,
            set: |to, count| to.mall.waiting_places = count,
        },
        help: "How many may wait in line for a product that is sold out, where it says nothing itself",
        more: "",
    },
    Setting {
        name: "granted_ttl",
        value: "TIME",
        default: Is("1h"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.granted_ttl_ms = time.as_millis() as u64,
        },
        help: "How long the order of somebody who was next in line waits for its confirmation",
        more: "",
    },
    Setting {
        name: "max_waiting",
        value: "TIME",
        default: Is("1h"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.waiting_max_ms = time.as_millis() as u64,
        },
        help: "How long an order may wait in all, when its deadline is moved",
        more: "",
    },
    Setting {
        name: "complete_after",
        value: "TIME",
        default: Is("15d"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.completion_after_ms = Some(time.as_millis() as u64),
        },
        help: "How long after it was sent an order is completed by itself",
        more: "",
    },
    Setting {
        name: "cancel_window",
        value: "TIME",
        default: Unset("until it is sent"),
        takes: Takes::Time {
            ms: 0..=TTL_MS_MAX,
            set: |to, time| to.mall.cancel_window_ms = Some(time.as_millis() as u64),
        },
        help: "How long after its confirmation a user may cancel an order that is not sent yet",
        more: "`0s` is never; operators may always",
    },
    Setting {
        name: "reacquire_window",
        value: "TIME",
        default: Is("7d"),
        takes: Takes::Time {
            ms: 0..=TTL_MS_MAX,
            set: |to, time| to.mall.reacquire_window_ms = time.as_millis() as u64,
        },
        help: "How long after its deadline an order may be confirmed with `reacquire`, for a payment that came late",
        more: "`0s` is never",
    },
    Setting {
        name: "points_grace",
        value: "TIME",
        default: Is("30d"),
        takes: Takes::Time {
            ms: DAY_MS..=3650 * DAY_MS,
            set: |to, time| to.mall.points_grace_ms = time.as_millis() as u64,
        },
        help: "How long points stay good that a refund returns after their end",
        more: "Until the end of that day",
    },
    Setting {
        name: "points_day",
        value: "OFFSET",
        default: Is("+00:00"),
        takes: Takes::Text {
            form: "an offset from UTC, as in +08:00",
            set: |to, text| offset_min(text).map(|it| to.mall.points_day_offset_min = it),
        },
        help: "Where days end: points are good until the end of a day",
        more: "Points that were given keep the end that they have",
    },
    Setting {
        name: "time_zone",
        value: "ZONE",
        default: Is("UTC"),
        takes: Takes::Text {
            form: "a name of the IANA database, as in Asia/Shanghai",
            set: |to, text| Zone::named(text).ok().map(|zone| to.mall.time_zone = zone),
        },
        help: "Where the mall is: the days and weeks of reports are those of this time zone",
        more: "See [Reports](#reports)",
    },
    Setting {
        name: "reports_dir",
        value: "DIR",
        default: Unset("nowhere"),
        takes: Takes::Path { set: |to, path| to.reports_dir = Some(path) },
        help: "Where the report of each day and week is written when it is over",
        more: "It is made when it is missing",
    },
    Setting {
        name: "experiments",
        value: "EXPERIMENTS",
        default: Unset("none"),
        takes: Takes::Text {
            form: "`NAME VARIANT=STRATEGY:PERCENT VARIANT=STRATEGY:PERCENT`, with `;` between experiments",
            set: |to, text| {
                let read = Experiments::parse(text);
                read.ok().map(|experiments| to.mall.experiments = experiments)
            },
        },
        help: "Which ways to recommend products are tried, each for some of the users",
        more: "See [Experiments](#experiments)",
    },
    Setting {
        name: "experiment_window",
        value: "TIME",
        default: Is("7d"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.experiment_window_ms = time.as_millis() as u64,
        },
        help: "For how long after a user was shown its variant of an experiment an exchange counts",
        more: "",
    },
];

/// An offset such as `+08:00`, in minutes.
fn offset_min(text: &str) -> Option<i32> {
    let (sign, text) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, max: i32| {
        let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| is_two && *number <= max)
    };
    let minutes = number(hours, 14)? * 60 + number(minutes, 59)?;
    (minutes <= 14 * 60).then_some(sign * minutes)
}
