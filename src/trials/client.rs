//! One keep-alive connection to the server.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::base::error::{Error, Result};

pub(crate) struct Client {
    address: SocketAddr,
    host: HeaderValue,
    sender: SendRequest<Full<Bytes>>,
}

/// What the client reads of every answer.
#[derive(Deserialize)]
pub(super) struct Answer<T> {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) data: Option<T>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let host = HeaderValue::from_str(&address.to_string()).map_err(|cause| {
            Error::invalid("the server's address is no host").with_source(cause)
        })?;
        Ok(Self { address, host, sender: dial(address).await? })
    }

    /// Sends one request. A failed connection is replaced for the next request, never for the same:
    /// it may have had its effect.
    pub(super) async fn send(
        &mut self,
        method: Method,
        path: &str,
        token: &HeaderValue,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        self.send_keyed(method, path, token, None, body).await
    }

    /// As [`Client::send`], with an `Idempotency-Key` or without.
    pub(super) async fn send_keyed(
        &mut self,
        method: Method,
        path: &str,
        token: &HeaderValue,
        key: Option<&str>,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        if self.sender.is_closed() {
            self.sender = dial(self.address).await?;
        }
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(AUTHORIZATION, token)
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|cause| Error::invalid("a request cannot be written").with_source(cause))?;
        self.sender.ready().await.map_err(lost)?;
        let response = self.sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(lost)?.to_bytes();
        Ok((status, body))
    }

    /// Sends a request that must succeed, and reads its data.
    pub(crate) async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        token: &HeaderValue,
        body: Bytes,
    ) -> Result<T> {
        let (status, body) = self.send(method, path, token, body).await?;
        let answer: Answer<T> = serde_json::from_slice(&body).map_err(|cause| {
            Error::unavailable(format!("{path} answered {status} with something else"))
                .with_source(cause)
        })?;
        let refused = || {
            Error::unavailable(format!(
                "{path} answered {status}: {} {}",
                answer.code, answer.message
            ))
        };
        answer.data.filter(|_| status.is_success()).ok_or_else(refused)
    }
}

async fn dial(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let failed = |cause| Error::io(format!("connecting to {address}"), cause);
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(lost)?;
    // Its failure shows at the next request.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

fn lost(cause: hyper::Error) -> Error {
    Error::unavailable("the connection failed").with_source(cause)
}
