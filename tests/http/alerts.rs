//! Would catch an alert that operators are not told, or twice, a page that skips one, and an alert that
//! is forgotten, or unseen again, after a restart.

use serde_json::{Value, json};

use crate::support::{Client, NOW_MS, Shop, product};

const ALERTS: &str = "/api/admin/inventory/alerts";

/// A shop with so many units of tea, of which operators want to hear when there are ten.
async fn shop(units: u64) -> Shop {
    let shop = Shop::open().await;
    shop.mall.put_product(&product("tea", 5)).expect("a valid product");
    let mut ops = shop.operator().await;
    let patch = ops
        .request(hyper::Method::PATCH, "/api/admin/products/tea")
        .header("Content-Type", "application/json")
        .header("If-Match", "*");
    ops.send(patch, json!({"lowStockThreshold": 10}).to_string()).await.data();
    if units > 0 {
        receive(&mut ops, units).await;
    }
    shop
}

async fn receive(ops: &mut Client, quantity: u64) {
    let path = "/api/admin/inventory/tea/receive";
    ops.post(path, json!({"quantity": quantity})).await.data();
}

async fn buy(user: &mut Client, quantity: u64) -> Value {
    let body = json!({"productId": "tea", "quantity": quantity});
    user.post("/api/mall/exchange", body).await.data()["orderId"].clone()
}

async fn page(ops: &mut Client, query: &str) -> Value {
    ops.get(&format!("{ALERTS}{query}")).await.data()
}

/// Kind and end of each alert, newest first.
fn told(page: &Value) -> Vec<(String, Value)> {
    let alerts = page["alerts"].as_array().expect("an array");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    alerts.iter().map(|it| (text(&it["kind"]), it["endedBy"].clone())).collect()
}

#[tokio::test]
async fn stock_that_is_low_or_gone_is_told_until_it_is_back_and_a_restart_tells_nothing_twice() {
    let shop = shop(12).await;
    let (mut ann, mut ops) = (shop.user_with("ann", 1_000).await, shop.operator().await);
    assert_eq!(page(&mut ops, "").await["alerts"], json!([]));
    buy(&mut ann, 2).await;
    let first = page(&mut ops, "").await;
    let low = first["alerts"][0].clone();
    assert_eq!(
        [
            &low["kind"],
            &low["productId"],
            &low["threshold"],
            &low["stockQuantity"],
            &low["begunAt"]
        ],
        [&json!("lowStock"), &json!("tea"), &json!(10), &json!(10), &json!(NOW_MS)]
    );
    assert_eq!((&low["endedBy"], &low["acknowledgedBy"]), (&Value::Null, &Value::Null));
    assert_eq!((&first["openCount"], &first["nextBefore"]), (&json!(1), &Value::Null));
    buy(&mut ann, 1).await;
    let last = buy(&mut ann, 9).await;
    let both = [("soldOut".to_owned(), Value::Null), ("lowStock".to_owned(), Value::Null)];
    assert_eq!(told(&page(&mut ops, "?open=true").await), both);

    let shop = shop.reopen().await;
    let (mut ann, mut ops) = (shop.user("ann").await, shop.operator().await);
    assert_eq!(told(&page(&mut ops, "").await), both, "nothing is told again");
    let cancel = format!("/api/mall/orders/{}/cancel", last.as_str().expect("a string"));
    ann.post(&cancel, json!({})).await.data();
    let back = ("soldOut".to_owned(), json!("backInStock"));
    assert_eq!(told(&page(&mut ops, "?open=false").await), std::slice::from_ref(&back));
    receive(&mut ops, 5).await;
    let recovered = ("lowStock".to_owned(), json!("stockRecovered"));
    let shop = shop.reopen().await;
    let mut ops = shop.operator().await;
    let now = page(&mut ops, "").await;
    assert_eq!((told(&now), &now["openCount"]), (vec![back, recovered], &json!(0)));
    let ended = &now["alerts"][1];
    assert_eq!((&ended["endedAt"], &ended["endedStockQuantity"]), (&json!(NOW_MS), &json!(14)));
}

#[tokio::test]
async fn an_alert_is_seen_by_an_operator_once_and_stays_so() {
    let shop = shop(1).await;
    let (mut ann, mut ops) = (shop.user_with("ann", 1_000).await, shop.operator().await);
    buy(&mut ann, 1).await;
    let alerts = page(&mut ops, "?acknowledged=false").await;
    assert_eq!(told(&alerts).len(), 2);
    let id = alerts["alerts"][0]["alertId"].as_str().expect("a string").to_owned();
    let ack = format!("{ALERTS}/{id}/ack");
    let first = ops.post_keyed(&ack, "a", json!({})).await;
    assert_eq!(
        first.data(),
        json!({"alertId": id, "acknowledgedBy": "ops", "acknowledgedAt": NOW_MS})
    );
    shop.advance(5);
    let again = ops.post_keyed(&ack, "a", json!({})).await.data();
    let other = shop.admin().await.post(&ack, json!({})).await.data();
    assert_eq!([&again, &other], [&first.data(), &first.data()], "who was first stays on record");
    let shop = shop.reopen().await;
    let mut ops = shop.operator().await;
    let seen = page(&mut ops, "?acknowledged=true").await;
    assert_eq!(seen["alerts"][0]["acknowledgedBy"], "ops");
    assert_eq!((told(&seen).len(), &seen["openCount"]), (1, &json!(2)));
    // What is over is as it was seen.
    receive(&mut ops, 50).await;
    let over = page(&mut ops, "?acknowledged=true&open=false").await;
    assert_eq!(over["alerts"][0]["alertId"], id.as_str());

    for missing in ["0000000000000001o0123456789abcdef", "x"] {
        let path = format!("{ALERTS}/{missing}/ack");
        ops.post(&path, json!({})).await.failure(404, "NOT_FOUND");
    }
    for wrong in
        ["?open=maybe", "?page_size=0", "?page_size=101", "?before=x", "?acknowledged=2", "?x=1"]
    {
        ops.get(&format!("{ALERTS}{wrong}")).await.failure(400, "INVALID_REQUEST");
    }
    shop.user("ann").await.get(ALERTS).await.failure(403, "FORBIDDEN");
}

#[tokio::test]
async fn pages_have_each_alert_once_while_others_come() {
    let shop = shop(0).await;
    let (mut ann, mut ops) = (shop.user_with("ann", 1_000).await, shop.operator().await);
    for _ in 0..5 {
        receive(&mut ops, 1).await;
        buy(&mut ann, 1).await;
    }
    let whole = page(&mut ops, "").await;
    let ids = |page: &Value| -> Vec<Value> {
        let alerts = page["alerts"].as_array().expect("an array");
        alerts.iter().map(|it| it["alertId"].clone()).collect()
    };
    assert_eq!(whole["alerts"].as_array().expect("an array").len(), 6, "five times gone, once low");
    let (mut query, mut all) = ("?page_size=2".to_owned(), Vec::new());
    loop {
        let some = page(&mut ops, &query).await;
        all.extend(ids(&some));
        let Some(before) = some["nextBefore"].as_str() else { break };
        query = format!("?page_size=2&before={before}");
        receive(&mut ops, 1).await;
        buy(&mut ann, 1).await;
    }
    assert_eq!(all, ids(&whole));
    let of_tea = page(&mut ops, "?product_id=tea&page_size=100").await;
    assert_eq!(of_tea["alerts"].as_array().expect("an array").len(), 8);
    assert_eq!(page(&mut ops, "?product_id=cup").await["alerts"], json!([]));
}
