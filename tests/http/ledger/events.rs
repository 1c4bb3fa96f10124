//! Would catch an event that is told twice or not at all, a stream that begins elsewhere than it was
//! asked to, one that ends without a reason, and a follower whom a slow one holds up.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use stockhold::http::{Limits, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{of, open, reserve, service};
use crate::support::{Client, Setup, Shop, token};

const PATIENCE: Duration = Duration::from_secs(60);

/// A stream of events on a connection of its own.
struct Stream {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Stream {
    async fn open(address: SocketAddr, path: &str, headers: &str) -> Self {
        let token = token("box-office", Role::Service);
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nauthorization: Bearer {token}\r\n{headers}\r\n"
        );
        let mut socket = TcpStream::connect(address).await.expect("it accepts");
        socket.write_all(head.as_bytes()).await.expect("it reads");
        Self { socket, read: Vec::new() }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Reads until the text has this, or the stream ends.
    async fn until(&mut self, part: &str) -> String {
        let reading = async { while !self.text().contains(part) && self.more().await {} };
        tokio::time::timeout(PATIENCE, reading).await.expect("in time");
        let text = self.text();
        assert!(text.contains(part), "no {part} in {text}");
        text
    }

    async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        match self.socket.read(&mut buffer).await {
            Ok(count) if count > 0 => {
                self.read.extend_from_slice(&buffer[..count]);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    async fn rest(&mut self) -> String {
        let reading = async { while self.more().await {} };
        tokio::time::timeout(PATIENCE, reading).await.expect("it ends");
        self.text()
    }

    /// The events that were read so far.
    fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|line| line.starts_with("{\"seq\""))
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

/// All events from one on, in pages of this size.
async fn pages(client: &mut Client, from: u64, size: u64) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), from);
    loop {
        let page = client.get(&format!("/v1/events?from={next}&limit={size}")).await.data();
        let events = page["events"].as_array().expect("a list").clone();
        next = page["next"].as_u64().expect("a number");
        if events.is_empty() {
            return all;
        }
        assert!(events.len() as u64 <= size);
        all.extend(events);
    }
}

fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().expect("a number")).collect()
}

/// What is told of a sale, from the first event that is none of the mall's.
async fn sale(shop: &Shop) -> (Client, u64) {
    let mut office = service(shop).await;
    let first = shop.engine.status().last_seq + 1;
    open(&mut office, "seat/1", 5).await;
    let number = reserve(&mut office, json!([{"account": "seat/1", "quantity": 2}])).await;
    office.post(&format!("/v1/reservations/{number}/confirm"), json!({})).await.data();
    let together = json!({"atomic": true, "commands": [
        {"receive": {"account": "seat/1", "quantity": 1, "note": "x"}},
        {"writeOff": {"account": "seat/1", "quantity": 1}},
    ]});
    office.post("/v1/batch", together).await.data();
    (office, first)
}

