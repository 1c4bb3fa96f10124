//! What is logged, how and where.

use std::time::Duration;

use super::DAY_MS;
use crate::http::RequestLog;
use crate::settings::log::{LogFormat, LogUserIds};
use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "log_format",
        value: "FORMAT",
        default: Is("text"),
        takes: Takes::Choice {
            of: &[
                ("text", |to| to.log.format = LogFormat::Text),
                ("json", |to| to.log.format = LogFormat::Json),
            ],
        },
        help: "How to log: text or json",
        more: "See [The log](#the-log)",
    },
    Setting {
        name: "log_level",
        value: "LEVEL",
        default: Is("info"),
        takes: Takes::Choice {
            of: &[
                ("error", |to| to.log.level = "error"),
                ("warn", |to| to.log.level = "warn"),
                ("info", |to| to.log.level = "info"),
                ("debug", |to| to.log.level = "debug"),
                ("trace", |to| to.log.level = "trace"),
            ],
        },
        help: "What to log: this level and those that are worse",
        more: "`RUST_LOG` goes before it, and may tell parts of the program apart",
    },
    Setting {
        name: "log_service",
        value: "NAME",
        default: Is("mall-service"),
        takes: Takes::Text {
            form: "1 to 64 of A-Z a-z 0-9 _ - .",
            set: |to, text| {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
                to.log.service = text.to_owned();
                ((1..=64).contains(&text.len()) && text.bytes().all(is_plain)).then_some(())
            },
        },
        help: "What each JSON line says that it is of, as `service`",
        more: "",
    },
    Setting {
        name: "log_requests",
        value: "WHICH",
        default: Is("off"),
        takes: Takes::Choice {
            of: &[
                ("off", |to| to.log_requests = RequestLog::Off),
                ("failed", |to| to.log_requests = RequestLog::Failed),
                ("refused", |to| to.log_requests = RequestLog::Refused),
                ("all", |to| to.log_requests = RequestLog::All),
            ],
        },
        help: "Of which requests to log a line when they are answered",
        more: "`failed` is from 500 on, `refused` from 400 on",
    },
    Setting {
        name: "log_user_ids",
        value: "HOW",
        default: Is("shown"),
        takes: Takes::Choice {
            of: &[
                ("shown", |to| to.log.user_ids = LogUserIds::Shown),
                ("hashed", |to| to.log.user_ids = LogUserIds::Hashed),
                ("hidden", |to| to.log.user_ids = LogUserIds::Hidden),
            ],
        },
        help: "How lines name users",
        more: "Hashes need `auth_secret` to be the same after a restart",
    },
    Setting {
        name: "log_file",
        value: "FILE",
        default: Unset("standard error"),
        takes: Takes::Path { set: |to, path| to.log.file = Some(path) },
        help: "The file that the log is written to",
        more: "Opened anew on SIGHUP",
    },
    Setting {
        name: "log_file_bytes",
        value: "BYTES",
        default: Unset("any length"),
        takes: Takes::Bytes { set: |to, bytes| to.log.file_bytes_max = Some(bytes) },
        help: "With how many bytes the log's file is put aside, as FILE.1, and begun anew",
        more: "",
    },
    Setting {
        name: "log_file_period",
        value: "PERIOD",
        default: Is("any"),
        takes: Takes::Choice {
            of: &[
                ("any", |to| to.log.file_period = None),
                ("day", |to| to.log.file_period = Some(Duration::from_millis(DAY_MS))),
                ("hour", |to| to.log.file_period = Some(Duration::from_secs(3_600))),
            ],
        },
        help: "How long one file of the log is written, by UTC, before it is put aside as well",
        more: "Without either, that is left to logrotate",
    },
    Setting {
        name: "log_files_kept",
        value: "N",
        default: Is("10"),
        takes: Takes::Number { max: 1_000, set: |to, count| to.log.files_kept = count },
        help: "How many files that were put aside are kept",
        more: "",
    },
];
