//! Would catch a connection of HTTP/2 that is closed under its requests, one that has no bounds, and one
//! that ends without telling its client which requests were begun.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use stockhold::http::{Limits, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{Setup, Shop, token};

const PATIENCE: Duration = Duration::from_secs(60);

/// A connection, and how it ended.
struct Shared {
    sender: SendRequest<Full<Bytes>>,
    ended: JoinHandle<Result<(), hyper::Error>>,
}

impl Shared {
    async fn connect(shop: &Shop) -> Self {
        Self::with(&Builder::new(TokioExecutor::new()), shop).await
    }

    /// Over which answers have no room.
    async fn without_a_window(shop: &Shop) -> Self {
        Self::with(Builder::new(TokioExecutor::new()).initial_stream_window_size(0), shop).await
    }

    async fn with(builder: &Builder<TokioExecutor>, shop: &Shop) -> Self {
        let stream = TcpStream::connect(shop.address).await.expect("the server accepts");
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.expect("it speaks HTTP/2");
        Self { sender, ended: tokio::spawn(connection) }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> (u16, Value) {
        send(self.sender.clone(), request).await
    }

    async fn end(self) -> Result<(), hyper::Error> {
        // Whoever holds it keeps the connection.
        let ended = tokio::time::timeout(PATIENCE, self.ended).await.expect("an end in time");
        ended.expect("the task ends")
    }
}

async fn send(mut sender: SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> (u16, Value) {
    let asking = async {
        sender.ready().await.expect("the connection is open");
        let reply = sender.send_request(request).await.expect("the server answers");
        let status = reply.status().as_u16();
        let body = reply.into_body().collect().await.expect("a whole answer").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("an answer in time")
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let uri = format!("http://mall{path}");
    Request::get(uri).body(Full::default()).expect("a request")
}

fn exchange(user: &str) -> Request<Full<Bytes>> {
    let body = json!({"productId": "prod_movie", "quantity": 1, "confirm": true}).to_string();
    Request::builder()
        .method(Method::POST)
        .uri("http://mall/api/mall/exchange")
        .header(AUTHORIZATION, format!("Bearer {}", token(user, Role::User)))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body.into()))
        .expect("a request")
}

async fn shop(limits: Limits) -> Shop {
    Shop::with(Setup { limits, ..Setup::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_share_the_only_connection_and_each_is_done_once() {
    // The next waits until there is room, and is not turned away.
    let limits = Limits { connections: 1, ..Limits::default() };
    let shop = shop(limits).await;
    let before = shop.user_with("ann", 1_000_000).await.stock("prod_movie").await;
    let shared = Shared::connect(&shop).await;
    // More than may be under way at one time: the client waits by itself.
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        asking.spawn(send(shared.sender.clone(), exchange("ann")));
    }
    let replies = asking.join_all().await;
    assert!(replies.iter().all(|(status, _)| *status == 200), "{replies:?}");
    let (status, page) = shared.send(get("/api/mall/products/prod_movie")).await;
    assert_eq!((status, &page["data"]["stockQuantity"]), (200, &json!(before - 100)));
}

#[tokio::test]
async fn a_client_hears_the_bounds_before_it_asks() {
    let shop = shop(Limits::default()).await;
    let mut stream = TcpStream::connect(shop.address).await.expect("the server accepts");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("it reads");
    // SETTINGS without any.
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("it reads");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head[3], 4, "the first is SETTINGS: {head:?}");
    let mut settings = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut settings).await.expect("a frame");
    let told = |wanted: u16| {
        let found = settings.chunks(6).find(|pair| pair[..2] == wanted.to_be_bytes());
        found.map(|pair| u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]))
    };
    assert_eq!(told(3), Some(64), "requests at one time");
    assert_eq!(told(4), Some(64 << 10), "bytes of one body that nobody reads yet");
    assert_eq!(told(6), Some(32 << 10), "bytes of a head");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_and_the_connection_goes_on() {
    let shop = shop(Limits::default()).await;
    let shared = Shared::connect(&shop).await;
    let mut long = get("/health");
    for at in 0..10 {
        let name = hyper::header::HeaderName::try_from(format!("x-long-{at}")).expect("a name");
        long.headers_mut().insert(name, "x".repeat(4_000).parse().expect("a value"));
    }
    assert_eq!(shared.send(long).await.0, 431);
    assert_eq!(shared.send(get("/health")).await.0, 200);
    let mut elsewhere = get("/health");
    elsewhere.headers_mut().insert(HOST, "another".parse().expect("a value"));
    assert_eq!(shared.send(elsewhere).await.0, 400, "one request has one host");
}

#[tokio::test]
async fn a_connection_that_rests_too_long_is_told_to_go() {
    let limits = Limits { idle_timeout: Duration::from_millis(50), ..Limits::default() };
    let shop = shop(limits).await;
    let shared = Shared::connect(&shop).await;
    assert_eq!(shared.send(get("/health")).await.0, 200);
    shared.end().await.expect("the server says goodbye, and does not hang up");
}

#[tokio::test]
async fn the_servers_end_is_said_and_what_was_begun_is_finished() {
    let shop = shop(Limits::default()).await;
    let shared = Shared::connect(&shop).await;
    let feed = unread(&shared, follow()).await;
    let reading = tokio::spawn(feed.into_body().collect());
    drop(shop.close().await);
    let told = reading.await.expect("it is read").expect("it is whole").to_bytes();
    assert!(String::from_utf8_lossy(&told).contains("event: end"), "{told:?}");
    shared.end().await.expect("the server says goodbye, and does not hang up");
}

fn follow() -> Request<Full<Bytes>> {
    Request::get("http://mall/v1/events?from=1")
        .header(ACCEPT, "text/event-stream")
        .header(AUTHORIZATION, format!("Bearer {}", token("box-office", Role::Service)))
        .body(Full::default())
        .expect("a request")
}

/// An answer of which nothing is read, for which its client has no room.
async fn unread(shared: &Shared, request: Request<Full<Bytes>>) -> hyper::Response<Incoming> {
    let answer = shared.sender.clone().send_request(request).await.expect("the server answers");
    assert_eq!(answer.status(), 200);
    answer
}

#[tokio::test]
async fn an_answer_for_which_its_client_has_no_room_ends_the_connection() {
    let limits = Limits { answer_timeout: Duration::from_millis(50), ..Limits::default() };
    let shop = shop(limits).await;
    // Nothing is to be told to this one for now, which has room.
    let shared = Shared::connect(&shop).await;
    let watch = Request::get("http://mall/api/mall/products/prod_movie/stock")
        .header(ACCEPT, "text/event-stream")
        .body(Full::default())
        .expect("a request");
    let mut watched = unread(&shared, watch).await.into_body();
    watched.frame().await.expect("the stock as it is").expect("a piece");
    for request in [get("/api/mall/products/prod_movie"), follow()] {
        let blocked = Shared::without_a_window(&shop).await;
        let answer = unread(&blocked, request).await;
        blocked.end().await.expect_err("the server hangs up");
        drop(answer);
    }
    shop.user_with("ann", 1_000_000).await;
    assert_eq!(shared.send(exchange("ann")).await.0, 200, "who had nothing to read was left alone");
    let news = tokio::time::timeout(PATIENCE, watched.frame()).await.expect("news in time");
    news.expect("it goes on").expect("a piece");
}
