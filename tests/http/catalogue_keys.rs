//! Would catch a change of the catalogue that a retry with its key makes twice, or makes again after
//! somebody else has changed or removed what it made, and a retry that hears another answer than the
//! first.

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::{Client, Reply, Shop};

const PRODUCTS: &str = "/api/admin/products";
const TEA: &str = "/api/admin/products/tea";

/// A request under a key, for who has seen this tag.
async fn keyed(
    client: &mut Client,
    method: Method,
    path: &str,
    (key, tag): (&str, &str),
    body: Value,
) -> Reply {
    let request = client.request(method, path).header(CONTENT_TYPE, "application/json");
    let request = request.header("Idempotency-Key", key).header("If-Match", tag);
    client.send(request, if body.is_null() { String::new() } else { body.to_string() }).await
}

fn tea() -> Value {
    json!({"id": "tea", "name": "龙井茶", "categoryId": "cat_food", "pointsPrice": 120})
}

fn tag(reply: &Reply) -> String {
    reply.header("etag").expect("a document has a tag").to_owned()
}

#[tokio::test]
async fn a_creation_under_a_key_happens_once() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let first = ops.post_keyed(PRODUCTS, "one", tea()).await;
    let again = ops.post_keyed(PRODUCTS, "one", tea()).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    assert_eq!(tag(&again), tag(&first));
    let other = json!({"id": "tea", "name": "茶", "categoryId": "cat_food", "pointsPrice": 120});
    ops.post_keyed(PRODUCTS, "one", other).await.failure(422, "IDEMPOTENCY_CONFLICT");
    // Another's key is another key.
    shop.admin().await.post_keyed(PRODUCTS, "one", tea()).await.failure(409, "ALREADY_EXISTS");

    // Somebody else makes it dearer: a retry hears the first answer, also after a restart, and
    // changes nothing.
    let price = json!({"pointsPrice": 130});
    let dearer = keyed(&mut shop.admin().await, Method::PATCH, TEA, ("two", "*"), price).await;
    assert_ne!(dearer.data(), first.data());
    shop.engine.checkpoint().expect("it is written");
    let shop = shop.reopen().await;
    let mut ops = shop.operator().await;
    let late = ops.post_keyed(PRODUCTS, "one", tea()).await;
    assert_eq!((late.data(), tag(&late)), (first.data(), tag(&first)));
    assert_eq!(ops.get(TEA).await.data(), dearer.data());
    // In the format of the retry.
    let packed = ops.post_request(PRODUCTS).header("Idempotency-Key", "one");
    let packed = ops.send(packed.header(ACCEPT, "application/msgpack"), tea().to_string()).await;
    let packed: Value = rmp_serde::from_slice(&packed.body).expect("it is MessagePack");
    assert_eq!(packed["data"], first.data());

    // Or takes it away: a retry does not bring it back. Another request does.
    let mut admin = shop.admin().await;
    keyed(&mut admin, Method::DELETE, TEA, ("three", "*"), Value::Null).await.data();
    let late = ops.post_keyed(PRODUCTS, "one", tea()).await;
    assert_eq!((late.data(), tag(&late)), (first.data(), tag(&first)));
    ops.get(TEA).await.failure(404, "PRODUCT_NOT_FOUND");
    ops.post_keyed(PRODUCTS, "four", tea()).await.data();
}

#[tokio::test]
async fn a_change_under_a_key_is_not_made_again_over_anothers() {
    let shop = Shop::open().await;
    let (mut ops, mut admin) = (shop.operator().await, shop.admin().await);
    ops.post(PRODUCTS, tea()).await.data();
    for (method, key, price) in [(Method::PATCH, "patch", 130), (Method::PUT, "put", 140)] {
        // What is written again at the same time is the same writing.
        shop.advance(1);
        let seen = tag(&ops.get(TEA).await);
        let mut body = if method == Method::PUT { tea() } else { json!({}) };
        body["pointsPrice"] = price.into();
        let change = (key, &*seen);
        let first = keyed(&mut ops, method.clone(), TEA, change, body.clone()).await;
        assert_eq!(first.data()["pointsPrice"], price, "{method}");
        let again = keyed(&mut ops, method.clone(), TEA, change, body.clone()).await;
        assert_eq!(again.without_timestamp(), first.without_timestamp(), "{method}");

        shop.advance(1);
        let cheaper = json!({"pointsPrice": 1});
        let cheaper = keyed(&mut admin, Method::PATCH, TEA, (key, "*"), cheaper).await;
        let late = keyed(&mut ops, method.clone(), TEA, change, body.clone()).await;
        assert_eq!((late.data(), tag(&late)), (first.data(), tag(&first)), "{method}");
        assert_eq!(ops.get(TEA).await.data(), cheaper.data());
        let new = keyed(&mut ops, method.clone(), TEA, ("new", &seen), body.clone()).await;
        new.failure(412, "PRECONDITION_FAILED");
        body["pointsPrice"] = 7.into();
        let other = keyed(&mut ops, method.clone(), TEA, change, body).await;
        other.failure(422, "IDEMPOTENCY_CONFLICT");
    }
}

