//! Would catch an order that is sent, delivered or completed out of turn, an operator's change without
//! its name or reason, a race that both sides win, and an address that changes after it was sent.

use hyper::Method;
use serde_json::{Value, json};
use stockhold::mall::MallConfig;

use crate::support::{Client, NOW_MS, Reply, Setup, Shop};

async fn exchange(user: &mut Client, confirm: bool) -> String {
    let delivery = json!({"city": "广州", "zip": 510000});
    let body = json!({"productId": "prod_movie", "quantity": 2, "confirm": confirm,
        "deliveryInfo": delivery});
    let data = user.post("/api/mall/exchange", body).await.data();
    data["orderId"].as_str().expect("a string").to_owned()
}

async fn act(client: &mut Client, order: &str, action: &str, body: Value) -> Reply {
    client.post(&format!("/api/admin/orders/{order}/{action}"), body).await
}

async fn ship(client: &mut Client, order: &str) -> Reply {
    act(client, order, "ship", json!({"trackingNo": "SF1234567", "carrier": "顺丰"})).await
}

async fn cancel(user: &mut Client, order: &str) -> Reply {
    let request = user.post_request(&format!("/api/mall/orders/{order}/cancel"));
    user.send(request, "").await
}

async fn put(client: &mut Client, path: &str, body: &Value) -> Reply {
    let request = client.request(Method::PUT, path).header("Content-Type", "application/json");
    client.send(request, body.to_string()).await
}

async fn seen(user: &mut Client, order: &str) -> Value {
    user.get(&format!("/api/mall/orders/{order}")).await.data()
}

/// What an order shows of its delivery.
fn delivery(order: &Value) -> [Value; 7] {
    let fields = [
        "status",
        "deliveryStatus",
        "trackingNo",
        "carrier",
        "shippedAt",
        "deliveredAt",
        "completedAt",
    ];
    fields.map(|field| order[field].clone())
}

#[tokio::test]
async fn an_order_is_sent_delivered_and_completed_in_turn() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut root = shop.operator().await;
    let id = exchange(&mut ann, false).await;
    let nothing =
        [json!(0), json!(0), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null];
    assert_eq!(delivery(&seen(&mut ann, &id).await), nothing);
    ship(&mut root, &id).await.failure(409, "ORDER_STATE");
    ann.send(ann.post_request(&format!("/api/mall/orders/{id}/confirm")), "").await.data();
    for action in ["deliver", "complete"] {
        act(&mut root, &id, action, json!({})).await.failure(409, "ORDER_STATE");
    }

    shop.advance(10);
    let shipped = ship(&mut root, &id).await.data();
    assert_eq!((&shipped["orderId"], &shipped["status"]), (&json!(id), &json!(2)));
    ship(&mut root, &id).await.failure(409, "ORDER_STATE");
    let sent = |delivered, completed| {
        let status = if completed == Value::Null { 2 } else { 3 };
        let under_way = if delivered == Value::Null { 1 } else { 2 };
        [
            json!(status),
            json!(under_way),
            json!("SF1234567"),
            json!("顺丰"),
            json!(NOW_MS + 10),
            delivered,
            completed,
        ]
    };
    assert_eq!(delivery(&seen(&mut ann, &id).await), sent(Value::Null, Value::Null));
    assert_eq!(seen(&mut ann, &id).await["state"], "shipped");
    cancel(&mut ann, &id).await.failure(409, "ORDER_STATE");

    shop.advance(10);
    assert_eq!(act(&mut root, &id, "deliver", json!({})).await.data()["status"], 2);
    act(&mut root, &id, "deliver", json!({})).await.failure(409, "ORDER_STATE");
    assert_eq!(delivery(&seen(&mut ann, &id).await), sent(json!(NOW_MS + 20), Value::Null));

    shop.advance(10);
    assert_eq!(act(&mut root, &id, "complete", json!({})).await.data()["status"], 3);
    for action in ["deliver", "complete"] {
        act(&mut root, &id, action, json!({})).await.failure(409, "ORDER_STATE");
    }
    let whole = sent(json!(NOW_MS + 20), json!(NOW_MS + 30));
    let shop = shop.reopen().await;
    let (mut ann, mut root) = (shop.user("ann").await, shop.operator().await);
    assert_eq!(delivery(&seen(&mut ann, &id).await), whole, "also after a restart");
    let listed = ann.get("/api/mall/orders").await.data();
    assert_eq!(delivery(&listed["orders"][0]), whole);

    let whole = root.get(&format!("/api/admin/orders/{id}")).await.data();
    assert_eq!((&whole["userId"], &whole["orderId"]), (&json!("ann"), &json!(id)));
    let record = |kind: &str, at: u64| json!({"kind": kind, "operator": "ops", "reason": null, "quantity": null, "at": NOW_MS + at});
    let records = [record("shipped", 10), record("delivered", 20), record("completed", 30)];
    assert_eq!(whole["records"], json!(records));
}

