//! Would catch a client that holds a connection for ever by sending its head, its body, or nothing
//! at all, too slowly, or by not reading its answers. The timeouts are short ones of this test;
//! nothing here waits for longer than they take.

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use stockhold::http::{Limits, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Setup, Shop, token};

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
    let shop =
        shop(Limits { header_timeout: SHORT, idle_timeout: SHORT, ..Limits::default() }).await;
    let before = shop.state();
    for head in
        ["", "P", "POST /api/mall/exchange HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer "]
    {
        assert_eq!(
            send_and_wait(&shop, head.as_bytes()).await,
            "",
            "there is no request to answer"
        );
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
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"code\":\"REQUEST_TIMEOUT\""),
            "{answer}"
        );
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

/// Orders of `ann` whose list, at 100 a page, is longer than sockets keep: six characters of JSON
/// for each of their details.
async fn long_list(shop: &Shop) {
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let note = "\u{1}".repeat(15_000);
    let body = json!({"productId": "prod_movie", "quantity": 1, "confirm": true, "deliveryInfo": {"note": note}});
    // In MessagePack they are a sixth as long, and within the bound of a body.
    let body = rmp_serde::to_vec_named(&body).expect("a value");
    for _ in 0..101 {
        let request = ann
            .request(Method::POST, "/api/mall/exchange")
            .header("Content-Type", "application/msgpack");
        ann.send(request, body.clone()).await.data();
    }
}

const LIST: &str = "/api/mall/orders?page_size=100";

/// A client that asks for `ann`'s list and reads no more of the answer than its status.
async fn asks_and_does_not_read(shop: &Shop) -> (TcpStream, u16) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(shop.address).await.expect("the server accepts");
    let bearer = token("ann", Role::User);
    let request =
        format!("GET {LIST} HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {bearer}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("the server answers");
    let status = std::str::from_utf8(&status[9..]).expect("digits").parse().expect("a status");
    (stream, status)
}

#[tokio::test]
async fn answers_that_nobody_reads_take_a_bounded_memory_and_others_are_served() {
    // Two of the answers, and not three.
    let limits =
        Limits { answer_bytes_per_user: 24 << 20, write_timeout: PATIENCE, ..Limits::default() };
    let shop = shop(limits).await;
    long_list(&shop).await;
    let mut unread = Vec::new();
    let mut refused = 0;
    for _ in 0..6 {
        let (stream, status) = asks_and_does_not_read(&shop).await;
        assert!([200, 503].contains(&status), "{status}");
        refused += usize::from(status == 503);
        unread.push(stream);
    }
    assert_eq!(refused, 4, "only what fits into the budget is answered");
    let mut ann = shop.user("ann").await;
    let told = ann.get(LIST).await;
    told.failure(503, "OVERLOADED");
    assert!(
        told.json()["message"].as_str().expect("a string").contains("answer_memory_per_user"),
        "{told:?}"
    );
    assert_eq!(told.header("retry-after"), Some("1"));
    // Everything else goes on, for the same user and for others.
    ann.post(
        "/api/mall/exchange",
        json!({"productId": "prod_movie", "quantity": 1, "confirm": true}),
    )
    .await
    .data();
    let mut bob = shop.user_with("bob", 10_000).await;
    bob.post(
        "/api/mall/exchange",
        json!({"productId": "prod_movie", "quantity": 1, "confirm": true}),
    )
    .await
    .data();
    bob.get(LIST).await.data();
    // What is no longer waited for is given back.
    drop(unread);
    let again = async {
        while ann.get(LIST).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("the memory is given back");
}

#[tokio::test]
async fn an_answer_that_is_read_too_slowly_closes_the_connection() {
    let limits = Limits { answer_timeout: SHORT, ..Limits::default() };
    let shop = shop(limits).await;
    long_list(&shop).await;
    let (mut stream, status) = asks_and_does_not_read(&shop).await;
    assert_eq!(status, 200);
    // It always makes some progress, so it never stalls; then it reads what is on its way still.
    let mut piece = vec![0; 64 * 1024];
    let (mut pieces, mut bytes) = (0, 0);
    let read = async {
        while let Ok(read @ 1..) =
            stream.read(&mut piece[..if pieces < 100 { 64 } else { 64 * 1024 }]).await
        {
            (pieces, bytes) = (pieces + 1, bytes + read);
            if pieces < 100 {
                tokio::time::sleep(SHORT / 10).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the server closes in time");
    assert!(bytes < 9_000_000, "it was cut off");
}

#[tokio::test]
async fn a_full_house_lets_the_next_in_when_one_leaves() {
    // The only place is taken by one whose request is under way; the other waits at the door until
    // it has been answered.
    let limits =
        Limits { connections: 1, body_timeout: SHORT, idle_timeout: SHORT, ..Limits::default() };
    let shop = shop(limits).await;
    let mut busy = TcpStream::connect(shop.address).await.expect("the server accepts");
    let bearer = token("demo", Role::User);
    let head = format!(
        "POST /api/mall/exchange HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {bearer}\r\n"
    );
    let head = format!("{head}Expect: 100-continue\r\nContent-Length: 40\r\n\r\n");
    busy.write_all(head.as_bytes()).await.expect("the server reads");
    let mut goes_on = [0; 25];
    busy.read_exact(&mut goes_on).await.expect("the server waits for the body");
    let answer = send_and_wait(&shop, b"GET /health HTTP/1.1\r\nHost: mall\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut answer = Vec::new();
    drop(busy.read_to_end(&mut answer).await);
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "it was not sent away for another");
}
