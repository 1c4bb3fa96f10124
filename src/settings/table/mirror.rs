//! The reporting tables in MySQL.

use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};
use crate::sink::BacklogPolicy;

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "mirror_url",
        value: "URL",
        default: Unset("no mirror"),
        takes: Takes::Secret {
            form: "`mysql://USER:PASSWORD@HOST:PORT/DATABASE`",
            flag: true,
            set: |to, text| {
                to.mirror.url = Some(text.into());
                Some(())
            },
        },
        help: "The database of the mirror, as mysql://USER:PASSWORD@HOST:PORT/DATABASE; other users of the machine can read \
               flags, so a password is better set in the environment or the file",
        more: "What a URL cannot hold is escaped with `%`; or `?socket=/path`",
    },
    Setting {
        name: "mirror_ca",
        value: "FILE",
        default: Unset("public certificates"),
        takes: Takes::Path { set: |to, path| to.mirror.ca = Some(path) },
        help: "Certificates (PEM), one of which must have signed that of the mirror's server; encrypts the connection",
        more: "",
    },
    Setting {
        name: "mirror_prefix",
        value: "PREFIX",
        default: Unset("nothing, or stockhold_ where an application has tables of those names"),
        takes: Takes::Text {
            form: "a prefix, or `none`",
            set: |to, text| {
                to.mirror.prefix = Some(text.to_owned());
                Some(())
            },
        },
        help: "What the names of the mirror's tables begin with; `none` for nothing",
        more: "See [below](#a-database-of-an-application)",
    },
    Setting {
        name: "mirror_migrate",
        value: "",
        default: Is("true"),
        takes: Takes::Yes { set: |to, migrate| to.mirror.migrate = migrate },
        help: "Leave the mirror's tables as they are; they must be up to date then",
        more: "",
    },
    Setting {
        name: "mirror_backlog_max",
        value: "BYTES",
        // Some 150 million events.
        default: Is("17179869184"),
        takes: Takes::Bytes { set: |to, bytes| to.mirror.backlog.bytes_max = bytes },
        help: "How many bytes of the journal to keep for a mirror that is behind",
        more: "",
    },
    Setting {
        name: "mirror_backlog_policy",
        value: "POLICY",
        default: Is("drop"),
        takes: Takes::Choice {
            of: &[
                ("keep", |to| to.mirror.backlog.policy = BacklogPolicy::Keep),
                ("drop", |to| to.mirror.backlog.policy = BacklogPolicy::Drop),
            ],
        },
        help: "What to do when that is not enough: keep or drop",
        more: "See below",
    },
];