#[tokio::test]
async fn every_act_of_an_operator_has_its_first_answer_for_every_retry() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut root = shop.operator().await;
    let id = exchange(&mut ann, true).await;
    let tracking = json!({"trackingNo": "1"});
    let acts = [("ship", tracking.clone()), ("deliver", json!({})), ("complete", json!({}))];
    let mut told = Vec::new();
    for (action, body) in &acts {
        let path = format!("/api/admin/orders/{id}/{action}");
        let first = root.post_keyed(&path, "once", body.clone()).await;
        first.data();
        told.push((path, body, first.without_timestamp()));
    }
    for (path, body, first) in told {
        let again = root.post_keyed(&path, "once", body.clone()).await;
        assert_eq!(again.without_timestamp(), first, "{path}");
    }
    let path = format!("/api/admin/orders/{id}/ship");
    let other = root.post_keyed(&path, "once", json!({"trackingNo": "2"})).await;
    other.failure(422, "IDEMPOTENCY_CONFLICT");
    let whole = root.get(&format!("/api/admin/orders/{id}")).await.data();
    assert_eq!(
        whole["records"].as_array().map(Vec::len),
        Some(3),
        "each is on record once: {whole}"
    );
}

#[tokio::test]
async fn operators_take_back_what_waits_and_what_was_confirmed_with_a_reason() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut root = shop.operator().await;
    let because = |reason: &str| json!({"reason": reason});
    for (confirm, sent, action) in [
        (false, false, "cancel"),
        (true, false, "cancel"),
        (true, true, "cancel"),
        (true, false, "refund"),
        (true, true, "refund"),
    ] {
        let id = exchange(&mut ann, confirm).await;
        if sent {
            ship(&mut root, &id).await.data();
        }
        let path = format!("/api/admin/orders/{id}/{action}");
        let first = root.post_keyed(&path, "k", because("缺货")).await;
        let ends = if action == "cancel" { ("status", json!(-1)) } else { ("isOver", json!(true)) };
        assert_eq!(first.data()[ends.0], ends.1);
        let again = root.post_keyed(&path, "k", because("缺货")).await;
        assert_eq!(again.without_timestamp(), first.without_timestamp());
        for action in ["cancel", "refund"] {
            act(&mut root, &id, action, because("x")).await.failure(409, "ORDER_STATE");
        }
        ship(&mut root, &id).await.failure(409, "ORDER_STATE");
        assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (100_000, 2000));
        let whole = root.get(&format!("/api/admin/orders/{id}")).await.data();
        let kind = if action == "cancel" { "cancelled" } else { "refunded" };
        let last = whole["records"].as_array().and_then(|all| all.last()).expect("a record");
        assert_eq!(
            *last,
            json!({"kind": kind, "operator": "ops", "reason": "缺货", "quantity": null, "at": NOW_MS}),
            "{action} of an order that was confirmed: {confirm}, sent: {sent}"
        );
        let mine = seen(&mut ann, &id).await;
        assert_eq!((&mine["status"], &mine["state"]), (&json!(-1), &json!("cancelled")));
    }
    let waits = exchange(&mut ann, false).await;
    act(&mut root, &waits, "refund", because("x")).await.failure(409, "ORDER_STATE");
    shop.clock.advance(15 * 60_000);
    act(&mut root, &waits, "cancel", because("x")).await.failure(410, "RESERVATION_EXPIRED");

    // What is completed goes back only when that is said.
    let id = exchange(&mut ann, true).await;
    ship(&mut root, &id).await.data();
    act(&mut root, &id, "complete", json!({})).await.data();
    for action in ["cancel", "refund"] {
        act(&mut root, &id, action, because("x")).await.failure(409, "ORDER_STATE");
    }
    let even = json!({"reason": "退货", "evenCompleted": true});
    assert_eq!(act(&mut root, &id, "refund", even).await.data()["isOver"], true);
    assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (100_000, 2000));
}

#[tokio::test]
async fn a_user_cancels_what_is_confirmed_within_the_window_alone() {
    const WINDOW_MS: u64 = 1_800_000;
    let config = MallConfig { cancel_window_ms: Some(WINDOW_MS), ..MallConfig::default() };
    let shop = Shop::with(Setup { config, ..Setup::default() }).await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let (early, late) = (exchange(&mut ann, true).await, exchange(&mut ann, true).await);
    shop.clock.advance(WINDOW_MS - 1);
    cancel(&mut ann, &early).await.data();
    shop.clock.advance(1);
    let refused = cancel(&mut ann, &late).await;
    refused.failure(409, "ORDER_STATE");
    assert!(refused.json()["message"].to_string().contains("time to cancel"), "{:?}", refused.body);
    cancel(&mut ann, &early).await.data();
    // Operators may always, and what waits may always be given up.
    let waits = exchange(&mut ann, false).await;
    cancel(&mut ann, &waits).await.data();
    let mut root = shop.operator().await;
    act(&mut root, &late, "cancel", json!({"reason": "x"})).await.data();
    assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (100_000, 2000));
}

