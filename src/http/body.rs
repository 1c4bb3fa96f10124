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
use crate::mall::{Violation, member};

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
        let bytes = collect(call, self.body, call.app.limits.body_bytes).await?;
        call.count_write(bytes.len())?;
        Ok((format.decode_object(&bytes)?, key.map(|key| key.with_body(&bytes))))
    }
}

/// A body that is an object with a list of lines, each of which is done on its own.
pub(super) struct Lines;

/// How much longer a body of lines may be than another.
pub(super) const LINES_BODIES: usize = 8;

impl Sent<Lines> {
    /// The lines, each as it was sent, and the request's `Idempotency-Key`.
    pub(super) async fn read_lines<Who: Known, const N: usize>(
        self,
        call: &Call<'_, Who, N>,
        lines_max: usize,
    ) -> Result<(Vec<Value>, Option<IdempotencyKey>), ApiError> {
        let (key, format) = (call.idempotency_key()?, format(call.headers())?);
        let bytes_max = call.app.limits.body_bytes.saturating_mul(LINES_BODIES);
        let bytes = collect(call, self.body, bytes_max).await?;
        let mut members = format.decode_object(&bytes)?;
        let lines = match members.remove("lines") {
            Some(Value::Array(lines)) => lines,
            Some(_) => return Err(Violation::new("$.lines", "it must be a list").into()),
            None => return Err(Violation::new("$.lines", "it must be there").into()),
        };
        if let Some(name) = members.keys().next() {
            return Err(Violation::new(member("$", name), "there is no such field").into());
        }
        if !(1..=lines_max).contains(&lines.len()) {
            let why = format!("it must have 1 to {lines_max} lines");
            return Err(Violation::new("$.lines", why).into());
        }
        call.count_writes(bytes.len(), lines.len())?;
        Ok((lines, key))
    }
}

impl<T: DeserializeOwned> Sent<T> {
    /// The body, and the request's `Idempotency-Key`, which tells retries apart by the bytes of the
    /// body: a price that changed between two tries makes no conflict.
    pub(super) async fn read<Who: Known, const N: usize>(
        self,
        call: &Call<'_, Who, N>,
    ) -> Result<(T, Option<IdempotencyKey>), ApiError> {
        self.read_within(call, call.app.limits.body_bytes).await
    }

    /// As [`Sent::read`], of a body that may be longer than others, or as long.
    pub(super) async fn read_within<Who: Known, const N: usize>(
        self,
        call: &Call<'_, Who, N>,
        bytes_max: usize,
    ) -> Result<(T, Option<IdempotencyKey>), ApiError> {
        let (key, format) = (call.idempotency_key()?, format(call.headers())?);
        let bytes_max = bytes_max.max(call.app.limits.body_bytes);
        let bytes = collect(call, self.body, bytes_max).await?;
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
    let bytes = collect(call, body, call.app.limits.body_bytes).await?;
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

pub(super) async fn collect<Who, const N: usize>(
    call: &Call<'_, Who, N>,
    body: Incoming,
    bytes_max: usize,
) -> Result<Bytes, ApiError> {
    let limits = &call.app.limits;
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(ApiError::new(Code::PayloadTooLarge));
    }
    // What may come counts before it does.
    let most = body.size_hint().upper().map_or(bytes_max, |upper| upper as usize);
    let _charge = call.charge(most)?;
    let reading = Limited::new(body, bytes_max).collect();
    match call.app.running.within(limits.body_timeout, reading).await {
        Some(Ok(collected)) => Ok(collected.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            Err(ApiError::new(Code::PayloadTooLarge))
        }
        Some(Err(_)) => Err(ApiError::invalid("the body broke off")),
        None => Err(ApiError::new(Code::RequestTimeout)),
    }
}