#[tokio::test]
async fn what_was_shown_hidden_or_removed_under_a_key_stays_as_others_left_it() {
    let shop = Shop::open().await;
    let (mut ops, mut admin) = (shop.operator().await, shop.admin().await);
    let mut hidden = tea();
    hidden["status"] = 0.into();
    ops.post(PRODUCTS, hidden).await.data();
    let publish = format!("{TEA}/publish");
    assert_eq!(ops.post_keyed(&publish, "up", json!({})).await.data()["status"], 1);
    admin.post(&format!("{TEA}/withdraw"), json!({})).await.data();
    let again = ops.post_keyed(&publish, "up", json!({})).await.data();
    assert_eq!((&again["status"], &ops.get(TEA).await.data()["status"]), (&json!(1), &json!(0)));

    // What is refused is not remembered: it may be tried again.
    let stock = "/api/admin/inventory/tea";
    admin.post(&format!("{stock}/receive"), json!({"quantity": 1})).await.data();
    let remove = ("remove", "*");
    keyed(&mut ops, Method::DELETE, TEA, remove, Value::Null).await.failure(409, "IN_USE");
    admin.post(&format!("{stock}/adjust"), json!({"delta": -1})).await.data();
    for _ in 0..2 {
        let removed = keyed(&mut ops, Method::DELETE, TEA, remove, Value::Null).await;
        assert_eq!(removed.data(), json!({"id": "tea"}));
    }
    admin.post(PRODUCTS, tea()).await.data();
    let removed = keyed(&mut ops, Method::DELETE, TEA, remove, Value::Null).await;
    assert_eq!(removed.data(), json!({"id": "tea"}));
    admin.get(TEA).await.data();
}

#[tokio::test]
async fn categories_have_keys_as_products_have() {
    const CATEGORIES: &str = "/api/admin/categories";
    let shop = Shop::open().await;
    let (mut ops, mut admin) = (shop.operator().await, shop.admin().await);
    let body = json!({"id": "cat_tea", "name": "茶"});
    let first = ops.post_keyed(CATEGORIES, "one", body.clone()).await;
    let again = ops.post_keyed(CATEGORIES, "one", body.clone()).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    let path = format!("{CATEGORIES}/cat_tea");
    keyed(&mut admin, Method::DELETE, &path, ("one", "*"), Value::Null).await.data();
    let late = ops.post_keyed(CATEGORIES, "one", body).await;
    assert_eq!(late.without_timestamp(), first.without_timestamp());
    ops.get(&path).await.failure(404, "CATEGORY_NOT_FOUND");
}

#[tokio::test]
async fn what_changes_nothing_is_remembered_under_its_key() {
    let shop = Shop::open().await;
    let (mut ops, mut admin) = (shop.operator().await, shop.admin().await);
    ops.post(PRODUCTS, tea()).await.data();
    let same = json!({"pointsPrice": 120});
    let before = shop.state();
    let change = ("same", "*");
    let first = keyed(&mut ops, Method::PATCH, TEA, change, same.clone()).await;
    first.data();
    assert_ne!(shop.state(), before, "the answer is on record");
    let other = keyed(&mut ops, Method::PATCH, TEA, change, json!({"pointsPrice": 7})).await;
    other.failure(422, "IDEMPOTENCY_CONFLICT");
    keyed(&mut admin, Method::PATCH, TEA, ("k", "*"), json!({"pointsPrice": 9})).await.data();
    // The price that it asks for is another's by now; and it was the first answer that it changed
    // nothing.
    let again = keyed(&mut ops, Method::PATCH, TEA, change, same).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    assert_eq!(ops.get(TEA).await.data()["pointsPrice"], 9);
    // So with what is shown already.
    let publish = format!("{TEA}/publish");
    let first = ops.post_keyed(&publish, "up", json!({})).await;
    admin.post(&format!("{TEA}/withdraw"), json!({})).await.data();
    let again = ops.post_keyed(&publish, "up", json!({})).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    assert_eq!(ops.get(TEA).await.data()["status"], 0);
}
