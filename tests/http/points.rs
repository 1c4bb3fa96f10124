//! Would catch points that are moved twice, without a record or with a wrong one, a source that is taken
//! for another, and a page of records that lacks some or has some twice.

use serde_json::{Value, json};
use stockhold::http::Role;

use crate::support::{Client, Shop};

const ANN: &str = "/api/admin/points/ann";

/// Everything that pages of `path` have, with pages of `size`.
async fn all_records(client: &mut Client, path: &str, size: u64) -> Vec<Value> {
    let (mut all, mut before) = (Vec::new(), String::new());
    loop {
        let joined = if path.contains('?') { "&" } else { "?" };
        let page = client.get(&format!("{path}{joined}page_size={size}{before}")).await.data();
        all.extend(page["records"].as_array().expect("a list").iter().cloned());
        match page["nextBefore"].as_u64() {
            Some(next) => before = format!("&before={next}"),
            None => return all,
        }
    }
}

fn told(records: &[Value]) -> Vec<(i64, &str, i64)> {
    let text = |it: &Value| it.as_i64().expect("a number");
    let row = |it: &'_ Value| (text(&it["points"]), text(&it["balanceAfter"]));
    records
        .iter()
        .map(|it| (row(it).0, it["source"].as_str().expect("a source"), row(it).1))
        .collect()
}

#[tokio::test]
async fn points_are_moved_with_their_source_and_reason_on_record() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    for (path, body, balance) in [
        ("award", json!({"points": 100}), 100),
        ("award", json!({"points": 20, "source": "invite_reward", "reason": "邀请"}), 120),
        ("award", json!({"points": 5, "source": "admin_adjust", "orderId": "pay_7"}), 125),
        ("deduct", json!({"points": 25, "reason": "重复发放"}), 100),
        ("deduct", json!({"points": 10, "reason": "线下", "source": "mall_consumption"}), 90),
        ("deduct", json!({"points": 5, "reason": "到期", "source": "expire_deduct"}), 85),
        ("refund", json!({"points": 10, "reason": "线下退货", "orderId": "shop-1"}), 95),
    ] {
        let moved = ops.post(&format!("{ANN}/{path}"), body).await.data();
        assert_eq!(moved, json!({"userId": "ann", "balance": balance}), "{path}");
        shop.advance(1);
    }
    let mut ann = shop.user("ann").await;
    let expected = json!({"userId": "ann", "balance": 95, "reserved": 0, "consumed": 0,
        "received": 135, "writtenOff": 40, "earned": 100, "mallLevel": 1, "levelName": "",
        "nextLevelAt": null, "expiring": null});
    assert_eq!(ann.get("/api/points/balance").await.data(), expected);
    assert_eq!(ops.get(ANN).await.data(), expected);

    let of_user = all_records(&mut ann, "/api/points/records", 3).await;
    assert_eq!(
        told(&of_user),
        [
            (10, "mall_refund", 95),
            (-5, "expire_deduct", 85),
            (-10, "mall_consumption", 90),
            (-25, "admin_adjust", 100),
            (5, "admin_adjust", 125),
            (20, "invite_reward", 120),
            (100, "payment_reward", 100),
        ]
    );
    assert_eq!(of_user, all_records(&mut ops, &format!("{ANN}/records"), 100).await);
    let shown = |at: usize| {
        let record = &of_user[at];
        json!([record["operator"], record["orderId"], record["description"], record["kind"]])
    };
    assert_eq!(shown(0), json!(["ops", "shop-1", "线下退货", "received"]));
    assert_eq!(shown(3), json!(["ops", null, "重复发放", "adjusted"]));
    assert_eq!(shown(4), json!(["ops", "pay_7", "", "received"]));
    let at = of_user[3]["createdAt"].as_u64().expect("a time");
    for (query, count) in [
        ("source=invite_reward".to_owned(), 1),
        ("source=admin_adjust".to_owned(), 2),
        (format!("source=admin_adjust&from={at}"), 1),
        (format!("from={at}"), 4),
        (format!("to={at}"), 4),
        (format!("from={at}&to={at}"), 1),
        (format!("from={}", at + 1_000), 0),
    ] {
        let found = all_records(&mut ann, &format!("/api/points/records?{query}"), 2).await;
        assert_eq!(found.len(), count, "{query}");
    }
    let none = all_records(&mut shop.user("bob").await, "/api/points/records", 5).await;
    assert!(none.is_empty(), "{none:?}");
}

#[tokio::test]
async fn orders_are_among_the_records_of_points() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 10_000).await;
    let body = json!({"productId": "prod_movie", "quantity": 1, "confirm": true});
    let order = ann.post("/api/mall/exchange", body).await.data()["orderId"].clone();
    let path = order.as_str().expect("an id");
    ann.send(ann.post_request(&format!("/api/mall/orders/{path}/cancel")), "").await.data();
    let waiting = json!({"productId": "prod_movie", "quantity": 1});
    let waiting = ann.post("/api/mall/exchange", waiting).await.data()["orderId"].clone();
    let confirm = format!("/api/mall/orders/{}/confirm", waiting.as_str().expect("an id"));
    ann.send(ann.post_request(&confirm), "").await.data();
    let records = all_records(&mut ann, "/api/points/records", 2).await;
    assert_eq!(
        told(&records),
        [
            (-4500, "mall_consumption", 5500),
            (4500, "mall_refund", 10_000),
            (-4500, "mall_consumption", 5500),
            (10_000, "payment_reward", 10_000),
        ],
        "a confirmation is none"
    );
    assert_eq!((&records[0]["orderId"], &records[1]["orderId"]), (&waiting, &order));
    assert_eq!(records[2]["description"], "商城兑换");
    let earned = ann.get("/api/points/balance").await.data()["earned"].clone();
    assert_eq!(earned, 10_000, "what is spent was earned all the same");
}

