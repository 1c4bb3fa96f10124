//! Would catch points that are spent in another order than they end, spent or shown after their end,
//! that expire twice or too early, and a return that goes elsewhere than where it came from.

use serde_json::{Value, json};
use stockhold::mall::MallConfig;
use stockhold::{AccountKey, Level};

use crate::support::{Client, NOW_MS, Reply, Setup, Shop, product, token_until};

const DAY_MS: u64 = 86_400_000;
/// Days end 23 minutes and 20 seconds after the clock's first time.
const DAY_OFFSET_MIN: i32 = 8 * 60 + 30;
const TONIGHT_MS: u64 = NOW_MS + 1_400_000;

fn setup() -> Setup {
    let config = MallConfig {
        points_day_offset_min: DAY_OFFSET_MIN,
        points_grace_ms: 2 * DAY_MS,
        ..MallConfig::default()
    };
    Setup { config, ..Setup::default() }
}

/// A shop with a thousand units of `tea`, each for one point.
async fn shop() -> Shop {
    let shop = Shop::with(setup()).await;
    put(&shop, "tea", 1).await;
    shop
}

async fn put(shop: &Shop, id: &str, price: u64) {
    shop.mall.put_product(&product(id, price)).expect("a valid product");
    let path = format!("/api/admin/inventory/{id}/receive");
    shop.admin().await.post(&path, json!({"quantity": 1_000})).await.data();
}

/// Clients whose tokens outlive the tests.
async fn user(shop: &Shop, name: &str) -> Client {
    client(shop, name, stockhold::http::Role::User).await
}

async fn root(shop: &Shop) -> Client {
    client(shop, "root", stockhold::http::Role::Admin).await
}

async fn client(shop: &Shop, name: &str, role: stockhold::http::Role) -> Client {
    let token = token_until(name, role, NOW_MS + 400 * DAY_MS);
    Client::connect(shop.address, Some(token)).await
}

async fn award(root: &mut Client, user: &str, points: u64, expires_at: Option<u64>) -> Reply {
    let path = format!("/api/admin/points/{user}/award");
    root.post(&path, json!({"points": points, "expiresAt": expires_at})).await
}

async fn exchange(user: &mut Client, product: &str, quantity: u64, confirm: bool) -> Reply {
    let body = json!({"productId": product, "quantity": quantity, "confirm": confirm});
    user.post("/api/mall/exchange", body).await
}

fn id(made: &Reply) -> String {
    made.data()["orderId"].as_str().expect("a string").to_owned()
}

/// The account of points that are good until a moment, or for ever.
fn level(shop: &Shop, name: &str, until: Option<u64>) -> Level {
    let key = match until {
        Some(until) => AccountKey::points_until(name, until),
        None => AccountKey::points(name),
    };
    let account = shop.engine.account(&key.expect("a valid name")).expect("it is open");
    shop.engine.level(account).expect("it is open")
}

/// What is available of each: of tonight's, of tomorrow's, and of those that are good for ever.
fn available(shop: &Shop, name: &str) -> [i64; 3] {
    let ends = [Some(TONIGHT_MS), Some(TONIGHT_MS + DAY_MS), None];
    ends.map(|until| level(shop, name, until).available)
}

async fn balance(user: &mut Client) -> (i64, u64, Value) {
    let told = user.get("/api/points/balance").await.data();
    let number = |field: &str| told[field].as_i64().expect("a number");
    (number("balance"), number("reserved") as u64, told["expiring"].clone())
}

fn expiring(at: u64, points: u64) -> Value {
    json!({"expiresAt": at, "points": points})
}

/// Ann has 5 points until tonight, 7 until tomorrow night, and 10 for ever.
async fn ann_of(shop: &Shop) -> Client {
    let mut root = root(shop).await;
    let told = award(&mut root, "ann", 7, Some(TONIGHT_MS + 1)).await.data();
    assert_eq!(told, json!({"userId": "ann", "balance": 7, "expiresAt": TONIGHT_MS + DAY_MS}));
    award(&mut root, "ann", 10, None).await.data();
    let told = award(&mut root, "ann", 5, Some(NOW_MS + 1)).await.data();
    assert_eq!(told, json!({"userId": "ann", "balance": 22, "expiresAt": TONIGHT_MS}));
    user(shop, "ann").await
}

