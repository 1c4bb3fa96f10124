//! Traces, and where they are told.

use crate::outgoing::Endpoint;
use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "otlp_endpoint",
        value: "URL",
        default: Unset("no traces"),
        takes: Takes::Text {
            form: "`http://HOST:PORT` or `https://HOST`, without a query",
            set: |to, text| {
                to.traces.endpoint = Some(text.to_owned());
                (Endpoint::parse(text).is_ok() && !text.contains('?')).then_some(())
            },
        },
        help: "The collector that traces are sent to, by OTLP over HTTP",
        more: "`/v1/traces` is added to it. See [Traces](#traces)",
    },
    Setting {
        name: "otlp_headers_file",
        value: "FILE",
        default: Unset("none"),
        takes: Takes::Path { set: |to, path| to.traces.headers_file = Some(path) },
        help: "A file with a header for the collector in each line, as in Authorization: Bearer SECRET",
        more: "",
    },
    Setting {
        name: "trace_sample",
        value: "PART",
        default: Is("0.01"),
        takes: Takes::Text {
            form: "a number above 0, and 1 at most",
            set: |to, text| {
                to.traces.sample = text.parse().ok()?;
                (to.traces.sample > 0.0 && to.traces.sample <= 1.0).then_some(())
            },
        },
        help: "Which part of the requests is traced that are in no trace yet",
        more: "A `traceparent` that comes with a request decides for it",
    },
];
