//! Would catch an experiment that changes nothing, a variant that the answer does not name or that
//! counts though it decided nothing, and counts that are told wrong or lost by a restart.

use serde_json::{Value, json};
use stockhold::http::Role;
use stockhold::mall::{Experiments, MallConfig, Product};

use crate::support::{Client, Setup, Shop, product};

const PATH: &str = "/api/mall/recommendations";
const HOME: &str = "/api/mall/home";
const RESULTS: &str = "/api/admin/experiments";

fn setup(experiments: &str) -> Setup {
    let experiments = Experiments::parse(experiments).expect("valid");
    let config = MallConfig { experiments, ..MallConfig::default() };
    Setup { config, ..Setup::default() }
}

/// A shop in which tea costs what everybody is used to, and cake sells.
async fn shop(experiments: &str) -> Shop {
    let shop = Shop::with(setup(experiments)).await;
    let mut ops = shop.operator().await;
    for (id, price) in [("tea", 10), ("cake", 60), ("milk", 10)] {
        let product = Product { category_id: "cat_food".into(), ..product(id, price) };
        shop.mall.put_product(&product).expect("a valid product");
        let path = format!("/api/admin/inventory/{id}/receive");
        ops.post(&path, json!({"quantity": 100})).await.data();
    }
    let mut other = shop.user_with("other", 10_000).await;
    let many = json!({"productId": "cake", "quantity": 50, "confirm": true});
    other.post("/api/mall/exchange", many).await.data();
    shop
}

/// A user that took milk once, so that it is used to what milk costs.
async fn user(shop: &Shop, name: &str) -> Client {
    let mut user = shop.user_with(name, 200).await;
    buy(&mut user, "milk").await;
    shop.advance(1_000);
    user
}

async fn buy(user: &mut Client, product: &str) {
    let wanted = json!({"productId": product, "quantity": 1, "confirm": true});
    user.post("/api/mall/exchange", wanted).await.data();
}

fn first(found: &Value) -> &str {
    found["affordable"][0]["id"].as_str().expect("something is affordable")
}

async fn results(shop: &Shop) -> Value {
    shop.operator().await.get(RESULTS).await.data()["experiments"].clone()
}

fn counts(run: &Value) -> Vec<(u64, u64)> {
    let variants = run["variants"].as_array().expect("a list").iter();
    let number = |value: &Value| value.as_u64().expect("a number");
    variants.map(|it| (number(&it["exposed"]), number(&it["converted"]))).collect()
}

/// By the formula of docs/api.md, `demo` has place 84 of `reco-weights`, `ann` 58, and `bob` 6.
#[tokio::test]
async fn a_variant_changes_what_its_users_are_recommended_and_is_named_and_counted() {
    let shop = shop("reco-weights sales=popular:58 close=price:40").await;
    let (mut ann, mut demo) = (user(&shop, "ann").await, user(&shop, "demo").await);
    let mut of_sales = user(&shop, "bob").await;
    let [close, sales] = [ann.get(PATH).await.data(), of_sales.get(PATH).await.data()];
    assert_eq!(
        close["experiments"],
        json!([{"name": "reco-weights", "run": 1, "variant": "close"}])
    );
    assert_eq!(
        sales["experiments"],
        json!([{"name": "reco-weights", "run": 1, "variant": "sales"}])
    );
    assert_ne!(first(&close), "cake");
    assert_eq!(first(&sales), "cake");
    let home = demo.get(HOME).await.data();
    assert_eq!(home["recommendations"]["experiments"][0]["variant"], "close");
    ann.get(HOME).await.data();
    assert_eq!(counts(&results(&shop).await[0]), [(1, 0), (2, 0)], "each counts once");
    // By then all three have exchanged before; only what comes afterwards counts.
    shop.advance(1_000);
    buy(&mut ann, "tea").await;
    buy(&mut ann, "tea").await;
    let told = results(&shop).await;
    assert_eq!(counts(&told[0]), [(1, 0), (2, 1)]);
    let shop = shop.reopen().await;
    let again = results(&shop).await;
    assert_eq!(again, told, "a restart changes nothing");
    let run = &again[0];
    assert_eq!(
        (&run["name"], &run["run"], &run["status"], &run["subject"], &run["windowMs"]),
        (
            &json!("reco-weights"),
            &json!(1),
            &json!("running"),
            &json!("weights"),
            &json!(604_800_000)
        )
    );
    assert_eq!(run["definition"], "reco-weights sales=popular:58 close=price:40");
    let close = &run["variants"][1];
    assert_eq!((&close["strategy"], &close["percent"]), (&json!("price"), &json!(40)));
    let near = |value: &Value, expected: f64| {
        let value = value.as_f64().expect("a number");
        assert!((value - expected).abs() < 0.000_05, "{value} is not {expected}");
    };
    for (found, value, low, high) in
        [(&close["rate"], 0.5, 0.0945, 0.9055), (&close["difference"], 0.5, -0.3910, 0.9055)]
    {
        near(&found["value"], value);
        near(&found["low"], low);
        near(&found["high"], high);
    }
    assert_eq!(run["variants"][0]["difference"], Value::Null);
    // Another definition is another run.
    let shop = shop.reopen_with(setup("reco-weights sales=popular:57 close=price:41")).await;
    let told = results(&shop).await;
    assert_eq!((counts(&told[0]), counts(&told[1])), (vec![(0, 0), (0, 0)], vec![(1, 0), (2, 1)]));
    assert_eq!((&told[1]["status"], &told[0]["run"]), (&json!("ended"), &json!(2)));
}

#[tokio::test]
async fn who_is_shown_what_is_hot_for_want_of_history_takes_no_part() {
    let both = "lists own=personal:50 hot=hot:50; reco-weights a=balanced:50 b=price:50";
    let shop = shop(both).await;
    let (mut own, mut hot) = (user(&shop, "ann").await, user(&shop, "bob").await);
    let names = |found: &Value| -> Vec<String> {
        let all = found["experiments"].as_array().expect("a list").iter();
        all.map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
    };
    let found = own.get(PATH).await.data();
    assert_eq!((&found["type"], names(&found).len()), (&json!("personal"), 2));
    let found = hot.get(PATH).await.data();
    assert_eq!((&found["type"], names(&found)), (&json!("hot"), vec!["lists".to_owned()]));
    let told = results(&shop).await;
    assert_eq!(counts(&told[0]), [(1, 0), (1, 0)]);
    assert_eq!(counts(&told[1]).iter().map(|(exposed, _)| exposed).sum::<u64>(), 1);
    let without = Setup { engine: |builder| builder.history(false), ..setup(both) };
    let shop = shop.reopen_with(without).await;
    let found = shop.user_with("new", 10).await.get(PATH).await.data();
    assert_eq!((&found["type"], names(&found).len()), (&json!("hot"), 0));
    assert_eq!(results(&shop).await, told);
}

#[tokio::test]
async fn without_experiments_nothing_is_named_and_only_operators_see_results() {
    let shop = shop("").await;
    let mut ann = user(&shop, "ann").await;
    assert_eq!(ann.get(PATH).await.data()["experiments"], json!([]));
    assert_eq!(results(&shop).await, json!([]));
    ann.get(RESULTS).await.failure(403, "FORBIDDEN");
    let mut service = shop.client("svc", Role::Service).await;
    service.get(RESULTS).await.failure(403, "FORBIDDEN");
    let mut ops = shop.operator().await;
    ops.get(&format!("{RESULTS}?page=1")).await.failure(400, "INVALID_REQUEST");
}
