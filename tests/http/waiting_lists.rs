//! Would catch a unit that comes back and is sold past those who wait in line for it, somebody in line
//! who is forgotten, passed over or served twice, and a line that keeps units from everybody when
//! nobody waits any more.

use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use stockhold::http::Role;
use stockhold::mall::{MallConfig, Period, Product, PurchaseLimit};
use tokio::task::JoinSet;

use crate::support::{Client, NOW_MS, Reply, Setup, Shop, product};

const LINE: &str = "/api/mall/products/tea/waiting-list";
const TTL_MS: u64 = 15 * 60_000;
const GRANTED_TTL_MS: u64 = 60 * 60_000;
const EXCHANGE: &str = "/api/mall/exchange";

fn tea(places: u64) -> Product {
    Product { waiting_places: Some(places), ..product("tea", 10) }
}

/// A shop with one unit of tea, for which so many may wait.
async fn shop(places: u64) -> Shop {
    let shop = Shop::open().await;
    shop.mall.put_product(&tea(places)).expect("a valid product");
    receive(&shop, 1).await;
    shop
}

async fn receive(shop: &Shop, quantity: u64) {
    let path = "/api/admin/inventory/tea/receive";
    shop.operator().await.post(path, json!({"quantity": quantity})).await.data();
}

async fn exchange(user: &mut Client) -> Reply {
    user.post(EXCHANGE, json!({"productId": "tea", "quantity": 1})).await
}

async fn join(user: &mut Client) -> Reply {
    user.post(LINE, json!({})).await
}

async fn leave(user: &mut Client) -> Value {
    let request = user.request(Method::DELETE, LINE);
    user.send(request, Bytes::new()).await.data()
}

async fn position(user: &mut Client) -> Option<u64> {
    user.get(LINE).await.data()["position"].as_u64()
}

/// The user's orders of tea that wait, newest first.
async fn orders(user: &mut Client) -> Vec<Value> {
    let listed = user.get("/api/mall/orders?status=0").await.data();
    let orders = listed["orders"].as_array().expect("an array").iter();
    orders.filter(|order| order["productId"] == "tea").cloned().collect()
}

async fn cancel(user: &mut Client, order: &Value) {
    let id = order["orderId"].as_str().expect("a string");
    user.post(&format!("/api/mall/orders/{id}/cancel"), json!({})).await.data();
}

/// Serves whoever is next, as the server does by itself, too; everything that was decided is durable
/// then.
fn serve(shop: &Shop) {
    while shop.mall.serve_lines().expect("the engine runs") {}
    shop.state();
}

