//! Would catch a figure that is another one when it is asked for again, later or after a restart; a
//! refund that changes a day that is over; and days that end elsewhere than where the mall is.

use serde_json::{Value, json};
use stockhold::http::Role;
use stockhold::mall::{MallConfig, Product, Zone};

use crate::support::{Client, NOW_MS, Reply, Setup, Shop, product, token_until};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
/// The clock begins on the 15th of June 2025 at 23:06:40 in Shanghai, a Sunday.
const MIDNIGHT_MS: u64 = NOW_MS + 3_200_000;

fn setup(zone: &str) -> Setup {
    let time_zone = Zone::named(zone).expect("a zone");
    let config = MallConfig { time_zone, ..MallConfig::default() };
    Setup { config, ..Setup::default() }
}

async fn client(shop: &Shop, name: &str, role: Role) -> Client {
    let token = token_until(name, role, NOW_MS + 100 * DAY_MS);
    Client::connect(shop.address, Some(token)).await
}

async fn user(shop: &Shop, name: &str) -> Client {
    client(shop, name, Role::User).await
}

async fn ops(shop: &Shop) -> Client {
    client(shop, "ops", Role::Operator).await
}

async fn exchange(user: &mut Client, product: &str, quantity: u64, confirm: bool) -> String {
    let body = json!({"productId": product, "quantity": quantity, "confirm": confirm});
    id(&user.post("/api/mall/exchange", body).await)
}

fn id(made: &Reply) -> String {
    made.data()["orderId"].as_str().expect("a string").to_owned()
}

async fn act(client: &mut Client, order: &str, what: &str, body: Value) {
    client.post(&format!("/api/mall/orders/{order}/{what}"), body).await.data();
}

async fn daily(shop: &Shop, date: &str) -> Reply {
    ops(shop).await.get(&format!("/api/admin/reports/daily?date={date}")).await
}

async fn weekly(shop: &Shop, week: &str) -> Reply {
    ops(shop).await.get(&format!("/api/admin/reports/weekly?week={week}")).await
}

/// Tea for five points, 3.00 elsewhere; cups for seven, which nobody else sells.
async fn shop() -> Shop {
    let shop = Shop::with(setup("Asia/Shanghai")).await;
    let tea = Product { original_price_cents: Some(300), ..product("tea", 5) };
    let mut ops = ops(&shop).await;
    for (product, units) in [(tea, 100), (product("cup", 7), 10)] {
        shop.mall.put_product(&product).expect("a valid product");
        let path = format!("/api/admin/inventory/{}/receive", product.id);
        ops.post(&path, json!({"quantity": units})).await.data();
    }
    for name in ["ann", "bob", "cat", "dan", "eve"] {
        let path = format!("/api/admin/points/{name}/award");
        ops.post(&path, json!({"points": 1_000})).await.data();
    }
    shop
}

/// The orders of the first day that are refunded later.
struct Sold {
    tea: String,
    basket: String,
}

/// Sunday: three exchanges, one order given up, one expired, and one that waits over midnight.
async fn sunday(shop: &Shop) -> Sold {
    let (mut ann, mut bob) = (user(shop, "ann").await, user(shop, "bob").await);
    exchange(&mut user(shop, "cat").await, "cup", 1, false).await;
    shop.advance(16 * MINUTE_MS);
    let tea = exchange(&mut ann, "tea", 2, true).await;
    let waiting = exchange(&mut bob, "tea", 1, false).await;
    act(&mut bob, &waiting, "confirm", json!({})).await;
    let given_up = exchange(&mut ann, "tea", 3, false).await;
    act(&mut ann, &given_up, "cancel", json!({})).await;
    let items = json!([{"productId": "tea", "quantity": 1}, {"productId": "cup", "quantity": 2}]);
    let body = json!({"items": items, "confirm": true});
    let basket = id(&bob.post("/api/mall/exchange", body).await);
    Sold { tea, basket }
}

