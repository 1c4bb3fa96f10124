//! Would catch a refund of some units that gives back other points, limit or stock than theirs, one that
//! goes back twice, and an order that is over while something of it is left.

use serde_json::{Value, json};
use stockhold::mall::{MallConfig, Period, PurchaseLimit};

use crate::support::{Client, NOW_MS, Reply, Setup, Shop, product};

async fn exchange(user: &mut Client, quantity: u64, confirm: bool) -> Reply {
    let body = json!({"productId": "tea", "quantity": quantity, "confirm": confirm});
    user.post("/api/mall/exchange", body).await
}

fn id(made: &Reply) -> String {
    made.data()["orderId"].as_str().expect("a string").to_owned()
}

/// A shop with ten units of a product for five points each, of which a user may have four.
async fn shop() -> Shop {
    let config = MallConfig { outstanding_max: Some(3), ..MallConfig::default() };
    let shop = Shop::with(Setup { config, ..Setup::default() }).await;
    let limit = PurchaseLimit { quantity: 4, period: Period::Lifetime };
    let tea = stockhold::mall::Product { limit_per_user: Some(limit), ..product("tea", 5) };
    shop.mall.put_product(&tea).expect("a valid product");
    let path = "/api/admin/inventory/tea/receive";
    shop.admin().await.post(path, json!({"quantity": 10})).await.data();
    shop
}

async fn refund(ops: &mut Client, order: &str, body: Value) -> Reply {
    ops.post(&format!("/api/admin/orders/{order}/refund"), body).await
}

/// Points, and units of the product: to be sold, sold, written off.
async fn books(user: &mut Client, ops: &mut Client) -> [i64; 4] {
    let stock = ops.get("/api/admin/inventory/tea").await.data();
    let unit = |field: &str| stock[field].as_i64().expect("a number");
    [user.balance().await, unit("available"), unit("sold"), unit("writtenOff")]
}

