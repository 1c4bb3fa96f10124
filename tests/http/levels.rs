//! Would catch a price or a limit of another level than the user's, a level that begins too early or too
//! late, a limit of a level that two exchanges at one moment go over, and a check of what can be exchanged
//! that says otherwise than the exchange, or changes something.

use hyper::Method;
use serde_json::{Value, json};
use stockhold::http::Role;
use stockhold::mall::{LevelTerms, Period, Product, PurchaseLimit};

use crate::support::{Client, Shop, product};

const LEVELS: &str = "/api/admin/levels";

fn limit(quantity: u64) -> Option<PurchaseLimit> {
    Some(PurchaseLimit { quantity, period: Period::Lifetime })
}

/// 10 points and 2 units for everybody, 8 points and 4 units from level 2 on, 5 points from level 3 on.
fn tea() -> Product {
    let mut tea = Product { limit_per_user: limit(2), ..product("tea", 10) };
    tea.by_level.set(2, LevelTerms { points_price: Some(8), limit_per_user: limit(4) });
    tea.by_level.set(3, LevelTerms { points_price: Some(5), limit_per_user: None });
    tea
}

fn of_levels() -> Value {
    json!({"levels": [
        {"level": 1, "name": "普通", "earnedPoints": 0},
        {"level": 2, "name": "银卡", "earnedPoints": 100},
        {"level": 3, "name": "金卡", "earnedPoints": 1000}
    ]})
}

async fn put(client: &mut Client, tag: &str, body: &Value) -> crate::support::Reply {
    let request = client.request(Method::PUT, LEVELS).header("Content-Type", "application/json");
    client.send(request.header("If-Match", tag), body.to_string()).await
}

/// A shop with these levels, and 1,000 units of tea.
async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.mall.put_product(&tea()).expect("a product");
    let mut ops = shop.operator().await;
    ops.post("/api/admin/inventory/tea/receive", json!({"quantity": 1000})).await.data();
    put(&mut ops, "*", &of_levels()).await.data();
    shop
}

fn wanted(quantity: u64) -> Value {
    json!({"productId": "tea", "quantity": quantity, "confirm": true})
}

#[tokio::test]
async fn levels_are_one_document_with_a_tag() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let first = ops.get(LEVELS).await;
    let everybody = json!([{"level": 1, "name": "", "earnedPoints": 0}]);
    assert_eq!(first.data()["levels"], everybody, "as long as nobody has said others");
    let tag = first.header("etag").expect("a tag").to_owned();
    let unseen = ops.request(Method::PUT, LEVELS).header("Content-Type", "application/json");
    ops.send(unseen, of_levels().to_string()).await.failure(428, "PRECONDITION_REQUIRED");
    let written = put(&mut ops, &tag, &of_levels()).await;
    assert_eq!(written.data()["levels"], of_levels()["levels"]);
    assert_eq!(written.data()["updatedBy"], "ops");
    let others = json!({"levels": [{"level": 7, "earnedPoints": 0}]});
    put(&mut ops, &tag, &others).await.failure(412, "PRECONDITION_FAILED");
    for (body, path) in [
        (json!({}), "$.levels"),
        (json!({"levels": []}), "$.levels"),
        (json!({"levels": [{"level": 1, "earnedPoints": 5}]}), "$.levels[0].earnedPoints"),
        (json!({"levels": [{"level": 1.5, "earnedPoints": 0}]}), "$.levels[0].level"),
        (json!({"levels": [{"level": 1, "earnedPoints": 0, "colour": 1}]}), "$.levels[0].colour"),
        (
            json!({"levels": [{"level": 2, "earnedPoints": 0}, {"level": 2, "earnedPoints": 1}]}),
            "$.levels[1].level",
        ),
    ] {
        let answer = put(&mut ops, "*", &body).await;
        answer.failure(400, "INVALID_REQUEST");
        let message = answer.json()["message"].to_string();
        assert!(message.contains(path), "{body}: {message}");
    }
    let shop = shop.reopen().await;
    let shown = shop.guest().await.get("/api/mall/levels").await.data();
    assert_eq!(shown, of_levels(), "also after a restart");
}

