//! Would catch a shop that sells until its disk is full, that can then no longer end what it began, or
//! that lets one user fill the disk.

use serde_json::{Value, json};
use stockhold::http::Limits;

use crate::support::{Client, Setup, Shop};

const EXCHANGE: &str = "/api/mall/exchange";

fn order() -> Value {
    json!({"productId": "prod_movie", "quantity": 1})
}

async fn buy(client: &mut Client, key: &str) -> String {
    client.post_keyed(EXCHANGE, key, order()).await.data()["orderId"]
        .as_str()
        .expect("a string")
        .to_owned()
}

async fn end(client: &mut Client, order: &str, how: &str) -> u16 {
    let request = client.post_request(&format!("/api/mall/orders/{order}/{how}"));
    client.send(request, "").await.status
}

#[tokio::test]
async fn with_little_room_nothing_is_sold_and_everything_ends() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut orders = Vec::new();
    for key in ["paid", "given-up", "left"] {
        orders.push(buy(&mut ann, key).await);
    }
    // No disk has as much room as this.
    let setup = Setup { engine: |builder| builder.low_space_mark(1 << 62), ..Setup::default() };
    let shop = shop.reopen_with(setup).await;
    let (mut ann, mut admin) = (shop.user("ann").await, shop.admin().await);
    let before = shop.state();
    let refused = ann.post_keyed(EXCHANGE, "new", order()).await;
    refused.failure(507, "LOW_SPACE");
    assert_eq!(refused.header("retry-after"), Some("60"));
    for (path, body) in [
        ("/api/admin/points/ben/award", json!({"points": 1})),
        ("/api/admin/points/ann/award", json!({"points": 1})),
        ("/api/admin/inventory/prod_movie/receive", json!({"quantity": 1})),
    ] {
        admin.post(path, body).await.failure(507, "LOW_SPACE");
    }
    assert_eq!(shop.state(), before, "nothing was changed");
    let health = ann.get("/health").await;
    assert_eq!((health.status, &health.json()["checks"]["space"]), (200, &"rejected".into()));

    assert_eq!(buy(&mut ann, "paid").await, orders[0], "a retry hears its first answer");
    assert_eq!(end(&mut ann, &orders[0], "confirm").await, 200);
    assert_eq!(end(&mut ann, &orders[1], "cancel").await, 200);
    shop.advance(3_000_000);
    assert_eq!(ann.stock("prod_movie").await, 1999, "what nobody paid for is back");
    assert_eq!(end(&mut ann, &orders[0], "cancel").await, 200, "what was paid for is given back");
    admin.post("/api/admin/inventory/prod_movie/adjust", json!({"delta": -1})).await.data();
    assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (100_000, 1999));

    let shop = shop.reopen_with(Setup::default()).await;
    buy(&mut shop.user("ann").await, "new").await;
}

#[tokio::test]
async fn a_history_at_its_bound_is_low_space() {
    let shop = Shop::open()
        .await
        .reopen_with(Setup { engine: |builder| builder.history_bytes_max(1), ..Setup::default() });
    let shop = shop.await;
    let mut demo = shop.user("demo").await;
    demo.post(EXCHANGE, order()).await.failure(507, "LOW_SPACE");
    let checks = demo.get("/health").await.json()["checks"].take();
    assert!(checks["historyBytes"].as_u64().is_some_and(|bytes| bytes > 1), "{checks}");
}

/// Making and cancelling costs a user nothing, so it must be bounded for itself.
#[tokio::test]
async fn a_user_writes_no_more_than_a_bound() {
    let limits = |requests, bytes| Limits {
        user_requests_per_minute: requests,
        user_bytes_per_minute: bytes,
        ..Limits::default()
    };
    let setup = |limits| Setup { limits, ..Setup::default() };
    let shop = Shop::with(setup(limits(Some(2), None))).await;
    let (mut ann, mut ben) =
        (shop.user_with("ann", 100_000).await, shop.user_with("ben", 100_000).await);
    let order = buy(&mut ann, "one").await;
    assert_eq!(end(&mut ann, &order, "cancel").await, 200);
    let before = shop.state();
    let refused = ann.post(EXCHANGE, self::order()).await;
    refused.failure(429, "RATE_LIMITED");
    let wait: u64 = refused
        .header("retry-after")
        .and_then(|wait| wait.parse().ok())
        .expect("a number of seconds");
    assert!((1..=30).contains(&wait), "half a minute at most: {wait}");
    assert_eq!(end(&mut ann, &order, "confirm").await, 429);
    assert_eq!(shop.state(), before, "nothing was changed");
    assert_eq!(ann.get("/api/mall/orders").await.status, 200, "reading writes nothing");
    buy(&mut ben, "one").await;
    shop.user_with("ann", 1).await;

    let shop = shop.reopen_with(setup(limits(None, Some(20_000)))).await;
    let mut ann = shop.user("ann").await;
    let large = json!({"productId": "prod_movie", "quantity": 1, "deliveryInfo": {"note": "x".repeat(15_000)}});
    ann.post(EXCHANGE, large.clone()).await.data();
    ann.post(EXCHANGE, large).await.failure(429, "RATE_LIMITED");
    buy(&mut ann, "small").await;
}
