//! Would catch an order that ends twice or in another's hands, units that do not come back when it
//! ends, a list that is not newest first, and a read that does not show the write before it.

use serde_json::{Value, json};
use stockhold::mall::{MallConfig, Period, PurchaseLimit};

use crate::support::{Client, NOW_MS, Reply, Setup, Shop, product};

const TTL_MS: u64 = 15 * 60 * 1000;

async fn exchange(user: &mut Client, product: &str, quantity: u64, confirm: bool) -> String {
    let body = json!({"productId": product, "quantity": quantity, "confirm": confirm});
    let data = user.post("/api/mall/exchange", body).await.data();
    assert_eq!(data["status"], i64::from(confirm), "{data}");
    data["orderId"].as_str().expect("a string").to_owned()
}

async fn act(user: &mut Client, order: &str, action: &str) -> Reply {
    let request = user.post_request(&format!("/api/mall/orders/{order}/{action}"));
    user.send(request, "").await
}

async fn order(user: &mut Client, id: &str) -> Value {
    user.get(&format!("/api/mall/orders/{id}")).await.data()
}

/// Balance and stock of the product that everything here is about.
async fn books(user: &mut Client) -> (i64, i64) {
    (user.balance().await, user.stock("prod_movie").await)
}

#[tokio::test]
async fn an_order_ends_once_and_the_units_go_where_they_belong() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let (points, stock) = (100_000, 2000);
    let (held, back) = ((points - 9000, stock - 2), (points, stock));

    // Cancelled while it waits.
    let id = exchange(&mut ann, "prod_movie", 2, false).await;
    assert_eq!(books(&mut ann).await, held);
    shop.advance(5);
    let cancelled = act(&mut ann, &id, "cancel").await.data();
    assert_eq!((&cancelled["orderId"], &cancelled["status"]), (&json!(id), &json!(-1)));
    assert_eq!(books(&mut ann).await, back);
    let read = order(&mut ann, &id).await;
    let ended = [&read["status"], &read["state"], &read["exchangedAt"], &read["cancelledAt"]];
    assert_eq!(ended, [&json!(-1), &json!("cancelled"), &Value::Null, &json!(NOW_MS + 5)]);
    // Again is as good as once; a confirm is too late.
    act(&mut ann, &id, "cancel").await.data();
    act(&mut ann, &id, "confirm").await.failure(409, "ORDER_STATE");
    assert_eq!(books(&mut ann).await, back, "what came back comes back once");

    // Confirmed, then cancelled: points and stock return.
    let id = exchange(&mut ann, "prod_movie", 2, false).await;
    assert_eq!(act(&mut ann, &id, "confirm").await.data()["status"], 1);
    assert_eq!(act(&mut ann, &id, "confirm").await.data()["status"], 1, "again is as good as once");
    assert_eq!(books(&mut ann).await, held);
    shop.advance(5);
    assert_eq!(act(&mut ann, &id, "cancel").await.data()["status"], -1);
    act(&mut ann, &id, "cancel").await.data();
    act(&mut ann, &id, "confirm").await.failure(409, "ORDER_STATE");
    assert_eq!(books(&mut ann).await, back);
    let read = order(&mut ann, &id).await;
    assert_eq!(
        (&read["exchangedAt"], &read["cancelledAt"]),
        (&json!(NOW_MS + 5), &json!(NOW_MS + 10))
    );

    // Confirmed in the step that made it, then cancelled.
    let id = exchange(&mut ann, "prod_movie", 2, true).await;
    assert_eq!(order(&mut ann, &id).await["state"], "confirmed");
    assert_eq!(books(&mut ann).await, held);
    assert_eq!(act(&mut ann, &id, "cancel").await.data()["status"], -1);
    assert_eq!(books(&mut ann).await, back);
    let points = ann.get("/api/points/balance").await.data();
    assert_eq!(
        (&points["reserved"], &points["consumed"], &points["received"]),
        (&json!(0), &json!(0), &json!(100_000))
    );
}