#[tokio::test]
async fn a_level_begins_with_the_points_it_takes_and_ends_below_them() {
    let shop = shop().await;
    let (mut ann, mut ops) = (shop.user_with("ann", 99).await, shop.operator().await);
    let path = "/api/admin/points/ann";
    for (moved, body, level, price) in [
        (None, json!({}), 1, 10),
        (Some("award"), json!({"points": 1}), 2, 8),
        // What was a mistake was never earned.
        (Some("deduct"), json!({"points": 1, "reason": "误发"}), 1, 10),
        (Some("award"), json!({"points": 1}), 2, 8),
        // Spending elsewhere, and getting it back, changes nothing of what was earned.
        (
            Some("deduct"),
            json!({"points": 60, "reason": "线下", "source": "mall_consumption"}),
            2,
            8,
        ),
        (Some("refund"), json!({"points": 1000, "reason": "线下退货"}), 2, 8),
        (Some("award"), json!({"points": 899}), 2, 8),
        (Some("award"), json!({"points": 1}), 3, 5),
    ] {
        if let Some(moved) = moved {
            ops.post(&format!("{path}/{moved}"), body.clone()).await.data();
        }
        let points = ann.get("/api/points/balance").await.data();
        assert_eq!(points["mallLevel"], level, "{moved:?} {body}: {points}");
        let shown = ann.get("/api/mall/products/tea").await.data();
        assert_eq!(
            (&shown["pointsPrice"], &shown["yours"]["pointsPrice"]),
            (&json!(10), &json!(price))
        );
        let check = ann.get("/api/points/eligibility?product_id=tea").await.data();
        assert_eq!((&check["pointsRequired"], &check["mallLevel"]), (&json!(price), &json!(level)));
    }
    let points = ann.get("/api/points/balance").await.data();
    assert_eq!((&points["levelName"], &points["nextLevelAt"]), (&json!("金卡"), &Value::Null));
    let order = ann.post("/api/mall/exchange", wanted(4)).await.data();
    assert_eq!(order["pointsCost"], 20);
    let id = order["orderId"].as_str().expect("an id");
    let shown = ann.get(&format!("/api/mall/orders/{id}")).await.data();
    assert_eq!(shown["productSnapshot"]["pointsPrice"], 5, "as it was sold");
    let balance = ann.balance().await;
    let part = json!({"reason": "少发", "quantity": 1});
    ops.post(&format!("/api/admin/orders/{id}/refund"), part).await.data();
    assert_eq!(ann.balance().await, balance + 5, "a part goes back at the price that was paid");
    // Of the limit of level 2, which holds on level 3 as well, one unit came back.
    ann.post("/api/mall/exchange", wanted(2)).await.failure(409, "LIMIT_EXCEEDED");
    assert_eq!(ann.post("/api/mall/exchange", wanted(1)).await.data()["pointsCost"], 5);
}

#[tokio::test]
async fn lists_say_what_holds_for_whoever_asks() {
    let shop = shop().await;
    let mut ann = shop.user_with("ann", 150).await;
    let list = "/api/mall/products?keyword=tea";
    let of = |reply: Value| reply["products"][0].clone();
    let yours = of(ann.get(list).await.data())["yours"].clone();
    assert_eq!(
        yours,
        json!({"mallLevel": 2, "pointsPrice": 8, "limitPerUser": {"quantity": 4, "period": "lifetime"}})
    );
    let shown = of(shop.guest().await.get(list).await.data());
    assert_eq!(shown.get("yours"), None, "nobody has said who asks");
    assert_eq!(shown["byLevel"]["3"], json!({"pointsPrice": 5}));
    let mut bad = Client::connect(shop.address, Some("no.token".to_owned())).await;
    assert_eq!(of(bad.get(list).await.data()).get("yours"), None);
    let mut till = shop.client("till", Role::Service).await;
    let request = till.request(Method::GET, list).header("X-On-Behalf-Of", "ann");
    assert_eq!(of(till.send(request, "").await.data())["yours"], yours);
    assert_eq!(of(till.get(list).await.data()).get("yours"), None);
}

#[tokio::test]
async fn operators_write_terms_by_level() {
    let shop = shop().await;
    let mut ops = shop.operator().await;
    let path = "/api/admin/products/tea";
    let patch = async |ops: &mut Client, body: Value| {
        let request = ops.request(Method::PATCH, path).header("Content-Type", "application/json");
        ops.send(request.header("If-Match", "*"), body.to_string()).await
    };
    let shown = ops.get(path).await.data();
    assert_eq!(shown["byLevel"]["2"]["pointsPrice"], 8);
    let body = json!({"byLevel": {"2": null, "3": {"pointsPrice": null, "limitPerUser": {"quantity": 9}}}});
    let changed = patch(&mut ops, body).await.data();
    let nine = json!({"3": {"limitPerUser": {"quantity": 9, "period": "lifetime"}}});
    assert_eq!(changed["byLevel"], nine);
    for (body, path) in [
        (json!({"byLevel": {"0": {"pointsPrice": 1}}}), "$.byLevel[\\\"0\\\"]"),
        (json!({"byLevel": {"gold": {"pointsPrice": 1}}}), "$.byLevel.gold"),
        (json!({"byLevel": {"04": {"pointsPrice": 1}}}), "$.byLevel"),
        (json!({"byLevel": {"4": {"pointsPrice": -1}}}), "$.byLevel[\\\"4\\\"].pointsPrice"),
        (json!({"byLevel": {"4": {"limitPerUser": {"quantity": 0}}}}), "limitPerUser.quantity"),
        (json!({"byLevel": {"4": {"colour": 1}}}), "colour"),
    ] {
        let answer = patch(&mut ops, body.clone()).await;
        answer.failure(400, "INVALID_REQUEST");
        let message = answer.json()["message"].to_string();
        assert!(message.contains(path), "{body}: {message}");
    }
    let shop = shop.reopen().await;
    assert_eq!(shop.operator().await.get(path).await.data()["byLevel"], nine);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exchanges_at_one_moment_stay_within_the_limit_of_the_level() {
    let shop = shop().await;
    for round in 0..20 {
        let user = format!("user{round}");
        shop.user_with(&user, 99).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let mut client = shop.user(&user).await;
            tasks.spawn(async move { client.post("/api/mall/exchange", wanted(1)).await.status });
        }
        // Meanwhile the user comes to level 2.
        let mut ops = shop.operator().await;
        let award = format!("/api/admin/points/{user}/award");
        tasks.spawn(async move { ops.post(&award, json!({"points": 1})).await.status + 1000 });
        let statuses = tasks.join_all().await;
        let sold = statuses.iter().filter(|status| **status == 200).count();
        assert!((2..=4).contains(&sold), "{user}: {statuses:?}");
        assert!(statuses.iter().all(|status| [200, 409, 1200].contains(status)), "{statuses:?}");
        // From now on there is the limit of level 2, whoever read which level before.
        let mut client = shop.user(&user).await;
        for more in sold..4 {
            let answer = client.post("/api/mall/exchange", wanted(1)).await;
            assert_eq!(answer.status, 200, "{user}: {more} of 4");
        }
        client.post("/api/mall/exchange", wanted(1)).await.failure(409, "LIMIT_EXCEEDED");
        assert_eq!(
            client.get("/api/mall/orders").await.data()["orders"].as_array().map(Vec::len),
            Some(4)
        );
    }
}