/// Monday: an order of Sunday is confirmed, two more are made, and a unit of Sunday's comes back.
async fn monday(shop: &Shop, sold: &Sold) {
    let mut dan = user(shop, "dan").await;
    shop.advance(MIDNIGHT_MS - MINUTE_MS - shop.engine.now_ms());
    let late = exchange(&mut dan, "tea", 4, false).await;
    shop.advance(2 * MINUTE_MS);
    act(&mut dan, &late, "confirm", json!({})).await;
    let path = format!("/api/admin/orders/{}/refund", sold.tea);
    ops(shop).await.post(&path, json!({"reason": "破损", "quantity": 1})).await.data();
    exchange(&mut user(shop, "ann").await, "cup", 1, true).await;
    exchange(&mut user(shop, "eve").await, "tea", 1, true).await;
}

/// Figures of a report, one after the other.
fn figures(report: &Value, of: &str, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| report[of][name].clone()).collect()
}

fn check(report: &Value, expected: &[(&str, &[&str], Value)]) {
    for (of, names, values) in expected {
        assert_eq!(json!(figures(report, of, names)), *values, "{of} {names:?}: {report}");
    }
}

const ORDERS: &[&str] = &["made", "exchanged", "cancelled", "expired", "refunds", "refundedWhole"];
const USERS: &[&str] =
    &["exchanging", "new", "returning", "before", "retained", "retention", "exchangesPerUser"];
const REVENUE: &[&str] = &["exchangedCents", "returnedCents", "netCents", "unitsWithoutPrice"];

fn check_sunday(report: &Value) {
    check(
        report,
        &[
            ("orders", ORDERS, json!([6, 3, 1, 1, 0, 0])),
            // Two, one, and the three of the basket; 10, 5 and 5 + 2 × 7 points.
            ("units", &["exchanged", "returned"], json!([6, 0])),
            ("points", &["consumed", "returned"], json!([34, 0])),
            ("users", USERS, json!([2, 2, 0, 0, 0, null, 1.5])),
            // Four teas; the cups have no price.
            ("revenue", REVENUE, json!([1200, 0, 1200, 2])),
        ],
    );
    // Of 100 teas four were exchanged and four wait: (4 × 2) / (0 + 92).
    let stock =
        |begin, end, rate: f64| json!({"stockAtBegin": begin, "stockAtEnd": end, "rate": rate});
    let product = |id: &str, exchanges, units, points, turnover: Value| {
        let name = id.to_uppercase();
        json!({"id": id, "name": name, "exchanges": exchanges, "units": units, "points": points,
            "unitsReturned": 0, "turnover": turnover, "views": null, "exchangesPerView": null})
    };
    let tea = product("tea", 3, 4, 20, stock(0, 92, 0.087));
    let cup = product("cup", 1, 2, 14, stock(0, 8, 0.5));
    assert_eq!(report["products"], json!([tea, cup]));
    let course = report["course"].as_array().expect("an array");
    assert_eq!(course.len(), 24);
    let last = json!({"from": MIDNIGHT_MS - 60 * MINUTE_MS, "name": "23:00", "exchanges": 3,
        "pointsConsumed": 34});
    assert_eq!(course[23], last);
    assert_eq!(report["timeZone"], "Asia/Shanghai");
    assert_eq!(
        (&report["from"], &report["to"]),
        (&json!(MIDNIGHT_MS - DAY_MS), &json!(MIDNIGHT_MS))
    );
}

fn check_monday(report: &Value) {
    check(
        report,
        &[
            ("orders", ORDERS, json!([2, 3, 0, 0, 1, 0])),
            ("units", &["exchanged", "returned"], json!([6, 1])),
            // 4 × 5, 7 and 5.
            ("points", &["consumed", "returned"], json!([32, 5])),
            // dan and eve are new; of ann and bob, ann came back.
            ("users", USERS, json!([3, 2, 1, 2, 1, 0.5, 1.0])),
            ("revenue", REVENUE, json!([1500, 300, 1200, 1])),
        ],
    );
    let told: Vec<_> = report["products"].as_array().expect("an array").iter().collect();
    let tea = json!(["tea", 2, 5, 25, 1, 0.0543]);
    let cup = json!(["cup", 1, 1, 7, 0, 0.1333]);
    let short = |it: &Value| {
        json!([
            it["id"],
            it["exchanges"],
            it["units"],
            it["points"],
            it["unitsReturned"],
            it["turnover"]["rate"]
        ])
    };
    assert_eq!(told.into_iter().map(short).collect::<Vec<_>>(), [tea, cup]);
}