#[tokio::test]
async fn pages_tell_what_happened_once_and_in_order() {
    let shop = Shop::open().await;
    let (mut office, first) = sale(&shop).await;
    let all = pages(&mut office, 1, 1_000).await;
    let last = shop.engine.status().last_seq;
    assert_eq!(seqs(&all), (1..=last).collect::<Vec<_>>());
    for size in [1, 7, 100] {
        assert_eq!(pages(&mut office, 1, size).await, all, "in pages of {size}");
    }
    let from_oldest = office.get("/v1/events?limit=1000").await.data();
    assert_eq!(from_oldest["events"][0], all[0]);
    let account = office.get(&of("seat/1", "")).await.data()["account"].clone();
    let told: Vec<Vec<&str>> = all[first as usize - 1..]
        .iter()
        .map(|event| {
            let facts = event["facts"].as_array().expect("a list").iter();
            facts.map(|fact| fact["type"].as_str().expect("a type")).collect()
        })
        .collect();
    assert_eq!(
        told,
        [
            vec!["accountOpened"],
            vec!["received"],
            vec!["accountOpened"],
            vec!["reserved"],
            vec!["confirmed"],
            vec!["received", "writtenOff"],
        ]
    );
    let facts = &all[last as usize - 1]["facts"];
    let expected = json!({"type": "received", "account": account, "quantity": 1, "available": 4,
        "by": "box-office", "note": "x"});
    assert_eq!(facts[0], expected);
    let after = office.get(&format!("/v1/events?from={}", last + 1)).await.data();
    assert_eq!(after, json!({"events": [], "next": last + 1}));
    for wrong in ["from=0", "from=x", "limit=0", "limit=1001", "to=1"] {
        office.get(&format!("/v1/events?{wrong}")).await.failure(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn nothing_is_told_of_what_the_mall_keeps_beside() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let body =
        json!({"productId": "prod_movie", "quantity": 1, "deliveryInfo": {"street": "Elm 7"}});
    ann.post("/api/mall/exchange", body).await.data();
    let mut office = service(&shop).await;
    let told = json!(pages(&mut office, 1, 100).await).to_string();
    assert!(told.contains("\"reserved\"") && !told.contains("Elm 7"), "an address is none of it");
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    let shop = Shop::open().await;
    let (mut office, first) = sale(&shop).await;
    let all = pages(&mut office, 1, 1_000).await;
    let last = all.len() as u64;
    let mut whole = Stream::open(shop.address, "/v1/events?from=1", "").await;
    let head = whole.until(&format!("id: {last}\n")).await;
    assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
    // What happens from now on comes, too.
    office.post(&of("seat/1", "/receive"), json!({"quantity": 1})).await.data();
    whole.until(&format!("id: {}\n", last + 1)).await;
    let mut rest = Stream::open(
        shop.address,
        "/v1/events?from=1",
        &format!("last-event-id: {}\r\n", first - 1),
    )
    .await;
    rest.until(&format!("id: {}\n", last + 1)).await;
    let all = pages(&mut office, 1, 1_000).await;
    // The last line may still be on its way.
    for (stream, from) in [(&mut whole, 1), (&mut rest, first)] {
        while stream.events().len() as u64 <= last + 1 - from {
            assert!(stream.more().await);
        }
        assert_eq!(stream.events(), all[from as usize - 1..], "from {from}");
    }
    for wrong in ["x", "-1", ""] {
        let header = format!("last-event-id: {wrong}\r\nconnection: close\r\n");
        let told = Stream::open(shop.address, "/v1/events", &header).await.rest().await;
        assert!(told.starts_with("HTTP/1.1 400"), "{told}");
    }
    // Who stops the server tells those who follow why, and does not wait for them.
    shop.close().await;
    let told = whole.rest().await;
    assert!(told.contains("event: end\ndata: {\"code\":\"UNAVAILABLE\""), "{told}");
}

#[tokio::test]
async fn who_hears_nothing_hears_that_the_server_is_there() {
    let limits = Limits { event_heartbeat: Duration::from_millis(5), ..Limits::default() };
    let shop = Shop::with(Setup { limits, ..Setup::default() }).await;
    let last = shop.engine.status().last_seq;
    let mut stream = Stream::open(shop.address, &format!("/v1/events?from={}", last + 1), "").await;
    stream.until(":\n\n").await;
}

#[tokio::test]
async fn followers_have_a_bound_and_a_slow_one_is_dropped_with_a_reason() {
    let limits = Limits {
        event_followers: 1,
        event_patience: Duration::from_millis(20),
        write_timeout: Duration::from_secs(600),
        answer_timeout: Duration::from_secs(600),
        ..Limits::default()
    };
    let shop = Shop::with(Setup { limits, ..Setup::default() }).await;
    let mut office = service(&shop).await;
    open(&mut office, "seat/1", 1_000).await;
    let first = shop.engine.status().last_seq + 1;
    // More than sockets hold.
    let details = "x".repeat(60_000);
    let take = json!({"lines": [{"account": "seat/1", "quantity": 1}], "ttlMs": 60_000, "details": details});
    for _ in 0..200 {
        office.post("/v1/reservations", take.clone()).await.data();
    }
    let mut slow =
        Stream::open(shop.address, &format!("/v1/events?from={first}"), "connection: close\r\n")
            .await;
    // It is the only one, until it is given up.
    slow.until("text/event-stream").await;
    let other = async {
        loop {
            let path = format!("/v1/events?from={}", first + 200);
            let mut other = Stream::open(shop.address, &path, "").await;
            while !other.text().contains("\r\n\r\n") && other.more().await {}
            if other.text().starts_with("HTTP/1.1 200") {
                return other;
            }
            assert!(other.text().starts_with("HTTP/1.1 503"), "{}", other.text());
        }
    };
    let mut other = tokio::time::timeout(PATIENCE, other).await.expect("a place is free again");
    let told = slow.rest().await;
    assert!(told.contains("event: end\ndata: {\"code\":\"SLOW_READER\""), "it ends with a reason");
    let seen = seqs(&slow.events());
    assert_eq!(seen, (first..first + seen.len() as u64).collect::<Vec<_>>(), "nothing is left out");
    assert!(seen.len() < 200, "it was too slow for all of them");
    // Nobody else was held up.
    office.post(&of("seat/1", "/receive"), json!({"quantity": 1})).await.data();
    other.until(&format!("id: {}\n", first + 200)).await;
}

#[tokio::test]
async fn what_is_no_longer_kept_is_told_with_what_is() {
    let shop = Shop::with(Setup {
        engine: |builder| builder.segment_bytes(128 << 10).archive_bytes_max(Some(0)),
        ..Setup::default()
    })
    .await;
    let mut office = service(&shop).await;
    open(&mut office, "seat/1", 1_000).await;
    let details = "x".repeat(30_000);
    let take = json!({"lines": [{"account": "seat/1", "quantity": 1}], "ttlMs": 60_000, "details": details});
    let gone = async {
        while shop.engine.status().oldest_seq <= 1 {
            office.post("/v1/reservations", take.clone()).await.data();
            shop.engine.checkpoint().expect("it is written");
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("old events are let go");
    let data = office.get("/v1/events?from=1").await.failure(410, "EVENTS_GONE");
    let oldest = data["oldest"].as_u64().expect("a number");
    assert!(oldest > 1);
    let told =
        Stream::open(shop.address, "/v1/events?from=1", "connection: close\r\n").await.rest().await;
    assert!(told.starts_with("HTTP/1.1 410"), "{told}");
    let page = office.get("/v1/events?limit=1").await.data();
    assert!(page["events"][0]["seq"].as_u64() >= Some(oldest), "the oldest there is");
}
