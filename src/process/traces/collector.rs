//! The collector, and what it says to a batch of spans.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;

use super::headers;
use crate::base::error::Result;
use crate::outgoing::{Client, Endpoint, Guard, Limits, Response, Sent, Trust};
use crate::settings::TracesConfig;

/// What OTLP over HTTP adds to the URL of a collector.
const PATH: &str = "/v1/traces";
const AGENT: &str = concat!("stockhold/", env!("CARGO_PKG_VERSION"));
const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(3),
    timeout: Duration::from_secs(10),
    body_bytes_max: 64 << 10,
};

/// Where spans are sent.
pub(super) struct Collector {
    client: Client,
    to: Endpoint,
    headers: HeaderMap,
    resource: ResourceAttributesWithSchema,
}

/// What a collector says to a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It has it, but for so many spans.
    Has { refused: u64 },
    /// It will never have it.
    No(String),
    /// It might later, not before this.
    Later(String, Option<Duration>),
}

impl Collector {
    pub(super) fn new(config: &TracesConfig, resource: &Resource) -> Result<Self> {
        let to = Endpoint::parse(&format!("{}{PATH}", config.endpoint.trim_end_matches('/')))?;
        let mut headers = match &config.headers_file {
            Some(path) => headers::of_file(path)?,
            None => HeaderMap::new(),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        // The operator names it, wherever it is.
        let guard = Guard::new([to.host().to_owned()]);
        let client = Client::new(guard, Trust::new(None)?, LIMITS);
        Ok(Self { client, to, headers, resource: resource.into() })
    }

    /// Spans as they are sent.
    pub(super) fn written(&self, batch: Vec<SpanData>) -> Bytes {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }

    pub(super) async fn send(&self, body: Bytes) -> Said {
        let sent = Sent { method: Method::POST, headers: self.headers.clone(), body };
        match self.client.send(&self.to, sent).await {
            Ok(response) => said(&response),
            Err(error) => Said::Later(error.to_string(), None),
        }
    }
}

/// As OTLP has it: some failures pass, all others are the sender's.
fn said(response: &Response) -> Said {
    let status = response.status;
    let why = format!("it says {status}");
    match status {
        _ if status.is_success() => {
            // One that says nothing, or nothing that can be read, has all.
            let told = ExportTraceServiceResponse::decode(&*response.body).unwrap_or_default();
            let refused = told.partial_success.map_or(0, |partial| partial.rejected_spans);
            Said::Has { refused: u64::try_from(refused).unwrap_or(0) }
        }
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Said::Later(why, retry_after(&response.headers)),
        _ => Said::No(why),
    }
}

/// Seconds alone: a date is that of another clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
