//! The keys of tokens that somebody else publishes, fetched again and again: after a while, and when
//! a token names a key that is not there, but never in quick succession.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

use crate::base::error::{Error, Result};
use crate::http::Auth;
use crate::outgoing::{Client, Endpoint, Guard, Limits, Sent, Trust};
use crate::settings::KeysUrl;

const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(5),
    timeout: Duration::from_secs(10),
    body_bytes_max: 1 << 20,
};

/// Where the keys are.
pub(super) struct KeysAt {
    endpoint: Endpoint,
    client: Client,
    every: Duration,
    /// How long at least between two looks.
    pause: Duration,
}

impl KeysAt {
    /// # Errors
    /// `Invalid` when the URL is none, or is without TLS and its host is not the one that may be.
    pub(super) fn new(set: &KeysUrl) -> Result<Self> {
        let failed = |cause: Error| Error::invalid(format!("auth_keys_url: {cause}"));
        let endpoint = Endpoint::parse(&set.url).map_err(failed)?;
        let host = endpoint.host();
        let is_named = set.http_host.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(host));
        if !endpoint.is_tls() && !is_named {
            return Err(Error::invalid(format!(
                "auth_keys_url: whoever is between here and {host} could make keys of its own: use \
                 https, or name the host in auth_keys_http_host"
            )));
        }
        // Whoever runs the server says where the keys are.
        let guard = Guard::new([host.to_owned()]);
        let client = Client::new(guard, Trust::new(None)?, LIMITS);
        Ok(Self { endpoint, client, every: set.every, pause: set.pause.min(set.every) })
    }

    /// Gives the keys that are there to `auth`; where that fails, those of before stay.
    pub(super) async fn fetch(&self, auth: &Auth) -> bool {
        let fetched = self.get().await.and_then(|keys| auth.replace_published_keys(&keys));
        if let Err(error) = &fetched {
            let url = &self.endpoint;
            tracing::error!(%url, %error, "the published keys of tokens stay as they were");
        }
        fetched.is_ok()
    }

    async fn get(&self) -> Result<Bytes> {
        let mut headers = HeaderMap::new();
        let accepted = HeaderValue::from_static("application/jwk-set+json, application/json");
        headers.insert(ACCEPT, accepted);
        let sent = Sent { method: Method::GET, headers, body: Bytes::new() };
        let answer = self.client.send(&self.endpoint, sent).await;
        let answer = answer.map_err(|cause| Error::unavailable(cause.to_string()))?;
        match answer.status {
            StatusCode::OK if !answer.is_cut => Ok(answer.body),
            StatusCode::OK => Err(Error::unavailable("the answer is too long, or broke off")),
            status => Err(Error::unavailable(format!("the answer is {status}"))),
        }
    }

    /// Fetches again and again, until it is dropped.
    pub(super) async fn follow(self, auth: Arc<Auth>, mut is_fetched: bool) {
        loop {
            tokio::time::sleep(self.pause).await;
            if is_fetched {
                tokio::select! {
                    () = auth.missed_key() => {}
                    () = tokio::time::sleep(self.every.saturating_sub(self.pause)) => {}
                }
            }
            is_fetched = self.fetch(&auth).await;
        }
    }
}
