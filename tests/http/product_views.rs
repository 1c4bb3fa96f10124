//! Would catch views of products that are not recorded, counted twice, forgotten by a restart, kept after
//! they were erased, or written while somebody looks; and recommendations that do not go by them.

use hyper::Method;
use serde_json::{Value, json};
use stockhold::http::Role;
use stockhold::mall::{Category, MallConfig, Product, Zone};

use crate::support::{Client, NOW_MS, Setup, Shop, product, token_until};

const VIEWS: &str = "/api/mall/views";
const OF_DAY: &str = "/api/admin/views";
const PREFERENCES: &str = "/api/mall/preferences";
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

fn fill(shop: &Shop) {
    for id in ["tea", "cup", "pot"] {
        shop.mall.put_product(&product(id, 10)).expect("a valid product");
    }
}

async fn shop() -> Shop {
    let shop = Shop::open().await;
    fill(&shop);
    shop
}

async fn look(client: &mut Client, product: &str) {
    client.get(&format!("/api/mall/products/{product}")).await.data();
}

/// The products that a user looked at last, newest first.
async fn looked_at(client: &mut Client) -> Vec<String> {
    let found = client.get(VIEWS).await.data();
    let views = found["views"].as_array().expect("a list").iter();
    views.map(|view| view["productId"].as_str().expect("an id").to_owned()).collect()
}

/// The figures of a day: of all, and by product.
async fn figures(shop: &Shop, query: &str) -> (Value, Vec<(String, u64, u64)>) {
    let token = token_until("ops", Role::Operator, NOW_MS + 9 * DAY_MS);
    let mut ops = Client::connect(shop.address, Some(token)).await;
    let found = ops.get(&format!("{OF_DAY}{query}")).await.data();
    let number = |value: &Value| value.as_u64().expect("a number");
    let of = |it: &Value| {
        let id = it["productId"].as_str().expect("an id").to_owned();
        (id, number(&it["views"]), number(&it["viewers"]))
    };
    let products = found["products"].as_array().expect("a list").iter().map(of).collect();
    let all =
        ["views", "byGuests", "viewers", "dropped", "ofOthers"].map(|name| found[name].clone());
    (json!(all), products)
}

fn of(all: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    all.iter().map(|(id, views, viewers)| ((*id).to_owned(), *views, *viewers)).collect()
}

async fn erase(client: &mut Client) -> Value {
    let request = client.request(Method::DELETE, PREFERENCES);
    client.send(request, "").await.data()["erased"].clone()
}

#[tokio::test]
async fn views_are_kept_by_user_and_counted_by_day() {
    let shop = shop().await;
    let (mut ann, mut bob) = (shop.user("ann").await, shop.user("bob").await);
    let mut guest = shop.guest().await;
    look(&mut ann, "tea").await;
    shop.advance(1);
    look(&mut ann, "cup").await;
    // Who reads a page again at once has not looked twice; a minute later it has.
    shop.advance(1);
    look(&mut ann, "tea").await;
    assert_eq!(looked_at(&mut ann).await, ["tea", "cup"]);
    shop.advance(MINUTE_MS);
    look(&mut ann, "tea").await;
    look(&mut bob, "tea").await;
    let mut till = shop.client("till", Role::Service).await;
    let request = till.request(Method::GET, "/api/mall/products/pot");
    till.send(request.header("X-On-Behalf-Of", "bob"), "").await.data();
    look(&mut guest, "pot").await;
    guest.get("/api/mall/products/nothing").await.failure(404, "PRODUCT_NOT_FOUND");
    // A list is no page of a product, and neither is an exchange.
    ann.get("/api/mall/products").await.data();

    assert_eq!(looked_at(&mut bob).await, ["pot", "tea"]);
    let expected = (json!([6, 1, 2, 0, 0]), of(&[("tea", 3, 2), ("pot", 2, 1), ("cup", 1, 1)]));
    assert_eq!(figures(&shop, "").await, expected);
    assert_eq!(figures(&shop, "?date=2025-06-15&limit=1").await.1, expected.1[..1]);
    assert_eq!(figures(&shop, "?date=2025-06-14").await, (json!([0, 0, 0, 0, 0]), vec![]));
    guest.get(VIEWS).await.failure(401, "UNAUTHORIZED");
    bob.get(OF_DAY).await.failure(403, "FORBIDDEN");
    for wrong in ["?date=2025-06-31", "?limit=0", "?day=2025-06-15"] {
        let mut ops = shop.operator().await;
        ops.get(&format!("{OF_DAY}{wrong}")).await.failure(400, "INVALID_REQUEST");
    }

    let shop = shop.reopen().await;
    assert_eq!(figures(&shop, "").await, expected, "a server that stops loses nothing");
    assert_eq!(looked_at(&mut shop.user("ann").await).await, ["tea", "cup"]);
    let shop = shop.reopen_without(&["store"]).await;
    shop.engine.catch_up().wait().expect("history is made anew");
    assert_eq!(figures(&shop, "").await, expected);
    look(&mut shop.user("ann").await, "pot").await;
    assert_eq!(figures(&shop, "").await.0, json!([7, 1, 2, 0, 0]), "ann was counted before");
}

