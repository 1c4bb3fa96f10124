//! Would catch units that are held and not told, told twice or of the wrong user, a page that skips
//! somebody, and a leak that nobody is shown.

use serde_json::{Value, json};
use stockhold::{AccountKey, Line, Reserve};

use crate::support::{Client, NOW_MS, Shop, product};

const HELD: &str = "/api/admin/inventory/reservations";
const HEALTH: &str = "/api/admin/inventory/health";

/// A shop with a hundred units of each of these.
async fn shop(products: &[&str]) -> Shop {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    for id in products {
        shop.mall.put_product(&product(id, 1)).expect("a valid product");
        let path = format!("/api/admin/inventory/{id}/receive");
        ops.post(&path, json!({"quantity": 100})).await.data();
    }
    shop
}

async fn order(user: &mut Client, product: &str, quantity: u64) -> String {
    let body = json!({"productId": product, "quantity": quantity});
    let made = user.post("/api/mall/exchange", body).await.data();
    made["orderId"].as_str().expect("a string").to_owned()
}

fn list<'a>(data: &'a Value, name: &str) -> &'a [Value] {
    data[name].as_array().expect("an array")
}

#[tokio::test]
async fn what_orders_hold_is_told_by_age_by_product_and_by_holder() {
    let shop = shop(&["tea", "cup"]).await;
    let mut ops = shop.operator().await;
    let nothing = ops.get(HELD).await.data();
    assert_eq!((&nothing["reservations"], &nothing["units"]), (&json!(0), &json!(0)));
    let (mut ann, mut bob) = (shop.user_with("ann", 99).await, shop.user_with("bob", 99).await);
    let first = order(&mut ann, "tea", 3).await;
    shop.advance(400_000);
    let second = order(&mut bob, "tea", 4).await;
    shop.advance(1_000);
    let items = json!([{"productId": "cup", "quantity": 5}, {"productId": "tea", "quantity": 1}]);
    let third = ann.post("/api/mall/exchange", json!({"items": items})).await.data();
    let third = third["orderId"].as_str().expect("a string");
    // What is confirmed holds nothing any more.
    let paid = order(&mut bob, "cup", 2).await;
    bob.post(&format!("/api/mall/orders/{paid}/confirm"), json!({})).await.data();

    let held = ops.get(HELD).await.data();
    assert_eq!((&held["reservations"], &held["units"]), (&json!(3), &json!(13)));
    let ages: Vec<_> = list(&held, "ages").iter().map(|it| it["units"].clone()).collect();
    assert_eq!(ages, [10, 0, 3, 0, 0, 0].map(|units| json!(units)), "{held}");
    let bounds: Vec<_> = list(&held, "ages").iter().map(|it| it["toMs"].clone()).collect();
    assert_eq!(bounds[..2], [json!(60_000), json!(300_000)]);
    assert_eq!(bounds[5], Value::Null);
    assert_eq!(
        held["products"],
        json!([
            {"productId": "tea", "reservations": 3, "units": 8},
            {"productId": "cup", "reservations": 1, "units": 5}
        ])
    );
    let oldest = &held["oldest"][0];
    assert_eq!(
        *oldest,
        json!({
            "orderId": first, "userId": "ann", "createdAt": NOW_MS, "expiresAt": NOW_MS + 900_000,
            "ageMs": 401_000, "items": [{"productId": "tea", "quantity": 3}]
        })
    );
    let (mut query, mut all) = ("?page_size=1".to_owned(), Vec::new());
    loop {
        let page = ops.get(&format!("{HELD}{query}")).await.data();
        all.extend(list(&page, "oldest").iter().map(|it| it["orderId"].clone()));
        let Some(after) = page["nextAfter"].as_str() else { break };
        query = format!("?page_size=1&after={after}");
    }
    assert_eq!(all, [json!(first), json!(second), json!(third)]);

    let cups = ops.get(&format!("{HELD}?product_id=cup")).await.data();
    assert_eq!((&cups["reservations"], &cups["units"]), (&json!(1), &json!(5)));
    assert_eq!(cups["oldest"][0]["items"], json!([{"productId": "cup", "quantity": 5}]));
    let (mut query, mut holders) = ("?page_size=2".to_owned(), Vec::new());
    loop {
        let page = ops.get(&format!("{HELD}/holders{query}")).await.data();
        holders.extend(list(&page, "holders").iter().map(|it| {
            let text = |name: &str| it[name].as_str().expect("a string").to_owned();
            let number = |name: &str| it[name].as_u64().expect("a number");
            (text("productId"), text("userId"), number("reservations"), number("units"))
        }));
        let Some(after) = page["nextAfter"].as_str() else { break };
        query = format!("?page_size=2&after={after}");
    }
    holders.sort();
    let holder = |product: &str, user: &str, reservations, units| {
        (product.to_owned(), user.to_owned(), reservations, units)
    };
    assert_eq!(
        holders,
        [holder("cup", "ann", 1, 5), holder("tea", "ann", 2, 4), holder("tea", "bob", 1, 4)]
    );
    let of_tea = ops.get(&format!("{HELD}/holders?product_id=tea")).await.data();
    assert_eq!((list(&of_tea, "holders").len(), &of_tea["nextAfter"]), (2, &Value::Null));
    let unknown = ops.get(&format!("{HELD}?product_id=pot")).await.data();
    assert_eq!((&unknown["reservations"], &unknown["productCount"]), (&json!(0), &json!(0)));

    for wrong in ["?after=x", "?page_size=0", "?page_size=101", "/holders?after=x", "?x=1"] {
        ops.get(&format!("{HELD}{wrong}")).await.failure(400, "INVALID_REQUEST");
    }
    ann.get(HELD).await.failure(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_shop_that_sells_is_healthy_and_what_lapses_and_does_not_go_is_named() {
    let shop = shop(&["tea"]).await;
    let (mut ann, mut ops) = (shop.user_with("ann", 99).await, shop.operator().await);
    let waits = order(&mut ann, "tea", 3).await;
    let other = order(&mut ann, "tea", 1).await;
    ann.post(&format!("/api/mall/orders/{other}/cancel"), json!({})).await.data();
    let looked = ops.get(HEALTH).await.data();
    assert_eq!(looked["healthy"], true, "{looked}");
    assert_eq!((&looked["nextAfter"], &looked["nextBefore"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&looked["lookedAt"]["reservations"], &looked["lookedAt"]["orders"]),
        (&json!(1), &json!(2))
    );
    // Its deadline is 15 minutes away, and what lapses has some seconds to go back.
    shop.clock.advance(900_000 + 9_999);
    assert_eq!(ops.get(HEALTH).await.data()["healthy"], true);
    shop.clock.advance(1);
    let overdue = ops.get(HEALTH).await.data();
    assert_eq!(overdue["healthy"], false);
    assert_eq!(
        overdue["overdueReservations"],
        json!({"count": 1, "first": [
            {"orderId": waits, "expiresAt": NOW_MS + 900_000, "overdueMs": 10_000}
        ]})
    );
    shop.engine.expire_due().expect("the engine runs");
    assert_eq!(ops.get(HEALTH).await.data()["healthy"], true);
    ops.get(&format!("{HEALTH}?before=x")).await.failure(400, "INVALID_REQUEST");
    ann.get(HEALTH).await.failure(403, "FORBIDDEN");
}

#[tokio::test]
async fn units_that_no_order_explains_are_named() {
    let shop = shop(&["tea"]).await;
    let mut ops = shop.operator().await;
    let tea = AccountKey::stock("tea").expect("a valid key");
    let tea = shop.engine.account(&tea).expect("it is open");
    let lines = [Line { account: tea, quantity: 2 }];
    let taken = shop.engine.reserve(Reserve::new(&lines, 60_000)).expect("it is accepted");
    let taken = taken.wait().expect("it is durable").reserved().expect("there is enough");
    let looked = ops.get(HEALTH).await.data();
    let id = format!("ord_{:016x}", taken.reservation.number());
    assert_eq!(
        looked["reservationsWithoutOrder"],
        json!({"count": 1, "first": [{"orderId": id, "why": "foreign"}]})
    );
    assert_eq!(
        (&looked["healthy"], &looked["unexplainedUnits"]["count"]),
        (&json!(false), &json!(0))
    );
    let held = ops.get(HELD).await.data();
    assert_eq!(held["oldest"][0]["userId"], Value::Null);
    let holders = ops.get(&format!("{HELD}/holders")).await.data();
    assert_eq!(holders["holders"][0]["units"], 2);
}
