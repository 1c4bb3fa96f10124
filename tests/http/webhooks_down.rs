//! Would catch a receiver of webhooks that is slow, wrong or down and holds somebody up, a message
//! that is lost or out of order when it is back, and one that was given up and cannot be had again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use stockhold::http::{Role, WebhookSettings};

use super::webhooks::{WEBHOOKS, buy, make, receiver, tea_shop, until};
use crate::support::{Answer, Client, Hook, NOW_MS, Setup, Shop, Told, by_order, token_until};

/// Longer than any wait between two tries.
const LONG_MS: u64 = 7 * 3_600_000;

fn settings() -> WebhookSettings {
    Setup::default().webhooks
}

/// An operator whose token outlasts the days that pass here.
async fn lasting(shop: &Shop) -> Client {
    let token = token_until("ops", Role::Operator, NOW_MS + 30 * 86_400_000);
    Client::connect(shop.address, Some(token)).await
}

async fn confirm(user: &mut Client, order: &str) {
    user.post(&format!("/api/mall/orders/{order}/confirm"), json!({})).await.data();
}

#[tokio::test]
async fn whoever_is_down_or_hangs_holds_up_no_sale_and_no_other_and_gets_all_of_it_later() {
    const ORDERS: usize = 20;
    // Nobody gives up on the one that hangs while this test runs.
    let patient = WebhookSettings { timeout: Duration::from_secs(600), ..settings() };
    let (shop, mut ops, mut ann) = tea_shop(patient).await;
    let (good, down, hanging) = (Hook::open().await, Hook::open().await, Hook::open().await);
    for (id, hook) in [("good", &good), ("down", &down), ("hanging", &hanging)] {
        make(&mut ops, id, hook, json!(["order.*"])).await;
    }
    down.answers(|_| Answer::Status(500));
    hanging.answers(|_| Answer::Nothing);
    let mut orders = Vec::new();
    for _ in 0..ORDERS {
        let order = buy(&mut ann).await;
        confirm(&mut ann, &order).await;
        orders.push(order);
    }
    // Everything is sold and told while two receivers have got nothing.
    let told = good.count(2 * ORDERS).await;
    let whole = ["order.created", "order.confirmed"].map(str::to_owned).to_vec();
    let expected: BTreeMap<_, _> =
        orders.iter().map(|order| (order.clone(), whole.clone())).collect();
    assert_eq!(by_order(&told), expected);
    let tried = down.count(ORDERS).await;
    assert!(tried.iter().all(|it| it.kind() == "order.created"), "nothing overtakes in an order");
    let seen = until(&mut ops, "down", |it| it["failedAttempts"] == ORDERS).await;
    let counts = [&seen["waiting"], &seen["delivered"]];
    assert_eq!(counts, [&json!(2 * ORDERS), &json!(0)]);
    assert_eq!(seen["lastFailure"]["error"], "status 500");
    let health = ann.get("/health").await;
    let told = health.json();
    assert_eq!((health.status, &told["checks"]["webhooks"]), (200, &json!("rejected")), "{told}");
    assert!(told["dependencies"]["webhooks"]["stillWorks"].is_string(), "{told}");
    hanging.count(8).await;
    let hung = receiver(&mut ops, "hanging").await;
    assert_eq!((&hung["delivered"], hanging.told().len()), (&json!(0), 8), "so many at a time");

    down.answers(|_| Answer::Status(200));
    shop.advance(LONG_MS);
    let told = down.count(3 * ORDERS).await;
    let told = &told[ORDERS..];
    assert_eq!(by_order(told), expected, "all of it, in order");
    let mut ids: Vec<_> = tried.iter().map(|it| &it.id).collect();
    let mut again: Vec<_> =
        told.iter().filter(|it| it.kind() == "order.created").map(|it| &it.id).collect();
    ids.sort();
    again.sort();
    assert_eq!(ids, again, "a message keeps its id");
}

