//! Calls of the service, one request each.

use std::fmt;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::base::spans;
use crate::mall::elsewhere::{Answering, PointsService, Take, TakeRecord, Trouble};
use crate::mall::facts::GivingBack;
use crate::outgoing::{self, Endpoint, Guard, Limits, Response, SendError, Sent, Trust};

/// How many takes a page of the service's book has.
const TAKES_PAGE: usize = 500;
/// More than such a page takes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How much of an error is told.
const WHY_CHARS_MAX: usize = 200;

/// Where the service is, and how it is called.
#[derive(Clone, Debug)]
pub(crate) struct ServiceConfig {
    /// What the paths of the protocol follow.
    pub(crate) url: String,
    pub(crate) secret: Option<SecretString>,
    /// How long a call may take.
    pub(crate) timeout: Duration,
}

/// A points service over HTTP.
pub(crate) struct Client {
    http: outgoing::Client,
    base: String,
    headers: HeaderMap,
}

/// Why the service does not do something.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BalanceWire {
    balance: u64,
}

#[derive(Deserialize)]
struct TakesWire {
    takes: Vec<TakeRecord>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The headers hold the secret.
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Client {
    /// # Errors
    /// `Invalid` when the URL or the secret cannot be used.
    pub(crate) fn new(config: &ServiceConfig) -> Result<Self> {
        let ServiceConfig { url, secret, timeout } = config;
        let base = url.trim_end_matches('/').to_owned();
        let endpoint = Endpoint::parse(&base)?;
        if base.contains('?') {
            return Err(Error::invalid("the URL of the points service must have no query"));
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(secret) = secret {
            let bearer = format!("Bearer {}", secret.expose_secret());
            let mut bearer = HeaderValue::from_str(&bearer)
                .map_err(|_| Error::invalid("the points service's secret is no header"))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        // The operator names it, wherever it is.
        let guard = Guard::new([endpoint.host().to_owned()]);
        let limits =
            Limits { connect_timeout: *timeout, timeout: *timeout, body_bytes_max: BODY_BYTES_MAX };
        Ok(Self { http: outgoing::Client::new(guard, Trust::new(None)?, limits), base, headers })
    }

    /// Takes as they stand at the service, in the order of their keys after `after`: a page. The last
    /// is empty.
    ///
    /// # Errors
    /// Why there is no such answer.
    pub(crate) async fn takes(&self, after: &str) -> Result<Vec<TakeRecord>, Trouble> {
        let path = format!("/takes?after={}&limit={TAKES_PAGE}", escaped(after));
        Ok(self.call::<TakesWire>("points.takes", Method::GET, &path, Bytes::new()).await?.takes)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        name: &'static str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Trouble> {
        let body = serde_json::to_vec(body).map_err(|cause| Trouble::Refused(cause.to_string()))?;
        self.call(name, Method::POST, path, body.into()).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        name: &'static str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, Trouble> {
        read(&self.send(name, method, path, body).await?)
    }

    /// Sends a request that traces know by this name.
    async fn send(
        &self,
        name: &'static str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response, Trouble> {
        let to = Endpoint::parse(&format!("{}{path}", self.base))
            .map_err(|error| Trouble::Refused(error.to_string()))?;
        let span = spans::call(name);
        let mut headers = self.headers.clone();
        outgoing::pass_on(&span, &mut headers);
        let sent = Sent { method, headers, body };
        let came = self.http.send(&to, sent).await;
        spans::told(&span, came.as_ref().map(|it| it.status.as_u16()).map_err(SendError::name));
        came.map_err(|error| Trouble::Lost(error.to_string()))
    }
}

impl PointsService for Client {
    fn take<'a>(&'a self, take: &'a Take) -> Answering<'a, TakeRecord> {
        Box::pin(async move {
            let record = self.post("points.take", "/takes", take).await?;
            about(&take.key, record)
        })
    }

    fn look<'a>(&'a self, key: &'a str) -> Answering<'a, Option<TakeRecord>> {
        Box::pin(async move {
            let path = format!("/takes/{}", escaped(key));
            let response = self.send("points.look", Method::GET, &path, Bytes::new()).await?;
            // A proxy's 404 says nothing of a take.
            if response.status == StatusCode::NOT_FOUND
                && refusal(&response).is_some_and(|it| it.error == "unknown_take")
            {
                return Ok(None);
            }
            about(key, read(&response)?).map(Some)
        })
    }

    fn give_back<'a>(&'a self, back: &'a GivingBack) -> Answering<'a, TakeRecord> {
        Box::pin(async move {
            let record = self.post("points.give_back", "/returns", back).await?;
            about(&back.take, record)
        })
    }

    fn balance<'a>(&'a self, user_id: &'a str) -> Answering<'a, u64> {
        Box::pin(async move {
            let path = format!("/users/{}/balance", escaped(user_id));
            let told: BalanceWire =
                self.call("points.balance", Method::GET, &path, Bytes::new()).await?;
            Ok(told.balance)
        })
    }
}

/// The record, if it is about this take.
fn about(key: &str, record: TakeRecord) -> Result<TakeRecord, Trouble> {
    match record.key == key {
        true => Ok(record),
        false => Err(Trouble::Lost("the answer is about another take".to_owned())),
    }
}

/// What an answer says. What may have come from anybody on the way, or passes by itself, leaves
/// open what became of the call.
fn read<T: DeserializeOwned>(response: &Response) -> Result<T, Trouble> {
    let status = response.status;
    if status == StatusCode::OK && !response.is_cut {
        let read = serde_json::from_slice(&response.body);
        return read.map_err(|cause| Trouble::Lost(format!("it cannot be read: {cause}")));
    }
    let passes = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
    );
    match refusal(response) {
        Some(it) if status.is_client_error() && !passes => {
            let why = format!("{status}, {}: {}", it.error, it.message);
            Err(Trouble::Refused(why.chars().take(WHY_CHARS_MAX).collect()))
        }
        _ => Err(Trouble::Lost(format!("it says {status}"))),
    }
}

fn refusal(response: &Response) -> Option<Refusal> {
    let is_whole = !response.is_cut;
    is_whole.then(|| serde_json::from_slice(&response.body).ok()).flatten()
}

/// A segment of a path, or a value of a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