#[tokio::test]
async fn the_deadline_ends_an_order_whether_the_wheel_has_turned_or_not() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let (first, second) = (
        exchange(&mut ann, "prod_movie", 1, false).await,
        exchange(&mut ann, "prod_kfc", 1, false).await,
    );
    shop.clock.advance(TTL_MS - 1);
    assert_eq!(order(&mut ann, &first).await["state"], "pending");
    shop.clock.advance(1);
    let expired = |read: Value| {
        assert_eq!((&read["status"], &read["state"]), (&json!(-1), &json!("expired")), "{read}");
        assert_eq!(
            (&read["exchangedAt"], &read["cancelledAt"]),
            (&Value::Null, &json!(NOW_MS + TTL_MS)),
            "{read}"
        );
    };
    for id in [&first, &second] {
        expired(order(&mut ann, id).await);
    }
    // Who is told so is told for good, and the units are back.
    for id in [&first, &second] {
        act(&mut ann, id, "confirm").await.failure(410, "RESERVATION_EXPIRED");
        act(&mut ann, id, "cancel").await.failure(410, "RESERVATION_EXPIRED");
        expired(order(&mut ann, id).await);
        assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (100_000, 2000));
    }
}

/// The clock is set back after a crash: what was told must be in the journal by then.
#[tokio::test]
async fn who_was_told_that_an_order_expired_never_finds_it_waiting_again() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    for action in ["confirm", "cancel"] {
        let id = exchange(&mut ann, "prod_movie", 1, false).await;
        shop.clock.advance(TTL_MS);
        assert_eq!(shop.engine.pending_count(), 1, "no wheel has turned");
        act(&mut ann, &id, action).await.failure(410, "RESERVATION_EXPIRED");
        assert_eq!(shop.engine.pending_count(), 0, "after a late {action}");
        assert_eq!(
            shop.engine.durable_seq(),
            shop.engine.status().last_seq,
            "after a late {action}"
        );
    }
}

#[tokio::test]
async fn a_user_sees_only_its_own() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut bob = shop.user_with("bob", 50_000).await;
    let mut eve = shop.user("eve").await;
    let mut admin = shop.admin().await;
    let orders = [
        exchange(&mut ann, "prod_movie", 1, false).await,
        exchange(&mut ann, "prod_movie", 1, true).await,
    ];
    for stranger in [&mut bob, &mut eve, &mut admin] {
        for id in &orders {
            stranger.get(&format!("/api/mall/orders/{id}")).await.failure(404, "ORDER_NOT_FOUND");
            act(stranger, id, "confirm").await.failure(404, "ORDER_NOT_FOUND");
            act(stranger, id, "cancel").await.failure(404, "ORDER_NOT_FOUND");
        }
        let listed = stranger.get("/api/mall/orders").await.data();
        assert_eq!(listed, json!({"orders": [], "nextBefore": null}));
    }
    assert_eq!(eve.balance().await, 0, "who never had points has none");
    assert_eq!((ann.balance().await, bob.balance().await), (91_000, 50_000));
    assert_eq!(order(&mut ann, &orders[0]).await["state"], "pending", "nobody else ended it");
}

