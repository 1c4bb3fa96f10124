//! Would catch a count that a sale made wrong, units that a transfer loses or makes, a location that
//! sells, a change without its operator or its reason, and a retry that counts twice.

use hyper::Method;
use serde_json::{Value, json};
use stockhold::http::Role;

use crate::support::{Client, Shop};

const MOVIE: &str = "/api/admin/inventory/prod_movie";

async fn act(client: &mut Client, what: &str, body: Value) -> Value {
    client.post(&format!("{MOVIE}/{what}"), body).await.data()
}

async fn level(client: &mut Client) -> (i64, i64, Value) {
    let inventory = client.get(MOVIE).await.data();
    let number = |field: &str| inventory[field].as_i64().expect("a number");
    (number("available"), number("reserved"), inventory["locations"].clone())
}

#[tokio::test]
async fn what_is_counted_is_what_can_be_bought_and_what_waiting_orders_hold() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let buy = |quantity: u64, confirm: bool| json!({"productId": "prod_movie", "quantity": quantity, "confirm": confirm});
    ann.post("/api/mall/exchange", buy(3, false)).await.data();
    ann.post("/api/mall/exchange", buy(2, true)).await.data();
    // 1995 can be bought, three wait, and two are sold: nobody counts those.
    let counted = act(&mut ops, "count", json!({"counted": 1998, "reason": "月度盘点"})).await;
    let same = json!({"productId": "prod_movie", "location": null, "stockQuantity": 1995});
    assert_eq!(counted, same, "it is right, and nothing moves");
    let record = |inventory: &Value| inventory["records"][0].clone();
    let right = record(&ops.get(MOVIE).await.data());
    assert_eq!(
        (&right["kind"], &right["quantityChange"], &right["operator"], &right["description"]),
        (&json!("adjusted"), &json!(0), &json!("ops"), &json!("月度盘点")),
        "a count that is right is on record"
    );
    let less = act(&mut ops, "count", json!({"counted": 10, "reason": "盘点"})).await;
    assert_eq!(less["stockQuantity"], 7);
    let more = act(&mut ops, "count", json!({"counted": 12, "reason": "盘点"})).await;
    assert_eq!(more["stockQuantity"], 9);
    // What waits must be there.
    let before = shop.state();
    let short = ops.post(&format!("{MOVIE}/count"), json!({"counted": 2, "reason": "盘点"})).await;
    let short = short.failure(409, "OUT_OF_STOCK");
    assert_eq!((&short["required"], &short["available"]), (&json!(3), &json!(2)), "{short}");
    assert!(short["nextReleaseAt"].is_u64(), "{short}");
    assert_eq!(shop.state(), before);
    let least = act(&mut ops, "count", json!({"counted": 3, "reason": "盘点"})).await;
    assert_eq!(least["stockQuantity"], 0);
    assert_eq!(level(&mut ops).await, (0, 3, json!([])));
}

/// Buyers and a counter at the same time: whichever comes first, what is there was counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_beside_a_count_is_neither_forgotten_nor_counted_twice() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let mut selling = Vec::new();
    for number in 0..4 {
        let mut buyer = shop.user_with(&format!("buyer-{number}"), 10_000_000).await;
        selling.push(tokio::spawn(async move {
            for _ in 0..25 {
                let body = json!({"productId": "prod_movie", "quantity": 1});
                buyer.post("/api/mall/exchange", body).await.data();
            }
        }));
    }
    // Nobody takes a unit away: however many are reserved by now, so many are on the shelf.
    for _ in 0..40 {
        act(&mut ops, "count", json!({"counted": 2000, "reason": "盘点"})).await;
    }
    for buyer in selling {
        buyer.await.expect("each can buy");
    }
    assert_eq!(level(&mut ops).await, (1900, 100, json!([])));
    let inventory = ops.get(&format!("{MOVIE}?limit=100")).await.data();
    let counts = inventory["records"].as_array().expect("an array").iter();
    let counts: Vec<&Value> = counts.filter(|it| it["kind"] == "adjusted").collect();
    assert!(counts.iter().all(|it| it["quantityChange"] == 0), "{counts:?}");
}

