//! Would catch a client that holds a connection for ever by sending its head, its body, or nothing at all, too slowly, or
//! by not reading its answers. The timeouts are short ones of this test; nothing here waits for longer than they take.
#![cfg(feature = "server")]

mod support;

use std::time::Duration;

use stockhold::{Limits, Role};
use support::{Setup, Shop, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(50);
/// So that a missing timeout fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

async fn shop(limits: Limits) -> Shop {
    Shop::with(Setup { limits, ..Setup::default() }).await
}

/// Sends the bytes, keeps the connection open, and reads until the server closes it.
async fn send_and_wait(shop: &Shop, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(shop.address).await.expect("the server accepts");
    stream.write_all(bytes).await.expect("the server reads");
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.expect("the server closes in time").expect("it closes properly");
    String::from_utf8(answer).expect("an answer in UTF-8")
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_the_connection() {
    let shop = shop(Limits { header_timeout: SHORT, ..Limits::default() }).await;
    let before = shop.state();
    for head in ["", "P", "POST /api/mall/exchange HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer "] {
        assert_eq!(send_and_wait(&shop, head.as_bytes()).await, "", "there is no request to answer");
    }
    // A connection that rests after a request is closed as well.
    let answer = send_and_wait(&shop, b"GET /health HTTP/1.1\r\nHost: mall\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(shop.state(), before);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_and_the_connection_closed() {
    let shop = shop(Limits { body_timeout: SHORT, ..Limits::default() }).await;
    let before = shop.state();
    let head = format!(
        "POST /api/mall/exchange HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {}\r\nIdempotency-Key: k\r\n",
        token("demo", Role::User)
    );
    for body in [
        "Content-Length: 40\r\n\r\n",
        "Content-Length: 40\r\n\r\n{\"productId\":\"prod_movie\",\"quantity\":1}",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n27\r\n{\"productId\":\"prod_movie\",\"quantity\":1}\r\n",
    ] {
        let answer = send_and_wait(&shop, format!("{head}{body}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"code\":\"REQUEST_TIMEOUT\""), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    assert_eq!(shop.state(), before);
}

#[tokio::test]
async fn answers_that_nobody_reads_close_the_connection() {
    let shop = shop(Limits { write_timeout: SHORT, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(shop.address).await.expect("the server accepts");
    let requests = "GET /api/mall/products HTTP/1.1\r\nHost: mall\r\n\r\n".repeat(1_000);
    let write = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, write).await.expect("the server closes in time");
}

#[tokio::test]
async fn a_full_house_lets_the_next_in_when_one_leaves() {
    let shop = shop(Limits { connections: 1, header_timeout: SHORT, ..Limits::default() }).await;
    // The only place is taken by one who says nothing; the other waits at the door until that one is sent away.
    let idle = TcpStream::connect(shop.address).await.expect("the server accepts");
    let answer = send_and_wait(&shop, b"GET /health HTTP/1.1\r\nHost: mall\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(idle);
}
