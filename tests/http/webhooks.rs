//! Would catch a receiver of webhooks that is not told what becomes of orders and stock, or cannot
//! tell who says so; a secret that is shown twice; and a receiver at an address that is nobody's
//! business.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use stockhold::http::{Role, WebhookSettings};

use crate::support::{
    Answer, Client, Hook, NOW_MS, Reply, Setup, Shop, Told, by_order, product, signature,
};

pub(crate) const WEBHOOKS: &str = "/api/admin/webhooks";

/// Makes a receiver; its secret.
pub(crate) async fn make(ops: &mut Client, id: &str, hook: &Hook, events: Value) -> String {
    let body = json!({"receiverId": id, "url": hook.url(), "events": events});
    let made = ops.post(WEBHOOKS, body).await.data();
    made["secret"].as_str().expect("it is shown").to_owned()
}

/// A shop with much tea, and a user with many points.
pub(crate) async fn tea_shop(webhooks: WebhookSettings) -> (Shop, Client, Client) {
    tea_shop_of(Setup { webhooks, ..Setup::default() }).await
}

pub(crate) async fn tea_shop_of(setup: Setup) -> (Shop, Client, Client) {
    let shop = Shop::with(setup).await;
    shop.mall.put_product(&product("tea", 5)).expect("a valid product");
    let mut ops = shop.operator().await;
    ops.post("/api/admin/inventory/tea/receive", json!({"quantity": 1_000})).await.data();
    let ann = shop.user_with("ann", 100_000).await;
    (shop, ops, ann)
}

pub(crate) async fn buy(user: &mut Client) -> String {
    let body = json!({"productId": "tea", "quantity": 1});
    let made = user.post("/api/mall/exchange", body).await.data();
    made["orderId"].as_str().expect("a string").to_owned()
}

pub(crate) async fn receiver(ops: &mut Client, id: &str) -> Value {
    ops.get(&format!("{WEBHOOKS}/{id}")).await.data()
}

