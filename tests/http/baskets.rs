//! Would catch a basket of which a part is taken, one that takes more than it names, a refusal that does
//! not name each line that was short, and units of a basket that go back as another's.

use serde_json::{Value, json};
use stockhold::mall::{Period, PurchaseLimit};

use crate::support::{Client, Reply, Shop, product};

/// A shop with ten units of each product, for 1, 2 and so on points each.
async fn shop(names: &[&str]) -> Shop {
    let shop = Shop::open().await;
    let mut root = shop.admin().await;
    for (price, name) in (1..).zip(names) {
        let mut product = product(name, price);
        if *name == "limited" {
            product.limit_per_user = Some(PurchaseLimit { quantity: 2, period: Period::Lifetime });
        }
        shop.mall.put_product(&product).expect("a valid product");
        let path = format!("/api/admin/inventory/{name}/receive");
        root.post(&path, json!({"quantity": 10})).await.data();
    }
    shop
}

fn items(wanted: &[(&str, u64)]) -> Value {
    wanted.iter().map(|(id, quantity)| json!({"productId": id, "quantity": quantity})).collect()
}

async fn exchange(user: &mut Client, wanted: &[(&str, u64)], confirm: bool) -> Reply {
    user.post("/api/mall/exchange", json!({"items": items(wanted), "confirm": confirm})).await
}

#[tokio::test]
async fn a_basket_is_one_order_or_none() {
    let shop = shop(&["tea", "milk", "limited"]).await;
    let (mut ann, mut ops) = (shop.user_with("ann", 100).await, shop.operator().await);
    let wanted = [("tea", 3), ("milk", 2), ("limited", 1)];
    let body = json!({"items": items(&wanted)});
    let first = ann.post_keyed("/api/mall/exchange", "k", body.clone()).await;
    let made = first.data();
    assert_eq!((&made["pointsCost"], &made["status"]), (&json!(10), &json!(0)));
    let again = ann.post_keyed("/api/mall/exchange", "k", body).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    let held = |tea, milk, limited| [("tea", tea), ("milk", milk), ("limited", limited)];
    for (name, units) in held(7, 8, 9) {
        assert_eq!(ann.stock(name).await, units, "{name}");
    }
    let order = made["orderId"].as_str().expect("a string").to_owned();
    let path = format!("/api/mall/orders/{order}");
    let seen = ann.get(&path).await.data();
    let told = (&seen["productId"], &seen["quantity"], &seen["pointsCost"]);
    assert_eq!(told, (&json!("tea"), &json!(6), &json!(10)));
    let shown = seen["items"].as_array().expect("an array").iter();
    let shown = shown.map(|item| {
        (
            item["productId"].clone(),
            item["quantity"].clone(),
            item["productSnapshot"]["pointsPrice"].clone(),
        )
    });
    let expected = wanted
        .iter()
        .zip(1..)
        .map(|((id, quantity), price)| (json!(id), json!(quantity), json!(price)));
    assert!(shown.eq(expected), "{seen}");
    for product in ["tea", "limited"] {
        let found = ops.get(&format!("/api/admin/orders?product_id={product}")).await.data();
        assert_eq!(found["orders"][0]["orderId"], json!(order));
    }

    // Each line that is short is named, and nothing is taken.
    let before = shop.state();
    let short = exchange(&mut ann, &[("tea", 8), ("milk", 8), ("limited", 2)], true).await;
    let data = short.failure(409, "LIMIT_EXCEEDED");
    let line = |code: &str, product: &str, required: u64, available: u64| json!({"code": code, "productId": product, "required": required, "available": available, "nextReleaseAt": null});
    let mut lines = data["lines"].as_array().expect("an array").clone();
    lines.iter_mut().for_each(|line| line["nextReleaseAt"] = Value::Null);
    assert_eq!(lines, [line("LIMIT_EXCEEDED", "limited", 2, 1), line("OUT_OF_STOCK", "tea", 8, 7)]);
    assert_eq!((&data["required"], &data["available"]), (&json!(2), &json!(1)));
    let mut poor = shop.user_with("bob", 3).await;
    let data = exchange(&mut poor, &[("tea", 9), ("milk", 1)], true)
        .await
        .failure(409, "INSUFFICIENT_POINTS");
    assert_eq!(data["lines"][0]["productId"], Value::Null);
    assert_eq!(
        data["lines"][1],
        line("OUT_OF_STOCK", "tea", 9, 7)
            .as_object()
            .map(|it| {
                let mut it = it.clone();
                it.insert("nextReleaseAt".to_owned(), data["lines"][1]["nextReleaseAt"].clone());
                Value::Object(it)
            })
            .expect("an object")
    );
    let mut none = shop.user("eve").await;
    let data =
        exchange(&mut none, &[("tea", 9), ("milk", 9)], true).await.failure(409, "OUT_OF_STOCK");
    assert_eq!(data["lines"].as_array().map(Vec::len), Some(3), "{data}");
    exchange(&mut ann, &[("tea", 1), ("coffee", 1)], true).await.failure(404, "PRODUCT_NOT_FOUND");
    assert_eq!(before.1, shop.state().1, "nothing waits besides");
    for (name, units) in held(7, 8, 9) {
        assert_eq!(ann.stock(name).await, units, "{name}");
    }

    // Some units go back, of the product that is named.
    ann.post(&format!("{path}/confirm"), json!({})).await.data();
    let refund = format!("/api/admin/orders/{order}/refund");
    let some = |product: &str, quantity: u64| json!({"reason": "x", "productId": product, "quantity": quantity});
    ops.post(&refund, json!({"reason": "x", "quantity": 1})).await.failure(400, "INVALID_REQUEST");
    ops.post(&refund, some("coffee", 1)).await.failure(400, "INVALID_REQUEST");
    ops.post(&refund, some("milk", 3)).await.failure(409, "ORDER_STATE");
    for (product, quantity, is_over, balance) in [
        ("milk", 2, false, 94),
        ("limited", 1, false, 97),
        ("tea", 1, false, 98),
        ("tea", 2, true, 100),
    ] {
        let key = format!("{product} {quantity}");
        let first = ops.post_keyed(&refund, &key, some(product, quantity)).await;
        let told = first.data();
        assert_eq!(told["items"], items(&[(product, quantity)]), "{product}");
        let again = ops.post_keyed(&refund, &key, some(product, quantity)).await;
        assert_eq!(again.without_timestamp(), first.without_timestamp());
        assert_eq!(
            (told["isOver"].as_bool(), ann.balance().await),
            (Some(is_over), balance),
            "{product}"
        );
    }
    let seen = ann.get(&path).await.data();
    assert_eq!(
        (&seen["status"], &seen["returnedQuantity"], &seen["returnedPoints"]),
        (&json!(-1), &json!(6), &json!(10))
    );
    for (name, units) in held(10, 10, 10) {
        assert_eq!(ann.stock(name).await, units, "{name}");
    }
    let whole = ops.get(&format!("/api/admin/orders/{order}")).await.data();
    let refunded = |at: usize| whole["records"][at]["productId"].clone();
    assert_eq!([0, 1, 2, 3].map(refunded), ["milk", "limited", "tea", "tea"].map(Value::from));
    exchange(&mut ann, &[("limited", 2)], true).await.data();
}

