//! Would catch a remark on an order that is lost, doubled, shown to its user, or changes the order.

use serde_json::json;

use crate::support::Shop;

#[tokio::test]
async fn operators_write_down_what_its_user_does_not_see() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut ops = shop.operator().await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    let made = ann.post("/api/mall/exchange", body).await.data();
    let id = made["orderId"].as_str().expect("a string");
    let path = format!("/api/admin/orders/{id}/remark");
    let own = format!("/api/mall/orders/{id}");
    let before = ann.get(&own).await.data();

    // Of an order that waits, once however often it is asked.
    let text = json!({"text": "易碎，勿压"});
    let first = ops.post_keyed(&path, "one", text.clone()).await;
    let expected =
        json!({"orderId": made["orderId"], "orderNo": made["orderNo"], "text": "易碎，勿压"});
    assert_eq!(first.data(), expected);
    let again = ops.post_keyed(&path, "one", text.clone()).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    ops.post_keyed(&path, "one", json!({"text": "x"})).await.failure(422, "IDEMPOTENCY_CONFLICT");
    assert_eq!(ann.get(&own).await.data(), before, "nothing else has changed");

    // And of one that is over, by the number that people have.
    let cancel = ann.post_request(&format!("{own}/cancel"));
    ann.send(cancel, "").await.data();
    let by_number = made["orderNo"].as_str().expect("a string");
    let late = format!("/api/admin/orders/{by_number}/remark");
    shop.admin().await.post(&late, json!({"text": "客户来电"})).await.data();
    let order = ops.get(&format!("/api/admin/orders/{id}")).await.data();
    let records = order["records"].as_array().expect("an array");
    let told: Vec<_> =
        records.iter().map(|it| [&it["kind"], &it["operator"], &it["reason"]]).collect();
    let remarked = json!("remarked");
    assert_eq!(
        told,
        [
            [&remarked, &json!("ops"), &json!("易碎，勿压")],
            [&remarked, &json!("root"), &json!("客户来电")],
        ]
    );
}

#[tokio::test]
async fn a_remark_has_an_order_a_bound_and_an_operator() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut ops = shop.operator().await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    let made = ann.post("/api/mall/exchange", body).await.data();
    let path = format!("/api/admin/orders/{}/remark", made["orderId"].as_str().expect("a string"));
    for wrong in [json!(""), json!("长".repeat(501)), json!("a\nb"), json!(7), json!(null)] {
        let refused = ops.post(&path, json!({"text": wrong})).await;
        refused.failure(400, "INVALID_REQUEST");
        let message = refused.json()["message"].as_str().expect("a string").to_owned();
        assert!(!wrong.is_string() || message.contains("text must"), "{message}");
    }
    ops.post(&path, json!({"text": "长".repeat(500)})).await.data();
    let nobodys = "/api/admin/orders/ord_00000000000000ff/remark";
    ops.post(nobodys, json!({"text": "x"})).await.failure(404, "ORDER_NOT_FOUND");
    ann.post(&path, json!({"text": "x"})).await.failure(403, "FORBIDDEN");
    // Room is kept for what happens once.
    let refused = loop {
        let told = ops.post(&path, json!({"text": "x"})).await;
        if told.status != 200 {
            break told;
        }
    };
    refused.failure(409, "ORDER_STATE");
    let confirm =
        format!("/api/mall/orders/{}/confirm", made["orderId"].as_str().expect("a string"));
    let request = ann.post_request(&confirm);
    ann.send(request, "").await.data();
}