#[tokio::test]
async fn what_comes_back_is_for_who_is_next() {
    let shop = shop(5).await;
    let (mut ann, mut bob) = (shop.user_with("ann", 100).await, shop.user_with("bob", 100).await);
    let (mut cem, mut eve) = (shop.user_with("cem", 100).await, shop.user_with("eve", 100).await);
    join(&mut bob).await.failure(409, "IN_STOCK");
    let hers = exchange(&mut ann).await.data();
    let refused = exchange(&mut bob).await.failure(409, "OUT_OF_STOCK");
    let how = format!("POST {LINE}");
    assert_eq!(refused["waitingList"], json!({"othersWait": false, "join": how}));

    let joined = join(&mut bob).await.data();
    let place = json!({
        "productId": "tea", "position": 1, "joinedAt": NOW_MS, "estimatedWaitMs": null, "waiting": 1
    });
    assert_eq!(joined, place);
    assert_eq!(join(&mut bob).await.data(), place, "a retry");
    assert_eq!(join(&mut cem).await.data()["position"], 2);
    let basket = json!({"items": [{"productId": "tea", "quantity": 1}]});
    for body in [json!({"productId": "tea", "quantity": 1}), basket] {
        let refused = eve.post(EXCHANGE, body.clone()).await.failure(409, "OUT_OF_STOCK");
        let told = if body["items"].is_null() { &refused } else { &refused["lines"][0] };
        assert_eq!(told["waitingList"], json!({"othersWait": true, "join": how}), "{refused}");
    }
    let check = eve.get("/api/points/eligibility?product_id=tea").await.data();
    let short = json!({
        "code": "OUT_OF_STOCK", "required": 1, "available": 0,
        "waitingList": {"othersWait": true, "join": how}
    });
    assert_eq!(check["reasons"], json!([short]));

    // It lapses.
    shop.advance(TTL_MS);
    exchange(&mut eve).await.failure(409, "OUT_OF_STOCK");
    serve(&shop);
    let his = orders(&mut bob).await;
    let told = (&his[0]["status"], &his[0]["pointsCost"], &his[0]["quantity"]);
    assert_eq!((his.len(), told), (1, (&json!(0), &json!(10), &json!(1))));
    assert_eq!(
        his[0]["expiresAt"],
        json!(NOW_MS + TTL_MS + GRANTED_TTL_MS),
        "a deadline of its own"
    );
    assert_eq!((bob.balance().await, position(&mut bob).await), (90, None));
    assert_eq!(position(&mut cem).await, Some(1));
    exchange(&mut eve).await.failure(409, "OUT_OF_STOCK");

    // It is given up, and goes on to the next; then to nobody, and is anybody's.
    cancel(&mut bob, &his[0]).await;
    exchange(&mut eve).await.failure(409, "OUT_OF_STOCK");
    serve(&shop);
    let next = orders(&mut cem).await;
    assert_eq!(next.len(), 1);
    cancel(&mut cem, &next[0]).await;
    serve(&shop);
    assert_eq!(orders(&mut bob).await.len() + orders(&mut cem).await.len(), 0);
    exchange(&mut eve).await.data();
    let id = hers["orderId"].as_str().expect("a string");
    let confirm = format!("/api/mall/orders/{id}/confirm");
    ann.post(&confirm, json!({})).await.failure(410, "RESERVATION_EXPIRED");
    // A payment that came late hears of the line as well.
    let late = ann.post(&confirm, json!({"reacquire": true})).await.failure(409, "OUT_OF_STOCK");
    let line = json!({"othersWait": false, "join": how});
    assert_eq!((&late["waitingList"], &late["lines"][0]["waitingList"]), (&line, &line));
    // Off the shelf, nobody can join.
    shop.mall.put_product(&Product { active: false, ..tea(5) }).expect("a valid product");
    let check = eve.get("/api/points/eligibility?product_id=tea").await.data();
    assert_eq!(check["reasons"][1]["code"], "OUT_OF_STOCK");
    assert_eq!(check["reasons"][1]["waitingList"], Value::Null);
}

#[tokio::test]
async fn the_wait_is_estimated_from_those_who_were_served() {
    let shop = shop(5).await;
    let mut users = Vec::new();
    for name in ["ann", "bob", "cem", "dan"] {
        users.push(shop.user_with(name, 100).await);
    }
    exchange(&mut users[0]).await.data();
    for user in &mut users[1..] {
        join(user).await.data();
    }
    for user in &mut users[..2] {
        shop.advance(1_000);
        let his = orders(user).await;
        cancel(user, &his[0]).await;
        serve(&shop);
    }
    let place = users[3].get(LINE).await.data();
    assert_eq!((&place["position"], &place["estimatedWaitMs"]), (&json!(1), &json!(1_000)));
    // It is the same after a restart, from the journal and from a checkpoint.
    let mut shop = shop;
    for _ in 0..2 {
        shop = shop.reopen().await;
        assert_eq!(shop.user("dan").await.get(LINE).await.data(), place);
        shop.engine.checkpoint().expect("it is written");
    }
}