#[tokio::test]
async fn a_check_says_what_an_exchange_would_be_refused_for_and_changes_nothing() {
    let shop = shop().await;
    let (mut ann, mut ops) = (shop.user_with("ann", 25).await, shop.operator().await);
    let few = Product { active: false, ..product("gone", 1) };
    shop.mall.put_product(&few).expect("a product");
    let before = shop.state();
    let short = |code: &str, required: u64, available: u64| json!({"code": code, "required": required, "available": available});
    let gone = json!({"code": "PRODUCT_NOT_FOUND", "required": null, "available": null});
    for (query, required, shortage, reasons) in [
        ("points=25", 25, 0, vec![]),
        ("points=26", 26, 1, vec![short("INSUFFICIENT_POINTS", 26, 25)]),
        ("points=0", 0, 0, vec![]),
        ("product_id=tea&quantity=2", 20, 0, vec![]),
        (
            "product_id=tea&quantity=3",
            30,
            5,
            vec![short("INSUFFICIENT_POINTS", 30, 25), short("LIMIT_EXCEEDED", 3, 2)],
        ),
        (
            "product_id=tea&quantity=1001",
            10_010,
            9_985,
            vec![
                short("INSUFFICIENT_POINTS", 10_010, 25),
                short("LIMIT_EXCEEDED", 1001, 2),
                short("OUT_OF_STOCK", 1001, 1000),
            ],
        ),
        ("product_id=gone", 1, 0, vec![gone, short("OUT_OF_STOCK", 1, 0)]),
    ] {
        let expected = json!({"userId": "ann", "eligible": reasons.is_empty(), "pointsRequired": required,
            "currentBalance": 25, "shortage": shortage, "mallLevel": 1, "reasons": reasons});
        assert_eq!(ann.get(&format!("/api/points/eligibility?{query}")).await.data(), expected);
        let path = format!("/api/admin/points/ann/eligibility?{query}");
        assert_eq!(ops.get(&path).await.data(), expected, "{query}");
    }
    for query in
        ["", "points=1&product_id=tea", "points=x", "quantity=1", "product_id=tea&quantity=0"]
    {
        ann.get(&format!("/api/points/eligibility?{query}")).await.failure(400, "INVALID_REQUEST");
    }
    ann.get("/api/points/eligibility?product_id=none").await.failure(404, "PRODUCT_NOT_FOUND");
    let bob = shop.user("bob").await.get("/api/points/eligibility?points=1").await.data();
    assert_eq!((&bob["eligible"], &bob["shortage"]), (&json!(false), &json!(1)));
    assert_eq!(shop.state(), before, "nothing is opened, and nothing changes");

    // What was bought under the limit of one level counts under that of the next.
    ann.post("/api/mall/exchange", wanted(2)).await.data();
    let full = ann.get("/api/points/eligibility?product_id=tea").await.data();
    assert!(full["reasons"].to_string().contains("LIMIT_EXCEEDED"), "{full}");
    ops.post("/api/admin/points/ann/award", json!({"points": 100})).await.data();
    let before = shop.state();
    for (quantity, eligible) in [(2, true), (3, false)] {
        let path = format!("/api/points/eligibility?product_id=tea&quantity={quantity}");
        assert_eq!(ann.get(&path).await.data()["eligible"], eligible, "{quantity} more of 4");
    }
    assert_eq!(shop.state(), before);
    ann.post("/api/mall/exchange", wanted(3)).await.failure(409, "LIMIT_EXCEEDED");
    ann.post("/api/mall/exchange", wanted(2)).await.data();
}
