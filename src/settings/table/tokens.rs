//! Whose tokens are good.

use super::{DAY_MS, MINUTE_MS};
use crate::http::SECRET_BYTES_MIN;
use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "auth_secret",
        value: "SECRET",
        default: Unset("none"),
        takes: Takes::Secret {
            form: "at least 32 bytes",
            flag: false,
            set: |to, text| {
                (text.len() >= SECRET_BYTES_MIN).then(|| to.auth_secret = Some(text.into()))
            },
        },
        help: "What signs and verifies tokens that name no key",
        more: "Without it and without keys, `serve` does not start, but for `--demo`",
    },
    Setting {
        name: "auth_keys",
        value: "FILE",
        default: Unset("none"),
        takes: Takes::Path { set: |to, path| to.auth_keys = Some(path) },
        help: "A JSON Web Key Set with the keys that tokens name by kid: secrets and public keys",
        more: "Read again when it changes, and on SIGHUP. See [Keys of tokens](#keys-of-tokens)",
    },
    Setting {
        name: "auth_keys_url",
        value: "URL",
        default: Unset("none"),
        takes: Takes::Text {
            form: "a URL",
            set: |to, text| {
                to.auth_keys_url.url = text.to_owned();
                Some(())
            },
        },
        help: "Where such keys are published, but for secrets",
        more: "Those of the file go first. See [Keys of tokens](#keys-of-tokens)",
    },
    Setting {
        name: "auth_keys_http_host",
        value: "HOST",
        default: Unset("none"),
        takes: Takes::Text {
            form: "a host",
            set: |to, text| {
                let is_host = !text.is_empty() && !text.contains(['/', ' ', '@']);
                is_host.then(|| to.auth_keys_url.http_host = Some(text.to_owned()))
            },
        },
        help: "The host that they may come from without TLS",
        more: "As the URL names it. Whoever is on the way to it can be anybody",
    },
    Setting {
        name: "auth_keys_refresh",
        value: "TIME",
        default: Is("10m"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.auth_keys_url.every = time },
        help: "How often to fetch the keys that are published",
        more: "",
    },
    Setting {
        name: "auth_keys_pause",
        value: "TIME",
        default: Is("30s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.auth_keys_url.pause = time },
        help: "How long at least until they are fetched again",
        more: "Also when a token names a key that is not there, and when they could not be fetched",
    },
    Setting {
        name: "auth_issuer",
        value: "NAME",
        default: Unset("any"),
        takes: Takes::Text {
            form: "a name",
            set: |to, text| (!text.is_empty()).then(|| to.auth_issuer = Some(text.to_owned())),
        },
        help: "Who must have made a token: its iss",
        more: "Without it `iss` is not looked at",
    },
    Setting {
        name: "auth_audience",
        value: "NAME",
        default: Unset("any"),
        takes: Takes::Text {
            form: "a name",
            set: |to, text| (!text.is_empty()).then(|| to.auth_audience = Some(text.to_owned())),
        },
        help: "Whom a token must be for: its aud, or one of them",
        more: "Without it `aud` is not looked at",
    },
    Setting {
        name: "token_leeway",
        value: "TIME",
        default: Is("5s"),
        // More would keep a token alive that somebody meant to end.
        takes: Takes::Time { ms: 0..=5 * MINUTE_MS, set: |to, time| to.token_leeway = time },
        help: "By how much the clocks of those who make tokens may differ from ours",
        more: "",
    },
];