#[tokio::test]
async fn an_order_whose_message_is_refused_holds_up_no_other() {
    let (shop, mut ops, mut ann) = tea_shop(settings()).await;
    let hook = Hook::open().await;
    make(&mut ops, "till", &hook, json!(["order.*"])).await;
    let first = buy(&mut ann).await;
    hook.count(1).await;
    let poison = first.clone();
    hook.answers(move |told| Answer::Status(if told.order() == poison { 422 } else { 200 }));
    confirm(&mut ann, &first).await;
    ann.post(&format!("/api/mall/orders/{first}/cancel"), json!({})).await.data();
    for _ in 0..10 {
        let order = buy(&mut ann).await;
        confirm(&mut ann, &order).await;
    }
    let others = |told: &[Told]| told.iter().filter(|it| it.order() != first).count();
    hook.until(|told| others(told) == 20).await;
    hook.answers(|_| Answer::Status(200));
    shop.advance(LONG_MS);
    let told = hook.until(|told| told.iter().any(|it| it.kind() == "order.refunded")).await;
    assert_eq!(
        by_order(&told)[&first],
        ["order.created", "order.confirmed", "order.refunded"],
        "in its order"
    );
}

#[tokio::test]
async fn an_answer_that_leads_elsewhere_is_not_followed_and_a_long_one_is_not_read() {
    let (shop, _, mut ann) = tea_shop(settings()).await;
    let (hook, mut ops) = (Hook::open().await, lasting(&shop).await);
    make(&mut ops, "till", &hook, json!(["order.created"])).await;
    hook.answers(|_| Answer::Elsewhere);
    buy(&mut ann).await;
    let seen = until(&mut ops, "till", |it| it["failedAttempts"] == 1).await;
    assert_eq!(seen["lastFailure"]["error"], "status 302");
    hook.answers(|_| Answer::Long(64 << 20));
    shop.advance(LONG_MS);
    until(&mut ops, "till", |it| it["delivered"] == 1).await;
    let paths: Vec<_> = hook.told().iter().map(|it| it.path.clone()).collect();
    assert_eq!(paths, ["/in", "/in"]);
}

#[tokio::test]
async fn a_slow_answer_is_waited_for_so_long_and_then_tried_again() {
    let quick = WebhookSettings { timeout: Duration::from_millis(300), ..settings() };
    let (shop, _, mut ann) = tea_shop(quick).await;
    let (hook, mut ops) = (Hook::open().await, lasting(&shop).await);
    make(&mut ops, "till", &hook, json!(["order.created"])).await;
    hook.answers(|_| Answer::Nothing);
    buy(&mut ann).await;
    let seen = until(&mut ops, "till", |it| it["failedAttempts"] == 1).await;
    let why = seen["lastFailure"]["error"].as_str().expect("a reason");
    assert!(why.starts_with("timeout: ") || why.starts_with("connectTimeout: "), "{why}");
    hook.answers(|_| Answer::Status(200));
    // On a machine that is slow itself, more than one try may be too slow.
    let mut tries = 1;
    while receiver(&mut ops, "till").await["delivered"] != 1 {
        shop.advance(LONG_MS);
        tries += 1;
        let tried =
            |it: &Value| it["delivered"] == 1 || it["failedAttempts"].as_u64() >= Some(tries);
        until(&mut ops, "till", tried).await;
    }
    let told = hook.told();
    assert!(told.iter().all(|it| it.id == told[0].id), "it is one message");
}

async fn dead(ops: &mut Client) -> Value {
    ops.get(&format!("{WEBHOOKS}/dead?receiver_id=till&page_size=100")).await.data()
}

