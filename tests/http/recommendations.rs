//! Would catch a recommendation of what cannot be had, one that forgets what a user took or tells
//! who took something, one that the same state gives otherwise, and a first page that needs history.

use serde_json::{Value, json};
use stockhold::mall::{Category, Period, Product, PurchaseLimit};

use crate::support::{Client, Setup, Shop, product};

const PATH: &str = "/api/mall/recommendations";
const HOME: &str = "/api/mall/home";
const LISTS: [&str; 5] = ["affordable", "preferred", "together", "popular", "products"];

fn of(category: &str, id: &str, price: u64) -> Product {
    Product { category_id: category.into(), ..product(id, price) }
}

/// A shop with drinks and toys, ten units of each. What the demo has costs more than anybody has.
async fn shop() -> Shop {
    let shop = Shop::open().await;
    for id in ["drinks", "toys"] {
        shop.mall.put_category(&Category::new(id, id.to_uppercase())).expect("a valid category");
    }
    let once = Some(PurchaseLimit { quantity: 1, period: Period::Lifetime });
    let products = [
        of("drinks", "tea", 10),
        of("drinks", "coffee", 12),
        of("drinks", "wine", 90),
        Product { limit_per_user: once, ..of("drinks", "water", 9) },
        of("toys", "kite", 10),
        Product { is_hot: true, ..of("toys", "ball", 11) },
        Product { is_new: true, ..of("toys", "top", 60) },
        Product { active: false, ..of("drinks", "juice", 10) },
        of("drinks", "milk", 10),
    ];
    let mut ops = shop.operator().await;
    for product in &products {
        shop.mall.put_product(product).expect("a valid product");
        // There is no milk.
        if product.id != "milk" {
            let path = format!("/api/admin/inventory/{}/receive", product.id);
            ops.post(&path, json!({"quantity": 10})).await.data();
        }
    }
    shop
}

async fn buy(user: &mut Client, product: &str) -> String {
    let wanted = json!({"productId": product, "quantity": 1, "confirm": true});
    let bought = user.post("/api/mall/exchange", wanted).await.data();
    bought["orderId"].as_str().expect("an order").to_owned()
}

/// The ids of a list, and the code of why each is in it.
fn listed(found: &Value, list: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let all = found[list].as_array().expect("a list").iter();
    all.map(|it| (text(&it["id"]), text(&it["reason"]["code"]))).collect()
}

fn ids(found: &Value, list: &str) -> Vec<String> {
    listed(found, list).into_iter().map(|(id, _)| id).collect()
}

/// What everybody has in common, and what ann took: tea twice, water once.
async fn sold(shop: &Shop) -> Client {
    let mut ann = shop.user_with("ann", 100).await;
    let mut bob = shop.user_with("bob", 100).await;
    let mut cem = shop.user_with("cem", 100).await;
    for product in ["tea", "kite"] {
        buy(&mut bob, product).await;
        buy(&mut cem, product).await;
    }
    buy(&mut cem, "ball").await;
    for product in ["tea", "tea", "water"] {
        buy(&mut ann, product).await;
    }
    ann
}

#[tokio::test]
async fn what_was_taken_before_decides_and_what_cannot_be_had_is_left_out() {
    let shop = shop().await;
    let mut ann = sold(&shop).await;
    let found = ann.get(PATH).await.data();
    assert_eq!(
        (&found["type"], &found["balance"], &found["reach"], &found["source"]),
        (&json!("personal"), &json!(71), &json!(71), &json!("direct"))
    );
    // Water is taken up, milk was never there, juice is off the shelf, and wine too dear.
    let affordable = ids(&found, "affordable");
    assert_eq!(affordable[..2], ["tea", "coffee"], "drinks are what ann takes: {affordable:?}");
    assert_eq!(affordable.len(), 5, "and then what others do: {affordable:?}");
    for other in ["water", "milk", "juice", "wine"] {
        assert!(!affordable.iter().any(|id| id == other), "{other}: {affordable:?}");
    }
    let preferred = listed(&found, "preferred");
    let why = |id: &str, code: &str| (id.to_owned(), code.to_owned());
    assert_eq!(
        preferred,
        [why("tea", "CATEGORY"), why("coffee", "CATEGORY"), why("wine", "CATEGORY")]
    );
    assert_eq!(found["preferred"][0]["reason"]["message"], "您常兑换「DRINKS」类商品");
    // Bob and cem took a kite with their tea; one of them a ball.
    assert_eq!(listed(&found, "together"), [why("kite", "TOGETHER"), why("ball", "TOGETHER")]);
    assert_eq!(found["together"][0]["reason"]["message"], "兑换「TEA」的用户也兑换了");
    assert_eq!(ids(&found, "popular")[..2], ["tea", "kite"]);
    assert_eq!(found["popular"][0]["reason"]["message"], "热门兑换，已兑换4件");
    assert_eq!(ids(&found, "products"), [""; 0]);
    let text = found.to_string();
    assert!(!text.contains("bob") && !text.contains("cem"), "it does not say who: {text}");
}