#[tokio::test]
async fn what_is_left_of_a_basket_goes_back_under_the_names_of_its_products() {
    let mut shop = shop(&["tea", "milk", "limited"]).await;
    let (mut ann, mut ops) = (shop.user_with("ann", 100).await, shop.operator().await);
    let wanted = [("limited", 1), ("tea", 3), ("milk", 2)];
    let made = exchange(&mut ann, &wanted, true).await.data();
    let refund = format!("/api/admin/orders/{}/refund", made["orderId"].as_str().expect("an id"));
    for (body, back) in [
        (json!({"reason": "x", "productId": "tea", "quantity": 1}), vec![("tea", 1)]),
        (json!({"reason": "x", "productId": "milk", "quantity": 2}), vec![("milk", 2)]),
        (json!({"reason": "x"}), vec![("limited", 1), ("tea", 2)]),
    ] {
        let key = body.to_string();
        let first = ops.post_keyed(&refund, &key, body.clone()).await;
        let (told, is_over) = (first.data(), body["quantity"].is_null());
        assert_eq!((&told["items"], &told["isOver"]), (&items(&back), &json!(is_over)));
        if is_over {
            shop = shop.reopen().await;
            ops = shop.operator().await;
        }
        let again = ops.post_keyed(&refund, &key, body).await;
        assert_eq!(again.without_timestamp(), first.without_timestamp());
    }
}

#[tokio::test]
async fn a_basket_has_its_bounds_and_fields_their_paths() {
    let names: Vec<String> = (0..51).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let shop = shop(&names).await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let all: Vec<(&str, u64)> = names.iter().map(|name| (*name, 1)).collect();
    let made = exchange(&mut ann, &all[..50], true).await.data();
    assert_eq!(made["pointsCost"], json!((1..=50).sum::<u64>()));
    for (body, field) in [
        (json!({"items": items(&all)}), "items"),
        (json!({"items": []}), "items"),
        (json!({"items": items(&[("p1", 1), ("p2", 0)])}), "items[1].quantity"),
        (json!({"items": items(&[("p1", 1), ("p2", 10_000)])}), "items[1].quantity"),
        (json!({"items": items(&[("p1", 1), ("p1", 1)])}), "items[1].productId"),
        (json!({"items": items(&[("p1", 1)]), "productId": "p1", "quantity": 1}), "items"),
        (json!({"quantity": 1}), "productId"),
        (json!({"productId": "p1"}), "quantity"),
        (json!({"productId": "p1", "quantity": 0}), "quantity"),
    ] {
        let reply = ann.post("/api/mall/exchange", body).await;
        reply.failure(400, "INVALID_REQUEST");
        assert!(reply.json()["message"].to_string().contains(field), "{field}: {:?}", reply.body);
    }
}