#[tokio::test]
async fn looking_writes_nothing_until_it_is_time_to() {
    let shop = shop().await;
    let mut ann = shop.user("ann").await;
    let (_, _, before, _) = shop.state();
    for _ in 0..20 {
        for id in ["tea", "cup", "pot"] {
            look(&mut ann, id).await;
        }
        shop.advance(2 * MINUTE_MS / 20 - 1);
    }
    drop(looked_at(&mut ann).await);
    assert!(shop.engine.documents("browsed").len() <= 1);
    shop.mall.keep_views().expect("it is written");
    let written = shop.state().2 - before;
    // Once by this, and once by the server itself, of which it is not known when.
    assert!((2..=4).contains(&written), "{written} events for 60 views");
}

#[tokio::test]
async fn who_erases_its_preferences_erases_what_it_looked_at() {
    let shop = shop().await;
    let (mut ann, mut bob) = (shop.user("ann").await, shop.user("bob").await);
    assert_eq!(erase(&mut ann).await, false);
    look(&mut ann, "tea").await;
    assert_eq!(erase(&mut ann).await, true, "it is in no sum yet");
    assert_eq!(looked_at(&mut ann).await, [""; 0]);
    look(&mut ann, "tea").await;
    look(&mut bob, "tea").await;
    shop.mall.keep_views().expect("it is written");
    look(&mut ann, "cup").await;
    assert_eq!(shop.engine.documents("browsed").len(), 2);
    assert_eq!(erase(&mut ann).await, true);
    assert_eq!(looked_at(&mut ann).await, [""; 0]);
    shop.mall.keep_views().expect("there is nothing of ann's to write");
    let left = shop.engine.documents("browsed");
    assert_eq!(left.iter().map(|(user, _)| user.as_str()).collect::<Vec<_>>(), ["bob"]);
    assert_eq!(figures(&shop, "").await.1[0].1, 2, "the sums name nobody, and stay");
    let shop = shop.reopen().await;
    assert_eq!(looked_at(&mut shop.user("ann").await).await, [""; 0]);
}

#[tokio::test]
async fn a_day_begins_where_the_mall_is() {
    let time_zone = Zone::named("Asia/Shanghai").expect("a zone");
    let config = MallConfig { time_zone, ..MallConfig::default() };
    let shop = Shop::with(Setup { config, ..Setup::default() }).await;
    fill(&shop);
    let mut ann = shop.user("ann").await;
    // 15:06 UTC is 23:06 there.
    look(&mut ann, "tea").await;
    shop.advance(55 * MINUTE_MS);
    look(&mut ann, "tea").await;
    look(&mut ann, "cup").await;
    let first = (json!([1, 0, 1, 0, 0]), of(&[("tea", 1, 1)]));
    let second = (json!([2, 0, 1, 0, 0]), of(&[("cup", 1, 1), ("tea", 1, 1)]));
    assert_eq!(figures(&shop, "?date=2025-06-15").await, first);
    assert_eq!(figures(&shop, "?date=2025-06-16").await, second);
    shop.advance(DAY_MS);
    shop.mall.keep_views().expect("it is written");
    assert_eq!(figures(&shop, "?date=2025-06-15").await, first);
    assert_eq!(figures(&shop, "?date=2025-06-16").await, second);
    assert_eq!(figures(&shop, "").await, (json!([0, 0, 0, 0, 0]), vec![]));
}

#[tokio::test]
async fn what_was_looked_at_is_recommended_with_that_reason() {
    let shop = Shop::open().await;
    let toys = Category::new("toys", "TOYS");
    shop.mall.put_category(&toys).expect("a valid category");
    let mut ops = shop.operator().await;
    for id in ["kite", "ball"] {
        let product = Product { category_id: "toys".into(), ..product(id, 10) };
        shop.mall.put_product(&product).expect("a valid product");
        let path = format!("/api/admin/inventory/{id}/receive");
        ops.post(&path, json!({"quantity": 1})).await.data();
    }
    let mut ann = shop.user_with("ann", 100).await;
    let preferred = async |ann: &mut Client| {
        let found = ann.get("/api/mall/recommendations").await.data();
        let list = found["preferred"].as_array().expect("a list").clone();
        list.into_iter().map(|it| (it["id"].clone(), it["reason"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(preferred(&mut ann).await, []);
    look(&mut ann, "kite").await;
    let mut found = preferred(&mut ann).await;
    found.sort_by_key(|(id, _)| id.to_string());
    let why = json!({"code": "VIEWED", "message": "您最近浏览过「TOYS」类商品"});
    assert_eq!(found, [(json!("ball"), why.clone()), (json!("kite"), why)]);
    erase(&mut ann).await;
    assert_eq!(preferred(&mut ann).await, []);
}
