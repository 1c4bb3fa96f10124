//! Would catch clients that keep others out: by connections that say nothing, by too many from one
//! address, or by asking for long lists; and a request that is done and whose answer is lost,
//! because its client said that it would send no more, or because the process stood still for a
//! while.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;
use stockhold::http::{Limits, Role};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Process, Setup, Shop, demo_token, token};

/// So that a server that does not answer fails the test.
const PATIENCE: Duration = Duration::from_secs(60);
const BODY: &str = r#"{"productId":"prod_movie","quantity":1,"confirm":true}"#;
const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: mall\r\n\r\n";

async fn shop(connections: usize, connections_per_address: usize) -> Shop {
    let limits = Limits { connections, connections_per_address, ..Limits::default() };
    Shop::with(Setup { limits, ..Setup::default() }).await
}

fn exchange(token: &str) -> String {
    let length = BODY.len();
    format!(
        "POST /api/mall/exchange HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

async fn connect(address: SocketAddr) -> TcpStream {
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
    connected.expect("the server accepts in time").expect("the server accepts")
}

/// What the server says until it closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    drop(read.expect("the server closes in time"));
    String::from_utf8(answer).expect("an answer in UTF-8")
}

/// The first piece of an answer.
async fn answer(stream: &mut TcpStream) -> String {
    let mut piece = [0; 4096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut piece))
        .await
        .expect("the server answers in time");
    let read = read.unwrap_or_default();
    String::from_utf8_lossy(&piece[..read]).into_owned()
}

async fn ask(address: SocketAddr, request: &str) -> (TcpStream, String) {
    let mut stream = connect(address).await;
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let answer = answer(&mut stream).await;
    (stream, answer)
}

/// An exchange whose handler waits for the body.
async fn under_way(address: SocketAddr) -> TcpStream {
    let head = exchange(&token("demo", Role::User));
    let mut stream = connect(address).await;
    let head = head.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    assert_eq!(answer(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test]
async fn who_has_asked_and_says_no_more_is_answered() {
    let shop = Shop::open().await;
    let request = exchange(&token("demo", Role::User)) + BODY;
    for number in 0..20 {
        let mut stream = connect(shop.address).await;
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        stream.shutdown().await.expect("nothing more is sent");
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "request {number}: {answer:?}");
    }
    assert_eq!(shop.guest().await.stock("prod_movie").await, 1_980);
}

#[tokio::test]
async fn who_is_told_no_while_it_still_sends_hears_it() {
    let shop = Shop::open().await;
    let mut stream = connect(shop.address).await;
    let head = exchange(&token("demo", Role::User))
        .replace(&format!("Length: {}", BODY.len()), "Length: 1000000");
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    let piece = [b' '; 10_000];
    for _ in 0..20 {
        drop(stream.write_all(&piece).await);
    }
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer:?}");
}

#[tokio::test]
async fn connections_that_say_nothing_make_room_and_requests_under_way_never_do() {
    let shop = shop(8, 8).await;
    let mut working = under_way(shop.address).await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(connect(shop.address).await);
    }
    // A head that never ends is none.
    for _ in 0..20 {
        let mut slow = connect(shop.address).await;
        slow.write_all(b"POST /api/mall/exchange HTTP/1.1\r\nHost: mall\r\n")
            .await
            .expect("the server reads");
        crowd.push(slow);
    }
    let mut kept = Vec::new();
    for _ in 0..4 {
        let (stream, answer) = ask(shop.address, HEALTH).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
        kept.push(stream);
    }
    for _ in 0..20 {
        crowd.push(connect(shop.address).await);
        let (_, answer) = ask(shop.address, HEALTH).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    }
    working.write_all(BODY.as_bytes()).await.expect("the server reads");
    let answer = answer(&mut working).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
}

#[tokio::test]
async fn an_address_has_a_share_and_is_told_when_it_is_used() {
    let shop = shop(100, 2).await;
    let mut working = [under_way(shop.address).await, under_way(shop.address).await];
    let (_, told) = ask(shop.address, HEALTH).await;
    assert!(
        told.starts_with("HTTP/1.1 503 ")
            && told.contains("OVERLOADED")
            && told.contains("address"),
        "{told:?}"
    );
    // Another address has a share of its own.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 2], 0).into()).expect("an address of this machine");
    let mut other = socket.connect(shop.address).await.expect("the server accepts");
    other.write_all(HEALTH.as_bytes()).await.expect("the server reads");
    assert!(answer(&mut other).await.starts_with("HTTP/1.1 200 "));
    for stream in &mut working {
        stream.write_all(BODY.as_bytes()).await.expect("the server reads");
        let answer = answer(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    }
    // Now they rest, and one of them makes room.
    let (_, answer) = ask(shop.address, HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
}

#[tokio::test]
async fn time_for_which_the_process_stood_still_counts_for_nobody() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    let server = Process::serve(&[
        "--demo",
        "--data-dir",
        path,
        "--head-timeout",
        "2s",
        "--idle-timeout",
        "2s",
    ]);
    let request = exchange(&demo_token(dir.path(), "demo", "user")) + BODY;
    let (begun, rest) = request.split_at(40);
    let mut clients = Vec::new();
    for number in 0..12 {
        let mut stream = connect(server.address).await;
        match number % 3 {
            // It has said nothing yet, has begun to ask, or rests.
            0 => {}
            1 => stream.write_all(begun.as_bytes()).await.expect("the server reads"),
            _ => {
                stream.write_all(HEALTH.as_bytes()).await.expect("the server reads");
                assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
            }
        }
        clients.push((number, stream));
    }
    server.signal(Signal::STOP);
    for (number, stream) in &mut clients {
        let bytes = if *number % 3 == 1 { rest } else { &request };
        stream.write_all(bytes.as_bytes()).await.expect("the kernel keeps it");
    }
    // Nothing is waited for: this is the time for which the process stands still.
    std::thread::sleep(Duration::from_secs(3));
    server.signal(Signal::CONT);
    for (number, stream) in &mut clients {
        let answer = answer(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "client {number}: {answer:?}");
    }
}
