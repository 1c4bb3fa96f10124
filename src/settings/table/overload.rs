//! What becomes of requests when there are more than can be served, or the disk hangs.

use super::DAY_MS;
use crate::settings::setting::Fallback::Is;
use crate::settings::setting::{Setting, Takes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "overload_wait",
        value: "TIME",
        default: Is("25ms"),
        takes: Takes::Time { ms: 1..=DAY_MS, set: |to, time| to.limits.overload_wait = Some(time) },
        help: "How long requests that have come may wait for a processor",
        more: "While they wait for longer, some are `OVERLOADED`, of those who ask most first. See [Overload](#overload)",
    },
    Setting {
        name: "user_requests_under_way",
        value: "N",
        default: Is("64"),
        takes: Takes::Number {
            max: 1 << 20,
            set: |to, count| to.limits.user_requests_under_way = u32::try_from(count).ok(),
        },
        help: "How many requests of a user may be under way at one time",
        more: "Beyond that, requests are `OVERLOADED`; those that a service makes for the user do not count",
    },
    Setting {
        name: "exchange_patience",
        value: "TIME",
        default: Is("30s"),
        takes: Takes::Time { ms: 0..=DAY_MS, set: |to, time| to.mall.exchange_patience = time },
        help: "How long an exchange waits for a disk that hangs",
        more: "Then it hears `DISK_STALLED` or `OUTCOME_UNKNOWN`; those that are on their way wait for `--sync-timeout` at least",
    },
    Setting {
        name: "exchange_queue",
        value: "N",
        default: Is("1000"),
        takes: Takes::Number {
            max: 1_000_000,
            set: |to, count| to.mall.exchange_queue = count as usize,
        },
        help: "How many exchanges may wait for a disk that hangs",
        more: "Further ones hear so at once",
    },
];
