//! Requests that this program makes of others over HTTP: to receivers of webhooks, to a points
//! service. One small client for all of them: HTTP/1.1, TLS by rustls, no redirects, and a bound on
//! everything that the other side decides: how long it takes, how much it answers, and which
//! address its name stands for.
//!
//! Shared by all that calls others; each makes a [`Client`] of its own, so that nobody waits for
//! another's look-ups.

mod client;
mod endpoint;
mod guard;
mod resolve;
#[cfg(test)]
mod tests;
mod tls;

#[cfg(feature = "server")]
use hyper::header::{HeaderMap, HeaderValue};
#[cfg(feature = "server")]
use tracing::Span;

#[cfg(feature = "server")]
use crate::base::spans;

#[allow(unused_imports, reason = "whoever names an answer's type")]
pub(crate) use client::{Client, Limits, Opened, Response, SendError, Sent};
pub(crate) use endpoint::Endpoint;
pub(crate) use guard::Guard;
pub(crate) use tls::Trust;

/// Has whoever is asked with these headers join the trace of `span`.
#[cfg(feature = "server")]
pub(crate) fn pass_on(span: &Span, headers: &mut HeaderMap) {
    for (name, value) in spans::passed_on(span) {
        // Whatever was taken as such a header can stand in one.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
