//! Would catch a server that hangs, grows or half-does a request where it should say that it is too
//! busy, one that looks ill when it is only busy, and one that tells its books when they can no
//! longer be true.

use serde_json::json;

use crate::support::{Client, Setup, Shop};

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
