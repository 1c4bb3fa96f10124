//! Would catch a unit that is had before its sale begins, by whatever way; a refusal that does not say when
//! it does, or is remembered as the answer to the same request after it; and a line that is served early.

use hyper::Method;
use serde_json::{Value, json};
use stockhold::mall::Product;

use crate::support::{Client, NOW_MS, Setup, Shop, product};

const BEGINS: u64 = NOW_MS + 60_000;

async fn shop_with(stock: u64) -> (Shop, Client) {
    let shop = Shop::with(Setup::default()).await;
    let mut admin = shop.admin().await;
    let tea =
        Product { sale_starts_at: Some(BEGINS), waiting_places: Some(5), ..product("tea", 10) };
    shop.mall.put_product(&tea).expect("it is written");
    if stock > 0 {
        let body = json!({"quantity": stock});
        admin.post("/api/admin/inventory/tea/receive", body).await.data();
    }
    (shop, admin)
}

fn one(confirm: bool) -> Value {
    json!({"productId": "tea", "quantity": 1, "confirm": confirm})
}

#[tokio::test]
async fn nobody_gets_a_unit_before_its_sale_begins_and_the_same_request_does_then() {
    let (shop, _) = shop_with(1).await;
    let (mut ann, mut bob) = (shop.user_with("ann", 100).await, shop.user_with("bob", 100).await);
    let shown = shop.guest().await.get("/api/mall/products/tea").await.data();
    assert_eq!((&shown["saleStartsAt"], &shown["stockQuantity"]), (&json!(BEGINS), &json!(1)));
    let early = ann.post_keyed("/api/mall/exchange", "once", one(true)).await;
    let early = early.failure(409, "SALE_NOT_STARTED");
    assert_eq!(early, json!({"saleStartsAt": BEGINS}));
    let basket = json!({"items": [{"productId": "prod_kfc", "quantity": 1}, {"productId": "tea", "quantity": 1}]});
    ann.post("/api/mall/exchange", basket).await.failure(409, "SALE_NOT_STARTED");
    let check = ann.get("/api/points/eligibility?product_id=tea").await.data();
    let reason = json!({"code": "SALE_NOT_STARTED", "required": null, "available": null, "saleStartsAt": BEGINS});
    assert_eq!((&check["eligible"], &check["reasons"]), (&json!(false), &json!([reason])));
    assert_eq!(ann.balance().await, 100);

    shop.advance(59_999);
    ann.post("/api/mall/exchange", one(true)).await.failure(409, "SALE_NOT_STARTED");
    shop.advance(1);
    let made = ann.post_keyed("/api/mall/exchange", "once", one(true)).await.data();
    assert_eq!(made["status"], 1, "what was refused early is a new try: {made}");
    bob.post("/api/mall/exchange", one(true)).await.failure(409, "OUT_OF_STOCK");
    let check = ann.get("/api/points/eligibility?product_id=tea").await.data();
    assert_eq!(check["reasons"][0]["code"], "OUT_OF_STOCK", "{check}");
}

#[tokio::test]
async fn a_line_waits_for_the_sale_to_begin() {
    let (shop, mut admin) = shop_with(0).await;
    let mut ann = shop.user_with("ann", 100).await;
    ann.post("/api/mall/products/tea/waiting-list", json!({})).await.data();
    admin.post("/api/admin/inventory/tea/receive", json!({"quantity": 1})).await.data();
    shop.mall.serve_lines().expect("it is looked at");
    assert_eq!(ann.get("/api/mall/orders").await.data()["orders"], json!([]));
    shop.advance(60_000);
    // The server serves as well: whoever is second finds it done, or being done.
    while ann.get("/api/mall/orders").await.data()["orders"] == json!([]) {
        shop.mall.serve_lines().expect("it is served");
    }
}

#[tokio::test]
async fn when_a_sale_begins_is_written_as_a_field_of_its_product() {
    let (shop, mut admin) = shop_with(1).await;
    let mut ann = shop.user_with("ann", 100).await;
    let path = "/api/admin/products/tea";
    assert_eq!(admin.get(path).await.data()["saleStartsAt"], BEGINS);
    for wrong in [json!(-1), json!("soon"), json!(253_402_300_800_000_u64)] {
        let refused = patch(&mut admin, path, json!({"saleStartsAt": wrong})).await;
        assert_eq!(refused.status, 400);
        let told = refused.json();
        assert!(told["message"].as_str().expect("a text").contains("$.saleStartsAt"), "{told}");
    }
    let changed = patch(&mut admin, path, json!({"saleStartsAt": null})).await.data();
    assert_eq!(changed["saleStartsAt"], Value::Null);
    ann.post("/api/mall/exchange", one(true)).await.data();
    let shop = shop.reopen().await;
    let shown = shop.guest().await.get("/api/mall/products/tea").await.data();
    assert_eq!(shown["saleStartsAt"], Value::Null);
}

async fn patch(admin: &mut Client, path: &str, body: Value) -> crate::support::Reply {
    let request = admin.request(Method::PATCH, path).header("If-Match", "*");
    let request = request.header("Content-Type", "application/json");
    admin.send(request, body.to_string()).await
}
