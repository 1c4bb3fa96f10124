//! Spans as a collector reads them, for tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;

/// A span as a collector of traces gets it. Numbers are in hexadecimal; `parent` is empty for the first
/// span of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanTold {
    /// The trace.
    pub trace: String,
    /// The span.
    pub id: String,
    /// The span that it is a step of.
    pub parent: String,
    /// What was done.
    pub name: String,
    /// Whether it is told as failed.
    pub is_failed: bool,
    /// What else is known of it.
    pub attributes: BTreeMap<String, String>,
}

/// The spans of a request of OTLP, with the name of the service; `None` when it is none.
pub fn decode_spans(body: &[u8]) -> Option<(String, Vec<SpanTold>)> {
    let request = ExportTraceServiceRequest::decode(body).ok()?;
    let resource = request.resource_spans.first()?.resource.clone()?;
    let service = attributes(resource.attributes).remove("service.name")?;
    let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
    Some((service, scopes.flat_map(|scope| scope.spans).map(told).collect()))
}

fn told(span: Span) -> SpanTold {
    SpanTold {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        is_failed: span.status.is_some_and(|status| status.code == StatusCode::Error as i32),
        attributes: attributes(span.attributes),
    }
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value| match value {
        Value::StringValue(text) => text,
        other => format!("{other:?}"),
    };
    let pair = |it: KeyValue| Some((it.key, text(it.value?.value?)));
    pairs.into_iter().filter_map(pair).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