async fn sweep(shop: &Shop) {
    let mall = shop.mall.clone();
    let sweep = move || while mall.expire_points().expect("the engine runs") {};
    tokio::task::spawn_blocking(sweep).await.expect("it does not panic");
}

#[tokio::test]
async fn what_ends_first_is_spent_first_and_goes_back_where_it_came_from() {
    let shop = shop().await;
    let mut ann = ann_of(&shop).await;
    assert_eq!(balance(&mut ann).await, (22, 0, expiring(TONIGHT_MS, 5)));
    let made = exchange(&mut ann, "tea", 14, false).await;
    assert_eq!(available(&shop, "ann"), [0, 0, 8]);
    assert_eq!(balance(&mut ann).await, (8, 14, Value::Null));
    let path = format!("/api/mall/orders/{}", id(&made));
    assert_eq!(ann.get(&path).await.data()["pointsCost"], 14);
    let told = ann.post(&format!("{path}/cancel"), json!({})).await.data();
    assert_eq!(told["pointsCost"], 14);
    assert_eq!(available(&shop, "ann"), [5, 7, 10]);

    let short = exchange(&mut ann, "tea", 23, true).await;
    short.failure(409, "INSUFFICIENT_POINTS");
    let told = &short.json()["data"];
    assert_eq!((&told["required"], &told["available"]), (&json!(23), &json!(22)));
    let all = exchange(&mut ann, "tea", 22, true).await;
    assert_eq!(all.data()["pointsCost"], 22);
    assert_eq!(available(&shop, "ann"), [0, 0, 0]);
    let order = format!("/api/mall/orders/{}", id(&all));
    ann.post(&format!("{order}/cancel"), json!({})).await.data();
    assert_eq!(available(&shop, "ann"), [5, 7, 10]);
    let seen = ann.get(&order).await.data();
    assert_eq!((&seen["returnedPoints"], &seen["status"]), (&json!(22), &json!(-1)));
}

