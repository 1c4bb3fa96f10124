//! Would catch a payment after the deadline that is taken without an order, an order that takes again
//! what is not there or takes it twice, and a refusal after which its payer cannot know whether to
//! give the money back.

use hyper::Method;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};
use stockhold::http::Role;
use stockhold::mall::{MallConfig, Period, PurchaseLimit};

use crate::support::{Client, NOW_MS, Reply, Setup, Shop, product};

const TTL_MS: u64 = 15 * 60_000;

/// A shop with ten units of each of these, for 1, 2 and 3 points each.
async fn shop() -> Shop {
    shop_with(Setup::default()).await
}

async fn shop_with(setup: Setup) -> Shop {
    let shop = Shop::with(setup).await;
    let mut root = shop.admin().await;
    for (price, name) in (1..).zip(["tea", "milk", "limited"]) {
        let mut product = product(name, price);
        if name == "limited" {
            product.limit_per_user = Some(PurchaseLimit { quantity: 2, period: Period::Lifetime });
        }
        shop.mall.put_product(&product).expect("a valid product");
        let path = format!("/api/admin/inventory/{name}/receive");
        root.post(&path, json!({"quantity": 10})).await.data();
    }
    shop
}

async fn exchange(user: &mut Client, wanted: &[(&str, u64)], confirm: bool) -> String {
    let items: Value =
        wanted.iter().map(|(id, count)| json!({"productId": id, "quantity": count})).collect();
    let made = user.post("/api/mall/exchange", json!({"items": items, "confirm": confirm})).await;
    made.data()["orderId"].as_str().expect("a string").to_owned()
}

fn confirm_path(order: &str) -> String {
    format!("/api/mall/orders/{order}/confirm")
}

async fn reacquire(user: &mut Client, order: &str, key: &str) -> Reply {
    user.post_keyed(&confirm_path(order), key, json!({"reacquire": true})).await
}

#[tokio::test]
async fn an_order_that_is_paid_late_takes_everything_again_once() {
    let shop = shop().await;
    let (mut ann, mut bob) = (shop.user_with("ann", 100).await, shop.user_with("bob", 100).await);
    let wanted = [("tea", 3), ("milk", 2), ("limited", 1)];
    let order = exchange(&mut ann, &wanted, false).await;
    // The wheel has not turned: the deadline alone decides.
    shop.clock.advance(TTL_MS);
    for key in ["k", "other"] {
        let late = ann.post_keyed(&confirm_path(&order), key, json!({})).await;
        late.failure(410, "RESERVATION_EXPIRED");
    }
    let no = ann.post(&confirm_path(&order), json!({"reacquire": false})).await;
    no.failure(410, "RESERVATION_EXPIRED");
    assert_eq!((ann.balance().await, ann.stock("tea").await), (100, 10), "everything is back");
    reacquire(&mut bob, &order, "k").await.failure(404, "ORDER_NOT_FOUND");
    shop.advance(60_000);

    let first = reacquire(&mut ann, &order, "k").await;
    let receipt = first.data();
    let told = (&receipt["orderId"], &receipt["status"], &receipt["pointsCost"]);
    assert_eq!(told, (&json!(order), &json!(1), &json!(10)));
    let held = |tea, milk, limited| [("tea", tea), ("milk", milk), ("limited", limited)];
    let check = async |ann: &mut Client, when: &str| {
        assert_eq!(ann.balance().await, 90, "{when}");
        for (name, units) in held(7, 8, 9) {
            assert_eq!(ann.stock(name).await, units, "{when}: {name}");
        }
        let seen = ann.get(&format!("/api/mall/orders/{order}")).await.data();
        assert_eq!((&seen["state"], &seen["cancelledAt"]), (&json!("confirmed"), &Value::Null));
        let times = (&seen["expiresAt"], &seen["exchangedAt"]);
        assert_eq!(times, (&json!(NOW_MS + TTL_MS), &json!(NOW_MS + TTL_MS + 60_000)), "{when}");
    };
    check(&mut ann, "at once").await;
    // A retry, another try, and a confirm as any.
    let again = reacquire(&mut ann, &order, "k").await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    for (key, body) in [("k2", json!({"reacquire": true})), ("k", json!({})), ("k3", json!({}))] {
        let told = ann.post_keyed(&confirm_path(&order), key, body).await;
        assert_eq!(told.without_timestamp(), first.without_timestamp());
    }
    check(&mut ann, "however often it is asked").await;
    // The limit counts it.
    let more = json!({"productId": "limited", "quantity": 2, "confirm": true});
    ann.post("/api/mall/exchange", more).await.failure(409, "LIMIT_EXCEEDED");

    let shop = shop.reopen().await;
    let mut ann = shop.user("ann").await;
    check(&mut ann, "after a restart").await;
    let again = reacquire(&mut ann, &order, "k").await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    // And it goes back, as what was bought.
    ann.post(&format!("/api/mall/orders/{order}/cancel"), json!({})).await.data();
    assert_eq!((ann.balance().await, ann.stock("limited").await), (100, 10));
    reacquire(&mut ann, &order, "k4").await.failure(409, "ORDER_STATE");
}