#[tokio::test]
async fn a_place_is_given_up_or_lost_and_the_last_one_lets_everybody_in() {
    let shop = shop(5).await;
    let mut limited = tea(5);
    limited.limit_per_user = Some(PurchaseLimit { quantity: 1, period: Period::Lifetime });
    shop.mall.put_product(&limited).expect("a valid product");
    let (mut ann, mut bob) = (shop.user_with("ann", 100).await, shop.user_with("bob", 100).await);
    let (mut poor, mut eve) = (shop.user("poor").await, shop.user_with("eve", 100).await);
    ann.post(EXCHANGE, json!({"productId": "tea", "quantity": 1, "confirm": true})).await.data();
    for user in [&mut bob, &mut poor, &mut ann, &mut eve] {
        join(user).await.data();
    }
    assert_eq!(leave(&mut bob).await, json!({"productId": "tea", "left": true}));
    assert_eq!(leave(&mut bob).await, json!({"productId": "tea", "left": false}), "a retry");
    assert_eq!((position(&mut bob).await, position(&mut poor).await), (None, Some(1)));
    // One has no points, the other has had hers.
    receive(&shop, 1).await;
    serve(&shop);
    assert_eq!((position(&mut poor).await, position(&mut ann).await), (None, None));
    assert_eq!((orders(&mut poor).await.len(), orders(&mut ann).await.len()), (0, 0));
    let hers = orders(&mut eve).await;
    assert_eq!(hers.len(), 1);

    join(&mut bob).await.data();
    cancel(&mut eve, &hers[0]).await;
    // What bob leaves behind is anybody's, in the same step.
    let left = leave(&mut bob).await["left"] == true;
    assert!(left || orders(&mut bob).await.len() == 1, "he left it, or was served before");
    if left {
        exchange(&mut eve).await.data();
    }
}

#[tokio::test]
async fn who_may_wait_and_who_may_look() {
    let shop = shop(1).await;
    let (mut ann, mut bob) = (shop.user_with("ann", 100).await, shop.user_with("bob", 100).await);
    exchange(&mut ann).await.data();
    join(&mut bob).await.data();
    join(&mut ann).await.failure(409, "WAITING_LIST_FULL");
    let other = |id: &str| format!("/api/mall/products/{id}/waiting-list");
    ann.post(&other("prod_kfc"), json!({})).await.failure(409, "NO_WAITING_LIST");
    ann.post(&other("none"), json!({})).await.failure(404, "PRODUCT_NOT_FOUND");
    ann.get(&other("none")).await.failure(404, "PRODUCT_NOT_FOUND");
    ann.post(LINE, json!({"quantity": 2})).await.failure(400, "INVALID_REQUEST");
    shop.guest().await.post(LINE, json!({})).await.failure(401, "UNAUTHORIZED");

    let mine = bob.get("/api/mall/waiting-list").await.data();
    assert_eq!(
        (&mine["lines"][0]["productId"], &mine["lines"][0]["position"]),
        (&json!("tea"), &json!(1))
    );
    assert_eq!(ann.get("/api/mall/waiting-list").await.data(), json!({"lines": []}));

    // A service waits for its users, and is on record.
    shop.mall.put_product(&tea(2)).expect("a valid product");
    let mut till = shop.client("till", Role::Service).await;
    let request = till.post_request(LINE).header("X-On-Behalf-Of", "cem");
    till.send(request, "{}").await.data();
    let path = "/api/admin/inventory/tea/waiting-list";
    ann.get(path).await.failure(403, "FORBIDDEN");
    let mut ops = shop.operator().await;
    let listed = ops.get(path).await.data();
    let place = |position: u64, user: &str, service: Value| {
        json!({
            "userId": user, "position": position, "joinedAt": NOW_MS, "estimatedWaitMs": null,
            "service": service
        })
    };
    let places = json!([place(1, "bob", Value::Null), place(2, "cem", json!("till"))]);
    assert_eq!(listed, json!({"productId": "tea", "places": places}));

    // A product that is waited for is not removed; one that is off the shelf is not served.
    let shown = ops.get("/api/admin/products/tea").await;
    let tag = shown.header("etag").expect("a tag").to_owned();
    assert_eq!(shown.data()["waitingPlaces"], 2);
    let hers = orders(&mut ann).await;
    let withdraw = ops.post_request("/api/admin/products/tea/withdraw").header("If-Match", tag);
    ops.send(withdraw, Bytes::new()).await.data();
    cancel(&mut ann, &hers[0]).await;
    serve(&shop);
    assert_eq!((orders(&mut bob).await.len(), position(&mut bob).await), (0, Some(1)));
    let written_off = json!({"delta": -1, "reason": "broken"});
    ops.post("/api/admin/inventory/tea/adjust", written_off).await.data();
    let remove = ops.request(Method::DELETE, "/api/admin/products/tea").header("If-Match", "*");
    let in_use = ops.send(remove, Bytes::new()).await.failure(409, "IN_USE");
    assert_eq!(
        in_use,
        json!({"available": 0, "reserved": 0, "sold": 0, "elsewhere": 0, "waiting": 2})
    );
    let publish = ops.post_request("/api/admin/products/tea/publish").header("If-Match", "*");
    ops.send(publish, Bytes::new()).await.data();
    receive(&shop, 1).await;
    serve(&shop);
    assert_eq!(orders(&mut bob).await.len(), 1);
}

