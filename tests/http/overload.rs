//! Would catch a server that hangs, grows or half-does a request where it should say that it is too
//! busy, one that looks ill when it is only busy, and one that tells its books when they can no
//! longer be true.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use stockhold::http::{Limits, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, Setup, Shop, token};

const EXCHANGE: &str = "/api/mall/exchange";

fn order(confirm: bool) -> serde_json::Value {
    json!({"productId": "prod_movie", "quantity": 1, "confirm": confirm})
}

async fn statuses(client: &mut Client) -> (u16, u16) {
    (client.get("/health").await.status, client.get("/ready").await.status)
}

#[tokio::test]
async fn a_full_table_is_overloaded_until_there_is_room() {
    let setup =
        Setup { engine: |builder| builder.reservations_per_shard_max(1), ..Setup::default() };
    let shop = Shop::with(setup).await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let waiting = ann.post(EXCHANGE, order(false)).await.data()["orderId"]
        .as_str()
        .expect("a string")
        .to_owned();
    let before = shop.state();
    for _ in 0..2 {
        let refused = ann.post_keyed(EXCHANGE, "k", order(false)).await;
        refused.failure(503, "OVERLOADED");
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    assert_eq!(shop.state(), before);
    assert_eq!(statuses(&mut ann).await, (200, 200), "others are still served");
    // What never waits needs no place among those that do.
    ann.post(EXCHANGE, order(true)).await.data();
    let cancel = ann.post_request(&format!("/api/mall/orders/{waiting}/cancel"));
    ann.send(cancel, "").await.data();
    ann.post_keyed(EXCHANGE, "k", order(false)).await.data();
    assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (91_000, 1998));
}

#[tokio::test]
async fn a_full_queue_is_overloaded_and_not_ill() {
    let shop = Shop::open().await;
    let mut demo = shop.user("demo").await;
    let waiting = demo.post(EXCHANGE, order(false)).await.data()["orderId"]
        .as_str()
        .expect("a string")
        .to_owned();
    // A queue that is always full.
    let setup = Setup { engine: |builder| builder.queue_bytes_max(0), ..Setup::default() };
    let shop = shop.reopen_with(setup).await;
    let (mut demo, mut admin) = (shop.user("demo").await, shop.admin().await);
    let before = shop.state();
    let (confirm, cancel) = (
        format!("/api/mall/orders/{waiting}/confirm"),
        format!("/api/mall/orders/{waiting}/cancel"),
    );
    for (path, body) in [(EXCHANGE, order(true)), (&confirm, json!({})), (&cancel, json!({}))] {
        let refused = demo.post(path, body).await;
        refused.failure(503, "OVERLOADED");
        assert_eq!(refused.header("retry-after"), Some("1"), "{path}");
    }
    for (path, body) in [
        ("/api/admin/points/new/award", json!({"points": 1})),
        ("/api/admin/points/demo/award", json!({"points": 1})),
        ("/api/admin/inventory/prod_movie/receive", json!({"quantity": 1})),
        ("/api/admin/inventory/prod_movie/adjust", json!({"delta": 1})),
    ] {
        admin.post(path, body).await.failure(503, "OVERLOADED");
    }
    assert_eq!(shop.state(), before);
    assert_eq!(statuses(&mut demo).await, (200, 503), "alive, but nothing should be sent here");
    assert_eq!(
        demo.get(&format!("/api/mall/orders/{waiting}")).await.data()["state"],
        "pending",
        "reads go on"
    );
    assert_eq!((demo.balance().await, demo.stock("prod_movie").await), (995_500, 1999));
}

#[tokio::test]
async fn a_closed_engine_is_unavailable() {
    let shop = Shop::open().await;
    let (mut demo, mut admin) = (shop.user("demo").await, shop.admin().await);
    let waiting = demo.post(EXCHANGE, order(false)).await.data()["orderId"]
        .as_str()
        .expect("a string")
        .to_owned();
    shop.engine.close().expect("the engine closes");
    let path = format!("/api/mall/orders/{waiting}");
    for path in [&*path, "/api/mall/orders", "/api/points/balance"] {
        demo.get(path).await.failure(503, "UNAVAILABLE");
    }
    for path in [EXCHANGE, &format!("{path}/confirm"), &format!("{path}/cancel")] {
        let body = if path == EXCHANGE { order(true) } else { json!({}) };
        demo.post(path, body).await.failure(503, "UNAVAILABLE");
    }
    admin.get("/api/admin/inventory/prod_movie").await.failure(503, "UNAVAILABLE");
    admin
        .post("/api/admin/points/demo/award", json!({"points": 1}))
        .await
        .failure(503, "UNAVAILABLE");
    assert_eq!(statuses(&mut demo).await, (503, 503));
    // Its stock is asked of the engine, which answers nothing once it is closed.
    demo.get("/api/mall/products").await.failure(503, "UNAVAILABLE");
    demo.get("/api/mall/categories").await.data();
}