#[tokio::test]
async fn points_end_at_their_moment_and_expire_once() {
    let shop = shop().await;
    let (mut ann, mut root) = (ann_of(&shop).await, root(&shop).await);
    shop.clock.advance(TONIGHT_MS - NOW_MS - 1);
    let last = exchange(&mut ann, "tea", 1, false).await;
    assert_eq!(available(&shop, "ann"), [4, 7, 10], "it is good to the last");
    shop.clock.advance(1);
    assert_eq!(balance(&mut ann).await, (17, 1, expiring(TONIGHT_MS + DAY_MS, 7)));
    exchange(&mut ann, "tea", 18, true).await.failure(409, "INSUFFICIENT_POINTS");
    exchange(&mut ann, "tea", 1, true).await.data();
    assert_eq!(level(&shop, "ann", Some(TONIGHT_MS + DAY_MS)).available, 6);
    for _ in 0..3 {
        sweep(&shop).await;
        let lot = level(&shop, "ann", Some(TONIGHT_MS));
        assert_eq!((lot.available, lot.reserved, lot.written_off), (0, 1, 4));
    }
    // The order that took of it in time is confirmed as any other, and refunded to a grace.
    let path = format!("/api/mall/orders/{}/confirm", id(&last));
    ann.post(&path, json!({})).await.data();
    let path = format!("/api/admin/orders/{}/refund", id(&last));
    root.post(&path, json!({"reason": "x"})).await.data();
    sweep(&shop).await;
    assert_eq!(available(&shop, "ann"), [0, 6, 10]);
    assert_eq!(level(&shop, "ann", Some(TONIGHT_MS + 2 * DAY_MS)).available, 1);
    assert_eq!(balance(&mut ann).await, (17, 0, expiring(TONIGHT_MS + DAY_MS, 6)));
    let told = award(&mut root, "ann", 1, Some(TONIGHT_MS)).await;
    told.failure(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_restart_between_loses_no_end() {
    let shop = shop().await;
    let mut ann = ann_of(&shop).await;
    let held = exchange(&mut ann, "tea", 3, false).await;
    shop.clock.advance(DAY_MS);
    let shop = shop.reopen_with(setup()).await;
    shop.engine.expire_due().expect("the engine runs");
    sweep(&shop).await;
    let lot = level(&shop, "ann", Some(TONIGHT_MS));
    assert_eq!((lot.available, lot.written_off), (0, 5), "what was held lapsed, and expired");
    let mut ann = user(&shop, "ann").await;
    let seen = ann.get(&format!("/api/mall/orders/{}", id(&held))).await.data();
    assert_eq!(seen["pointsCost"], 3);
    assert_eq!(balance(&mut ann).await, (17, 0, expiring(TONIGHT_MS + DAY_MS, 7)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_of_one_user_at_once_take_each_point_once_and_none_is_refused_falsely() {
    let shop = shop().await;
    ann_of(&shop).await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..11 {
        let mut ann = user(&shop, "ann").await;
        running.spawn(async move { exchange(&mut ann, "tea", 2, true).await.status });
    }
    assert_eq!(running.join_all().await, [200; 11]);
    assert_eq!(available(&shop, "ann"), [0, 0, 0]);
}

#[tokio::test]
async fn a_basket_takes_of_many_lots_and_some_of_it_goes_back_from_the_last() {
    let shop = shop().await;
    put(&shop, "cup", 3).await;
    let (mut ann, mut root) = (ann_of(&shop).await, root(&shop).await);
    let items = json!([{"productId": "tea", "quantity": 5}, {"productId": "cup", "quantity": 3}]);
    let body = json!({"items": items, "confirm": true});
    let made = ann.post_keyed("/api/mall/exchange", "a", body.clone()).await;
    assert_eq!(made.data()["pointsCost"], 14);
    assert_eq!(available(&shop, "ann"), [0, 0, 8]);
    let again = ann.post_keyed("/api/mall/exchange", "a", body).await;
    assert_eq!(
        again.without_timestamp(),
        made.without_timestamp(),
        "a retry hears the first answer"
    );

    let refund = format!("/api/admin/orders/{}/refund", id(&made));
    let one = json!({"reason": "x", "productId": "cup", "quantity": 1});
    root.post(&refund, one).await.data();
    assert_eq!(available(&shop, "ann"), [0, 1, 10], "two of those that are good for ever");
    let three = json!({"reason": "x", "productId": "tea", "quantity": 3});
    root.post(&refund, three).await.data();
    assert_eq!(available(&shop, "ann"), [0, 4, 10]);
    let seen = ann.get(&format!("/api/mall/orders/{}", id(&made))).await.data();
    assert_eq!(seen["returnedPoints"], 6);
    root.post(&refund, json!({"reason": "x"})).await.data();
    assert_eq!(available(&shop, "ann"), [5, 7, 10]);

    let body = json!({"items": [{"productId": "tea", "quantity": 2}, {"productId": "cup", "quantity": 7}]});
    let short = ann.post("/api/mall/exchange", body).await;
    short.failure(409, "INSUFFICIENT_POINTS");
    let lines = &short.json()["data"]["lines"];
    assert_eq!(lines.as_array().map(Vec::len), Some(1), "points are told once: {lines}");
    assert_eq!((&lines[0]["required"], &lines[0]["available"]), (&json!(23), &json!(22)));
}

#[tokio::test]
async fn an_order_takes_of_so_many_lots_at_most() {
    let shop = shop().await;
    let mut root = root(&shop).await;
    for day in 0..130 {
        award(&mut root, "ann", 1, Some(TONIGHT_MS + day * DAY_MS)).await.data();
    }
    let mut ann = user(&shop, "ann").await;
    exchange(&mut ann, "tea", 128, true).await.failure(409, "TOO_MANY_LOTS");
    assert_eq!(balance(&mut ann).await.0, 130);
    exchange(&mut ann, "tea", 127, true).await.data();
    assert_eq!(balance(&mut ann).await, (3, 0, expiring(TONIGHT_MS + 127 * DAY_MS, 1)));
}

#[tokio::test]
async fn a_deduction_takes_of_all_lots_or_of_none() {
    let shop = shop().await;
    let mut root = root(&shop).await;
    for day in 0..250 {
        award(&mut root, "ann", 2, Some(TONIGHT_MS + day * DAY_MS)).await.data();
    }
    award(&mut root, "ann", 10, None).await.data();
    // The longest that may be said of it, and with each lot.
    let reason = "😀".repeat(200);
    let order = "o".repeat(64);
    let deduct = |points: u64| json!({"points": points, "reason": reason, "orderId": order, "source": "mall_consumption"});
    let path = "/api/admin/points/ann/deduct";
    let mut ann = user(&shop, "ann").await;
    let before = shop.state();
    root.post(path, deduct(511)).await.failure(409, "INSUFFICIENT_POINTS");
    assert_eq!(shop.state(), before);
    let first = root.post_keyed(path, "k", deduct(505)).await;
    assert_eq!(first.data()["balance"], 5);
    let again = root.post_keyed(path, "k", deduct(505)).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    assert_eq!(balance(&mut ann).await.0, 5);
    let records = records(&mut ann, 100).await;
    let of_it = &records[..251];
    assert_eq!(of_it.iter().filter_map(|it| it["points"].as_i64()).sum::<i64>(), -505);
    let whole = of_it.iter().filter(|it| it["description"] == reason.as_str()).count();
    assert_eq!(whole, 1, "the others are cut short");
    for record in of_it {
        let said = record["description"].as_str().expect("a text");
        assert!(reason.starts_with(said) && !said.is_empty(), "{said}");
        let source = (&record["source"], &record["orderId"], &record["operator"]);
        assert_eq!(source, (&json!("mall_consumption"), &json!(order), &json!("root")));
    }
    // Of many, as a line of a batch.
    for day in 0..80 {
        award(&mut root, "bob", 1, Some(TONIGHT_MS + day * DAY_MS)).await.data();
    }
    let lines = json!({"lines": [
        {"kind": "deduct", "userId": "bob", "points": 81, "reason": "x"},
        {"kind": "deduct", "userId": "bob", "points": 79, "reason": "x"},
    ]});
    let told = root.post("/api/points/batch", lines).await.data();
    assert_eq!((&told["applied"], &told["lines"][1]["data"]["balance"]), (&json!(1), &json!(1)));
}

/// All records of a user, newest first, gathered from pages of this size.
async fn records(user: &mut Client, page_size: usize) -> Vec<Value> {
    let (mut all, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/points/records?page_size={page_size}{before}");
        let page = user.get(&path).await.data();
        all.extend(page["records"].as_array().expect("an array").iter().cloned());
        match page["nextBefore"].as_u64() {
            Some(next) => before = format!("&before={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn deductions_take_of_lots_and_records_go_over_all_of_them() {
    let shop = shop().await;
    let (mut ann, mut root) = (ann_of(&shop).await, root(&shop).await);
    let path = "/api/admin/points/ann/deduct";
    let body = json!({"points": 14, "source": "mall_consumption", "reason": "线下兑换"});
    let first = root.post_keyed(path, "k", body.clone()).await;
    assert_eq!(first.data(), json!({"userId": "ann", "balance": 8}));
    assert_eq!(available(&shop, "ann"), [0, 0, 8]);
    award(&mut root, "ann", 4, Some(TONIGHT_MS)).await.data();
    let again = root.post_keyed(path, "k", body).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp(), "it is the first answer");
    assert_eq!(available(&shop, "ann"), [4, 0, 8]);
    let more = root.post(path, json!({"points": 13, "reason": "x"})).await;
    more.failure(409, "INSUFFICIENT_POINTS");
    assert_eq!(more.json()["data"]["available"], 12);
    let made = exchange(&mut ann, "tea", 1, true).await;
    shop.clock.advance(DAY_MS);
    let refund = format!("/api/admin/orders/{}/refund", id(&made));
    root.post(&refund, json!({"reason": "x"})).await.data();
    sweep(&shop).await;
    assert_eq!(balance(&mut ann).await, (9, 0, expiring(TONIGHT_MS + 3 * DAY_MS, 1)));
    let wrong = json!({"points": 1, "reason": "x", "expiresAt": TONIGHT_MS + 9 * DAY_MS});
    root.post(path, wrong).await.failure(400, "INVALID_REQUEST");

    let all = records(&mut ann, 100).await;
    let told = all.iter().rev().map(|it| (it["points"].clone(), it["source"].clone()));
    let told: Vec<(Value, Value)> = told.collect();
    let spent = json!("mall_consumption");
    assert_eq!(told[..3].iter().map(|it| &it.0).collect::<Vec<_>>(), [7, 10, 5]);
    assert!(told[3..6].iter().all(|it| it.1 == spent), "{told:?}");
    let deducted = told[3..6].iter().map(|it| it.0.as_i64().expect("a number"));
    assert_eq!(deducted.sum::<i64>(), -14);
    // The refund came before anybody looked after the end of the lot, and is no part of what expired.
    let rest = [
        (4, "payment_reward"),
        (-1, "mall_consumption"),
        (1, "mall_refund"),
        (-3, "expire_deduct"),
    ];
    assert_eq!(told[6..], rest.map(|(points, source)| (json!(points), json!(source))));
    let mut before = json!(9);
    for record in &all {
        assert_eq!(record["balanceAfter"], before, "{record}");
        before = record["balanceBefore"].clone();
    }
    assert_eq!(before, 0);
    assert_eq!(records(&mut ann, 1).await, all, "in whatever pages");
}

#[tokio::test]
async fn an_order_that_is_paid_late_takes_the_points_it_had_or_others_that_are_good() {
    const TTL_MS: u64 = 15 * 60_000;
    let shop = shop().await;
    let mut ann = ann_of(&shop).await;
    let late = async |ann: &mut Client, order: &str| {
        ann.post(&format!("/api/mall/orders/{order}/confirm"), json!({"reacquire": true})).await
    };
    let order = id(&exchange(&mut ann, "tea", 6, false).await);
    shop.advance(TTL_MS);
    assert_eq!(available(&shop, "ann"), [5, 7, 10], "they are back where they came from");
    let told = late(&mut ann, &order).await.data();
    assert_eq!((&told["status"], &told["pointsCost"]), (&json!(1), &json!(6)));
    assert_eq!(available(&shop, "ann"), [0, 6, 10]);

    // Those that it had have ended: it takes others, and all of it or nothing.
    let order = id(&exchange(&mut ann, "tea", 7, false).await);
    let another = id(&exchange(&mut ann, "tea", 9, false).await);
    shop.advance(TTL_MS + DAY_MS);
    let mut root = root(&shop).await;
    award(&mut root, "ann", 2, Some(TONIGHT_MS + 3 * DAY_MS)).await.data();
    let newer = Some(TONIGHT_MS + 3 * DAY_MS);
    let told = late(&mut ann, &order).await.data();
    assert_eq!((&told["status"], &told["pointsCost"]), (&json!(1), &json!(7)));
    assert_eq!(level(&shop, "ann", newer).available, 0, "what ends first is taken first");
    assert_eq!(level(&shop, "ann", None).available, 5);
    let before = shop.state();
    let short = late(&mut ann, &another).await.failure(409, "INSUFFICIENT_POINTS");
    assert_eq!((&short["required"], &short["available"]), (&json!(9), &json!(5)));
    assert_eq!(short["lines"].as_array().map(Vec::len), Some(1), "{short}");
    assert_eq!(shop.state(), before, "nothing was taken");
    // A retry hears the same, also after a restart.
    let shop = shop.reopen().await;
    let mut ann = user(&shop, "ann").await;
    assert_eq!(late(&mut ann, &order).await.data()["status"], 1);

    // What goes back returns to where it was taken from at last: of some units those first that are
    // good the longest.
    let mut root = self::root(&shop).await;
    let refund = format!("/api/admin/orders/{order}/refund");
    root.post(&refund, json!({"reason": "x", "quantity": 4})).await.data();
    assert_eq!([newer, None].map(|end| level(&shop, "ann", end).available), [0, 9]);
    root.post(&refund, json!({"reason": "x"})).await.data();
    assert_eq!([newer, None].map(|end| level(&shop, "ann", end).available), [2, 10]);
    let ended = [Some(TONIGHT_MS), Some(TONIGHT_MS + DAY_MS)];
    assert_eq!(ended.map(|end| level(&shop, "ann", end).consumed), [5, 1], "of the first order");
}