#[tokio::test]
async fn points_that_are_expected_count_and_say_so() {
    let shop = shop().await;
    let mut ann = sold(&shop).await;
    let found = ann.get(&format!("{PATH}?expected_points=19&source=pay&limit=20")).await.data();
    assert_eq!((&found["reach"], &found["source"]), (&json!(90), &json!("pay")));
    let affordable = listed(&found, "affordable");
    let code = |id: &str| affordable.iter().find(|(it, _)| it == id).map(|(_, code)| &**code);
    assert_eq!((code("wine"), code("tea")), (Some("SOON_AFFORDABLE"), Some("AFFORDABLE")));
    let one = ann.get(&format!("{PATH}?limit=1")).await.data();
    assert!(LISTS.iter().all(|list| ids(&one, list).len() <= 1), "{one}");
    for wrong in ["limit=0", "limit=21", "expected_points=-1", "page=1", "limit=1&limit=1"] {
        ann.get(&format!("{PATH}?{wrong}")).await.failure(400, "INVALID_REQUEST");
    }
    shop.guest().await.get(PATH).await.failure(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn an_order_that_was_given_up_says_nothing() {
    let shop = shop().await;
    let mut ann = shop.user_with("ann", 100).await;
    let order = buy(&mut ann, "kite").await;
    let liked = |found: &Value| ids(found, "preferred").iter().any(|id| id == "kite");
    assert!(liked(&ann.get(PATH).await.data()));
    ann.post(&format!("/api/mall/orders/{order}/cancel"), json!({})).await.data();
    assert!(!liked(&ann.get(PATH).await.data()));
    // Who took nothing is told what there is; sales count as of a second ago.
    shop.advance(1_000);
    let mut new = shop.user_with("new", 11).await;
    let found = new.get(PATH).await.data();
    assert_eq!(ids(&found, "affordable")[0], "ball", "what the mall calls hot comes first");
    assert_eq!((ids(&found, "preferred").len(), ids(&found, "together").len()), (0, 0));
}

#[tokio::test]
async fn the_same_state_gives_the_same_answer_also_after_a_restart_and_a_rebuild() {
    let shop = shop().await;
    let mut ann = sold(&shop).await;
    let first = [ann.get(PATH).await.data(), ann.get(HOME).await.data()];
    assert_eq!([ann.get(PATH).await.data(), ann.get(HOME).await.data()], first);
    let shop = shop.reopen().await;
    let mut ann = shop.user("ann").await;
    assert_eq!([ann.get(PATH).await.data(), ann.get(HOME).await.data()], first);
    let shop = shop.reopen_without(&["store"]).await;
    shop.engine.catch_up().wait().expect("history is made anew");
    let mut ann = shop.user("ann").await;
    assert_eq!([ann.get(PATH).await.data(), ann.get(HOME).await.data()], first);
}

#[tokio::test]
async fn without_history_everybody_is_shown_what_is_hot() {
    let shop = shop().await;
    let mut ann = sold(&shop).await;
    drop(ann.get(PATH).await.data());
    let setup = Setup { engine: |builder| builder.history(false), ..Setup::default() };
    let shop = shop.reopen_with(setup).await;
    let mut ann = shop.user("ann").await;
    let found = ann.get(PATH).await.data();
    assert_eq!((&found["type"], &found["balance"]), (&json!("hot"), &json!(71)));
    let products = listed(&found, "products");
    assert!(products.iter().any(|(id, code)| id == "ball" && code == "HOT"), "{products:?}");
    assert!(products.iter().all(|(_, code)| code == "HOT"), "{products:?}");
    assert_eq!(found["products"][0]["reason"]["message"], "为您推荐热门商品");
    for list in &LISTS[..4] {
        assert_eq!(ids(&found, list), [""; 0], "{list}");
    }
    let home = ann.get(HOME).await.data();
    assert_eq!(home["recommendations"], found);
    assert_eq!(home["points"], json!({"userId": "ann", "balance": 71, "mallLevel": 1}));
}

#[tokio::test]
async fn the_first_page_is_one_answer() {
    let shop = shop().await;
    let mut ann = sold(&shop).await;
    let home = ann.get(&format!("{HOME}?source=refresh&expected_points=5")).await.data();
    assert_eq!(home["points"], json!({"userId": "ann", "balance": 71, "mallLevel": 1}));
    let categories = ann.get("/api/mall/categories").await.data();
    let first: Vec<&Value> = categories.as_array().expect("a list").iter().take(8).collect();
    assert_eq!(home["categories"], json!(first));
    let recommended = ann.get(&format!("{PATH}?source=refresh&expected_points=5")).await.data();
    assert_eq!(home["recommendations"], recommended);
    for (list, query) in [("hotProducts", "is_hot"), ("newProducts", "is_new")] {
        let path = format!("/api/mall/products?{query}=true&page_size=4");
        let listed = ann.get(&path).await.data();
        assert_eq!(home[list], listed["products"], "{list}");
    }
    ann.get(&format!("{HOME}?limit=3")).await.failure(400, "INVALID_REQUEST");
}
