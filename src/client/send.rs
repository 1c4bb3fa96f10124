//! One call: its tries, and what comes between them.

use std::borrow::Cow;
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, timeout_at};

use super::error::{ClientError, Refusal};
use super::pack::{MESSAGEPACK, packed, unpacked};
use super::{Client, RequestKey};
use crate::base::error::{Error, Result};
use crate::outgoing::{Endpoint, Response, Sent};

/// How long is waited before the second try at most, and before any.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Codes with which a server says that the same request may succeed later, or that it does not know
/// what became of it.
const PASSING: [&str; 8] = [
    "OVERLOADED",
    "DISK_STALLED",
    "OUTCOME_UNKNOWN",
    "UNAVAILABLE",
    "INTERNAL",
    "REQUEST_TIMEOUT",
    "TOO_MANY_KEYS",
    "RATE_LIMITED",
];

/// A call.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
    /// Of one that changes something.
    pub(super) key: Option<&'a RequestKey>,
}

/// The envelope of every answer.
#[derive(Deserialize)]
struct Envelope<'a> {
    success: bool,
    code: String,
    message: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// What a try came to.
enum Told<T> {
    Done(T),
    Refused(Refusal),
}

pub(super) fn bearer(token: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Error::invalid("the token cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn random_u64() -> Result<u64> {
    getrandom::u64()
        .map_err(|cause| Error::unavailable(format!("the system has no random numbers: {cause}")))
}

/// Pauses that grow, each of a random length: clients that failed together do not come together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let most = PAUSE_FIRST.saturating_mul(1 << self.tries.min(16)).min(PAUSE_MAX);
        self.tries += 1;
        let most_us = u64::try_from(most.as_micros()).unwrap_or(u64::MAX).max(1);
        // Without random numbers the longest pause is a good one.
        let random = random_u64().unwrap_or(u64::MAX);
        Duration::from_micros(random % most_us)
    }

    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

impl Client {
    pub(super) fn endpoint(&self, path: &str) -> Result<Endpoint> {
        Endpoint::parse(&format!("{}{path}", self.url))
    }

    pub(super) fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer(&self.token)?);
        headers.insert(ACCEPT, HeaderValue::from_static(self.media_type()));
        Ok(headers)
    }

    fn media_type(&self) -> &'static str {
        if self.packs { MESSAGEPACK } else { "application/json" }
    }

    /// Asks until there is an answer, within the deadline.
    pub(super) async fn ask<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, ClientError> {
        let (deadline, endpoint) = (Instant::now() + self.deadline, self.endpoint(&ask.path)?);
        let mut headers = self.headers()?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type()));
        if let Some(key) = ask.key {
            let key = HeaderValue::try_from(key.as_str());
            headers.insert(
                IDEMPOTENCY_KEY,
                key.map_err(|_| Error::invalid("the key of the request cannot be sent"))?,
            );
        }
        let body = match self.packs && !ask.body.is_empty() {
            true => packed(&ask.body).map_err(Error::invalid)?,
            false => ask.body,
        };
        let (body, mut backoff) = (Bytes::from(body), Backoff::default());
        let mut last = "there was no time for a try".to_owned();
        loop {
            let sent =
                Sent { method: ask.method.clone(), headers: headers.clone(), body: body.clone() };
            let tried = timeout_at(deadline, self.http.send(&endpoint, sent)).await;
            let mut wait = Duration::ZERO;
            last = match tried {
                Err(_) => return Err(ClientError::Deadline(last)),
                Ok(Err(error)) => error.to_string(),
                Ok(Ok(response)) if response.is_cut => "the answer broke off".to_owned(),
                Ok(Ok(response)) => match read(&response) {
                    Ok(Told::Done(data)) => return Ok(data),
                    Ok(Told::Refused(refusal)) if refusal.may_pass() => {
                        wait = retry_after(&response);
                        ClientError::Refused(refusal).to_string()
                    }
                    Ok(Told::Refused(refusal)) => return Err(ClientError::Refused(refusal)),
                    // Who stands between says so in words of its own.
                    Err(what) if response.status.is_server_error() => what,
                    Err(what) => return Err(ClientError::Unreadable(what)),
                },
            };
            let pause = backoff.next().max(wait);
            if Instant::now() + pause >= deadline {
                return Err(ClientError::Deadline(last));
            }
            sleep(pause).await;
        }
    }
}

impl Refusal {
    /// Whether the same request may succeed later, or its outcome is not known.
    pub(super) fn may_pass(&self) -> bool {
        PASSING.contains(&self.code.as_str())
    }

    /// What an answer's body says; `None` when it says nothing of the kind.
    pub(super) fn read(status: u16, body: &[u8]) -> Option<Self> {
        let envelope: Envelope<'_> = serde_json::from_slice(body).ok()?;
        (!envelope.success).then(|| {
            let found = envelope.data.and_then(|data| serde_json::from_str(data.get()).ok());
            Self { status, code: envelope.code, message: envelope.message, found }
        })
    }
}

fn read<T: DeserializeOwned>(response: &Response) -> Result<Told<T>, String> {
    let status = response.status.as_u16();
    let media_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Who stands between answers in a format of its own.
    let body = match media_type.is_some_and(|it| it.starts_with(MESSAGEPACK)) {
        true => {
            Cow::Owned(unpacked(&response.body).map_err(|why| format!("status {status}: {why}"))?)
        }
        false => Cow::Borrowed(&*response.body),
    };
    if let Some(refusal) = Refusal::read(status, &body) {
        return Ok(Told::Refused(refusal));
    }
    let envelope: Envelope<'_> =
        serde_json::from_slice(&body).map_err(|error| format!("status {status}: {error}"))?;
    let data = envelope.data.map_or("null", RawValue::get);
    serde_json::from_str(data).map(Told::Done).map_err(|error| error.to_string())
}

fn retry_after(response: &Response) -> Duration {
    let seconds =
        response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_a_bound() {
        let mut backoff = Backoff::default();
        let mut longest = Duration::ZERO;
        for tries in 0..100_u32 {
            let pause = backoff.next();
            let most = PAUSE_FIRST.saturating_mul(1 << tries.min(16)).min(PAUSE_MAX);
            assert!(pause <= most, "{tries}: {pause:?}");
            longest = longest.max(pause);
        }
        assert!(longest > PAUSE_FIRST, "they grow: {longest:?}");
    }

    #[test]
    fn a_refusal_is_read_with_what_was_found() {
        let body = br#"{"success":false,"code":"INSUFFICIENT_UNITS","message":"x",
            "data":{"line":1,"account":7,"available":2,"nextReleaseAt":null},"timestamp":1}"#;
        let refusal = Refusal::read(409, body).expect("it is one");
        assert!(matches!(
            refusal.found,
            Some(crate::wire::Found::Units(crate::wire::Refused { line: 1, available: 2, .. }))
        ));
        assert!(!refusal.may_pass());
        assert_eq!(Refusal::read(502, b"<html>"), None);
    }
}
