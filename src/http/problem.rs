//! Failures as RFC 9457 has them, for whoever asks for that.

use serde::Serialize;

use super::error::ApiError;

pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// A failure: what the RFC names, and everything that the envelope of the mall has.
#[derive(Debug, Serialize)]
pub(super) struct Problem<'a, E> {
    /// A name for the code, which nobody can look up.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every failure with this code.
    title: &'static str,
    status: u16,
    /// What was wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// What the request is called, as in the answer's header.
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(flatten)]
    envelope: E,
}

impl<'a, E: Serialize> Problem<'a, E> {
    pub(super) fn of(error: &'a ApiError, request_id: &'a str, envelope: E) -> Self {
        let row = error.code.row();
        Self {
            kind: format!("urn:stockhold:problem:{}", row.name),
            title: row.message,
            status: row.status.as_u16(),
            detail: error.detail.as_deref(),
            request_id,
            envelope,
        }
    }
}
