//! TLS towards clients.

use crate::settings::setting::Fallback::Unset;
use crate::settings::setting::{Setting, Takes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "tls_certificate",
        value: "FILE",
        default: Unset("none"),
        takes: Takes::Path { set: |to, path| to.tls.certificate = Some(path) },
        help: "The certificate of places in listen that begin with tls:, and those that vouch for it, in PEM",
        more: "Read again when it changes, and on SIGHUP. See [TLS](#tls)",
    },
    Setting {
        name: "tls_key",
        value: "FILE",
        default: Unset("none"),
        takes: Takes::Path { set: |to, path| to.tls.key = Some(path) },
        help: "Its private key, in PEM",
        more: "Nobody but the server should be able to read it",
    },
    Setting {
        name: "tls_operators_ca",
        value: "FILE",
        default: Unset("none"),
        takes: Takes::Path { set: |to, path| to.tls.operators_ca = Some(path) },
        help: "Whose certificates operators must have at a listener for operators, besides a token, in PEM",
        more: "See [TLS](#tls)",
    },
];
