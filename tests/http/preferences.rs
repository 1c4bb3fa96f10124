//! Would catch preferences that somebody else sees or sets, that a restart or a rebuild forgets, that
//! are kept after they were erased, or that recommendations do not go by; and favourites without end.

use hyper::Method;
use hyper::http::request::Builder;
use serde_json::{Value, json};
use stockhold::http::Role;
use stockhold::mall::{Category, Product};

use crate::support::{Client, Reply, Shop, product};

const PATH: &str = "/api/mall/preferences";
const FAVOURITES: &str = "/api/mall/favourites";
const RECOMMENDED: &str = "/api/mall/recommendations";

fn category(id: &str, parent: Option<&str>) -> Category {
    Category { parent_id: parent.map(str::to_owned), ..Category::new(id, id.to_uppercase()) }
}

/// Drinks with teas below them, and toys: ten units of each product.
async fn shop() -> Shop {
    let shop = Shop::open().await;
    for (id, parent) in [("drinks", None), ("teas", Some("drinks")), ("toys", None)] {
        shop.mall.put_category(&category(id, parent)).expect("a valid category");
    }
    let mut ops = shop.operator().await;
    for (of, id, price) in [
        ("drinks", "juice", 40),
        ("teas", "tea", 10),
        ("teas", "oolong", 60),
        ("toys", "kite", 20),
        ("toys", "ball", 50),
    ] {
        let product = Product { category_id: of.into(), ..product(id, price) };
        shop.mall.put_product(&product).expect("a valid product");
        ops.post(&format!("/api/admin/inventory/{id}/receive"), json!({"quantity": 10}))
            .await
            .data();
    }
    shop
}

async fn send(client: &mut Client, method: Method, path: &str, body: Value) -> Reply {
    let request = client.request(method, path);
    send_with(client, request, body).await
}

async fn send_with(client: &mut Client, request: Builder, body: Value) -> Reply {
    client.send(request.header("Content-Type", "application/json"), body.to_string()).await
}

async fn set(client: &mut Client, body: Value) -> Reply {
    send(client, Method::PUT, PATH, body).await
}

async fn mark(client: &mut Client, product: &str) -> Reply {
    send(client, Method::PUT, &format!("{FAVOURITES}/{product}"), json!({})).await
}

async fn unmark(client: &mut Client, product: &str) -> Reply {
    send(client, Method::DELETE, &format!("{FAVOURITES}/{product}"), json!({})).await
}

/// The ids of a list of recommendations, and the code of why each is in it.
async fn listed(client: &mut Client, list: &str) -> Vec<(String, String)> {
    let found = client.get(RECOMMENDED).await.data();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let all = found[list].as_array().expect("a list").iter();
    all.map(|it| (text(&it["id"]), text(&it["reason"]["code"]))).collect()
}

fn why(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(id, code)| ((*id).to_owned(), (*code).to_owned())).collect()
}

#[tokio::test]
async fn a_user_sees_sets_and_erases_what_is_its_own() {
    let shop = shop().await;
    let (mut ann, mut bob) = (shop.user("ann").await, shop.user("bob").await);
    let nothing = ann.get(PATH).await;
    assert_eq!(
        nothing.data(),
        json!({"userId": "ann", "categoryWeights": {}, "priceSensitivity": null,
            "favourites": [], "updatedAt": null, "updatedBy": null})
    );
    let said = json!({"categoryWeights": {"drinks": 0.8, "toys": 0}, "priceSensitivity": 0.35});
    let written = set(&mut ann, said).await;
    let seen = written.data();
    assert_eq!(seen["categoryWeights"], json!({"drinks": 0.8, "toys": 0.0}));
    assert_eq!((&seen["priceSensitivity"], &seen["updatedBy"]), (&json!(0.35), &json!("ann")));
    mark(&mut ann, "kite").await.data();
    assert_eq!(set(&mut bob, json!({"priceSensitivity": 1})).await.data()["userId"], "bob");
    let shown = ann.get(PATH).await;
    assert_eq!(shown.data()["categoryWeights"], json!({"drinks": 0.8, "toys": 0.0}));
    assert_eq!(shown.data()["favourites"][0]["productId"], "kite");

    // Who has seen an older writing does not overwrite a newer one, where that matters to it.
    let tag = |reply: &Reply| reply.header("etag").expect("a tag").to_owned();
    assert_ne!(tag(&written), tag(&shown));
    let request = ann.request(Method::PUT, PATH).header("If-Match", tag(&written));
    send_with(&mut ann, request, json!({})).await.failure(412, "PRECONDITION_FAILED");
    let request = ann.request(Method::PUT, PATH).header("If-Match", tag(&shown));
    let replaced = send_with(&mut ann, request, json!({"priceSensitivity": 1})).await.data();
    assert_eq!(replaced["categoryWeights"], json!({}), "what is left out is said no more");
    assert_eq!(replaced["favourites"][0]["productId"], "kite", "favourites stay");

    let erased = send(&mut ann, Method::DELETE, PATH, json!({})).await.data();
    assert_eq!(erased, json!({"userId": "ann", "erased": true}));
    assert_eq!(ann.get(PATH).await.data(), nothing.data());
    assert_eq!(send(&mut ann, Method::DELETE, PATH, json!({})).await.data()["erased"], false);
    assert_eq!(bob.get(PATH).await.data()["priceSensitivity"], 1.0, "bob's are bob's");
    assert_eq!(shop.engine.documents("preference").len(), 1, "nothing of ann is kept");
}

