//! One keep-alive connection, and answers that are held to the envelope.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::http::request::Builder;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server that never answers fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    address: SocketAddr,
    token: Option<String>,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub async fn connect(address: SocketAddr, token: Option<String>) -> Self {
        Self { address, token, sender: dial(address).await.expect("the server accepts") }
    }

    /// A client of a server that may be gone.
    pub async fn try_connect(address: SocketAddr, token: Option<String>) -> Option<Self> {
        Some(Self { address, token, sender: dial(address).await.ok()? })
    }

    /// A request from this client, for [`Client::send`].
    pub fn request(&self, method: Method, path: &str) -> Builder {
        let builder =
            Request::builder().method(method).uri(path).header(HOST, self.address.to_string());
        match &self.token {
            Some(token) => builder.header(AUTHORIZATION, format!("Bearer {token}")),
            None => builder,
        }
    }

    pub async fn send(&mut self, request: Builder, body: impl Into<Bytes>) -> Reply {
        self.try_send(request, body).await.expect("the server answers")
    }

    /// As [`Client::send`], from a server that may be gone.
    pub async fn try_send(
        &mut self,
        request: Builder,
        body: impl Into<Bytes>,
    ) -> Result<Reply, String> {
        let request = request.body(Full::new(body.into())).expect("a valid request");
        let exchange = async {
            if self.sender.ready().await.is_err() {
                self.sender = dial(self.address).await?;
            }
            let response =
                self.sender.send_request(request).await.map_err(|error| error.to_string())?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body =
                response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok(Reply { status, headers, body })
        };
        tokio::time::timeout(PATIENCE, exchange).await.expect("an answer in time")
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path), Bytes::new()).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Reply {
        self.send(self.post_request(path), body.to_string()).await
    }

    pub async fn post_keyed(&mut self, path: &str, key: &str, body: Value) -> Reply {
        self.send(self.post_request(path).header("Idempotency-Key", key), body.to_string()).await
    }

    pub fn post_request(&self, path: &str) -> Builder {
        self.request(Method::POST, path).header(CONTENT_TYPE, "application/json")
    }

    /// The points that the client's user can spend.
    pub async fn balance(&mut self) -> i64 {
        self.get("/api/points/balance").await.data()["balance"].as_i64().expect("a number")
    }

    /// The units of a product that can be bought.
    pub async fn stock(&mut self, product: &str) -> i64 {
        let product = self.get(&format!("/api/mall/products/{product}")).await.data();
        product["stockQuantity"].as_i64().expect("a number")
    }
}

async fn dial(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("printable"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The envelope, held to the five fields of the mall's document.
    pub fn envelope(&self) -> Value {
        let envelope = self.json();
        let fields: Vec<&String> = envelope.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["code", "data", "message", "success", "timestamp"], "{envelope}");
        assert!(envelope["timestamp"].is_u64() && envelope["message"].is_string(), "{envelope}");
        envelope
    }

    /// The data of a success.
    pub fn data(&self) -> Value {
        let mut envelope = self.envelope();
        assert_eq!((self.status, &envelope["success"]), (200, &true.into()), "{envelope}");
        assert_eq!(
            (&envelope["code"], &envelope["message"]),
            (&"SUCCESS".into(), &"操作成功".into())
        );
        envelope["data"].take()
    }

    /// The data of a failure with this status and code: what was short, or null.
    #[track_caller]
    pub fn failure(&self, status: u16, code: &str) -> Value {
        let mut envelope = self.envelope();
        let got = (self.status, envelope["code"].as_str().unwrap_or_default());
        assert_eq!(got, (status, code), "{envelope}");
        assert_eq!(envelope["success"], false, "{envelope}");
        envelope["data"].take()
    }

    /// The body without its timestamp, byte for byte.
    pub fn without_timestamp(&self) -> String {
        let text = std::str::from_utf8(&self.body).expect("UTF-8");
        let (before, after) =
            text.split_once("\"timestamp\":").expect("every answer has a timestamp");
        format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
    }
}

/// Sends these bytes on a new connection and reads what comes until the server closes it.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("the server accepts");
        // The server may close before it has read everything.
        drop(stream.write_all(bytes).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("the server closes in time")
}