#[tokio::test]
async fn some_units_go_back_with_their_points_and_their_limit() {
    let shop = shop().await;
    let (mut ann, mut ops) = (shop.user_with("ann", 100).await, shop.operator().await);
    let made = exchange(&mut ann, 4, false).await;
    let order = id(&made);
    let one = json!({"reason": "退一件", "quantity": 1});
    refund(&mut ops, &order, one.clone()).await.failure(409, "ORDER_STATE");
    ann.post(&format!("/api/mall/orders/{order}/confirm"), json!({})).await.data();
    assert_eq!(books(&mut ann, &mut ops).await, [80, 6, 4, 0]);
    exchange(&mut ann, 1, true).await.failure(409, "LIMIT_EXCEEDED");

    let path = format!("/api/admin/orders/{order}/refund");
    let first = ops.post_keyed(&path, "a", one.clone()).await;
    let told = first.data();
    assert_eq!(
        (&told["orderId"], &told["quantity"], &told["isOver"]),
        (&json!(order), &json!(1), &json!(false))
    );
    assert_eq!(told["items"], json!([{"productId": "tea", "quantity": 1}]));
    assert_eq!(books(&mut ann, &mut ops).await, [85, 7, 3, 0]);
    let again = ops.post_keyed(&path, "a", one.clone()).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    assert_eq!(books(&mut ann, &mut ops).await, [85, 7, 3, 0], "a retry gives nothing back");
    let other = ops.post_keyed(&path, "a", json!({"reason": "退一件", "quantity": 2})).await;
    other.failure(422, "IDEMPOTENCY_CONFLICT");

    // Its limit is back, too: one more may be bought, and not two.
    exchange(&mut ann, 2, true).await.failure(409, "LIMIT_EXCEEDED");
    let another = id(&exchange(&mut ann, 1, true).await);
    assert_eq!(books(&mut ann, &mut ops).await, [80, 6, 4, 0]);

    let broken = json!({"reason": "破损", "quantity": 1, "restock": false});
    refund(&mut ops, &order, broken).await.data();
    assert_eq!(books(&mut ann, &mut ops).await, [85, 6, 3, 1]);
    let seen = ann.get(&format!("/api/mall/orders/{order}")).await.data();
    let shown = ["status", "quantity", "returnedQuantity", "returnedPoints", "cancelledAt"];
    assert_eq!(
        shown.map(|field| seen[field].clone()),
        [json!(1), json!(4), json!(2), json!(10), Value::Null]
    );

    let three = refund(&mut ops, &order, json!({"reason": "x", "quantity": 3})).await;
    three.failure(409, "ORDER_STATE");
    assert!(three.json()["message"].to_string().contains("2 units are left"), "{:?}", three.body);
    for wrong in [
        json!({"reason": "x", "quantity": 0}),
        json!({"reason": "x", "quantity": 10_001}),
        json!({"quantity": 1}),
    ] {
        refund(&mut ops, &order, wrong).await.failure(400, "INVALID_REQUEST");
    }
    // Sent, it still goes back; with the last unit nothing is left of it.
    let ship = json!({"trackingNo": "1"});
    ops.post(&format!("/api/admin/orders/{order}/ship"), ship).await.data();
    let last = refund(&mut ops, &order, json!({"reason": "全退", "quantity": 2})).await.data();
    assert_eq!(last["isOver"], true);
    assert_eq!(books(&mut ann, &mut ops).await, [95, 8, 1, 1]);
    let seen = ann.get(&format!("/api/mall/orders/{order}")).await.data();
    assert_eq!(
        (&seen["status"], &seen["returnedQuantity"], &seen["cancelledAt"]),
        (&json!(-1), &json!(4), &json!(NOW_MS))
    );
    let records = ops.get(&format!("/api/admin/orders/{order}")).await.data()["records"].clone();
    let told: Vec<_> = records
        .as_array()
        .expect("an array")
        .iter()
        .map(|it| (it["kind"].clone(), it["quantity"].clone(), it["reason"].clone()))
        .collect();
    let refunded =
        |quantity: u64, reason: &str| (json!("refunded"), json!(quantity), json!(reason));
    let shipped = (json!("shipped"), Value::Null, Value::Null);
    assert_eq!(told, [refunded(1, "退一件"), refunded(1, "破损"), shipped, refunded(2, "全退")]);

    // What an operator cancels is what is left, and a retry of that is told the same.
    let more = id(&exchange(&mut ann, 2, true).await);
    refund(&mut ops, &more, one).await.data();
    let path = format!("/api/admin/orders/{more}/cancel");
    let first = ops.post_keyed(&path, "c", json!({"reason": "x"})).await;
    assert_eq!((&first.data()["status"], &first.data()["pointsCost"]), (&json!(-1), &json!(10)));
    let again = ops.post_keyed(&path, "c", json!({"reason": "x"})).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    assert_eq!(books(&mut ann, &mut ops).await, [95, 8, 1, 1]);

    // What a user cancels is what is left.
    let path = format!("/api/mall/orders/{another}/cancel");
    ann.post(&path, json!({})).await.data();
    assert_eq!(books(&mut ann, &mut ops).await, [100, 9, 0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_unit_goes_back_twice_however_many_ask() {
    let shop = shop().await;
    let mut ann = shop.user_with("ann", 100).await;
    let order = id(&exchange(&mut ann, 4, true).await);
    let tasks = (0..8).map(|_| {
        let (shop, order) = (shop.operator(), order.clone());
        async move {
            let mut ops = shop.await;
            refund(&mut ops, &order, json!({"reason": "x", "quantity": 1})).await.status
        }
    });
    let mut all = Vec::new();
    for task in tasks {
        all.push(task);
    }
    let [a, b, c, d, e, f, g, h]: [_; 8] = all.try_into().ok().expect("eight");
    let told = tokio::join!(a, b, c, d, e, f, g, h);
    let told = [told.0, told.1, told.2, told.3, told.4, told.5, told.6, told.7];
    let won = told.iter().filter(|status| **status == 200).count();
    assert_eq!((won, told.iter().filter(|status| **status == 409).count()), (4, 4), "{told:?}");
    let mut ops = shop.operator().await;
    assert_eq!(books(&mut ann, &mut ops).await, [100, 10, 0, 0]);
}
