//! Bodies, which handlers read within a size and a time. A handler's signature says which it takes.

use std::marker::PhantomData;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use hyper::{HeaderMap, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::call::{Call, Known};
use super::error::{ApiError, Code};
use super::format::Format;
use crate::base::IdempotencyKey;
use crate::base::error::Result;

/// A body that is a `T`.
pub(super) struct Sent<T> {
    body: Incoming,
    sent: PhantomData<fn() -> T>,
}

/// A body that says nothing: there is none, or one without fields.
pub(super) struct Empty(Incoming);

/// A body that may be left out: then it is a `T` that says nothing. What it says is how the request is
/// met, and not what it asks for, so it does not tell retries apart.
pub(super) struct Optional<T> {
    body: Incoming,
    sent: PhantomData<fn() -> T>,
}

/// One without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl<T> Sent<T> {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, sent: PhantomData }
    }
}

/// A body that is an object whose members are looked at one by one.
pub(super) struct Object;

impl Sent<Object> {
    /// The members, each name once and each number as it was sent, and the request's
    /// `Idempotency-Key`. What is sent to PATCH may be called a merge patch.
    pub(super) async fn read_object<Who: Known, const N: usize>(
        self,
        call: &Call<'_, Who, N>,
    ) -> Result<(Map<String, Value>, Option<IdempotencyKey>), ApiError> {
        let key = call.idempotency_key()?;
        check_encoding(call.headers())?;
        let format = match Format::of_merge_patch(call.headers()) {
            Some(format) if *call.method() == Method::PATCH => format,
            Some(_) | None => Format::of_body(call.headers())?,
        };
        let bytes = collect(call, self.body).await?;
        call.count_write(bytes.len())?;
        Ok((format.decode_object(&bytes)?, key.map(|key| key.with_body(&bytes))))
    }
}

impl<T: DeserializeOwned> Sent<T> {
    /// The body, and the request's `Idempotency-Key`, which tells retries apart by the bytes of the
    /// body: a price that changed between two tries makes no conflict.
    pub(super) async fn read<Who: Known, const N: usize>(
        self,
        call: &Call<'_, Who, N>,
    ) -> Result<(T, Option<IdempotencyKey>), ApiError> {
        let (key, format) = (call.idempotency_key()?, format(call.headers())?);
        let bytes = collect(call, self.body).await?;
        call.count_write(bytes.len())?;
        Ok((format.decode(&bytes)?, key.map(|key| key.with_body(&bytes))))
    }
}

impl<T: DeserializeOwned + Default> Optional<T> {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, sent: PhantomData }
    }

    /// The body, and the request's `Idempotency-Key`.
    pub(super) async fn read_keyed<Who: Known, const N: usize>(
        self,
        call: &Call<'_, Who, N>,
    ) -> Result<(T, Option<IdempotencyKey>), ApiError> {
        let key = call.idempotency_key()?;
        let said = read_optional(call, self.body).await?;
        call.count_write(0)?;
        Ok((said.unwrap_or_default(), key))
    }
}

impl Empty {
    pub(super) fn new(body: Incoming) -> Self {
        Self(body)
    }

    /// Makes sure that it says nothing.
    pub(super) async fn read<Who, const N: usize>(
        self,
        call: &Call<'_, Who, N>,
    ) -> Result<(), ApiError> {
        read_optional::<Nothing, _, N>(call, self.0).await.map(drop)
    }

    /// As [`Empty::read`], for a request that may write something; with its `Idempotency-Key`.
    pub(super) async fn read_keyed<Who: Known, const N: usize>(
        self,
        call: &Call<'_, Who, N>,
    ) -> Result<Option<IdempotencyKey>, ApiError> {
        let key = call.idempotency_key()?;
        self.read(call).await?;
        call.count_write(0)?;
        Ok(key)
    }
}

/// What a body says; `None` where there is none.
async fn read_optional<T: DeserializeOwned, Who, const N: usize>(
    call: &Call<'_, Who, N>,
    body: Incoming,
) -> Result<Option<T>, ApiError> {
    if body.is_end_stream() {
        return Ok(None);
    }
    let format = format(call.headers())?;
    let bytes = collect(call, body).await?;
    if bytes.is_empty() { Ok(None) } else { format.decode(&bytes).map(Some) }
}

fn format(headers: &HeaderMap) -> Result<Format, ApiError> {
    check_encoding(headers)?;
    Format::of_body(headers)
}

fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        return Err(ApiError::new(Code::UnsupportedMediaType).detail("a body is sent as it is"));
    }
    Ok(())
}

async fn collect<Who, const N: usize>(
    call: &Call<'_, Who, N>,
    body: Incoming,
) -> Result<Bytes, ApiError> {
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