#[tokio::test]
async fn each_thing_is_a_figure_of_the_day_on_which_it_happened() {
    let shop = shop().await;
    let sold = sunday(&shop).await;
    let early = daily(&shop, "2025-06-15").await.data();
    assert_eq!((&early["isOver"], &early["asOf"]), (&json!(false), &json!(shop.engine.now_ms())));
    monday(&shop, &sold).await;
    let sunday = daily(&shop, "2025-06-15").await.data();
    assert_eq!((&sunday["isOver"], &sunday["asOf"]), (&json!(true), &Value::Null));
    check_sunday(&sunday);
    let monday = daily(&shop, "2025-06-16").await.data();
    assert_eq!(monday["isOver"], false);
    check_monday(&monday);

    // On Tuesday the whole basket goes back.
    shop.advance(DAY_MS);
    let path = format!("/api/admin/orders/{}/refund", sold.basket);
    ops(&shop).await.post(&path, json!({"reason": "全退"})).await.data();
    let tuesday = daily(&shop, "2025-06-17").await.data();
    check(
        &tuesday,
        &[
            ("orders", ORDERS, json!([0, 0, 0, 0, 1, 1])),
            ("units", &["exchanged", "returned"], json!([0, 3])),
            ("points", &["consumed", "returned"], json!([0, 19])),
            ("users", USERS, json!([0, 0, 0, 3, 0, 0.0, null])),
            ("revenue", REVENUE, json!([0, 300, -300, 2])),
        ],
    );
    let week = weekly(&shop, "2025-W25").await.data();
    check(
        &week,
        &[
            ("orders", ORDERS, json!([2, 3, 0, 0, 2, 1])),
            ("points", &["consumed", "returned"], json!([32, 24])),
            ("users", USERS, json!([3, 2, 1, 2, 1, 0.5, 1.0])),
            ("revenue", REVENUE, json!([1500, 600, 900, 3])),
        ],
    );
    let days: Vec<_> = week["course"].as_array().expect("an array").iter().collect();
    assert_eq!(days.len(), 7);
    assert_eq!((&days[0]["name"], &days[0]["exchanges"]), (&json!("2025-06-16"), &json!(3)));

    // What is over is the same, whenever it is asked for: after a restart, and from history that was
    // made anew.
    let monday_over = daily(&shop, "2025-06-16").await.data();
    check_monday(&monday_over);
    assert_eq!(daily(&shop, "2025-06-15").await.data(), sunday);
    let shop = shop.reopen().await;
    assert_eq!(daily(&shop, "2025-06-15").await.data(), sunday);
    let shop = shop.reopen_without(&["store"]).await;
    assert_eq!(daily(&shop, "2025-06-15").await.data(), sunday);
    assert_eq!(daily(&shop, "2025-06-16").await.data(), monday_over);
    shop.close().await;
}