/// Would catch a line that a restart shortens, lengthens or shuffles, one that nobody serves after
/// it, and somebody who is served before and after.
#[tokio::test]
async fn a_line_goes_on_after_a_restart() {
    const USERS: usize = 5;
    let config = MallConfig { waiting_places: 9, ..MallConfig::default() };
    let setup = || Setup { config: config.clone(), ..Setup::default() };
    let mut shop = Shop::with(setup()).await;
    shop.mall.put_product(&product("tea", 10)).expect("a valid product");
    let names: Vec<String> = (0..USERS).map(|number| format!("user-{number}")).collect();
    for name in &names {
        let mut user = shop.user_with(name, 100).await;
        join(&mut user).await.data();
    }
    for round in 0..USERS {
        // Before or after it is served: whoever comes first, the other finds it done.
        receive(&shop, 1).await;
        if round % 2 == 0 {
            serve(&shop);
        } else {
            shop.engine.checkpoint().expect("it is written");
        }
        shop = shop.reopen_with(setup()).await;
        serve(&shop);
        for (number, name) in names.iter().enumerate() {
            let mut user = shop.user(name).await;
            let should = number.checked_sub(round + 1).map(|ahead| ahead as u64 + 1);
            let (place, count) = (position(&mut user).await, orders(&mut user).await.len());
            assert_eq!((place, count), (should, usize::from(should.is_none())), "{name}, {round}");
        }
    }
    let level = shop.admin().await.get("/api/admin/inventory/tea").await.data();
    assert_eq!((&level["available"], &level["reserved"]), (&json!(0), &json!(USERS)));
}

/// Would catch a join that is lost because the unit came back at that moment, and a unit that is both
/// the joiner's and somebody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_and_the_last_unit_that_returns_miss_each_other_never() {
    let shop = shop(3).await;
    let (mut ann, mut bob) =
        (shop.user_with("ann", 10_000).await, shop.user_with("bob", 10_000).await);
    let mut eve = shop.user_with("eve", 10_000).await;
    exchange(&mut ann).await.data();
    for round in 0..30 {
        let hers = orders(&mut ann).await;
        let (joined, (), bought) =
            tokio::join!(join(&mut bob), cancel(&mut ann, &hers[0]), exchange(&mut eve));
        serve(&shop);
        let (his, eves) = (orders(&mut bob).await, orders(&mut eve).await);
        let waits = position(&mut bob).await.is_some();
        match joined.status {
            200 => assert_eq!(his.len() + usize::from(waits), 1, "{round}: he has it, or waits"),
            _ => {
                joined.failure(409, "IN_STOCK");
                assert_eq!((his.len(), waits), (0, false), "{round}");
            }
        }
        assert_eq!(eves.len(), usize::from(bought.status == 200), "{round}");
        assert!(his.len() + eves.len() <= 1, "{round}: there is one unit");
        if waits {
            assert_eq!(eves.len(), 1, "{round}: what he waits for is eve's");
            leave(&mut bob).await;
        }
        for (user, orders) in [(&mut bob, his), (&mut eve, eves)] {
            for order in &orders {
                cancel(user, order).await;
            }
        }
        serve(&shop);
        exchange(&mut ann).await.data();
    }
}

