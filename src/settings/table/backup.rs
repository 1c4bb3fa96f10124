//! Copies that the server makes by itself.

use super::{DAY_MS, MINUTE_MS};
use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "backup_to",
        value: "DIR|URL",
        default: Unset("nowhere"),
        takes: Takes::Text {
            form: "a directory, or s3://BUCKET/PREFIX",
            set: |to, text| {
                to.backup.to = Some(text.to_owned());
                (!text.is_empty()).then_some(())
            },
        },
        help: "Where the server copies its data to while it runs",
        more: "See [Backup](#backup)",
    },
    Setting {
        name: "backup_every",
        value: "TIME",
        default: Is("10s"),
        takes: Takes::Time { ms: 1_000..=DAY_MS, set: |to, time| to.backup.every = time },
        help: "How often it copies what is new: what is lost with the machine is of this time, and of a run",
        more: "",
    },
    Setting {
        name: "backup_key_file",
        value: "FILE",
        default: Unset("not encrypted"),
        takes: Takes::Path { set: |to, path| to.backup.key_file = Some(path) },
        help: "A file with the key that copies are encrypted with: 64 hexadecimal digits",
        more: "",
    },
    Setting {
        name: "backup_keep",
        value: "TIME",
        default: Unset("for good"),
        takes: Takes::Time {
            ms: MINUTE_MS..=u64::MAX,
            set: |to, time| to.backup.keep = Some(time),
        },
        help: "For how long every moment can be restored, counted back from the newest",
        more: "",
    },
    Setting {
        name: "backup_snapshot_every",
        value: "TIME",
        default: Is("1h"),
        takes: Takes::Time { ms: 0..=u64::MAX, set: |to, time| to.backup.snapshot_every = time },
        help: "How old the newest snapshot among the copies may be before another is copied",
        more: "The longer, the more events a restore replays",
    },
];