#[tokio::test]
async fn an_address_changes_until_the_order_is_sent() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut bob = shop.user_with("bob", 100_000).await;
    let mut root = shop.operator().await;
    let id = exchange(&mut ann, false).await;
    let (mine, all) =
        (format!("/api/mall/orders/{id}/delivery"), format!("/api/admin/orders/{id}/delivery"));
    let place = |city: &str| json!({"deliveryInfo": {"city": city, "lat": 23.12911000000001}});
    put(&mut bob, &mine, &place("Ulm")).await.failure(404, "ORDER_NOT_FOUND");
    let told = put(&mut ann, &mine, &place("深圳")).await.data();
    assert_eq!(
        (&told["orderId"], &told["deliveryInfo"]),
        (&json!(id), &place("深圳")["deliveryInfo"])
    );
    assert_eq!(seen(&mut ann, &id).await["deliveryInfo"], place("深圳")["deliveryInfo"]);
    ann.send(ann.post_request(&format!("/api/mall/orders/{id}/confirm")), "").await.data();
    put(&mut root, &all, &place("北京")).await.data();
    assert_eq!(seen(&mut ann, &id).await["deliveryInfo"], place("北京")["deliveryInfo"]);
    for wrong in [json!({}), json!({"deliveryInfo": null}), json!({"deliveryInfo": []}), {
        json!({"deliveryInfo": {"note": "x".repeat(9_000)}})
    }] {
        put(&mut ann, &mine, &wrong).await.failure(400, "INVALID_REQUEST");
    }
    for again in 2..8 {
        put(&mut ann, &mine, &place(&again.to_string())).await.data();
    }
    put(&mut ann, &mine, &place("once too often")).await.failure(409, "ORDER_STATE");
    ship(&mut root, &id).await.data();
    for (client, path) in [(&mut ann, &mine), (&mut root, &all)] {
        put(client, path, &place("too late")).await.failure(409, "ORDER_STATE");
    }
    assert_eq!(seen(&mut ann, &id).await["deliveryInfo"], place("7")["deliveryInfo"]);
}

#[tokio::test]
async fn texts_of_operators_are_bounded_and_named() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut root = shop.operator().await;
    let id = exchange(&mut ann, true).await;
    let long = "x".repeat(201);
    for (action, body, field) in [
        ("ship", json!({"trackingNo": ""}), "trackingNo"),
        ("ship", json!({"trackingNo": &long[..101]}), "trackingNo"),
        ("ship", json!({"trackingNo": "a\nb"}), "trackingNo"),
        ("ship", json!({"trackingNo": "1", "carrier": &long[..65]}), "carrier"),
        ("ship", json!({"carrier": "x"}), "trackingNo"),
        ("cancel", json!({}), "reason"),
        ("cancel", json!({"reason": ""}), "reason"),
        ("refund", json!({"reason": &long}), "reason"),
    ] {
        let reply = act(&mut root, &id, action, body).await;
        reply.failure(400, "INVALID_REQUEST");
        assert!(reply.json()["message"].to_string().contains(field), "{:?}", reply.body);
    }
    for action in ["ship", "deliver", "complete", "cancel", "refund"] {
        let body = json!({"trackingNo": "1", "reason": "x"});
        act(&mut ann, &id, action, body).await.failure(403, "FORBIDDEN");
    }
    for (action, body) in [
        ("ship", json!({"trackingNo": "1"})),
        ("deliver", json!({})),
        ("cancel", json!({"reason": "x"})),
    ] {
        let unknown = act(&mut root, "ord_00000000000000ff", action, body).await;
        unknown.failure(404, "ORDER_NOT_FOUND");
    }
}