#[tokio::test]
async fn orders_are_listed_newest_first_page_by_page() {
    let shop = Shop::open().await;
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut admin = shop.admin().await;
    for name in names {
        shop.mall.put_product(&product(name, 1)).expect("a valid product");
        let path = format!("/api/admin/inventory/{name}/receive");
        admin.post(&path, json!({"quantity": 100})).await.data();
    }
    let mut ann = shop.user_with("ann", 1_000).await;
    let mut bob = shop.user_with("bob", 1_000).await;
    let mut made = Vec::new();
    for round in 0..3 {
        for name in names {
            shop.advance(1);
            // Another's orders of the same products in between.
            exchange(&mut bob, "a", 1, true).await;
            made.push(exchange(&mut ann, name, 1, round == 1).await);
        }
    }
    made.reverse();
    let ids = |page: &Value| -> Vec<String> {
        let orders = page["orders"].as_array().expect("an array").iter();
        orders.map(|order| order["orderId"].as_str().expect("a string").to_owned()).collect()
    };
    let whole = ann.get("/api/mall/orders").await.data();
    assert_eq!((ids(&whole), &whole["nextBefore"]), (made.clone(), &Value::Null));
    let mut paged = Vec::new();
    let mut path = "/api/mall/orders?page_size=5".to_owned();
    loop {
        let page = ann.get(&path).await.data();
        paged.extend(ids(&page));
        let Some(before) = page["nextBefore"].as_str() else {
            break;
        };
        path = format!("/api/mall/orders?page_size=5&before={before}");
    }
    assert_eq!(paged, made);
    let exactly = ann.get(&format!("/api/mall/orders?page_size={}", made.len())).await.data();
    assert_eq!(
        exactly["nextBefore"],
        Value::Null,
        "there is nothing behind a page that is just full"
    );
    for query in
        ["page_size=0", "page_size=101", "page=2", "before=", "before=ord_1", "before=x&before=y"]
    {
        ann.get(&format!("/api/mall/orders?{query}")).await.failure(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn what_is_no_order_is_not_found() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let id = exchange(&mut ann, "prod_movie", 1, false).await;
    for wrong in [
        "ord_0000000000000000",
        "ord_ffffffffffffffff",
        "1",
        "ord_",
        &id.to_uppercase(),
        &format!("{id}0"),
    ] {
        ann.get(&format!("/api/mall/orders/{wrong}")).await.failure(404, "ORDER_NOT_FOUND");
        act(&mut ann, wrong, "confirm").await.failure(404, "ORDER_NOT_FOUND");
        act(&mut ann, wrong, "cancel").await.failure(404, "ORDER_NOT_FOUND");
    }
    // What a user reads to an operator on the telephone finds it as well.
    let order = order(&mut ann, &id).await;
    let number = order["orderNo"].as_str().expect("a number");
    assert_eq!(ann.get(&format!("/api/mall/orders/{number}")).await.data()["orderId"], id);
    ann.get(&format!("/api/mall/orders/{}", number.to_lowercase()))
        .await
        .failure(404, "ORDER_NOT_FOUND");
    assert_eq!(act(&mut ann, number, "cancel").await.data()["orderId"], id);
}

#[tokio::test]
async fn a_refusal_names_what_was_short() {
    let config = MallConfig { outstanding_max: Some(2), ..MallConfig::default() };
    let shop = Shop::with(Setup { config, ..Setup::default() }).await;
    let mut tea = product("tea", 10);
    tea.limit_per_user = Some(PurchaseLimit {
        quantity: 3,
        period: Period::Fixed { length_ms: 1_000, offset_ms: 0 },
    });
    shop.mall.put_product(&tea).expect("a valid product");
    shop.admin()
        .await
        .post("/api/admin/inventory/tea/receive", json!({"quantity": 4}))
        .await
        .data();
    let mut ann = shop.user_with("ann", 35).await;
    let buy = |quantity: u64, confirm: bool| json!({"productId": "tea", "quantity": quantity, "confirm": confirm});
    let short = |required: u64, available: u64, next: Option<u64>| json!({"required": required, "available": available, "nextReleaseAt": next});

    // Stock comes before anything else for who has nothing, points before stock for who has some.
    let mut eve = shop.user("eve").await;
    assert_eq!(
        eve.post("/api/mall/exchange", buy(5, false)).await.failure(409, "OUT_OF_STOCK"),
        short(5, 4, None)
    );
    let none =
        eve.post("/api/mall/exchange", buy(1, false)).await.failure(409, "INSUFFICIENT_POINTS");
    assert_eq!(none, short(10, 0, None));
    let poor =
        ann.post("/api/mall/exchange", buy(4, true)).await.failure(409, "INSUFFICIENT_POINTS");
    assert_eq!(poor, short(40, 35, None));

    // The purchase limit, and when it is renewed.
    exchange(&mut ann, "tea", 2, true).await;
    shop.admin().await.post("/api/admin/points/ann/award", json!({"points": 1_000})).await.data();
    let limited =
        ann.post("/api/mall/exchange", buy(2, false)).await.failure(409, "LIMIT_EXCEEDED");
    assert_eq!(limited, short(2, 1, Some(NOW_MS + 1_000)));
    shop.advance(1_000);

    // The stock that others hold, and when it may come back.
    let mut bob = shop.user_with("bob", 100).await;
    exchange(&mut bob, "tea", 1, false).await;
    let deadline = NOW_MS + 1_000 + TTL_MS;
    let gone = ann.post("/api/mall/exchange", buy(2, false)).await.failure(409, "OUT_OF_STOCK");
    assert_eq!(gone, short(2, 1, Some(deadline)));

    // Orders that wait.
    shop.admin().await.post("/api/admin/points/ann/award", json!({"points": 100_000})).await.data();
    let first = exchange(&mut ann, "prod_movie", 1, false).await;
    exchange(&mut ann, "prod_movie", 1, false).await;
    let third = json!({"productId": "prod_movie", "quantity": 1});
    let capped = ann.post("/api/mall/exchange", third.clone()).await.failure(409, "LIMIT_EXCEEDED");
    assert_eq!(capped, short(1, 0, Some(deadline)));
    exchange(&mut ann, "prod_movie", 1, true).await;
    act(&mut ann, &first, "confirm").await.data();
    ann.post("/api/mall/exchange", third).await.data();
}

#[tokio::test]
async fn a_returned_order_gives_the_purchase_limit_back() {
    let shop = Shop::open().await;
    let mut tea = product("tea", 10);
    tea.limit_per_user = Some(PurchaseLimit { quantity: 1, period: Period::Lifetime });
    shop.mall.put_product(&tea).expect("a valid product");
    shop.admin()
        .await
        .post("/api/admin/inventory/tea/receive", json!({"quantity": 4}))
        .await
        .data();
    let mut ann = shop.user_with("ann", 100).await;
    let id = exchange(&mut ann, "tea", 1, true).await;
    let again = json!({"productId": "tea", "quantity": 1});
    ann.post("/api/mall/exchange", again.clone()).await.failure(409, "LIMIT_EXCEEDED");
    act(&mut ann, &id, "cancel").await.data();
    ann.post("/api/mall/exchange", again).await.data();
}

/// The field's own case: what is bought on one day and cancelled on the next gives nothing back of
/// the next.
#[tokio::test]
async fn a_cancelled_order_gives_the_limit_back_for_its_own_day_alone() {
    let shop = Shop::open().await;
    let mut tea = product("tea", 10);
    tea.limit_per_user = Some(PurchaseLimit {
        quantity: 1,
        period: Period::Fixed { length_ms: 1_000, offset_ms: 0 },
    });
    shop.mall.put_product(&tea).expect("a valid product");
    shop.admin()
        .await
        .post("/api/admin/inventory/tea/receive", json!({"quantity": 9}))
        .await
        .data();
    let mut ann = shop.user_with("ann", 100).await;
    let again = json!({"productId": "tea", "quantity": 1, "confirm": true});
    let first = exchange(&mut ann, "tea", 1, true).await;
    shop.advance(1_000);
    let second = exchange(&mut ann, "tea", 1, true).await;
    act(&mut ann, &first, "cancel").await.data();
    assert_eq!((ann.balance().await, ann.stock("tea").await), (90, 8), "points and stock are back");
    let refused =
        ann.post("/api/mall/exchange", again.clone()).await.failure(409, "LIMIT_EXCEEDED");
    assert_eq!(refused, json!({"required": 1, "available": 0, "nextReleaseAt": NOW_MS + 2_000}));
    let shop = shop.reopen().await;
    let mut ann = shop.user("ann").await;
    ann.post("/api/mall/exchange", again.clone()).await.failure(409, "LIMIT_EXCEEDED");
    act(&mut ann, &second, "cancel").await.data();
    ann.post("/api/mall/exchange", again).await.data();
}

#[tokio::test]
async fn a_purchase_limit_that_changes_holds_at_once_and_counts_what_was_bought() {
    let shop = Shop::open().await;
    let put = |limit: Option<(u64, Period)>| {
        let mut tea = product("tea", 1);
        tea.limit_per_user = limit.map(|(quantity, period)| PurchaseLimit { quantity, period });
        shop.mall.put_product(&tea)
    };
    let minute = Period::Fixed { length_ms: 60_000, offset_ms: 7_000 };
    put(Some((2, Period::Lifetime))).expect("a valid product");
    shop.admin()
        .await
        .post("/api/admin/inventory/tea/receive", json!({"quantity": 60}))
        .await
        .data();
    let (mut ann, mut bob) = (shop.user_with("ann", 100).await, shop.user_with("bob", 100).await);
    exchange(&mut ann, "tea", 1, true).await;
    // Raised and lowered, below what was bought.
    put(Some((4, Period::Lifetime))).expect("a valid product");
    exchange(&mut ann, "tea", 2, true).await;
    put(Some((1, Period::Lifetime))).expect("a valid product");
    let again = json!({"productId": "tea", "quantity": 1, "confirm": true});
    ann.post("/api/mall/exchange", again.clone()).await.failure(409, "LIMIT_EXCEEDED");
    exchange(&mut bob, "tea", 1, true).await;
    // Another period, within it: what was bought in it counts, for whoever bought it.
    put(Some((5, minute))).expect("a valid product");
    exchange(&mut ann, "tea", 2, true).await;
    ann.post("/api/mall/exchange", again.clone()).await.failure(409, "LIMIT_EXCEEDED");
    shop.advance(60_000);
    exchange(&mut ann, "tea", 5, true).await;
    let mut eve = shop.user_with("eve", 100).await;
    exchange(&mut eve, "tea", 5, true).await;
    // And back: everything that was ever bought counts.
    put(Some((10, Period::Lifetime))).expect("a valid product");
    ann.post("/api/mall/exchange", again.clone()).await.failure(409, "LIMIT_EXCEEDED");
    exchange(&mut bob, "tea", 9, true).await;
    exchange(&mut eve, "tea", 5, true).await;
    // Without a limit for a while: what is bought meanwhile counts when there is one again.
    put(None).expect("a valid product");
    exchange(&mut ann, "tea", 2, true).await;
    put(Some((12, Period::Lifetime))).expect("a valid product");
    ann.post("/api/mall/exchange", again.clone()).await.failure(409, "LIMIT_EXCEEDED");
    put(Some((13, Period::Lifetime))).expect("a valid product");
    exchange(&mut ann, "tea", 1, true).await;
    for (quantity, period) in
        [(0, minute), (u64::MAX, minute), (1, Period::Rolling { length_ms: 0 })]
    {
        put(Some((quantity, period))).expect_err("it could never be kept");
    }
}

#[tokio::test]
async fn an_order_keeps_the_product_as_it_was() {
    let shop = Shop::open().await;
    shop.mall.put_product(&product("tea", 10)).expect("a valid product");
    shop.admin()
        .await
        .post("/api/admin/inventory/tea/receive", json!({"quantity": 4}))
        .await
        .data();
    let mut ann = shop.user_with("ann", 100).await;
    let id = exchange(&mut ann, "tea", 2, false).await;
    let mut renamed = product("tea", 99);
    renamed.name = "Other tea".into();
    shop.mall.put_product(&renamed).expect("a valid product");
    act(&mut ann, &id, "confirm").await.data();
    let read = order(&mut ann, &id).await;
    assert_eq!(
        (&read["productSnapshot"]["name"], &read["pointsCost"]),
        (&json!("TEA"), &json!(20)),
        "{read}"
    );
    act(&mut ann, &id, "cancel").await.data();
    assert_eq!(ann.balance().await, 100, "what was paid comes back, not today's price");
}

/// What costs nothing is an order like any other: of its user, within the limit, and back when it
/// is given up.
#[tokio::test]
async fn an_order_may_cost_nothing() {
    let shop = Shop::open().await;
    let mut gift = product("gift", 0);
    gift.limit_per_user = Some(PurchaseLimit { quantity: 3, period: Period::Lifetime });
    shop.mall.put_product(&gift).expect("a valid product");
    let mut admin = shop.admin().await;
    let path = "/api/admin/inventory/gift/receive";
    admin.post(path, json!({"quantity": 4})).await.data();
    // Somebody who never had points, and somebody who pays for other things.
    let (mut ann, mut bob) = (shop.user("ann").await, shop.user_with("bob", 100_000).await);
    let body = json!({"productId": "gift", "quantity": 2});
    for user in [&mut ann, &mut bob] {
        let first = user.post_keyed("/api/mall/exchange", "k", body.clone()).await;
        assert_eq!((&first.data()["pointsCost"], &first.data()["status"]), (&json!(0), &json!(0)));
        let again = user.post_keyed("/api/mall/exchange", "k", body.clone()).await;
        assert_eq!(again.without_timestamp(), first.without_timestamp());
        let order = first.data()["orderId"].as_str().expect("a text").to_owned();
        let order = format!("/api/mall/orders/{order}");
        let confirm = || format!("{order}/confirm");
        let confirmed = user.post_keyed(&confirm(), "c", json!({})).await;
        assert_eq!(
            (&confirmed.data()["pointsCost"], &confirmed.data()["status"]),
            (&json!(0), &json!(1))
        );
        let again = user.post_keyed(&confirm(), "c", json!({})).await;
        assert_eq!(again.without_timestamp(), confirmed.without_timestamp());
        let read = user.get(&order).await.data();
        assert_eq!((&read["pointsCost"], &read["state"]), (&json!(0), &json!("confirmed")));
        assert_eq!(
            user.get("/api/mall/orders").await.data()["orders"].as_array().map(Vec::len),
            Some(1)
        );
    }
    assert_eq!((ann.balance().await, bob.balance().await), (0, 100_000));
    ann.post("/api/mall/exchange", json!({"productId": "gift", "quantity": 1}))
        .await
        .failure(409, "OUT_OF_STOCK");
    admin.post(path, json!({"quantity": 9})).await.data();
    ann.post("/api/mall/exchange", body.clone()).await.failure(409, "LIMIT_EXCEEDED");
    // What costs something is told as before, though he has ordered what does not.
    let movie = json!({"productId": "prod_movie", "quantity": 2});
    let paid = bob.post_keyed("/api/mall/exchange", "m", movie.clone()).await;
    assert_eq!(paid.data()["pointsCost"], 9_000);
    let again = bob.post_keyed("/api/mall/exchange", "m", movie).await;
    assert_eq!(again.without_timestamp(), paid.without_timestamp());
    // Given up, it comes back.
    let orders = ann.get("/api/mall/orders").await.data();
    let order = orders["orders"][0]["orderId"].as_str().expect("a text").to_owned();
    let cancelled =
        ann.post_keyed(&format!("/api/mall/orders/{order}/cancel"), "x", json!({})).await;
    assert_eq!(
        (&cancelled.data()["pointsCost"], &cancelled.data()["status"]),
        (&json!(0), &json!(-1))
    );
    assert_eq!(ann.stock("gift").await, 11);
    ann.post("/api/mall/exchange", json!({"productId": "gift", "quantity": 3, "confirm": true}))
        .await
        .data();
    let shop = shop.reopen().await;
    assert_eq!(shop.user("ann").await.stock("gift").await, 8);
    let orders = shop.user("ann").await.get("/api/mall/orders").await.data();
    assert_eq!(orders["orders"].as_array().map(Vec::len), Some(2));
}