/// How often requests were turned away, for each reason.
async fn shed(client: &mut Client, reason: &str) -> u64 {
    let told = String::from_utf8(client.get("/metrics").await.body.to_vec()).expect("text");
    let series = format!("stockhold_http_shed_total{{reason=\"{reason}\"}} ");
    let line = told.lines().find_map(|line| line.strip_prefix(&*series));
    line.expect("it is told").parse().expect("a number")
}

/// A request whose head has come, and whose body is waited for.
async fn begun(shop: &Shop, user: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(shop.address).await.expect("the server accepts");
    let head = format!(
        "POST {EXCHANGE} HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {}\r\nExpect: 100-continue\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        token(user, Role::User),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    let (expected, mut told) = (b"HTTP/1.1 100 Continue\r\n\r\n", [0; 25]);
    stream.read_exact(&mut told).await.expect("it is let in");
    assert_eq!(&told, expected);
    stream
}

#[tokio::test]
async fn a_user_has_so_many_requests_under_way_and_all_others_are_served() {
    let limits = Limits { user_requests_under_way: Some(2), ..Limits::default() };
    let shop = Shop::with(Setup { limits, ..Setup::default() }).await;
    let (mut ann, mut ben) =
        (shop.user_with("ann", 100_000).await, shop.user_with("ben", 100_000).await);
    let (mut admin, body) = (shop.admin().await, order(true).to_string());
    let mut slow = Vec::new();
    for _ in 0..2 {
        slow.push(begun(&shop, "ann", &body).await);
    }
    let before = shop.state();
    let refused = ann.post_keyed(EXCHANGE, "k", order(true)).await;
    refused.failure(503, "OVERLOADED");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let message = refused.json()["message"].to_string();
    assert!(message.contains("user_requests_under_way"), "{message}");
    ann.get("/api/points/balance").await.failure(503, "OVERLOADED");
    assert_eq!(shop.state(), before, "nothing was done");
    assert_eq!(statuses(&mut ann).await, (200, 200));
    assert_eq!(shed(&mut admin, "user").await, 2);
    admin.get("/api/admin/orders").await.data();
    ben.post(EXCHANGE, order(true)).await.data();
    // A service acts for many, and is trusted to know what it does.
    let mut service = shop.client("till", Role::Service).await;
    let balance = service.request(hyper::Method::GET, "/api/points/balance");
    service.send(balance.header("X-On-Behalf-Of", "ann"), "").await.data();
    for mut stream in slow {
        stream.write_all(body.as_bytes()).await.expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    ann.post_keyed(EXCHANGE, "k", order(true)).await.data();
    assert_eq!(
        ann.balance().await,
        100_000 - 3 * 4_500,
        "what was turned away was made by its retry"
    );
}

#[tokio::test]
async fn operators_have_a_share_of_their_own_at_everybodys_listener() {
    // Here no list of a user may wait for its turn, or none may take memory.
    for limits in [
        Limits { waiting_lists: 0, ..Limits::default() },
        Limits { answer_bytes: 0, ..Limits::default() },
    ] {
        let shop = Shop::with(Setup { limits, ..Setup::default() }).await;
        let mut ann = shop.user_with("ann", 100_000).await;
        ann.get("/api/mall/orders").await.failure(503, "OVERLOADED");
        let mut operator = shop.operator().await;
        operator.get("/api/admin/orders").await.data();
        assert_eq!(statuses(&mut ann).await, (200, 200));
        // Not to be had by saying so.
        ann.get("/api/admin/orders").await.failure(403, "FORBIDDEN");
    }
}

/// Here whatever waits has waited for too long, so that it needs no more than some users at once.
#[tokio::test]
async fn while_requests_wait_some_are_turned_away_and_whoever_watches_is_not() {
    let limits = Limits { overload_wait: Some(Duration::ZERO), ..Limits::default() };
    let shop = Shop::with(Setup { limits, ..Setup::default() }).await;
    let (mut admin, mut users) = (shop.admin().await, tokio::task::JoinSet::new());
    let is_seen = Arc::new(AtomicBool::new(false));
    for user in 0..16 {
        let (mut client, is_seen) = (shop.user(&format!("user-{user}")).await, is_seen.clone());
        users.spawn(async move {
            let mut refused = 0;
            while !is_seen.load(Ordering::Relaxed) {
                let told = client.get("/api/points/balance").await;
                if told.status == 200 {
                    continue;
                }
                told.failure(503, "OVERLOADED");
                assert_eq!(told.header("retry-after"), Some("1"));
                let message = told.json()["message"].to_string();
                assert!(message.contains("more is asked than can be done"), "{message}");
                is_seen.store(true, Ordering::Relaxed);
                refused += 1;
            }
            refused
        });
    }
    let mut refused = 0;
    while !is_seen.load(Ordering::Relaxed) {
        assert_eq!(statuses(&mut admin).await, (200, 200), "whoever watches is let in");
        admin.get("/api/admin/orders").await.data();
    }
    while let Some(ended) = users.join_next().await {
        refused += ended.expect("each is answered");
        assert_eq!(statuses(&mut admin).await, (200, 200), "whoever watches is let in");
        admin.get("/api/admin/orders").await.data();
    }
    assert!(refused > 0);
    assert_eq!(shed(&mut admin, "share").await + shed(&mut admin, "load").await, refused);
}