/// The receiver, once it is as it should be.
pub(crate) async fn until(ops: &mut Client, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let looking = async {
        loop {
            let seen = receiver(ops, id).await;
            if is_so(&seen) {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("it comes to that")
}

async fn patch(ops: &mut Client, id: &str, body: Value) -> Reply {
    let request = ops.request(Method::PATCH, &format!("{WEBHOOKS}/{id}"));
    ops.send(request.header("Content-Type", "application/json"), body.to_string()).await
}

fn kinds(told: &[Told]) -> Vec<String> {
    told.iter().map(Told::kind).collect()
}

#[tokio::test]
async fn orders_are_told_in_their_order_and_signed() {
    let (shop, mut ops, mut ann) = tea_shop(Setup::default().webhooks).await;
    let (hook, stock) = (Hook::open().await, Hook::open().await);
    // What was before it is made is none of its business.
    let before = buy(&mut ann).await;
    let secret = make(&mut ops, "till", &hook, json!(["order.*"])).await;
    make(&mut ops, "stock", &stock, json!(["stock.*"])).await;
    let order = buy(&mut ann).await;
    ann.post(&format!("/api/mall/orders/{order}/confirm"), json!({})).await.data();
    let act = |action: &str| format!("/api/admin/orders/{order}/{action}");
    let ship = json!({"trackingNo": "SF1", "carrier": "顺丰"});
    ops.post(&act("ship"), ship).await.data();
    ops.post(&act("deliver"), json!({})).await.data();
    ops.post(&act("complete"), json!({})).await.data();
    let told = hook.count(4).await;
    let expected = ["order.created", "order.confirmed", "order.shipped", "order.completed"];
    assert_eq!(kinds(&told), expected);
    for it in &told {
        assert_eq!((it.order(), it.path.as_str()), (order.clone(), "/in"));
        assert_eq!(it.signatures, signature(&secret, it), "the receiver can tell who says so");
        assert_eq!(it.timestamp, (NOW_MS / 1000).to_string());
        assert_eq!(it.content_type, "application/json");
        assert_eq!(it.json()["timestamp"], "2025-06-15T15:06:40.000Z");
    }
    let created = &told[0].json()["data"];
    assert_eq!(
        [&created["userId"], &created["productId"], &created["quantity"], &created["pointsCost"]],
        [&json!("ann"), &json!("tea"), &json!(1), &json!(5)]
    );
    assert_eq!(told[2].json()["data"]["carrier"], "顺丰");
    assert!(told.windows(2).all(|pair| pair[0].id < pair[1].id), "each has an id of its own");
    assert!(stock.told().is_empty(), "it wants nothing of orders");

    let given_up = buy(&mut ann).await;
    ann.post(&format!("/api/mall/orders/{given_up}/cancel"), json!({})).await.data();
    let late = buy(&mut ann).await;
    shop.advance(15 * 60_000);
    let paid = buy(&mut ann).await;
    ann.post(&format!("/api/mall/orders/{paid}/confirm"), json!({})).await.data();
    let refund = json!({"reason": "broken"});
    ops.post(&format!("/api/admin/orders/{paid}/refund"), refund).await.data();
    let told = hook.count(12).await;
    let orders = by_order(&told);
    assert_eq!(orders[&given_up], ["order.created", "order.cancelled"]);
    assert_eq!(orders[&late], ["order.created", "order.expired"]);
    assert_eq!(orders[&paid], ["order.created", "order.confirmed", "order.refunded"]);
    assert_eq!(orders[&before], ["order.expired"], "what becomes of it is");
    let refunded = told.iter().find(|it| it.kind() == "order.refunded").expect("it was told");
    let data = refunded.json()["data"].clone();
    assert_eq!((&data["returnedPoints"], &data["isOver"]), (&json!(5), &json!(true)));
    let seen = until(&mut ops, "till", |it| it["waiting"] == 0).await;
    assert_eq!([&seen["delivered"], &seen["failedAttempts"]], [&json!(12), &json!(0)]);
    let deliveries = ops.get(&format!("{WEBHOOKS}/till/deliveries")).await.data();
    let deliveries = deliveries["deliveries"].as_array().expect("an array");
    assert!(deliveries.len() == 12 && deliveries.iter().all(|it| it["delivered"] == true));
}

#[tokio::test]
async fn stock_is_told_when_it_is_low_or_gone_or_back_and_what_an_operator_has_seen_is_not() {
    let shop = Shop::open().await;
    let cup = stockhold::mall::Product { low_stock_threshold: Some(2), ..product("cup", 5) };
    shop.mall.put_product(&cup).expect("a valid product");
    let (hook, mut ops) = (Hook::open().await, shop.operator().await);
    // From here on alerts follow the events, and not how the stock stands.
    ops.get("/api/admin/inventory/alerts").await.data();
    let secret = make(&mut ops, "stock", &hook, json!(["stock.*"])).await;
    let receive = "/api/admin/inventory/cup/receive";
    ops.post(receive, json!({"quantity": 3})).await.data();
    let mut ann = shop.user_with("ann", 1_000).await;
    let body = json!({"productId": "cup", "quantity": 3});
    ann.post("/api/mall/exchange", body).await.data();
    let alerts = ops.get("/api/admin/inventory/alerts").await.data();
    hook.count(2).await;
    let id = alerts["alerts"][0]["alertId"].as_str().expect("an id");
    let ack = format!("/api/admin/inventory/alerts/{id}/ack");
    ops.post(&ack, json!({})).await.data();
    ops.post(receive, json!({"quantity": 9})).await.data();
    ops.get("/api/admin/inventory/alerts").await.data();
    let told = hook.count(4).await;
    let mut both = kinds(&told);
    both[..2].sort();
    both[2..].sort();
    let expected = ["stock.low", "stock.sold_out", "stock.back_in_stock", "stock.recovered"];
    assert_eq!(both, expected);
    let data = told[0].json()["data"].clone();
    assert_eq!((&data["productId"], &data["stockQuantity"]), (&json!("cup"), &json!(0)));
    assert!(told.iter().all(|it| it.signatures == signature(&secret, it)));
}

#[tokio::test]
async fn whoever_was_next_in_line_is_told_of_with_their_order() {
    let shop = Shop::open().await;
    let cup = stockhold::mall::Product { waiting_places: Some(5), ..product("cup", 5) };
    shop.mall.put_product(&cup).expect("a valid product");
    let (hook, mut ops) = (Hook::open().await, shop.operator().await);
    make(&mut ops, "line", &hook, json!(["waiting.granted", "order.created"])).await;
    let mut bob = shop.user_with("bob", 1_000).await;
    bob.post("/api/mall/products/cup/waiting-list", json!({})).await.data();
    ops.post("/api/admin/inventory/cup/receive", json!({"quantity": 1})).await.data();
    let told = hook.count(2).await;
    let granted = told.iter().find(|it| it.kind() == "waiting.granted").expect("it is told");
    let data = granted.json()["data"].clone();
    assert_eq!((&data["userId"], &data["productId"]), (&json!("bob"), &json!("cup")));
    let orders = told.iter().filter(|it| it.order() == granted.order());
    assert_eq!(orders.count(), 2, "its order is told as well");
}

#[tokio::test]
async fn a_secret_is_shown_once_and_an_old_one_signs_besides_until_it_ends() {
    let (shop, mut ops, _) = tea_shop(Setup::default().webhooks).await;
    let hook = Hook::open().await;
    let old = make(&mut ops, "till", &hook, json!([])).await;
    for seen in [receiver(&mut ops, "till").await, ops.get(WEBHOOKS).await.data()] {
        assert!(!seen.to_string().contains("whsec_"), "{seen}");
    }
    let path = format!("{WEBHOOKS}/till");
    let rotated = ops.post(&format!("{path}/rotate"), json!({"overlapMs": 60_000})).await.data();
    let new = rotated["secret"].as_str().expect("it is shown").to_owned();
    assert_ne!(new, old);
    ops.post(&format!("{path}/test"), json!({})).await.data();
    let told = hook.count(1).await;
    let both = format!("{} {}", signature(&new, &told[0]), signature(&old, &told[0]));
    assert_eq!((told[0].kind(), &told[0].signatures), ("webhook.test".to_owned(), &both));
    until(&mut ops, "till", |it| it["delivered"] == 1).await;
    // Both survive a restart.
    let shop = shop.reopen().await;
    let mut ops = shop.operator().await;
    ops.post(&format!("{path}/test"), json!({})).await.data();
    let told = hook.count(2).await;
    let both = format!("{} {}", signature(&new, &told[1]), signature(&old, &told[1]));
    assert_eq!(told[1].signatures, both);
    shop.advance(60_000);
    ops.post(&format!("{path}/test"), json!({})).await.data();
    let told = hook.count(3).await;
    assert_eq!(told[2].signatures, signature(&new, &told[2]), "the old one has ended");
    let chosen = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = json!({"secret": chosen, "overlapMs": 0});
    assert_eq!(ops.post(&format!("{path}/rotate"), body).await.data()["secret"], chosen);
}

#[tokio::test]
async fn what_is_wrong_with_a_receiver_is_said_and_nobody_else_may_look_after_them() {
    let shop = Shop::open().await;
    let (hook, mut ops) = (Hook::open().await, shop.operator().await);
    make(&mut ops, "till", &hook, json!([])).await;
    let body = |id: &str, url: &str| json!({"receiverId": id, "url": url});
    ops.post(WEBHOOKS, body("till", &hook.url())).await.failure(409, "ALREADY_EXISTS");
    let short = "whsec_c2hvcnQ=";
    for wrong in [
        body("dead", &hook.url()),
        body("T", &hook.url()),
        body("a", "http://hooks.example/"),
        body("a", "ftp://127.0.0.1/"),
        body("a", "https://ann:pw@hooks.example/"),
        json!({"receiverId": "a", "url": hook.url(), "events": ["order.lost"]}),
        json!({"receiverId": "a", "url": hook.url(), "secret": short}),
        json!({"receiverId": "a", "url": hook.url(), "description": "x".repeat(201)}),
        json!({"receiverId": "a", "url": hook.url(), "more": 1}),
    ] {
        let reply = ops.post(WEBHOOKS, wrong).await;
        reply.failure(400, "INVALID_REQUEST");
        assert!(!String::from_utf8_lossy(&reply.body).contains(short), "a secret is repeated");
    }
    for (method, path) in [
        (Method::GET, format!("{WEBHOOKS}/nobody")),
        (Method::DELETE, format!("{WEBHOOKS}/nobody")),
        (Method::GET, format!("{WEBHOOKS}/nobody/deliveries")),
        (Method::POST, format!("{WEBHOOKS}/nobody/test")),
        (Method::GET, format!("{WEBHOOKS}/dead?receiver_id=nobody")),
    ] {
        let reply = ops.send(ops.request(method, &path), "").await;
        reply.failure(404, "WEBHOOK_NOT_FOUND");
    }
    patch(&mut ops, "nobody", json!({})).await.failure(404, "WEBHOOK_NOT_FOUND");
    for role in [Role::User, Role::Service] {
        let mut other = shop.client("eve", role).await;
        other.get(WEBHOOKS).await.failure(403, "FORBIDDEN");
        other.post(WEBHOOKS, body("eve", &hook.url())).await.failure(403, "FORBIDDEN");
    }
    let changed = json!({"events": ["stock.*"], "description": "the till", "enabled": false});
    let seen = patch(&mut ops, "till", changed).await.data();
    assert_eq!(
        [&seen["events"], &seen["description"], &seen["enabled"], &seen["disabledReason"]],
        [&json!(["stock.*"]), &json!("the till"), &json!(false), &json!("operator")]
    );
    ops.post(&format!("{WEBHOOKS}/till/test"), json!({})).await.failure(400, "INVALID_REQUEST");
    for at in 1..16 {
        make(&mut ops, &format!("r{at}"), &hook, json!([])).await;
    }
    ops.post(WEBHOOKS, body("more", &hook.url())).await.failure(503, "OVERLOADED");
    ops.send(ops.request(Method::DELETE, &format!("{WEBHOOKS}/till")), "").await.data();
    let shop = shop.reopen().await;
    let mut ops = shop.operator().await;
    assert_eq!(ops.get(WEBHOOKS).await.data()["receivers"].as_array().map(Vec::len), Some(15));
    ops.get(&format!("{WEBHOOKS}/till")).await.failure(404, "WEBHOOK_NOT_FOUND");
}

/// Would catch a guard that looks at the URL alone: `localhost` is a name, and names are resolved.
#[tokio::test]
async fn nothing_is_sent_to_private_addresses_unless_the_settings_name_the_host() {
    let strict = WebhookSettings::default();
    let (_shop, mut ops, mut ann) = tea_shop(strict).await;
    let hook = Hook::open().await;
    let port = hook.address.port();
    let url = format!("http://127.0.0.1:{port}/in");
    let body = json!({"receiverId": "plain", "url": url});
    ops.post(WEBHOOKS, body).await.failure(400, "INVALID_REQUEST");
    let body = json!({"receiverId": "name", "url": format!("https://localhost:{port}/in")});
    ops.post(WEBHOOKS, body).await.data();
    // An address that is written into the URL is refused at once.
    for host in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
    {
        let url = format!("https://{host}:{port}/in");
        let made = ops.post(WEBHOOKS, json!({"receiverId": "ip", "url": url})).await;
        let told = made.failure(400, "INVALID_REQUEST");
        assert!(
            made.envelope()["message"].as_str().is_some_and(|it| it.contains("$.url: ")),
            "{told}"
        );
        let changed = patch(&mut ops, "name", json!({"url": url})).await;
        changed.failure(400, "INVALID_REQUEST");
    }
    buy(&mut ann).await;
    let seen = until(&mut ops, "name", |it| it["failedAttempts"].as_u64() > Some(0)).await;
    let why = seen["lastFailure"]["error"].as_str().expect("a reason");
    assert!(why.starts_with("forbiddenAddress: "), "{why}");
    assert!(hook.told().is_empty());
}

#[tokio::test]
async fn a_receiver_that_says_it_is_gone_is_off_until_an_operator_turns_it_on() {
    let (_shop, mut ops, mut ann) = tea_shop(Setup::default().webhooks).await;
    let hook = Hook::open().await;
    make(&mut ops, "till", &hook, json!(["order.created"])).await;
    hook.answers(|_| Answer::Status(410));
    let first = buy(&mut ann).await;
    let seen = until(&mut ops, "till", |it| it["enabled"] == false).await;
    assert_eq!((&seen["disabledReason"], &seen["dead"]), (&json!("gone"), &json!(1)));
    let second = buy(&mut ann).await;
    hook.answers(|_| Answer::Status(200));
    assert_eq!(patch(&mut ops, "till", json!({"enabled": true})).await.data()["enabled"], true);
    let told = hook.count(2).await;
    assert_eq!([told[0].order(), told[1].order()], [first, second], "it goes on where it was");
}