#[tokio::test]
async fn units_go_between_places_and_what_is_elsewhere_is_not_sold() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let north = act(&mut ops, "receive", json!({"quantity": 20, "location": "north"})).await;
    assert_eq!(north, json!({"productId": "prod_movie", "location": "north", "stockQuantity": 20}));
    assert_eq!(shop.guest().await.stock("prod_movie").await, 2000, "it is not for sale");
    let moved = json!({"from": "north", "quantity": 5, "reason": "补货"});
    let expected = json!({
        "productId": "prod_movie", "quantity": 5,
        "from": {"location": "north", "stockQuantity": 15},
        "to": {"location": null, "stockQuantity": 2005},
    });
    assert_eq!(act(&mut ops, "transfer", moved).await, expected);
    let out = json!({"to": "south", "quantity": 2000, "reason": "调拨"});
    act(&mut ops, "transfer", out).await;
    let across = json!({"from": "south", "to": "north", "quantity": 1, "reason": "调拨"});
    act(&mut ops, "transfer", across).await;
    let locations = json!([
        {"location": "north", "stockQuantity": 16}, {"location": "south", "stockQuantity": 1999},
    ]);
    assert_eq!(level(&mut ops).await, (5, 0, locations.clone()));
    // None of these finds enough, and none changes anything.
    let before = shop.state();
    for (what, body, required, available) in [
        ("transfer", json!({"from": "north", "quantity": 17, "reason": "x"}), 17, 16),
        ("transfer", json!({"to": "north", "quantity": 6, "reason": "x"}), 6, 5),
        ("write-off", json!({"location": "north", "quantity": 17, "reason": "x"}), 17, 16),
        ("write-off", json!({"quantity": 6, "reason": "x"}), 6, 5),
        ("adjust", json!({"location": "south", "delta": -2000, "reason": "x"}), 2000, 1999),
    ] {
        let short = ops.post(&format!("{MOVIE}/{what}"), body.clone()).await;
        let short = short.failure(409, "OUT_OF_STOCK");
        let told = (&short["required"], &short["available"]);
        assert_eq!(told, (&json!(required), &json!(available)), "{what} {body}");
    }
    for (what, body) in [
        ("transfer", json!({"from": "west", "quantity": 1, "reason": "x"})),
        ("write-off", json!({"location": "west", "quantity": 1, "reason": "x"})),
        ("adjust", json!({"location": "west", "delta": 1, "reason": "x"})),
    ] {
        ops.post(&format!("{MOVIE}/{what}"), body).await.failure(404, "NOT_FOUND");
    }
    assert_eq!(shop.state(), before);
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let many = json!({"productId": "prod_movie", "quantity": 6});
    ann.post("/api/mall/exchange", many).await.failure(409, "OUT_OF_STOCK");
    // They are there after a restart, and are of no other product.
    let shop = shop.reopen().await;
    let mut ops = shop.operator().await;
    assert_eq!(level(&mut ops).await, (5, 0, locations));
    let other = ops.get("/api/admin/inventory/prod_kfc").await.data();
    assert_eq!(other["locations"], json!([]));
    act(&mut ops, "write-off", json!({"location": "north", "quantity": 16, "reason": "水浸"}))
        .await;
    let alerts = ops.get("/api/admin/inventory/alerts").await.data();
    assert_eq!(alerts["alerts"], json!([]), "what is gone elsewhere was not for sale");
    let counted = json!({"location": "south", "counted": 7, "reason": "盘点"});
    assert_eq!(act(&mut ops, "count", counted).await["stockQuantity"], 7);
}

#[tokio::test]
async fn each_act_with_a_key_happens_once_and_is_on_record_with_who_did_it() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    for (what, body, kind) in [
        ("receive", json!({"quantity": 7, "reason": "r"}), "received"),
        ("adjust", json!({"delta": -3, "reason": "r"}), "adjusted"),
        ("count", json!({"counted": 40, "reason": "r"}), "adjusted"),
        ("write-off", json!({"quantity": 4, "reason": "r"}), "writtenOff"),
        ("transfer", json!({"to": "north", "quantity": 6, "reason": "r"}), "transferredOut"),
    ] {
        let path = format!("{MOVIE}/{what}");
        let first = ops.post_keyed(&path, "k", body.clone()).await.data();
        let after = shop.state();
        // Whatever has happened since.
        assert_eq!(ops.post_keyed(&path, "k", body.clone()).await.data(), first, "{what}");
        assert_eq!(shop.state(), after, "{what}");
        let mut other = body.clone();
        other["reason"] = "another".into();
        ops.post_keyed(&path, "k", other).await.failure(422, "IDEMPOTENCY_CONFLICT");
        let record = ops.get(MOVIE).await.data()["records"][0].clone();
        let told = (&record["kind"], &record["operator"], &record["description"]);
        assert_eq!(told, (&json!(kind), &json!("ops"), &json!("r")), "{what}");
        act(&mut ops, "receive", json!({"quantity": 1})).await;
        assert_eq!(ops.post_keyed(&path, "k", body).await.data(), first, "{what}");
    }
}

