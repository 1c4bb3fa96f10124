//! Reading bodies, within a size and a time.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::auth::Identity;
use super::call::Call;
use super::error::{ApiError, Code};
use super::format::Format;
use crate::base::IdempotencyKey;
use crate::base::error::Result;

/// For requests that need no body: none, or one without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The body as a `T`, and the request's `Idempotency-Key`, which tells retries apart by the bytes
/// of the body: a price that changed between two tries makes no conflict.
pub(super) async fn read_keyed<T: DeserializeOwned>(
    call: &Call<'_>,
    identity: &Identity,
    body: Incoming,
) -> Result<(T, Option<IdempotencyKey>), ApiError> {
    let (key, format) = (call.idempotency_key(identity)?, format(call)?);
    let bytes = collect(call, body).await?;
    call.count_write(identity, bytes.len())?;
    Ok((format.decode(&bytes)?, key.map(|key| key.with_body(&bytes))))
}

/// Reads a body that must say nothing.
pub(super) async fn read_nothing(call: &Call<'_>, body: Incoming) -> Result<(), ApiError> {
    if body.is_end_stream() {
        return Ok(());
    }
    let format = format(call)?;
    let bytes = collect(call, body).await?;
    if bytes.is_empty() { Ok(()) } else { format.decode::<Nothing>(&bytes).map(|_| ()) }
}

fn format(call: &Call<'_>) -> Result<Format, ApiError> {
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !call.headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        return Err(ApiError::new(Code::UnsupportedMediaType).detail("a body is sent as it is"));
    }
    Format::of_body(call.headers)
}

async fn collect(call: &Call<'_>, body: Incoming) -> Result<Bytes, ApiError> {
    let limits = &call.app.limits;
    if body.size_hint().lower() > limits.body_bytes as u64 {
        return Err(ApiError::new(Code::PayloadTooLarge));
    }
    // What may come counts before it does.
    let most = body.size_hint().upper().map_or(limits.body_bytes, |upper| upper as usize);
    let _charge = call.charge(most)?;
    let reading = Limited::new(body, limits.body_bytes).collect();
    match call.app.running.within(limits.body_timeout, reading).await {
        Some(Ok(collected)) => Ok(collected.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            Err(ApiError::new(Code::PayloadTooLarge))
        }
        Some(Err(_)) => Err(ApiError::invalid("the body broke off")),
        None => Err(ApiError::new(Code::RequestTimeout)),
    }
}