#[tokio::test]
async fn looks_errors_and_latency_are_figures_of_their_day_and_stay_the_same() {
    let shop = shop().await;
    let before = daily(&shop, "2025-06-14").await.data();
    assert_eq!([&before["conversion"], &before["service"]], [&Value::Null, &Value::Null]);
    let left: Vec<_> = before["leftOut"].as_array().expect("an array").iter().collect();
    let figures: Vec<_> = left.iter().map(|it| &it["figure"]).collect();
    assert_eq!(figures[..2], [&json!("conversion"), &json!("errorsAndLatency")]);

    let (mut ann, mut bob) = (user(&shop, "ann").await, user(&shop, "bob").await);
    for client in [&mut ann, &mut bob] {
        client.get("/api/mall/products/tea").await.data();
        client.get("/api/mall/products/cup").await.data();
    }
    exchange(&mut ann, "tea", 1, true).await;
    let much = json!({"productId": "cup", "quantity": 11});
    ann.post("/api/mall/exchange", much).await.failure(409, "OUT_OF_STOCK");
    let now = daily(&shop, "2025-06-15").await.data();
    check(
        &now,
        &[
            ("conversion", &["views", "viewers", "viewsDropped"], json!([4, 2, 0])),
            ("conversion", &["exchangesPerView", "exchangingPerViewer"], json!([0.25, 0.5])),
        ],
    );
    let tea = &now["products"][0];
    assert_eq!([&tea["views"], &tea["exchangesPerView"]], [&json!(2), &json!(0.5)]);
    let kind = |report: &Value, name: &str| {
        let kinds = report["service"]["byKind"].as_array().expect("an array").clone();
        kinds.into_iter().find(|it| it["kind"] == name).expect("it was asked for")
    };
    let exchanges = kind(&now, "exchange");
    let counts = ["requests", "refused", "failed", "errorRate"].map(|name| &exchanges[name]);
    assert_eq!(counts, [&json!(2), &json!(1), &json!(0), &json!(0.0)]);
    let [half, most] = ["p50Ms", "p99Ms"].map(|name| exchanges[name].as_u64().expect("a bound"));
    assert!((1..=most).contains(&half), "{exchanges}");
    assert_eq!(kind(&now, "catalogue")["requests"], 4);
    assert_eq!(now["leftOut"], json!([]));

    // Once the day is over it is the same, whatever comes later.
    shop.advance(DAY_MS);
    let over = daily(&shop, "2025-06-15").await.data();
    assert_eq!(over["isOver"], true);
    assert_eq!(kind(&over, "exchange"), exchanges);
    assert_eq!(over["conversion"], now["conversion"]);
    ann.get("/api/mall/products/tea").await.data();
    assert_eq!(daily(&shop, "2025-06-15").await.data(), over);
    let shop = shop.reopen().await;
    assert_eq!(daily(&shop, "2025-06-15").await.data(), over);
    let shop = shop.reopen_without(&["store"]).await;
    assert_eq!(daily(&shop, "2025-06-15").await.data(), over);
    let week = weekly(&shop, "2025-W24").await.data();
    assert_eq!(kind(&week, "exchange"), exchanges);
    check(
        &week,
        &[(
            "conversion",
            &["views", "exchangesPerView", "exchangingPerViewer"],
            json!([4, 0.25, null]),
        )],
    );
    shop.close().await;
}

#[tokio::test]
async fn a_day_is_that_of_the_zone_and_one_without_events_is_empty() {
    let shop = shop().await;
    let sold = sunday(&shop).await;
    monday(&shop, &sold).await;
    let made = |report: &Value| report["orders"]["made"].as_u64().expect("a number");
    assert_eq!(made(&daily(&shop, "2025-06-15").await.data()), 6);
    // Elsewhere all of it was on one Sunday.
    let shop = shop.reopen_with(setup("UTC")).await;
    let sunday = daily(&shop, "2025-06-15").await.data();
    assert_eq!((made(&sunday), &sunday["timeZone"]), (8, &json!("UTC")));
    let empty = daily(&shop, "2025-06-14").await.data();
    assert_eq!((made(&empty), &empty["products"], &empty["isOver"]), (0, &json!([]), &json!(true)));
    // Clocks change there on the 26th of October: it has 25 hours.
    let shop = shop.reopen_with(setup("Europe/Berlin")).await;
    shop.advance(140 * DAY_MS);
    let mut ops = client(&shop, "late", Role::Operator).await;
    ops.get("/api/admin/reports/daily?date=2025-10-26").await.failure(401, "UNAUTHORIZED");
    let token = token_until("late", Role::Operator, NOW_MS + 200 * DAY_MS);
    let mut ops = Client::connect(shop.address, Some(token)).await;
    let long = ops.get("/api/admin/reports/daily?date=2025-10-26").await.data();
    assert_eq!(long["course"].as_array().expect("an array").len(), 25);
    shop.close().await;
}

#[tokio::test]
async fn what_is_no_period_is_refused_by_name_and_to_users() {
    let shop = shop().await;
    for (path, told) in [
        ("daily", "date"),
        ("daily?date=", "date"),
        ("daily?date=2025-06-31", "2025-06-31"),
        ("daily?date=2025-06-17", "2025-06-17 has not begun"),
        ("daily?week=2025-W24", "week"),
        ("weekly?week=2025-W54", "2025-W54"),
        ("weekly?week=2025-06-15", "2025-06-15"),
    ] {
        let reply = ops(&shop).await.get(&format!("/api/admin/reports/{path}")).await;
        reply.failure(400, "INVALID_REQUEST");
        let message = reply.json()["message"].to_string();
        assert!(message.contains(told), "{path}: {message}");
    }
    let mut ann = user(&shop, "ann").await;
    ann.get("/api/admin/reports/daily?date=2025-06-15").await.failure(403, "FORBIDDEN");
    shop.close().await;
}