/// Many at once: as many as may wait do, each once, and each of them gets one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_join_and_each_who_waits_gets_one() {
    const USERS: usize = 60;
    const PLACES: u64 = 40;
    let shop = shop(PLACES).await;
    let mut ann = shop.user_with("ann", 100).await;
    exchange(&mut ann).await.data();
    let mut joining = JoinSet::new();
    for number in 0..USERS {
        let mut user = shop.user_with(&format!("user-{number}"), 100).await;
        joining.spawn(async move {
            let joined = join(&mut user).await;
            if joined.status != 200 {
                joined.failure(409, "WAITING_LIST_FULL");
            }
            (user, joined.status == 200)
        });
    }
    let mut users = joining.join_all().await;
    assert_eq!(users.iter().filter(|(_, waits)| *waits).count() as u64, PLACES);
    receive(&shop, PLACES - 1).await;
    serve(&shop);
    let mut without = 0;
    for (user, waits) in &mut users {
        let (count, place) = (orders(user).await.len(), position(user).await);
        without += usize::from(place.is_some());
        assert_eq!(count + usize::from(place.is_some()), usize::from(*waits), "one each");
    }
    assert_eq!(without, 1, "the last one waits on");
    let level = shop.admin().await.get("/api/admin/inventory/tea").await.data();
    assert_eq!((&level["available"], &level["reserved"]), (&json!(0), &json!(PLACES)));
}

/// Would catch a retry that joins again after it was served, one that gives up a place that was taken
/// since, and one that hears another answer than the first.
#[tokio::test]
async fn joining_and_leaving_under_a_key_happen_once() {
    async fn leave_keyed(user: &mut Client, key: &str) -> Reply {
        let request = user.request(Method::DELETE, LINE).header("Idempotency-Key", key);
        user.send(request, Bytes::new()).await
    }
    let shop = shop(5).await;
    let (mut ann, mut bob) = (shop.user_with("ann", 100).await, shop.user_with("bob", 100).await);
    let mut cem = shop.user_with("cem", 100).await;
    exchange(&mut ann).await.data();
    join(&mut cem).await.data();
    let first = bob.post_keyed(LINE, "in", json!({})).await;
    assert_eq!(first.data()["position"], 2);
    let there = bob.post_keyed(LINE, "again", json!({})).await;
    assert_eq!(there.data(), first.data(), "he is there already");
    let out = leave_keyed(&mut cem, "out").await;
    assert_eq!(out.data()["left"], true);
    assert_eq!(position(&mut bob).await, Some(1), "he moves up");
    let none = leave_keyed(&mut cem, "none").await;
    assert_eq!(none.data()["left"], false);
    join(&mut cem).await.data();

    shop.engine.checkpoint().expect("it is written");
    let shop = shop.reopen().await;
    let (mut ann, mut bob) = (shop.user("ann").await, shop.user("bob").await);
    let mut cem = shop.user("cem").await;
    let check = async |bob: &mut Client, cem: &mut Client| {
        for key in ["in", "again"] {
            let told = bob.post_keyed(LINE, key, json!({})).await;
            assert_eq!(told.data(), first.data(), "{key}");
        }
        for (key, first) in [("out", &out), ("none", &none)] {
            assert_eq!(leave_keyed(cem, key).await.data(), first.data(), "{key}");
        }
    };
    check(&mut bob, &mut cem).await;
    assert_eq!((position(&mut bob).await, position(&mut cem).await), (Some(1), Some(2)));
    // He is served, and a retry puts him at no end of any line.
    let hers = orders(&mut ann).await;
    cancel(&mut ann, &hers[0]).await;
    serve(&shop);
    assert_eq!((orders(&mut bob).await.len(), position(&mut bob).await), (1, None));
    check(&mut bob, &mut cem).await;
    assert_eq!((position(&mut bob).await, position(&mut cem).await), (None, Some(1)));
    // What is refused is not remembered.
    let other = "/api/mall/products/prod_kfc/waiting-list";
    bob.post_keyed(other, "in", json!({})).await.failure(409, "NO_WAITING_LIST");
    let long = "x".repeat(256);
    bob.post_keyed(LINE, &long, json!({})).await.failure(400, "INVALID_REQUEST");
}
