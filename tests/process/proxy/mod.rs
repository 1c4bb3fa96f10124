//! Would catch a server that closes connections which the proxy before it still uses: a request
//! that is sent at that moment hears 502, and nobody knows whether it was done; a configuration in the
//! documents that no proxy takes; and a retry of a proxy that buys twice. With the real nginx and the
//! real HAProxy, which must be installed.
#![allow(clippy::disallowed_methods, reason = "the test writes the proxies' configurations")]

mod haproxy;
mod nginx;
mod program;
mod swallow;

use std::path::Path;
use std::time::Duration;

use stockhold::http::Limits;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use self::swallow::Swallow;
use crate::support::{Client, Process, demo_token};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long nginx keeps a connection here, instead of 60 s, and how long the server does.
const PROXY_KEEPS_MS: u64 = 80;
const SERVER_KEEPS: &str = "1s";
const CLIENTS: u64 = 8;
const REQUESTS: u64 = 25;
const ORDER: &str = r#"{"productId":"prod_movie","quantity":1,"confirm":true}"#;

fn serve(dir: &Path, args: &[&str]) -> Process {
    let path = dir.to_str().expect("a path in UTF-8");
    Process::serve(&[&["--demo", "--data-dir", path][..], args].concat())
}

fn exchange(token: &str, headers: &str) -> String {
    let length = ORDER.len();
    format!(
        "POST /api/mall/exchange HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {token}\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{ORDER}"
    )
}

/// The status of one request on a kept connection.
async fn ask(stream: &mut UnixStream, request: &str) -> u16 {
    stream.write_all(request.as_bytes()).await.expect("the proxy reads");
    let mut answer = Vec::new();
    let whole = async {
        let mut piece = [0; 4096];
        loop {
            let read = stream.read(&mut piece).await.expect("the proxy answers");
            answer.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            let length =
                text.split_once("content-length: ").and_then(|(_, rest)| rest.split_once("\r\n"));
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
            if read == 0 || length.is_some_and(|(length, _)| length.parse() == Ok(body.len())) {
                return head[9..12].parse().expect("a status");
            }
        }
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("an answer in time")
}

#[tokio::test]
async fn no_request_is_lost_when_the_proxy_gives_a_connection_up() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let server = serve(&data, &["--idle-timeout", SERVER_KEEPS]);
    let token = demo_token(&data, "demo", "user");
    let keeps = format!("keepalive_timeout {PROXY_KEEPS_MS}ms;");
    let nginx = nginx::start(dir.path(), &[server.address], &keeps);
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let (mut stream, token) = (nginx.connect().await, token.clone());
        clients.push(tokio::spawn(async move {
            let mut statuses = Vec::new();
            for request in 0..REQUESTS {
                statuses.push(ask(&mut stream, &exchange(&token, "")).await);
                // Around the moment at which the connection is given up, each a little off the
                // others.
                let off = (client * 5 + request * 3) % 20;
                tokio::time::sleep(Duration::from_millis(PROXY_KEEPS_MS - 10 + off)).await;
            }
            statuses
        }));
    }
    for client in clients {
        let statuses = client.await.expect("the client ends");
        assert!(statuses.iter().all(|&status| status == 200), "{statuses:?}");
    }
}

#[tokio::test]
async fn a_retry_of_nginx_buys_once() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let server = serve(&data, &[]);
    let token = demo_token(&data, "demo", "user");
    let mut shop = Client::connect(server.address, Some(token.clone())).await;
    let before = shop.stock("prod_movie").await;
    let swallow = Swallow::before(server.address).await;
    let nginx = nginx::start(dir.path(), &[swallow.address, server.address], "");
    let mut stream = nginx.connect().await;
    let status = ask(&mut stream, &exchange(&token, "Idempotency-Key: once\r\n")).await;
    assert_eq!(
        (status, swallow.swallowed()),
        (200, 1),
        "it was done, heard by nobody, and retried"
    );
    assert_eq!(shop.stock("prod_movie").await, before - 1);
}

/// A client's first words where the proxy takes its address from them.
fn from(ip: &str) -> String {
    format!("PROXY TCP4 {ip} 10.0.0.1 4660 80\r\n")
}

#[tokio::test]
async fn a_retry_of_haproxy_buys_once_and_clients_are_told_apart() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let behind = ["--trusted-proxies", "127.0.0.1", "--proxy-protocol", "on"];
    let bound = ["--address-requests-per-minute", "4"];
    let server = serve(&data, &[&behind[..], &bound[..]].concat());
    let token = demo_token(&data, "demo", "user");
    let swallow = Swallow::before(server.address).await;
    let haproxy = haproxy::start(dir.path(), swallow.address);
    let client = async |ip: &str| {
        let mut stream = haproxy.connect().await;
        stream.write_all(from(ip).as_bytes()).await.expect("the proxy reads");
        stream
    };
    let stock = "GET /api/mall/products/prod_movie HTTP/1.1\r\nHost: mall\r\n\r\n";
    let mut ann = client("192.0.2.1").await;
    for _ in 0..2 {
        let status = ask(&mut ann, &exchange(&token, "Idempotency-Key: once\r\n")).await;
        assert_eq!((status, swallow.swallowed()), (200, 1), "done, heard by nobody, and retried");
    }
    // Two tries and a repetition were hers; one more comes every quarter of a minute.
    let mut refused = false;
    for _ in 0..60 {
        refused = refused || ask(&mut ann, stock).await == 429;
    }
    assert!(refused, "she has asked for more than she may");
    let mut bob = client("192.0.2.2").await;
    assert_eq!(ask(&mut bob, stock).await, 200, "he has a bound of his own");
    server.signal(rustix::process::Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
    let orders = serve(&data, &[]);
    let mut shop = Client::connect(orders.address, Some(token)).await;
    let list = shop.get("/api/mall/orders").await.data();
    assert_eq!(list["orders"].as_array().map(Vec::len), Some(1), "it was bought once: {list}");
}

#[test]
fn the_server_keeps_connections_longer_than_proxies_do() {
    // nginx from 1.31 on, and the load balancers of AWS.
    assert!(Limits::default().idle_timeout > Duration::from_secs(60));
}
