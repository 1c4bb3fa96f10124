//! Would catch a change whose record does not say who made it: an operator, or a service in a user's
//! name. (Which role may do what is held to its table beside it.)

use hyper::http::request::Builder;
use serde_json::{Value, json};
use stockhold::ReservationId;
use stockhold::http::Role;

use crate::support::{Client, Reply, Shop};

const MOVIE: &str = "/api/admin/inventory/prod_movie";

/// Asks for ann.
async fn for_ann(till: &mut Client, request: Builder, body: &str) -> Reply {
    till.send(request.header("X-On-Behalf-Of", "ann"), body.to_owned()).await
}

/// An order's id, as it is told and as the engine has it.
fn order(told: &Reply) -> (String, ReservationId) {
    let id = told.data()["orderId"].as_str().expect("a string").to_owned();
    let number = id.strip_prefix("ord_").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    (id, ReservationId::from_number(number.expect("a number")))
}

/// Whether these bytes name the service.
fn name_it(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|window| window == b"till")
}

#[tokio::test]
async fn a_change_of_stock_says_which_operator_made_it() {
    let shop = Shop::open().await;
    let mut olga = shop.client("olga", Role::Operator).await;
    olga.post(&format!("{MOVIE}/receive"), json!({"quantity": 3, "reason": "到货"})).await.data();
    shop.admin().await.post(&format!("{MOVIE}/adjust"), json!({"delta": -1})).await.data();
    let inventory = olga.get(MOVIE).await.data();
    let records = inventory["records"].as_array().expect("an array");
    let told: Vec<(&Value, &Value)> = records
        .iter()
        .take(2)
        .map(|record| (&record["operator"], &record["description"]))
        .collect();
    assert_eq!(told, [(&json!("root"), &json!("")), (&json!("olga"), &json!("到货"))]);
    olga.post("/api/admin/clock/confirm", json!({})).await.failure(403, "FORBIDDEN");
}

#[tokio::test]
async fn what_a_service_does_for_a_user_is_the_users_and_on_record_as_the_services() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut till = shop.client("till", Role::Service).await;
    let body = json!({"productId": "prod_movie", "quantity": 1}).to_string();
    let exchange = |till: &Client, key: &str| {
        till.post_request("/api/mall/exchange").header("Idempotency-Key", key)
    };
    let request = exchange(&till, "1");
    let (id, reservation) = order(&for_ann(&mut till, request, &body).await);
    let request = exchange(&till, "1");
    assert_eq!(order(&for_ann(&mut till, request, &body).await).1, reservation, "a retry");
    let request = exchange(&till, "2");
    let (given_up, waiting) = order(&for_ann(&mut till, request, &body).await);

    // They are ann's, and nobody else's.
    assert_eq!(ann.get(&format!("/api/mall/orders/{id}")).await.data()["orderId"], json!(id));
    let request = till.post_request(&format!("/api/mall/orders/{id}/confirm"));
    let for_bob = request.header("X-On-Behalf-Of", "bob");
    till.send(for_bob, "").await.failure(404, "ORDER_NOT_FOUND");
    let request = till.post_request(&format!("/api/mall/orders/{given_up}/extend"));
    for_ann(&mut till, request, r#"{"ttlMs":1200000}"#).await.data();
    for act in [format!("{id}/confirm"), format!("{id}/cancel"), format!("{given_up}/cancel")] {
        let request = till.post_request(&format!("/api/mall/orders/{act}"));
        for_ann(&mut till, request, "").await.data();
    }
    assert_eq!(ann.balance().await, 100_000, "everything came back");

    // Another one is ann's own doing.
    let own = ann.post("/api/mall/exchange", json!({"productId": "prod_movie", "quantity": 1}));
    let (id, own) = order(&own.await);
    let confirm = ann.post_request(&format!("/api/mall/orders/{id}/confirm"));
    ann.send(confirm, "").await.data();

    shop.engine.catch_up().wait().expect("history follows");
    let record =
        |id| shop.engine.history().reservation(id).expect("it reads").expect("it is there");
    for (id, notes) in [(reservation, 1), (waiting, 2), (own, 0)] {
        let record = record(id);
        assert_eq!(name_it(&record.details), notes > 0, "{record:?}");
        let named = record.notes.iter().filter(|note| name_it(&note.body)).count();
        assert_eq!(named, notes, "{record:?}");
    }
    let whole = shop.admin().await.get(&format!("/api/admin/orders/{given_up}")).await.data();
    assert_eq!((&whole["userId"], &whole["service"]), (&json!("ann"), &json!("till")));
    let records = whole["records"].as_array().expect("an array");
    let asked: Vec<_> = records.iter().map(|it| (&it["kind"], &it["operator"])).collect();
    let name = &json!("till");
    assert_eq!(asked, [(&json!("extendAsked"), name), (&json!("cancelAsked"), name)]);
    let inventory = shop.admin().await.get(MOVIE).await.data();
    let records = inventory["records"].as_array().expect("an array");
    let returned = records.iter().find(|record| record["kind"] == "returned");
    let returned = returned.expect("it was returned");
    assert_eq!(
        (&returned["operator"], &returned["description"]),
        (&json!("till"), &json!("订单取消"))
    );
}
