//! The service that keeps the points, where the ledger does not.

use super::DAY_MS;
use crate::outgoing::Endpoint;
use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "points_service",
        value: "URL",
        default: Unset("the ledger keeps the points"),
        takes: Takes::Text {
            form: "`http://HOST:PORT/PATH`, or with https",
            set: |to, text| {
                Endpoint::parse(text).ok()?;
                to.points.url = Some(text.to_owned());
                Some(())
            },
        },
        help: "The service that keeps the points, in place of the ledger",
        more: "See [points-service.md](points-service.md)",
    },
    Setting {
        name: "points_service_secret",
        value: "SECRET",
        default: Unset("none"),
        takes: Takes::Secret {
            form: "at least 1 byte",
            flag: false,
            set: |to, text| {
                (!text.is_empty()).then(|| to.points.secret = Some(text.to_owned().into()))
            },
        },
        help: "What the points service knows this server by",
        more: "Sent as a bearer's token",
    },
    Setting {
        name: "points_service_secret_file",
        value: "FILE",
        default: Unset("none"),
        takes: Takes::Path { set: |to, path| to.points.secret_file = Some(path) },
        help: "A file with that secret, which goes before it",
        more: "",
    },
    Setting {
        name: "points_service_timeout",
        value: "TIME",
        default: Is("3s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.points.timeout = time },
        help: "How long one call of the points service may take",
        more: "",
    },
    Setting {
        name: "points_service_patience",
        value: "TIME",
        default: Is("30s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.points.patience = time },
        help: "How long an exchange waits for the points service",
        more: "Then it is given up, and hears `POINTS_UNAVAILABLE`",
    },
    Setting {
        name: "points_service_queue",
        value: "N",
        default: Is("1000"),
        takes: Takes::Number { max: 1_000_000, set: |to, count| to.points.queue = count as usize },
        help: "How many exchanges may wait for the points service",
        more: "Beyond that, requests are `OVERLOADED`",
    },
    Setting {
        name: "points_service_failures",
        value: "N",
        default: Is("5"),
        takes: Takes::Number {
            max: 1_000,
            set: |to, count| to.points.breaker.failures = count as u32,
        },
        help: "After how many calls without an answer, one after another, the points service is left alone",
        more: "",
    },
    Setting {
        name: "points_service_pause",
        value: "TIME",
        default: Is("10s"),
        takes: Takes::Time { ms: 200..=DAY_MS, set: |to, time| to.points.breaker.pause_max = time },
        help: "How long it is left alone at most before it is tried again",
        more: "The first pause is at most 200 ms; each is up to twice as long as the one before",
    },
];
