//! Would catch a header that is believed of somebody who is not trusted, clients behind a proxy that are
//! taken for one, and a proxy that is bounded like one client.

use std::io;

use stockhold::http::{Limits, Proxies, ProxyHeader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Setup, Shop};

async fn shop(limits: Limits, proxies: Proxies) -> Shop {
    Shop::with(Setup { limits, proxies, ..Setup::default() }).await
}

fn trusting_itself() -> Proxies {
    Proxies::default().trusting("127.0.0.1").expect("a proxy")
}

/// The status of a request that has these headers besides; 0 when the connection is closed without.
async fn ask(stream: &mut TcpStream, headers: &str) -> u16 {
    let request = format!("GET /api/mall/products HTTP/1.1\r\nHost: shop\r\n{headers}\r\n");
    try_ask(stream, &request).await.unwrap_or_default()
}

async fn try_ask(stream: &mut TcpStream, request: &str) -> io::Result<u16> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.split_once("content-length: ").expect("a length").1;
        let length: usize = length.split("\r\n").next().expect("a line").parse().expect("a number");
        if body.len() >= length {
            return Ok(head[9..12].parse().expect("a status"));
        }
    }
}

async fn connect(shop: &Shop) -> TcpStream {
    TcpStream::connect(shop.address).await.expect("the server accepts")
}

fn two_a_minute() -> Limits {
    Limits { address_requests_per_minute: Some(2), ..Limits::default() }
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_bounds_of_their_own() {
    let shop = shop(two_a_minute(), trusting_itself()).await;
    let mut proxy = connect(&shop).await;
    for _ in 0..2 {
        assert_eq!(ask(&mut proxy, "X-Forwarded-For: 192.0.2.1\r\n").await, 200);
    }
    // What she writes herself stands before what the proxy adds.
    assert_eq!(ask(&mut proxy, "X-Forwarded-For: 192.0.2.9, 192.0.2.1\r\n").await, 429);
    assert_eq!(ask(&mut proxy, "X-Forwarded-For: 192.0.2.2\r\n").await, 200);
    let theirs = "Forwarded: for=192.0.2.3\r\nX-Forwarded-For: 192.0.2.1\r\n";
    assert_eq!(ask(&mut proxy, theirs).await, 429, "the other header is the client's own");
}

#[tokio::test]
async fn the_other_header_is_believed_where_that_is_said() {
    let proxies = trusting_itself().header(ProxyHeader::Forwarded);
    let shop = shop(two_a_minute(), proxies).await;
    let mut proxy = connect(&shop).await;
    for expected in [200, 200, 429] {
        let theirs = "Forwarded: for=192.0.2.1;proto=https\r\nX-Forwarded-For: 192.0.2.3\r\n";
        assert_eq!(ask(&mut proxy, theirs).await, expected);
    }
    assert_eq!(ask(&mut proxy, "Forwarded: for=192.0.2.2\r\n").await, 200);
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let proxies = Proxies::default().trusting("10.0.0.0/8").expect("a network");
    let shop = shop(two_a_minute(), proxies).await;
    let mut client = connect(&shop).await;
    for (other, expected) in [(1, 200), (2, 200), (3, 429)] {
        let invented = format!("X-Forwarded-For: 192.0.2.{other}\r\n");
        assert_eq!(ask(&mut client, &invented).await, expected);
    }
}

#[tokio::test]
async fn a_trusted_proxy_may_have_more_connections_than_a_client() {
    let limits = Limits { connections_per_address: 1, ..Limits::default() };
    let shop = shop(limits, trusting_itself()).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(&shop).await;
        assert_eq!(ask(&mut stream, "").await, 200);
        all.push(stream);
    }
    for stream in &mut all {
        assert_eq!(ask(stream, "").await, 200, "none had to make room");
    }
}

#[tokio::test]
async fn a_connection_that_a_proxy_announces_is_its_clients() {
    let shop = shop(two_a_minute(), trusting_itself().announced()).await;
    let announced = async |head: &[u8]| {
        let mut stream = connect(&shop).await;
        stream.write_all(head).await.expect("the server reads");
        stream
    };
    let mut ann = announced(b"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n").await;
    for expected in [200, 200, 429] {
        assert_eq!(ask(&mut ann, "X-Forwarded-For: 192.0.2.8\r\n").await, expected);
    }
    let mut second = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    second.extend([192, 0, 2, 2, 10, 0, 0, 1, 0x12, 0x34, 0, 80]);
    let mut bob = announced(&second).await;
    assert_eq!(ask(&mut bob, "").await, 200);
    // A look of the proxy itself.
    let mut look = announced(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0").await;
    assert_eq!(ask(&mut look, "").await, 200);
    let mut silent = connect(&shop).await;
    assert_eq!(ask(&mut silent, "").await, 0, "who says nothing is not served");
}

#[tokio::test]
async fn an_announced_client_has_a_share_of_the_connections() {
    let limits = Limits { connections_per_address: 1, ..Limits::default() };
    let shop = shop(limits, trusting_itself().announced()).await;
    let announced = async |ip: &str| {
        let mut stream = connect(&shop).await;
        let head = format!("PROXY TCP4 {ip} 10.0.0.1 4660 80\r\n");
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        stream
    };
    let mut ann = announced("192.0.2.1").await;
    assert_eq!(ask(&mut ann, "").await, 200);
    let mut bob = announced("192.0.2.2").await;
    assert_eq!(ask(&mut bob, "").await, 200);
    assert_eq!(ask(&mut ann, "").await, 200, "he took nothing of hers");
    let mut again = announced("192.0.2.1").await;
    assert_eq!(ask(&mut again, "").await, 200);
    assert_eq!(ask(&mut ann, "").await, 0, "her older one made room");
}

#[tokio::test]
async fn strangers_are_not_let_in_where_proxies_announce_their_clients() {
    let proxies = Proxies::default().trusting("10.0.0.0/8").expect("a network").announced();
    let shop = shop(Limits::default(), proxies).await;
    let mut stranger = connect(&shop).await;
    let head = b"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n";
    let _ = stranger.write_all(head).await;
    assert_eq!(ask(&mut stranger, "").await, 0);
}