#[tokio::test]
async fn roles_are_respected() {
    let shop = shop().await;
    let mut till = shop.client("till", Role::Service).await;
    let request = till.request(Method::PUT, PATH).header("X-On-Behalf-Of", "ann");
    let said = send_with(&mut till, request, json!({"categoryWeights": {"toys": 1}})).await.data();
    assert_eq!((&said["userId"], &said["updatedBy"]), (&json!("ann"), &json!("till")));
    till.get(PATH).await.failure(400, "INVALID_REQUEST");
    let of_ann = "/api/admin/preferences/ann";
    assert_eq!(shop.operator().await.get(of_ann).await.data(), said);
    let mut bob = shop.user("bob").await;
    bob.get(of_ann).await.failure(403, "FORBIDDEN");
    till.get(of_ann).await.failure(403, "FORBIDDEN");
    let request = bob.request(Method::DELETE, PATH).header("X-On-Behalf-Of", "ann");
    send_with(&mut bob, request, json!({})).await.failure(403, "FORBIDDEN");
    let mut guest = shop.guest().await;
    for path in [PATH, FAVOURITES, of_ann] {
        guest.get(path).await.failure(401, "UNAUTHORIZED");
    }
    assert_eq!(shop.user("ann").await.get(PATH).await.data(), said);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_path_and_changes_nothing() {
    let shop = shop().await;
    let mut ann = shop.user("ann").await;
    for (body, path) in [
        (json!({"categoryWeights": {"drinks": 1.5}}), "$.categoryWeights.drinks"),
        (json!({"categoryWeights": {"nowhere": 0.5}}), "$.categoryWeights.nowhere"),
        (json!({"categoryWeights": ["drinks"]}), "$.categoryWeights"),
        (json!({"priceSensitivity": "high"}), "$.priceSensitivity"),
        (json!({"priceSensitivity": 0.005}), "$.priceSensitivity"),
        (json!({"favourites": []}), "$.favourites"),
    ] {
        let reply = set(&mut ann, body.clone()).await;
        reply.failure(400, "INVALID_REQUEST");
        let message = reply.json()["message"].to_string();
        assert!(message.contains(path), "{body}: {message}");
    }
    ann.get(&format!("{PATH}?page=1")).await.failure(400, "INVALID_REQUEST");
    mark(&mut ann, "nothing").await.failure(404, "PRODUCT_NOT_FOUND");
    assert!(shop.engine.documents("preference").is_empty());
}

#[tokio::test]
async fn favourites_have_an_end_and_an_order() {
    let shop = shop().await;
    let mut ann = shop.user("ann").await;
    for n in 0..100 {
        let id = format!("thing{n}");
        shop.mall.put_product(&product(&id, 1)).expect("a valid product");
        shop.advance(1);
        mark(&mut ann, &id).await.data();
    }
    mark(&mut ann, "kite").await.failure(409, "TOO_MANY_FAVOURITES");
    let again = mark(&mut ann, "thing7").await.data();
    assert_eq!(again, json!({"productId": "thing7", "favourite": true, "favourites": 100}));
    let gone = unmark(&mut ann, "thing99").await.data();
    assert_eq!(gone, json!({"productId": "thing99", "favourite": false, "favourites": 99}));
    shop.mall.put_product(&Product { active: false, ..product("thing98", 1) }).expect("valid");
    let shown = ann.get(FAVOURITES).await.data();
    assert_eq!(shown["favouritesMax"], 100);
    let ids: Vec<&Value> =
        shown["favourites"].as_array().expect("a list").iter().map(|it| &it["productId"]).collect();
    assert_eq!((ids.len(), ids[0], ids[98]), (99, &json!("thing98"), &json!("thing0")));
    assert_eq!(shown["favourites"][0]["product"], Value::Null, "it is not for sale");
    assert_eq!(shown["favourites"][1]["product"]["pointsPrice"], 1);
    assert_eq!(unmark(&mut ann, "thing98").await.data()["favourites"], 98);
}

#[tokio::test]
async fn a_key_acts_once() {
    let shop = shop().await;
    let mut ann = shop.user("ann").await;
    let path = format!("{FAVOURITES}/kite");
    let keyed = |ann: &Client| ann.request(Method::PUT, &path).header("Idempotency-Key", "1");
    let request = keyed(&ann);
    let first = send_with(&mut ann, request, json!({})).await.data();
    unmark(&mut ann, "kite").await.data();
    let request = keyed(&ann);
    assert_eq!(send_with(&mut ann, request, json!({})).await.data(), first);
    assert_eq!(ann.get(PATH).await.data()["favourites"], json!([]), "the retry adds nothing");
}

#[tokio::test]
async fn recommendations_go_by_what_is_said() {
    let shop = shop().await;
    let mut ann = shop.user_with("ann", 100).await;
    assert_eq!(listed(&mut ann, "preferred").await, []);
    let toys = json!({"productId": "kite", "quantity": 1, "confirm": true});
    ann.post("/api/mall/exchange", toys).await.data();
    let learnt = why(&[("kite", "CATEGORY"), ("ball", "CATEGORY")]);
    assert_eq!(listed(&mut ann, "preferred").await, learnt);
    // A weight holds for what is below, and goes before what orders tell.
    let said = json!({"categoryWeights": {"drinks": 0.9, "toys": 0}});
    set(&mut ann, said.clone()).await.data();
    let mut drinks = listed(&mut ann, "preferred").await;
    drinks.sort();
    let preferred = why(&[("juice", "PREFERRED"), ("oolong", "PREFERRED"), ("tea", "PREFERRED")]);
    assert_eq!(drinks, preferred);
    let found = ann.get(RECOMMENDED).await.data();
    assert!(found["preferred"][0]["reason"]["message"].to_string().contains("您偏好"), "{found}");
    // The nearer to the weight of a category of its own.
    set(&mut ann, json!({"categoryWeights": {"drinks": 0.9, "teas": 0.1}})).await.data();
    assert_eq!(listed(&mut ann, "preferred").await[0].0, "kite", "orders say 1 of toys");
    set(&mut ann, said).await.data();
    // A favourite goes before everything.
    mark(&mut ann, "ball").await.data();
    let first = listed(&mut ann, "preferred").await[0].clone();
    assert_eq!(first, ("ball".to_owned(), "FAVOURITE".to_owned()));
    assert_eq!(listed(&mut ann, "affordable").await[0].0, "ball");
    unmark(&mut ann, "ball").await.data();

    // What costs little goes before what is like the price of before, to whom that matters.
    let order = async |ann: &mut Client| -> Vec<String> {
        let of = listed(ann, "preferred").await.into_iter();
        of.filter(|(id, _)| id == "tea" || id == "oolong").map(|(id, _)| id).collect()
    };
    let mut bob = shop.user_with("bob", 100).await;
    let juice = json!({"productId": "juice", "quantity": 1, "confirm": true});
    bob.post("/api/mall/exchange", juice).await.data();
    let mut body = json!({"categoryWeights": {"teas": 0.5}});
    set(&mut bob, body.clone()).await.data();
    assert_eq!(order(&mut bob).await, ["oolong", "tea"], "60 is nearer to 40 than 10");
    body["priceSensitivity"] = json!(1);
    set(&mut bob, body).await.data();
    assert_eq!(order(&mut bob).await, ["tea", "oolong"]);
}

#[tokio::test]
async fn preferences_survive_a_restart_and_a_rebuild_and_so_does_what_follows_from_them() {
    let shop = shop().await;
    let mut ann = shop.user_with("ann", 100).await;
    set(&mut ann, json!({"categoryWeights": {"toys": 0.5}, "priceSensitivity": 0.2})).await.data();
    mark(&mut ann, "juice").await.data();
    let said = async |shop: &Shop| {
        let mut ann = shop.user("ann").await;
        [
            ann.get(PATH).await.data(),
            ann.get(FAVOURITES).await.data(),
            ann.get(RECOMMENDED).await.data(),
        ]
    };
    let first = said(&shop).await;
    let shop = shop.reopen().await;
    assert_eq!(said(&shop).await, first);
    let shop = shop.reopen_without(&["store"]).await;
    shop.engine.catch_up().wait().expect("history is made anew");
    assert_eq!(said(&shop).await, first);
    let mut ann = shop.user("ann").await;
    send(&mut ann, Method::DELETE, PATH, json!({})).await.data();
    let shop = shop.reopen().await;
    assert!(shop.engine.documents("preference").is_empty(), "what was erased stays erased");
}