/// Two at once: one succeeds, the other hears why not.
async fn race(
    first: impl Future<Output = Reply> + Send,
    second: impl Future<Output = Reply> + Send,
) {
    let (first, second) = tokio::join!(first, second);
    let (won, lost) = if first.status == 200 { (first, second) } else { (second, first) };
    won.data();
    lost.failure(409, "ORDER_STATE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_race_exactly_one_wins() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let (mut root, mut other) = (shop.operator().await, shop.operator().await);
    let reason = json!({"reason": "race"});
    for round in 0..20 {
        let id = exchange(&mut ann, true).await;
        // The one who begins is not always the same one.
        if round % 2 == 0 {
            race(ship(&mut root, &id), cancel(&mut ann, &id)).await;
        } else {
            race(cancel(&mut ann, &id), ship(&mut root, &id)).await;
        }
        if seen(&mut ann, &id).await["status"] == -1 {
            continue;
        }
        let path = format!("/api/admin/orders/{id}");
        let (complete, refund) = (format!("{path}/complete"), format!("{path}/refund"));
        if round % 4 == 0 {
            race(root.post(&complete, json!({})), other.post(&refund, reason.clone())).await;
        } else {
            race(other.post(&refund, reason.clone()), root.post(&complete, json!({}))).await;
        }
    }
    let points = ann.get("/api/points/balance").await.data();
    let listed = ann.get("/api/mall/orders?page_size=100").await.data();
    let standing =
        listed["orders"].as_array().expect("an array").iter().filter(|it| it["status"] == 3);
    assert_eq!(points["consumed"], json!(standing.count() * 9_000), "{points}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_confirm_and_an_end_exactly_one_wins() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let mut root = shop.operator().await;
    for round in 0..20 {
        let id = exchange(&mut ann, false).await;
        let confirm = format!("/api/mall/orders/{id}/confirm");
        let confirmed = if round % 2 == 0 {
            // The deadline passes meanwhile.
            let late = async { shop.advance(15 * 60_000) };
            let (confirmed, ()) = tokio::join!(ann.post(&confirm, json!({})), late);
            if confirmed.status != 200 {
                confirmed.failure(410, "RESERVATION_EXPIRED");
            }
            confirmed.status == 200
        } else {
            let cancel = act(&mut root, &id, "cancel", json!({"reason": "race"}));
            let (confirmed, cancelled) = tokio::join!(ann.post(&confirm, json!({})), cancel);
            // A confirmed order may be cancelled as well: what it ends as is one thing all the same.
            cancelled.data();
            if confirmed.status != 200 {
                confirmed.failure(409, "ORDER_STATE");
            }
            false
        };
        let status = root.get(&format!("/api/admin/orders/{id}")).await.data()["status"].clone();
        assert_eq!(status, json!(if confirmed { 1 } else { -1 }));
        if round == 7 {
            // Tokens are good for an hour.
            break;
        }
    }
}

#[tokio::test]
async fn what_was_sent_is_completed_by_itself_when_it_is_due() {
    const AFTER_MS: u64 = 600_000;
    let setup = || {
        let config = MallConfig { completion_after_ms: Some(AFTER_MS), ..MallConfig::default() };
        Setup { config, ..Setup::default() }
    };
    let shop = Shop::with(setup()).await;
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let mut ops = shop.operator().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        let id = exchange(&mut ann, true).await;
        ids.push(id);
    }
    let [first, second, third, refunded, never, completed] = &ids[..] else { panic!("six") };
    for id in [first, refunded, completed] {
        ship(&mut ops, id).await.data();
    }
    act(&mut ops, refunded, "refund", json!({"reason": "x"})).await.data();
    act(&mut ops, completed, "complete", json!({})).await.data();
    shop.clock.advance(AFTER_MS - 1);
    ship(&mut ops, second).await.data();
    shop.mall.complete_due().expect("the engine runs");
    assert_eq!(seen(&mut ann, first).await["status"], 2, "it is not due yet");
    shop.clock.advance(1);
    while shop.mall.complete_due().expect("the engine runs") {}
    let done = seen(&mut ann, first).await;
    assert_eq!((&done["status"], &done["completedAt"]), (&json!(3), &json!(NOW_MS + AFTER_MS)));
    let record = json!({"kind": "completed", "operator": null, "reason": null, "quantity": null, "at": NOW_MS + AFTER_MS});
    let path = format!("/api/admin/orders/{first}");
    assert_eq!(ops.get(&path).await.data()["records"][1], record);
    for (id, status) in [(second, 2), (third, 1), (refunded, -1), (never, 1), (completed, 3)] {
        assert_eq!(seen(&mut ann, id).await["status"], status, "{id}");
    }

    // A restart remembers nothing, and finds what was sent before it.
    let shop = shop.reopen_with(setup()).await;
    let (mut ann, mut ops) = (shop.user("ann").await, shop.operator().await);
    ship(&mut ops, third).await.data();
    shop.clock.advance(AFTER_MS);
    // Nobody asks: the server does it by itself.
    for id in [second, third] {
        while seen(&mut ann, id).await["status"] == 2 {}
        assert_eq!(seen(&mut ann, id).await["status"], 3, "{id}");
    }
    assert_eq!(seen(&mut ann, never).await["status"], 1, "what was not sent stays");
}
