//! Would catch an order whose deadline moves beyond the maximum, in another's hands or when it waits no
//! longer, and one that expires although it was given more time.

use serde_json::{Value, json};
use stockhold::mall::MallConfig;

use crate::support::{Client, NOW_MS, Reply, Setup, Shop};

const MINUTE_MS: u64 = 60_000;

async fn exchange(user: &mut Client, confirm: bool) -> String {
    let body = json!({"productId": "prod_movie", "quantity": 1, "confirm": confirm});
    let data = user.post("/api/mall/exchange", body).await.data();
    data["orderId"].as_str().expect("a string").to_owned()
}

async fn extend(user: &mut Client, order: &str, body: Value) -> Reply {
    user.post(&format!("/api/mall/orders/{order}/extend"), body).await
}

#[tokio::test]
async fn an_order_waits_longer_within_its_maximum() {
    let config = MallConfig { waiting_max_ms: 40 * MINUTE_MS, ..MallConfig::default() };
    let shop = Shop::with(Setup { config, ..Setup::default() }).await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut bob = shop.user_with("bob", 100_000).await;
    let id = exchange(&mut ann, false).await;
    shop.advance(14 * MINUTE_MS);
    let twenty = json!({"ttlMs": 20 * MINUTE_MS});
    extend(&mut bob, &id, twenty.clone()).await.failure(404, "ORDER_NOT_FOUND");
    let path = format!("/api/mall/orders/{id}/extend");
    let first = ann.post_keyed(&path, "k", twenty.clone()).await;
    let until = NOW_MS + 34 * MINUTE_MS;
    assert_eq!((&first.data()["status"], &first.data()["expiresAt"]), (&json!(0), &json!(until)));
    shop.advance(10 * MINUTE_MS);
    let again = ann.post_keyed(&path, "k", twenty).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp(), "a retry moves nothing");
    let read = ann.get(&format!("/api/mall/orders/{id}")).await.data();
    assert_eq!((&read["state"], &read["expiresAt"]), (&json!("pending"), &json!(until)));

    let late = extend(&mut ann, &id, json!({"ttlMs": 16 * MINUTE_MS + 1})).await;
    late.failure(409, "ORDER_STATE");
    let latest = (NOW_MS + 40 * MINUTE_MS).to_string();
    assert!(late.json()["message"].to_string().contains(&latest), "{:?}", late.body);
    let most = extend(&mut ann, &id, json!({"ttlMs": 16 * MINUTE_MS})).await.data();
    assert_eq!(most["expiresAt"], json!(NOW_MS + 40 * MINUTE_MS));
    for wrong in [json!({}), json!({"ttlMs": 0}), json!({"ttlMs": -1}), json!({"ttlMs": 1.5})] {
        extend(&mut ann, &id, wrong).await.failure(400, "INVALID_REQUEST");
    }
    shop.clock.advance(16 * MINUTE_MS);
    extend(&mut ann, &id, json!({"ttlMs": 1})).await.failure(410, "RESERVATION_EXPIRED");
    assert_eq!(ann.balance().await, 100_000, "everything is back");
    let confirmed = exchange(&mut ann, true).await;
    extend(&mut ann, &confirmed, json!({"ttlMs": 1})).await.failure(409, "ORDER_STATE");
    extend(&mut ann, "ord_00000000000000ff", json!({"ttlMs": 1}))
        .await
        .failure(404, "ORDER_NOT_FOUND");
}
