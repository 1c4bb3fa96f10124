//! The engine: its time, its keys, its disk.

use super::DAY_MS;
use crate::base::TTL_MS_MAX;
use crate::engine::EngineBuilder;
use crate::settings::setting::Fallback::Is;
use crate::settings::setting::{Setting, Takes};

const KEYS_MAX: u64 = 1 << 30;

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "clock_trust_after",
        value: "TIME",
        default: Is("15m"),
        takes: Takes::Time {
            ms: 0..=u64::MAX,
            set: |to, time| to.engine(EngineBuilder::clock_trust_after, time),
        },
        help: "How long a clock that jumped forwards must stay so before deadlines follow it",
        more: "",
    },
    Setting {
        name: "idempotency_window",
        value: "TIME",
        default: Is("24h"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| {
                to.engine(EngineBuilder::idempotency_window_ms, time.as_millis() as u64);
            },
        },
        help: "For how long the answer to a request with an Idempotency-Key is kept",
        more: "",
    },
    Setting {
        name: "max_idempotency_keys",
        value: "N",
        default: Is("4194304"),
        takes: Takes::Number {
            max: KEYS_MAX,
            set: |to, count| to.engine(EngineBuilder::idempotency_keys, count as usize),
        },
        help: "How many of these answers are kept",
        more: "Each takes some 150 bytes of memory; beyond that, requests are `OVERLOADED`",
    },
    Setting {
        name: "max_idempotency_keys_per_user",
        value: "N",
        default: Is("10000"),
        takes: Takes::Number {
            max: KEYS_MAX,
            set: |to, count| to.engine(EngineBuilder::idempotency_keys_per_owner, count as usize),
        },
        help: "How many of them of one user",
        more: "Or of one operator and path; beyond that, its requests are `TOO_MANY_KEYS`",
    },
    Setting {
        name: "sync_timeout",
        value: "TIME",
        default: Is("5s"),
        takes: Takes::Time {
            ms: 10..=DAY_MS,
            set: |to, time| to.engine(EngineBuilder::sync_limit, time),
        },
        help: "After how long without an answer a disk counts as one that hangs",
        more: "",
    },
    Setting {
        name: "checkpoint_events",
        value: "N",
        default: Is("2000000"),
        takes: Takes::Number {
            max: 1 << 32,
            set: |to, count| to.engine(EngineBuilder::checkpoint_events, count),
        },
        help: "After how many events a checkpoint is written",
        more: "A start replays little more than this",
    },
    Setting {
        name: "low_space_mark",
        value: "BYTES",
        default: Is("268435456"),
        takes: Takes::Bytes { set: |to, bytes| to.engine(EngineBuilder::low_space_mark, bytes) },
        help: "With fewer free bytes than this nothing new is sold",
        more: "Until there is a quarter more",
    },
    Setting {
        name: "history_bytes_max",
        value: "BYTES",
        default: Is("68719476736"),
        takes: Takes::Bytes { set: |to, bytes| to.engine(EngineBuilder::history_bytes_max, bytes) },
        help: "With more bytes of history than this nothing new is sold",
        more: "What counts is `store/`",
    },
];