#[tokio::test]
async fn what_is_given_up_after_three_days_is_listed_and_can_be_sent_again() {
    let (shop, _, mut ann) = tea_shop(settings()).await;
    let (hook, mut ops) = (Hook::open().await, lasting(&shop).await);
    make(&mut ops, "till", &hook, json!(["order.created"])).await;
    hook.answers(|_| Answer::Status(503));
    let orders = [buy(&mut ann).await, buy(&mut ann).await];
    let mut tries = 2;
    while dead(&mut ops).await["count"] != 2 {
        until(&mut ops, "till", |it| it["failedAttempts"].as_u64() >= Some(tries)).await;
        let left = receiver(&mut ops, "till").await["waiting"].as_u64().expect("a number");
        tries += left;
        shop.advance(LONG_MS);
    }
    assert!(shop.engine.now_ms() - NOW_MS >= 3 * 86_400_000, "no earlier");
    let seen = dead(&mut ops).await;
    let message = &seen["messages"][0];
    assert_eq!(
        [&message["type"], &message["lastError"], &seen["evicted"]],
        [&json!("order.created"), &json!("status 503"), &json!(0)]
    );
    assert!(message["attempts"].as_u64() >= Some(10), "{message}");
    // They survive a restart, and are sent again with the ids that they had.
    let shop = shop.reopen().await;
    let mut ops = lasting(&shop).await;
    assert_eq!(dead(&mut ops).await, seen);
    hook.answers(|_| Answer::Status(200));
    let before = hook.told().len();
    let one = json!({"receiverId": "till", "messageIds": [message["messageId"]]});
    let replay = format!("{WEBHOOKS}/dead/replay");
    let replayed = ops.post(&replay, one).await.data();
    assert_eq!((&replayed["replayed"], &replayed["left"]), (&json!(1), &json!(1)));
    hook.count(before + 1).await;
    let rest = ops.post(&replay, json!({"receiverId": "till"})).await.data();
    assert_eq!((&rest["replayed"], &rest["left"]), (&json!(1), &json!(0)));
    let told = hook.count(before + 2).await;
    assert_eq!(told[before].id, message["messageId"].as_str().expect("an id"));
    let again: Vec<_> = told[before..].iter().map(Told::order).collect();
    assert!(orders.iter().all(|order| again.contains(order)), "{again:?}");
    assert_eq!(dead(&mut ops).await["count"], 0);
    let none = json!({"receiverId": "nobody"});
    ops.post(&replay, none).await.failure(404, "WEBHOOK_NOT_FOUND");
}

#[tokio::test]
async fn a_restart_loses_nothing_that_waits_and_tells_nothing_twice_that_was_delivered() {
    let (shop, _, mut ann) = tea_shop(settings()).await;
    let (good, down, mut ops) = (Hook::open().await, Hook::open().await, lasting(&shop).await);
    make(&mut ops, "good", &good, json!(["order.*"])).await;
    make(&mut ops, "down", &down, json!(["order.*"])).await;
    down.answers(|_| Answer::Status(500));
    let first = buy(&mut ann).await;
    confirm(&mut ann, &first).await;
    good.count(2).await;
    down.count(1).await;
    until(&mut ops, "good", |it| it["delivered"] == 2).await;
    let shop = shop.reopen().await;
    let mut ann = shop.user("ann").await;
    down.answers(|_| Answer::Status(200));
    let second = buy(&mut ann).await;
    shop.advance(LONG_MS);
    // It is made, and has expired by then.
    let told = good.count(4).await;
    let orders = by_order(&told);
    assert_eq!(orders[&second], ["order.created", "order.expired"]);
    assert_eq!(orders.values().flatten().count(), told.len(), "nothing comes twice");
    let is_whole = |told: &[Told]| by_order(told).get(&first).is_some_and(|it| it.len() == 2);
    let told = down.until(is_whole).await;
    assert_eq!(by_order(&told)[&first], ["order.created", "order.confirmed"]);
    let ids: Vec<_> = told.iter().filter(|it| it.order() == first).map(|it| &it.id).collect();
    assert_eq!(ids[0], ids[1], "a message keeps its id across a restart");
}