#[tokio::test]
async fn a_change_of_points_happens_once_for_each_key() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    for (path, body, balance) in [
        ("award", json!({"points": 50}), 50),
        ("refund", json!({"points": 50, "reason": "退"}), 100),
        ("deduct", json!({"points": 30, "reason": "扣"}), 70),
        ("deduct", json!({"points": 30, "reason": "扣", "source": "mall_consumption"}), 40),
    ] {
        let path = format!("{ANN}/{path}");
        for _ in 0..2 {
            let key = format!("k{balance}");
            let moved = ops.post_keyed(&path, &key, body.clone()).await.data();
            assert_eq!(moved["balance"], balance, "{path}");
            let other = json!({"points": 1, "reason": "别的"});
            ops.post_keyed(&path, &key, other).await.failure(422, "IDEMPOTENCY_CONFLICT");
        }
    }
    let shop = shop.reopen().await;
    let mut ops = shop.operator().await;
    let again = json!({"points": 50, "reason": "退"});
    let again = ops.post_keyed(&format!("{ANN}/refund"), "k100", again).await.data();
    assert_eq!(again["balance"], 100, "the first answer, also after a restart");
    assert_eq!(ops.get(ANN).await.data()["balance"], 40);
    assert_eq!(ops.get(ANN).await.data()["earned"], 20);
}

#[tokio::test]
async fn what_may_not_be_moved_leaves_everything_as_it_was() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    ops.post(&format!("{ANN}/award"), json!({"points": 10})).await.data();
    let before = shop.state();
    for (user, source) in
        [("ann", "admin_adjust"), ("ann", "expire_deduct"), ("bob", "mall_consumption")]
    {
        let body = json!({"points": 11, "reason": "扣", "source": source});
        let short = ops.post(&format!("/api/admin/points/{user}/deduct"), body).await;
        let available = if user == "ann" { 10 } else { 0 };
        let expected = json!({"required": 11, "available": available, "nextReleaseAt": null});
        assert_eq!(short.failure(409, "INSUFFICIENT_POINTS"), expected);
    }
    for (path, body) in [
        ("award", json!({"points": 1, "source": "mall_refund"})),
        ("award", json!({"points": 1, "source": "lottery"})),
        ("award", json!({"points": 1, "orderId": "a b"})),
        ("award", json!({"points": 1, "reason": "a\u{1f}b"})),
        ("award", json!({"points": 1, "colour": "red"})),
        ("deduct", json!({"points": 1})),
        ("deduct", json!({"points": 0, "reason": "扣"})),
        ("deduct", json!({"points": 1, "reason": "扣", "source": "payment_reward"})),
        ("refund", json!({"points": 1, "reason": "长".repeat(201)})),
        ("refund", json!({"points": 1, "reason": "退", "source": "invite_reward"})),
    ] {
        let answer = ops.post(&format!("{ANN}/{path}"), body.clone()).await;
        answer.failure(400, "INVALID_REQUEST");
    }
    for query in ["source=x", "from=x", "page_size=101", "before=-1", "colour=red"] {
        ops.get(&format!("{ANN}/records?{query}")).await.failure(400, "INVALID_REQUEST");
    }
    // Only what is not earned may have an account by now: of the one correction that was tried.
    let (levels, after) = (shop.state().0, before.0);
    let is_new = |it: &&stockhold::Level| !after.contains(it);
    let new: Vec<_> =
        levels.iter().filter(is_new).map(|it| (it.key.to_string(), it.received)).collect();
    assert_eq!(new, [("points-not-earned/ann".to_owned(), 0)]);
}

#[tokio::test]
async fn a_service_moves_the_points_of_the_user_it_names() {
    let shop = Shop::open().await;
    let mut till = shop.client("till", Role::Service).await;
    for (path, points, balance) in [("award", 100, 100), ("deduct", 30, 70), ("refund", 5, 75)] {
        let request = till.post_request(&format!("/api/points/{path}"));
        let body = json!({"points": points, "reason": "收银台"}).to_string();
        let moved = till.send(request.header("X-On-Behalf-Of", "ann"), body).await.data();
        assert_eq!(moved, json!({"userId": "ann", "balance": balance}));
    }
    let mut ann = shop.user("ann").await;
    let records = all_records(&mut ann, "/api/points/records", 1).await;
    assert!(records.iter().all(|it| it["operator"] == "till"), "{records:?}");
    let body = json!({"points": 1, "reason": "x"});
    ann.post("/api/points/award", body.clone()).await.failure(403, "FORBIDDEN");
    shop.admin().await.post("/api/points/award", body).await.failure(403, "FORBIDDEN");
}
