//! Would catch a way into the mall's books through the generic API: points or stock that it changes, an
//! order that it ends or makes up, and a list of the mall that shows what is none of it.

use hyper::Method;
use serde_json::{Value, json};
use stockhold::http::Role;

use super::{of, open, reserve, service};
use crate::support::{Client, Shop};

/// Every way to change an account, and every way to name one on the way.
fn attempts(key: &str) -> Vec<(Method, String, Value)> {
    let post = |path: String, body: Value| (Method::POST, path, body);
    let taken = json!([{"account": key, "quantity": 1}]);
    let own = json!([{"account": "seat/1", "quantity": 1}]);
    vec![
        (Method::DELETE, of(key, ""), json!({})),
        post("/v1/accounts".to_owned(), json!({"key": key})),
        post(of(key, "/receive"), json!({"quantity": 1})),
        post(of(key, "/adjust"), json!({"delta": -1})),
        post(of(key, "/count"), json!({"counted": 1})),
        post(of(key, "/write-off"), json!({"quantity": 1})),
        post(of(key, "/transfer"), json!({"to": "points/eve", "quantity": 1})),
        post(of("seat/1", "/transfer"), json!({"to": key, "quantity": 1})),
        post("/v1/reservations".to_owned(), json!({"lines": taken, "ttlMs": 1000})),
        post("/v1/reservations".to_owned(), json!({"lines": own, "ttlMs": 1000, "owner": key})),
    ]
}

#[tokio::test]
async fn what_the_mall_keeps_is_seen_and_never_changed() {
    let shop = Shop::open().await;
    let mut office = service(&shop).await;
    open(&mut office, "seat/1", 5).await;
    let stock = office.get(&of("stock/prod_movie", "")).await.data();
    assert_eq!(stock["available"], 2000, "anything can be seen");
    let number = stock["account"].as_u64().expect("a number").to_string();
    let body = json!({"quantity": 1});
    office.post(&of(&number, "/receive"), body).await.failure(403, "MALL_ACCOUNT");
    let before = shop.state();
    for role in [Role::Service, Role::Admin] {
        let mut client = shop.client("box-office", role).await;
        for key in [
            "points/demo",
            "points/nobody",
            "stock/prod_movie",
            "stock/new/north",
            "quota/demo/:free",
            "points-not-earned/demo",
            "points-moved/demo",
        ] {
            for (method, path, body) in attempts(key) {
                // An account that is not there has no number and no units, and hears the same.
                let request = client.request(method.clone(), &path);
                let request = request.header("Content-Type", "application/json");
                let told = client.send(request, body.to_string()).await;
                let code = told.envelope()["code"].as_str().unwrap_or_default().to_owned();
                assert_eq!((told.status, &*code), (403, "MALL_ACCOUNT"), "{method} {path} {body}");
            }
        }
    }
    for (method, path, body) in attempts("caller/box-office").into_iter().take(7) {
        let request = office.request(method.clone(), &path);
        let request = request.header("Content-Type", "application/json");
        office.send(request, body.to_string()).await.failure(403, "FORBIDDEN");
    }
    let mut after = shop.state();
    after.0.retain(|level| level.key.as_str() != "caller/box-office");
    assert_eq!(after.0, before.0, "no account of the mall has changed");
}

/// An order of ann that waits, and one that is confirmed: their ids and the numbers of their
/// reservations.
async fn orders(ann: &mut Client) -> [(String, String); 2] {
    let mut made = Vec::new();
    for confirm in [false, true] {
        let body = json!({"productId": "prod_movie", "quantity": 1, "confirm": confirm});
        let order = ann.post("/api/mall/exchange", body).await.data()["orderId"].clone();
        let id = order.as_str().expect("a text").to_owned();
        let hex = id.strip_prefix("ord_").expect("an order's id");
        let number = u64::from_str_radix(hex, 16).expect("a number").to_string();
        made.push((id, number));
    }
    made.try_into().expect("two")
}

#[tokio::test]
async fn an_order_is_nothing_that_a_caller_can_end() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let orders = orders(&mut ann).await;
    let mut office = service(&shop).await;
    open(&mut office, "seat/1", 5).await;
    let before = shop.state();
    for (_, number) in &orders {
        for (act, body) in [
            ("confirm", json!({})),
            ("release", json!({})),
            ("extend", json!({"ttlMs": 1})),
            ("refund", json!({})),
            ("reacquire", json!({})),
        ] {
            let path = format!("/v1/reservations/{number}/{act}");
            office.post(&path, body.clone()).await.failure(403, "FORBIDDEN");
            let mut named = body;
            named["owner"] = json!("points/ann");
            office.post(&path, named).await.failure(403, "MALL_ACCOUNT");
        }
        let told = office.get(&format!("/v1/reservations/{number}")).await.data();
        assert_eq!((&told["owner"], &told["details"]), (&json!("points/ann"), &Value::Null));
    }
    let mut after = shop.state();
    after.0.retain(|level| level.key.as_str() != "caller/box-office");
    assert_eq!((after.0, after.1), (before.0, before.1));
    for (id, _) in &orders {
        let path = format!("/api/mall/orders/{id}/cancel");
        assert_eq!(ann.send(ann.post_request(&path), "").await.data()["status"], -1);
    }
}

#[tokio::test]
async fn no_list_of_the_mall_shows_what_is_none_of_it() {
    let shop = Shop::open().await;
    let mut office = service(&shop).await;
    open(&mut office, "seat/1", 5).await;
    let waits = reserve(&mut office, json!([{"account": "seat/1", "quantity": 1}])).await;
    let ended = reserve(&mut office, json!([{"account": "seat/1", "quantity": 1}])).await;
    office.post(&format!("/v1/reservations/{ended}/confirm"), json!({})).await.data();
    let mut ops = shop.operator().await;
    let orders = ops.get("/api/admin/orders").await.data();
    assert_eq!(orders["orders"], json!([]));
    let hex = format!("ord_{:016x}", waits.parse::<u64>().expect("a number"));
    ops.get(&format!("/api/admin/orders/{hex}")).await.failure(404, "ORDER_NOT_FOUND");
    let cancel = ops.post_request(&format!("/api/admin/orders/{hex}/cancel"));
    ops.send(cancel, r#"{"reason":"x"}"#).await.failure(404, "ORDER_NOT_FOUND");
    let health = ops.get("/api/admin/inventory/health").await.data();
    assert_eq!(health["healthy"], true, "{health}");
    let records = ops.get("/api/admin/inventory/records").await.data();
    assert!(!records.to_string().contains("seat"), "{records}");
    let mut box_office = shop.user("box-office").await;
    assert_eq!(box_office.get("/api/mall/orders").await.data()["orders"], json!([]));
}

#[tokio::test]
async fn only_services_and_administrators_come_in() {
    let shop = Shop::open().await;
    for (role, lets_in) in
        [(Role::User, false), (Role::Service, true), (Role::Operator, false), (Role::Admin, true)]
    {
        let mut client = shop.client("ann", role).await;
        let told = client.get("/v1/accounts").await;
        assert_eq!(told.status == 200, lets_in, "{role:?}");
    }
    let mut office = service(&shop).await;
    let request = office.request(Method::GET, "/v1/accounts").header("X-On-Behalf-Of", "ann");
    office.send(request, "").await.failure(403, "FORBIDDEN");
}