#[tokio::test]
async fn what_no_act_can_be_is_refused_by_its_field() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let most = (1u64 << 48) + 1;
    let before = shop.state();
    for (what, body, field) in [
        ("count", json!({"counted": -1, "reason": "x"}), "whole number within its bounds"),
        ("count", json!({"counted": most, "reason": "x"}), "counted"),
        ("count", json!({"counted": 1.5, "reason": "x"}), "whole number within its bounds"),
        ("count", json!({"reason": "x"}), "counted"),
        ("count", json!({"counted": 1}), "reason"),
        ("count", json!({"counted": 1, "reason": ""}), "reason"),
        ("count", json!({"counted": 1, "reason": "x".repeat(201)}), "reason"),
        ("count", json!({"counted": 1, "reason": "a\nb"}), "reason"),
        ("count", json!({"counted": 1, "reason": "x", "location": ""}), "location"),
        ("receive", json!({"quantity": 1, "location": "a/b"}), "location"),
        ("receive", json!({"quantity": 1, "location": "x".repeat(33)}), "location"),
        ("receive", json!({"quantity": 0}), "quantity"),
        ("receive", json!({"quantity": 1, "reason": "\u{7}"}), "reason"),
        ("adjust", json!({"delta": 0}), "delta"),
        ("adjust", json!({"delta": 1, "location": "仓库"}), "location"),
        ("write-off", json!({"quantity": 0, "reason": "x"}), "quantity"),
        ("write-off", json!({"quantity": 1}), "reason"),
        ("transfer", json!({"quantity": 1, "reason": "x"}), "to must be another"),
        ("transfer", json!({"from": "a", "to": "a", "quantity": 1, "reason": "x"}), "to must be"),
        ("transfer", json!({"from": "a b", "quantity": 1, "reason": "x"}), "from"),
        ("transfer", json!({"to": "a@b", "quantity": 1, "reason": "x"}), "to must be 1 to 32"),
        ("transfer", json!({"to": "a", "quantity": most, "reason": "x"}), "quantity"),
        ("transfer", json!({"to": "a", "quantity": 1, "reason": "x", "who": "me"}), "who"),
    ] {
        let reply = ops.post(&format!("{MOVIE}/{what}"), body.clone()).await;
        reply.failure(400, "INVALID_REQUEST");
        let message = reply.json()["message"].as_str().expect("a string").to_owned();
        assert!(message.contains(field), "{what} {body}: {message}");
    }
    for what in ["count", "write-off", "transfer"] {
        let body = json!({"counted": 1, "quantity": 1, "to": "a", "reason": "x"});
        let path = format!("{MOVIE}/{what}");
        shop.user("ann").await.post(&path, body.clone()).await.failure(403, "FORBIDDEN");
        shop.client("till", Role::Service).await.post(&path, body).await.failure(403, "FORBIDDEN");
    }
    for (what, body) in [
        ("count", json!({"counted": 1, "reason": "x", "location": "a"})),
        ("write-off", json!({"quantity": 1, "reason": "x"})),
        ("transfer", json!({"to": "a", "quantity": 1, "reason": "x"})),
    ] {
        let path = format!("/api/admin/inventory/nothing/{what}");
        ops.post(&path, body).await.failure(404, "PRODUCT_NOT_FOUND");
    }
    assert_eq!(shop.state(), before);
    for number in 0..64 {
        let location = format!("place-{number}");
        act(&mut ops, "receive", json!({"quantity": 1, "location": location})).await;
    }
    let one_more = json!({"quantity": 1, "location": "place-64"});
    ops.post(&format!("{MOVIE}/receive"), one_more).await.failure(400, "INVALID_REQUEST");
    act(&mut ops, "receive", json!({"quantity": 1, "location": "place-0"})).await;
}

/// A product whose units are all elsewhere is not nothing; and none of its places outlives it.
#[tokio::test]
async fn units_elsewhere_keep_a_product_and_its_places_go_with_it() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let new = json!({"id": "cup", "name": "Cup", "categoryId": "cat_food", "pointsPrice": 5});
    ops.post("/api/admin/products", new.clone()).await.data();
    let at = "/api/admin/inventory/cup";
    ops.post(&format!("{at}/receive"), json!({"quantity": 2, "location": "north"})).await.data();
    let path = "/api/admin/products/cup";
    let remove = |client: &Client| client.request(Method::DELETE, path).header("If-Match", "*");
    let request = remove(&ops);
    let in_use = ops.send(request, "").await.failure(409, "IN_USE");
    assert_eq!(
        in_use,
        json!({"available": 0, "reserved": 0, "sold": 0, "waiting": 0, "elsewhere": 2})
    );
    let gone = json!({"quantity": 2, "location": "north", "reason": "碎"});
    ops.post(&format!("{at}/write-off"), gone).await.data();
    let request = remove(&ops);
    ops.send(request, "").await.data();
    let late = json!({"quantity": 2, "location": "north"});
    ops.post(&format!("{at}/receive"), late).await.failure(404, "PRODUCT_NOT_FOUND");
    ops.post("/api/admin/products", new).await.data();
    assert_eq!(ops.get(at).await.data()["locations"], json!([]), "it begins anew");
}
