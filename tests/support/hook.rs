//! A receiver of webhooks in this process, which answers as a test wants.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A message that never comes fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that came, whatever was answered.
#[derive(Clone, Debug)]
pub struct Told {
    pub path: String,
    pub id: String,
    pub timestamp: String,
    pub signatures: String,
    pub body: Bytes,
    pub content_type: String,
    pub headers: HeaderMap,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a message is JSON")
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    pub fn order(&self) -> String {
        self.json()["data"]["orderId"].as_str().unwrap_or_default().to_owned()
    }
}

/// What a receiver answers.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Status(u16),
    /// 302 to another path of the same receiver.
    Elsewhere,
    /// 200 and a body of so many bytes.
    Long(usize),
    /// Nothing, for ever.
    Nothing,
}

type Answering = dyn Fn(&Told) -> Answer + Send;

struct Shared {
    told: Mutex<Vec<Told>>,
    answering: Mutex<Box<Answering>>,
    count: watch::Sender<usize>,
}

pub struct Hook {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Hook {
    /// Listens, and answers everything with 204.
    pub async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            told: Mutex::default(),
            answering: Mutex::new(Box::new(|_| Answer::Status(204))),
            count: watch::Sender::new(0),
        });
        let served = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = served.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(&shared, request));
                    let http = hyper::server::conn::http1::Builder::new();
                    drop(http.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    /// Answers otherwise from now on.
    pub fn answers(&self, answering: impl Fn(&Told) -> Answer + Send + 'static) {
        *self.shared.answering.lock().expect("nobody panicked") = Box::new(answering);
    }

    pub fn told(&self) -> Vec<Told> {
        self.shared.told.lock().expect("nobody panicked").clone()
    }

    /// What came, once `enough` of it has.
    pub async fn until(&self, enough: impl Fn(&[Told]) -> bool) -> Vec<Told> {
        let mut count = self.shared.count.subscribe();
        let waiting = async {
            loop {
                let _seen = *count.borrow_and_update();
                let told = self.told();
                if enough(&told) {
                    return told;
                }
                count.changed().await.expect("it listens");
            }
        };
        let told = tokio::time::timeout(PATIENCE, waiting).await;
        told.unwrap_or_else(|_| panic!("it was told no more than {:#?}", self.told()))
    }

    pub async fn count(&self, count: usize) -> Vec<Told> {
        self.until(|told| told.len() >= count).await
    }
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = |name: &str| {
        let value = request.headers().get(name).map(|value| value.to_str().expect("text"));
        value.unwrap_or_default().to_owned()
    };
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let (signatures, content_type) = (header("webhook-signature"), header("content-type"));
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let Ok(body) = request.into_body().collect().await else {
        return Ok(Response::default());
    };
    let body = body.to_bytes();
    let told = Told { path, id, timestamp, signatures, body, content_type, headers };
    let answer = shared.answering.lock().expect("nobody panicked")(&told);
    shared.told.lock().expect("nobody panicked").push(told);
    shared.count.send_modify(|count| *count += 1);
    let mut response = Response::default();
    match answer {
        Answer::Status(status) => {
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        }
        Answer::Elsewhere => {
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert("location", "/elsewhere".parse().expect("a header"));
        }
        Answer::Long(bytes) => *response.body_mut() = vec![b'x'; bytes].into(),
        Answer::Nothing => std::future::pending().await,
    }
    Ok(response)
}

/// The part of `webhook-signature` that a secret makes of a message, as a receiver works it out.
pub fn signature(secret: &str, told: &Told) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a prefix")).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    mac.update(&[told.id.as_bytes(), b".", told.timestamp.as_bytes(), b".", &told.body].concat());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The kinds that each order was told as, each message once, in the order in which they first came.
pub fn by_order(told: &[Told]) -> BTreeMap<String, Vec<String>> {
    let mut orders: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for it in told {
        let of_order = orders.entry(it.order()).or_default();
        if of_order.iter().all(|(id, _)| *id != it.id) {
            of_order.push((it.id.clone(), it.kind()));
        }
    }
    let kinds = |told: Vec<(String, String)>| told.into_iter().map(|(_, kind)| kind).collect();
    orders.into_iter().map(|(order, told)| (order, kinds(told))).collect()
}
