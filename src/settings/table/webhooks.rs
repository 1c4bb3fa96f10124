//! Receivers elsewhere.

use super::DAY_MS;
use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "webhook_private_hosts",
        value: "HOSTS",
        default: Unset("none"),
        takes: Takes::Text {
            form: "names or addresses of hosts, with commas between them",
            set: |to, text| {
                let hosts = text.split(',').map(str::trim);
                to.webhooks.settings.private_hosts = hosts.map(str::to_owned).collect();
                let is_host = |host: &String| !host.is_empty() && !host.contains(['/', ' ', '@']);
                to.webhooks.settings.private_hosts.iter().all(is_host).then_some(())
            },
        },
        help: "Hosts of receivers of webhooks that may be at private addresses, and without TLS",
        more: "As URLs name them; every other host must be at a public address",
    },
    Setting {
        name: "webhook_ca",
        value: "FILE",
        default: Unset("public certificates alone"),
        takes: Takes::Path { set: |to, path| to.webhooks.ca = Some(path) },
        help: "Certificates (PEM) that vouch for receivers of webhooks, besides the public ones",
        more: "",
    },
    Setting {
        name: "webhook_timeout",
        value: "TIME",
        default: Is("15s"),
        takes: Takes::Time { ms: 10..=60_000, set: |to, time| to.webhooks.settings.timeout = time },
        help: "How long a receiver of webhooks may take to answer",
        more: "",
    },
    Setting {
        name: "webhook_retry_for",
        value: "TIME",
        default: Is("3d"),
        takes: Takes::Time {
            ms: 1_000..=30 * DAY_MS,
            set: |to, time| to.webhooks.settings.retry_for = time,
        },
        help: "For how long a webhook is tried before it is given up",
        more: "See [webhooks.md](webhooks.md)",
    },
    Setting {
        name: "webhook_backlog_max",
        value: "BYTES",
        default: Is("1073741824"),
        takes: Takes::Bytes { set: |to, bytes| to.webhooks.settings.backlog_bytes_max = bytes },
        help: "How many bytes of the journal to keep for receivers of webhooks that are behind",
        more: "Beyond that they go on from the archive",
    },
];