#[tokio::test]
async fn what_is_short_by_then_is_named_line_by_line_and_nothing_is_taken() {
    let shop = shop().await;
    let (mut ann, mut bob) = (shop.user_with("ann", 20).await, shop.user_with("bob", 100).await);
    let order = exchange(&mut ann, &[("tea", 2), ("milk", 4), ("limited", 2)], false).await;
    let single = json!({"productId": "milk", "quantity": 1});
    let single = ann.post("/api/mall/exchange", single).await.data();
    let single = single["orderId"].as_str().expect("a string").to_owned();
    shop.advance(TTL_MS);
    // Others buy what it held, and ann herself under her limit and for her points.
    exchange(&mut bob, &[("milk", 10), ("tea", 9)], true).await;
    exchange(&mut ann, &[("limited", 1)], true).await;
    let before = shop.state();
    let short = reacquire(&mut ann, &order, "k").await;
    let data = short.failure(409, "LIMIT_EXCEEDED");
    let lines = data["lines"].as_array().expect("an array").iter();
    let lines = lines
        .map(|line| (line["code"].clone(), line["productId"].clone(), line["available"].clone()));
    let expected = [
        (json!("LIMIT_EXCEEDED"), json!("limited"), json!(1)),
        (json!("OUT_OF_STOCK"), json!("tea"), json!(1)),
        (json!("OUT_OF_STOCK"), json!("milk"), json!(0)),
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
    assert_eq!((&data["required"], &data["available"]), (&json!(2), &json!(1)));
    let data = reacquire(&mut ann, &single, "k").await.failure(409, "OUT_OF_STOCK");
    assert_eq!((&data["required"], data["lines"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    assert_eq!(shop.state(), before, "nothing happened at all");
    let seen = ann.get(&format!("/api/mall/orders/{order}")).await.data();
    assert_eq!(seen["state"], json!("expired"));

    // Points go first.
    exchange(&mut ann, &[("limited", 1), ("tea", 1)], true).await;
    let data = reacquire(&mut ann, &order, "k").await.failure(409, "INSUFFICIENT_POINTS");
    assert_eq!((&data["available"], &data["lines"][0]["productId"]), (&json!(13), &Value::Null));
    // Once it is there, the same request gets it: what had no effect is not remembered.
    let mut root = shop.admin().await;
    root.post("/api/admin/inventory/milk/receive", json!({"quantity": 1})).await.data();
    let revived = reacquire(&mut ann, &single, "k").await.data();
    assert_eq!((&revived["status"], ann.balance().await), (&json!(1), 11));
}

#[tokio::test]
async fn only_what_expired_is_taken_again() {
    let shop = shop().await;
    let mut ann = shop.user_with("ann", 100).await;
    let given_up = exchange(&mut ann, &[("tea", 1)], false).await;
    ann.post(&format!("/api/mall/orders/{given_up}/cancel"), json!({})).await.data();
    reacquire(&mut ann, &given_up, "k").await.failure(409, "ORDER_STATE");
    reacquire(&mut ann, "ord_00000000000000ff", "k").await.failure(404, "ORDER_NOT_FOUND");
    // One that waits is confirmed as ever.
    let waits = exchange(&mut ann, &[("tea", 1)], false).await;
    assert_eq!(reacquire(&mut ann, &waits, "k").await.data()["status"], json!(1));
    // MessagePack says the same.
    let packed = exchange(&mut ann, &[("tea", 1)], false).await;
    shop.advance(TTL_MS);
    for (reacquire, status) in [(false, 410), (true, 200)] {
        let request = ann.request(Method::POST, &confirm_path(&packed));
        let body = rmp_serde::to_vec_named(&json!({"reacquire": reacquire})).expect("it packs");
        let told = ann.send(request.header(CONTENT_TYPE, "application/msgpack"), body).await;
        assert_eq!(told.status, status, "{told:?}");
    }
    for wrong in [json!({"reacquire": 1}), json!({"reacquire": null}), json!({"again": true})] {
        ann.post(&confirm_path(&waits), wrong).await.failure(400, "INVALID_REQUEST");
    }
    // A stricter limit holds for it, too.
    let limited = exchange(&mut ann, &[("limited", 2)], false).await;
    shop.advance(TTL_MS);
    let mut stricter = product("limited", 3);
    stricter.limit_per_user = Some(PurchaseLimit { quantity: 1, period: Period::Lifetime });
    shop.mall.put_product(&stricter).expect("a valid product");
    reacquire(&mut ann, &limited, "k").await.failure(409, "LIMIT_EXCEEDED");
    // A service asks in the user's name, and is on record.
    shop.mall.put_product(&product("limited", 3)).expect("a valid product");
    let mut till = shop.client("till", Role::Service).await;
    let body = json!({"reacquire": true}).to_string();
    for _ in 0..2 {
        let request = till.post_request(&confirm_path(&limited));
        let request = request.header("X-On-Behalf-Of", "ann");
        assert_eq!(till.send(request, body.clone()).await.data()["status"], json!(1));
    }
    let mut root = shop.admin().await;
    let whole = root.get(&format!("/api/admin/orders/{limited}")).await.data();
    let records = whole["records"].as_array().expect("an array");
    let told: Vec<_> = records.iter().map(|it| (&it["kind"], &it["operator"])).collect();
    assert_eq!(told, [(&json!("confirmAsked"), &json!("till"))], "once");
    // It may be sent, as any that is confirmed.
    let ship = json!({"trackingNo": "T1"});
    root.post(&format!("/api/admin/orders/{limited}/ship"), ship).await.data();
    assert_eq!(reacquire(&mut ann, &limited, "k9").await.data()["status"], json!(2));
}

#[tokio::test]
async fn a_payment_comes_only_so_late() {
    const WINDOW_MS: u64 = 60_000;
    let setup = |reacquire_window_ms| Setup {
        config: MallConfig { reacquire_window_ms, ..MallConfig::default() },
        ..Setup::default()
    };
    let shop = shop_with(setup(WINDOW_MS)).await;
    let mut ann = shop.user_with("ann", 100).await;
    let mut orders = Vec::new();
    for _ in 0..2 {
        orders.push(exchange(&mut ann, &[("tea", 1)], false).await);
    }
    shop.advance(TTL_MS + WINDOW_MS - 1);
    let first = reacquire(&mut ann, &orders[0], "k").await;
    assert_eq!(first.data()["status"], json!(1), "just in time");
    shop.clock.advance(1);
    let before = shop.state();
    reacquire(&mut ann, &orders[1], "k1").await.failure(410, "PAYMENT_TOO_LATE");
    ann.post(&confirm_path(&orders[1]), json!({})).await.failure(410, "RESERVATION_EXPIRED");
    assert_eq!(shop.state(), before);
    // Who was in time hears so for good.
    let again = reacquire(&mut ann, &orders[0], "k").await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());

    let shop = shop.reopen_with(setup(0)).await;
    let mut ann = shop.user("ann").await;
    let order = exchange(&mut ann, &[("tea", 1)], false).await;
    shop.advance(TTL_MS);
    reacquire(&mut ann, &order, "k2").await.failure(410, "PAYMENT_TOO_LATE");
}

#[tokio::test]
async fn of_many_late_payments_one_is_taken() {
    let shop = shop().await;
    let mut ann = shop.user_with("ann", 100).await;
    let order = exchange(&mut ann, &[("tea", 2)], false).await;
    shop.clock.advance(TTL_MS);
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (mut ann, order) = (shop.user("ann").await, order.clone());
        asked.spawn(async move {
            reacquire(&mut ann, &order, &format!("k{number}")).await.data()["status"].clone()
        });
    }
    while let Some(told) = asked.join_next().await {
        assert_eq!(told.expect("it ends"), json!(1), "whoever is late hears that it is confirmed");
    }
    assert_eq!((ann.balance().await, ann.stock("tea").await), (98, 8));
}
