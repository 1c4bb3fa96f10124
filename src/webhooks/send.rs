//! One attempt to deliver one message.

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, StatusCode};

use super::letter::Letter;
use super::outbox::Outcome;
use super::profile::Profile;
use crate::base::{TimeMs, spans};
use crate::outgoing::{self, Client, SendError, Sent};

const AGENT: &str = concat!("stockhold/", env!("CARGO_PKG_VERSION"));

/// Sends a message, signed as of `now`. Whatever is answered with 2xx is delivered, however long the
/// answer is; nothing else is, and no redirect is followed.
pub(super) async fn attempt(
    client: &Client,
    profile: &Profile,
    letter: &Letter,
    now: TimeMs,
) -> Outcome {
    let mut sent = match sent(profile, letter, now) {
        Ok(sent) => sent,
        Err(error) => return failed(SendError::Unwritable(error.into())),
    };
    let span = spans::call("webhook.deliver");
    outgoing::pass_on(&span, &mut sent.headers);
    let came = client.send(&profile.url, sent).await;
    spans::told(&span, came.as_ref().map(|it| it.status.as_u16()).map_err(SendError::name));
    let response = match came {
        Ok(response) => response,
        Err(error) => return failed(error),
    };
    match response.status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::GONE => Outcome::Gone,
        status => Outcome::Failed {
            error: format!("status {}", status.as_u16()),
            retry_after_ms: retry_after_ms(&response.headers),
        },
    }
}

fn sent(
    profile: &Profile,
    letter: &Letter,
    now: TimeMs,
) -> Result<Sent, hyper::header::InvalidHeaderValue> {
    let timestamp_s = now / 1000;
    let signature = profile.sign(&letter.id, timestamp_s, letter.body.as_bytes(), now);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert("webhook-id", HeaderValue::from_str(&letter.id)?);
    headers.insert("webhook-timestamp", timestamp_s.into());
    headers.insert("webhook-signature", HeaderValue::from_str(&signature)?);
    Ok(Sent { method: Method::POST, headers, body: Bytes::from(letter.body.clone()) })
}

fn failed(error: SendError) -> Outcome {
    Outcome::Failed { error: format!("{}: {error}", error.name()), retry_after_ms: None }
}

/// Seconds alone: a date is that of another clock.
fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.saturating_mul(1000))
}
