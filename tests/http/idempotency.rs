//! Would catch a retry that buys twice, one that hears another answer than the first try, and a key
//! that is mistaken for another's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use stockhold::{AccountKey, IdempotencyKey, Receive};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Client, Reply, Setup, Shop, product};

const EXCHANGE: &str = "/api/mall/exchange";

#[tokio::test]
async fn a_retry_hears_the_first_answer_though_everything_has_changed() {
    let mut shop = Shop::open().await;
    shop.mall.put_product(&product("tea", 10)).expect("a valid product");
    let mut admin = shop.admin().await;
    admin.post("/api/admin/inventory/tea/receive", json!({"quantity": 2})).await.data();
    let mut ann = shop.user_with("ann", 30).await;
    let body = |confirm: bool| json!({"productId": "tea", "quantity": 1, "confirm": confirm});
    let mut first = Vec::new();
    for confirm in [false, true] {
        first.push(ann.post_keyed(EXCHANGE, &format!("key-{confirm}"), body(confirm)).await);
    }
    let first: Vec<String> =
        first.iter().inspect(|it| drop(it.data())).map(Reply::without_timestamp).collect();

    let change: [fn(&Shop); 4] = [
        |_| {},
        // Another price, which the user could not even pay; sold out it is as well.
        |shop| shop.mall.put_product(&product("tea", 1_000)).expect("a valid product"),
        // Not for sale any more.
        |shop| {
            shop.mall
                .put_product(&stockhold::mall::Product { active: false, ..product("tea", 7) })
                .expect("valid")
        },
        // The deadline has passed.
        |shop| shop.advance(15 * 60 * 1000),
    ];
    for (step, change) in change.iter().enumerate() {
        change(&shop);
        // Also after a restart.
        for reopened in [false, true] {
            if reopened {
                shop = shop.reopen().await;
                ann = shop.user("ann").await;
            }
            let before = shop.state();
            for (index, confirm) in [false, true].into_iter().enumerate() {
                let again =
                    ann.post_keyed(EXCHANGE, &format!("key-{confirm}"), body(confirm)).await;
                let told = (again.status, again.without_timestamp());
                assert_eq!(told, (200, first[index].clone()), "step {step}, reopened: {reopened}");
            }
            assert_eq!(shop.state(), before, "a retry changes nothing");
        }
    }
    let other = json!({"productId": "tea", "quantity": 2, "confirm": true});
    ann.post_keyed(EXCHANGE, "key-true", other).await.failure(422, "IDEMPOTENCY_CONFLICT");
}

#[tokio::test]
async fn a_key_with_another_body_is_a_conflict_and_changes_nothing() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    ann.post_keyed(EXCHANGE, "k", body).await.data();
    let before = shop.state();
    for other in [
        json!({"productId": "prod_movie", "quantity": 2}),
        json!({"productId": "prod_kfc", "quantity": 1}),
        json!({"productId": "prod_movie", "quantity": 1, "confirm": true}),
        json!({"productId": "prod_movie", "quantity": 1, "deliveryInfo": {"name": "x"}}),
        json!({"productId": "no-such", "quantity": 1}),
    ] {
        ann.post_keyed(EXCHANGE, "k", other).await.failure(422, "IDEMPOTENCY_CONFLICT");
    }
    // It is the bytes that count.
    let request = ann.post_request(EXCHANGE).header("Idempotency-Key", "k");
    let spaced = r#"{"productId": "prod_movie", "quantity": 1}"#;
    ann.send(request, spaced).await.failure(422, "IDEMPOTENCY_CONFLICT");
    assert_eq!(shop.state(), before);
}

#[tokio::test]
async fn a_key_belongs_to_its_user_and_its_path() {
    let shop = Shop::open().await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    let mut ids = Vec::new();
    for name in ["ann", "bob"] {
        let mut user = shop.user_with(name, 100_000).await;
        ids.push(user.post_keyed(EXCHANGE, "k", body.clone()).await.data()["orderId"].clone());
        assert_eq!(user.balance().await, 95_500);
    }
    assert_ne!(ids[0], ids[1]);
    let mut admin = shop.admin().await;
    for (user, balance) in [("ann", 95_501), ("bob", 95_501)] {
        let path = format!("/api/admin/points/{user}/award");
        for _ in 0..2 {
            let data = admin.post_keyed(&path, "k", json!({"points": 1})).await.data();
            assert_eq!(data["balance"], balance, "once, and told again");
        }
    }
}

#[tokio::test]
async fn a_key_acts_once_however_the_request_is_spelled() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    let keys = ["k", "\"k\"", "\"k\";v=1"];
    for (paths, body, field, value) in [
        (
            ["points/ann@shop/award", "points/ann%40shop/award", "points/%61nn%40sho%70/award"],
            json!({"points": 500}),
            "balance",
            500,
        ),
        (
            [
                "inventory/prod_movie/receive",
                "inventory/prod%5Fmovie/receive",
                "inventory/prod%5fmovi%65/receive",
            ],
            json!({"quantity": 5}),
            "stockQuantity",
            2005,
        ),
        (
            [
                "inventory/prod_movie/adjust",
                "inventory/prod%5Fmovie/adjust",
                "inventory/prod%5fmovi%65/adjust?",
            ],
            json!({"delta": -5}),
            "stockQuantity",
            2000,
        ),
    ] {
        for path in paths {
            for key in keys {
                let data =
                    admin.post_keyed(&format!("/api/admin/{path}"), key, body.clone()).await.data();
                assert_eq!(data[field], value, "{path} {key}");
            }
        }
    }
    let mut ann = shop.user_with("ann", 100_000).await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    for key in ["\"k\"", "k"] {
        ann.post_keyed(EXCHANGE, key, body.clone()).await.data();
        assert_eq!(ann.balance().await, 95_500, "{key}");
    }
    let before = shop.state();
    for key in ["\"k", "\"k\"x"] {
        ann.post_keyed(EXCHANGE, key, body.clone()).await.failure(400, "INVALID_REQUEST");
    }
    admin
        .post_keyed("/api/admin/points/a%2Fb/award", "k", json!({"points": 1}))
        .await
        .failure(400, "INVALID_REQUEST");
    assert_eq!(shop.state(), before);
}

/// Up to 0.1.0 a key was named by the spelling of path and key.
#[tokio::test]
async fn a_key_of_an_earlier_release_is_known_by_its_spelling() {
    let shop = Shop::open().await;
    let (mut admin, _) = (shop.admin().await, shop.user_with("ann@shop", 1).await);
    let (path, key, body) = ("/api/admin/points/ann%40shop/award", "\"k\"", json!({"points": 500}));
    let name = AccountKey::points("ann@shop").expect("a valid name");
    let account = shop.engine.account(&name).expect("the user has points");
    let old = IdempotencyKey::new(&format!("root {path}"), key).expect("a valid key");
    let old = old.with_body(body.to_string().as_bytes());
    shop.engine
        .receive(Receive::new(account, 500).key(old))
        .and_then(|ticket| ticket.wait())
        .expect("the engine runs");
    let again = admin.post_keyed(path, key, body.clone()).await.data();
    assert_eq!(again["balance"], 501, "the answer of then");
    admin.post_keyed(path, key, json!({"points": 1})).await.failure(422, "IDEMPOTENCY_CONFLICT");
    assert_eq!(admin.post_keyed(path, "other", body).await.data()["balance"], 1001);
}

#[tokio::test]
async fn what_is_malformed_is_told_before_what_is_lacking() {
    let shop = Shop::open().await;
    shop.mall.put_product(&product("tea", 10)).expect("a valid product");
    let mut bob = shop.user("bob").await;
    let deep = (0..20).fold(json!(1), |inner, _| json!([inner]));
    for body in [
        json!({"productId": "none", "quantity": 0}),
        json!({"productId": "tea", "quantity": 10_001}),
        json!({"productId": "tea", "quantity": 1, "deliveryInfo": {"deep": deep}}),
        json!({"productId": "tea", "quantity": 1, "deliveryInfo": {"long": "x".repeat(17_000)}}),
    ] {
        bob.post_keyed(EXCHANGE, "k", body.clone()).await.failure(400, "INVALID_REQUEST");
        bob.post(EXCHANGE, body).await.failure(400, "INVALID_REQUEST");
    }
    bob.post(EXCHANGE, json!({"productId": "tea", "quantity": 1}))
        .await
        .failure(409, "OUT_OF_STOCK");
}

#[tokio::test]
async fn operators_retry_as_well() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    let path = "/api/admin/inventory/prod_movie";
    for (action, body, other, stock) in [
        ("receive", json!({"quantity": 5}), json!({"quantity": 6}), 2005),
        ("adjust", json!({"delta": -4}), json!({"delta": -5}), 2001),
    ] {
        let path = format!("{path}/{action}");
        let first = admin.post_keyed(&path, "k", body.clone()).await;
        assert_eq!(first.data()["stockQuantity"], stock);
        admin.post(&path, body.clone()).await.data();
        let again = admin.post_keyed(&path, "k", body.clone()).await;
        assert_eq!(
            again.without_timestamp(),
            first.without_timestamp(),
            "the first answer, not today's stock"
        );
        admin.post_keyed(&path, "k", other).await.failure(422, "IDEMPOTENCY_CONFLICT");
        // Back to where it was for the next row.
        let undo = if action == "receive" { -5 } else { 4 };
        admin.post("/api/admin/inventory/prod_movie/adjust", json!({"delta": undo})).await.data();
    }
}

#[tokio::test]
async fn confirm_and_cancel_are_retried() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    let id =
        ann.post(EXCHANGE, body).await.data()["orderId"].as_str().expect("a string").to_owned();
    let mut first = BTreeMap::new();
    // The last confirm comes after the cancel: it hears what it heard, and nothing is confirmed.
    for (action, status) in [("confirm", 1), ("cancel", -1), ("confirm", 1)] {
        let path = format!("/api/mall/orders/{id}/{action}");
        for body in ["", "{}", ""] {
            let request = ann.post_request(&path).header("Idempotency-Key", "k");
            let answer = ann.send(request, body).await;
            assert_eq!(answer.data()["status"], status);
            let told = answer.without_timestamp();
            assert_eq!(*first.entry(action).or_insert(told.clone()), told);
        }
    }
    assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (100_000, 2000));
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let shop = Shop::open().await;
    shop.mall.put_product(&product("tea", 10)).expect("a valid product");
    let mut ann = shop.user_with("ann", 30).await;
    let body = json!({"productId": "tea", "quantity": 1});
    ann.post_keyed(EXCHANGE, "k", body.clone()).await.failure(409, "OUT_OF_STOCK");
    shop.admin()
        .await
        .post("/api/admin/inventory/tea/receive", json!({"quantity": 1}))
        .await
        .data();
    ann.post_keyed(EXCHANGE, "k", body).await.data();
    assert_eq!(ann.balance().await, 20);
}

#[tokio::test]
async fn no_user_pushes_out_anothers_key() {
    let setup =
        Setup { engine: |builder| builder.idempotency_keys_per_owner(20), ..Setup::default() };
    let mut shop = Shop::with(setup).await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    let mut ann = shop.user_with("ann", 10_000).await;
    let first = ann.post_keyed(EXCHANGE, "k", body.clone()).await;
    first.data();
    let mut eve = shop.user_with("eve", 1_000_000).await;
    let mut orders = Vec::new();
    for number in 0..20 {
        orders.push(
            eve.post_keyed(EXCHANGE, &format!("k{number}"), body.clone()).await.data()["orderId"]
                .clone(),
        );
    }
    let before = shop.state();
    // The share is the user's, over all paths, and spelling does not widen it.
    let cancel = format!("/api/mall/orders/{}/cancel", orders[0].as_str().expect("an id"));
    for refused in [
        eve.post_keyed(EXCHANGE, "one-more", body.clone()).await,
        eve.post_keyed(&cancel, "c", json!({})).await,
    ] {
        refused.failure(429, "TOO_MANY_KEYS");
        assert_eq!(
            refused.header("retry-after"),
            Some("86400"),
            "a day, as the clock stands still"
        );
    }
    assert_eq!(shop.state(), before);
    assert_eq!(
        eve.post_keyed(EXCHANGE, "k3", body.clone()).await.data()["orderId"],
        orders[3],
        "a retry is no new key"
    );
    eve.post(EXCHANGE, body.clone()).await.data();
    for reopened in [false, true] {
        if reopened {
            shop = shop.reopen().await;
            (ann, eve) = (shop.user("ann").await, shop.user("eve").await);
        }
        eve.post_keyed(EXCHANGE, "one-more", body.clone()).await.failure(429, "TOO_MANY_KEYS");
        let again = ann.post_keyed(EXCHANGE, "k", body.clone()).await;
        assert_eq!(again.without_timestamp(), first.without_timestamp());
    }
    assert_eq!(ann.balance().await, 5_500);
}

/// Everything but journal and checkpoint may be removed: the answer is in the ledger.
#[tokio::test]
async fn a_retry_hears_the_whole_first_answer_without_history_and_archive() {
    let setup = Setup {
        engine: |builder| builder.segment_bytes(128 << 10).checkpoint_events(1),
        ..Setup::default()
    };
    let mut shop = Shop::with(setup).await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let mut admin = shop.admin().await;
    let buy = |confirm: bool| json!({"productId": "prod_movie", "quantity": 1, "confirm": confirm});
    let mut requests = Vec::new();
    for (name, confirm) in [
        ("waits", false),
        ("bought", true),
        ("given-up", false),
        ("confirmed", false),
        ("returned", true),
    ] {
        let answer = ann.post_keyed(EXCHANGE, name, buy(confirm)).await;
        let order = answer.data()["orderId"].as_str().expect("an id").to_owned();
        requests.push((false, EXCHANGE.to_owned(), name, buy(confirm), answer.without_timestamp()));
        let action = match name {
            "given-up" | "returned" => "cancel",
            "confirmed" => "confirm",
            _ => continue,
        };
        let path = format!("/api/mall/orders/{order}/{action}");
        let answer = ann.post_keyed(&path, "end", json!({})).await;
        answer.data();
        requests.push((false, path, "end", json!({}), answer.without_timestamp()));
    }
    for (path, body) in [
        ("/api/admin/points/ann/award", json!({"points": 7})),
        ("/api/admin/inventory/prod_movie/receive", json!({"quantity": 7})),
        ("/api/admin/inventory/prod_movie/adjust", json!({"delta": -7})),
    ] {
        let answer = admin.post_keyed(path, "k", body.clone()).await;
        answer.data();
        requests.push((true, path.to_owned(), "k", body, answer.without_timestamp()));
    }
    // So much more that the journal lets go of the orders.
    let note = "n".repeat(60_000);
    let some =
        shop.engine.account(&AccountKey::points("ann").expect("a name")).expect("it is open");
    for round in 0..4 {
        for _ in 0..4 {
            shop.engine
                .receive(Receive::new(some, 1).note(&note))
                .and_then(|ticket| ticket.wait())
                .expect("the engine runs");
        }
        shop.engine.catch_up().wait().expect("history follows");
        shop.mall.follow_alerts().expect("alerts follow");
        shop = shop
            .reopen_without(if round < 3 { &[] } else { &["store", "store.manifest", "archive"] })
            .await;
    }
    assert!(
        shop.engine.status().oldest_seq > 30,
        "the orders' events are gone: {:?}",
        shop.engine.status()
    );
    (ann, admin) = (shop.user("ann").await, shop.admin().await);
    let before = shop.state();
    for (is_admin, path, key, body, first) in requests {
        let client = if is_admin { &mut admin } else { &mut ann };
        let again = client.post_keyed(&path, key, body).await;
        assert_eq!((again.status, again.without_timestamp()), (200, first), "{path} {key}");
    }
    assert_eq!(shop.state(), before, "a retry changes nothing");
}

#[tokio::test]
async fn keys_are_checked() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let before = shop.state();
    let body = json!({"productId": "prod_movie", "quantity": 1});
    for key in ["", &"k".repeat(256), "schlüssel"] {
        ann.post_keyed(EXCHANGE, key, body.clone()).await.failure(400, "INVALID_REQUEST");
    }
    let twice =
        ann.post_request(EXCHANGE).header("Idempotency-Key", "a").header("Idempotency-Key", "b");
    ann.send(twice, body.to_string()).await.failure(400, "INVALID_REQUEST");
    assert_eq!(shop.state(), before);
    for key in
        ["k".repeat(255), "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"".into(), "with spaces".into()]
    {
        ann.post_keyed(EXCHANGE, &key, body.clone()).await.data();
    }
}

/// However many tries of one request come at once, one order is made and all are told of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tries_at_once_have_one_effect_and_one_answer() {
    let shop = Shop::open().await;
    shop.user_with("ann", 100_000).await;
    for confirm in [false, true] {
        let start = Arc::new(Barrier::new(16));
        let mut tries = JoinSet::new();
        for _ in 0..16 {
            let (mut client, start) = (shop.user("ann").await, start.clone());
            tries.spawn(async move {
                start.wait().await;
                try_once(&mut client, confirm).await
            });
        }
        let mut answers = tries.join_all().await;
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
    let mut ann = shop.user("ann").await;
    assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (91_000, 1998));
}

async fn try_once(client: &mut Client, confirm: bool) -> String {
    let body = json!({"productId": "prod_movie", "quantity": 1, "confirm": confirm});
    let answer = client.post_keyed(EXCHANGE, &format!("k-{confirm}"), body).await;
    answer.data();
    answer.without_timestamp()
}

#[tokio::test]
async fn what_was_so_already_is_remembered_under_its_key() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let made = ann.post(EXCHANGE, json!({"productId": "prod_movie", "quantity": 1})).await.data();
    let path = |act: &str| {
        format!("/api/mall/orders/{}/{act}", made["orderId"].as_str().expect("a string"))
    };
    ann.post(&path("confirm"), json!({})).await.data();
    let confirmed = ann.post_keyed(&path("confirm"), "k", json!({})).await;
    assert_eq!(confirmed.data()["status"], 1);
    ann.post(&path("cancel"), json!({})).await.data();
    let cancelled = ann.post_keyed(&path("cancel"), "k", json!({})).await;
    assert_eq!(cancelled.data()["status"], -1);
    ann.post(&path("confirm"), json!({})).await.failure(409, "ORDER_STATE");
    let shop = shop.reopen().await;
    let mut ann = shop.user("ann").await;
    let again = ann.post_keyed(&path("confirm"), "k", json!({})).await;
    assert_eq!(again.without_timestamp(), confirmed.without_timestamp());
    let again = ann.post_keyed(&path("cancel"), "k", json!({})).await;
    assert_eq!(again.without_timestamp(), cancelled.without_timestamp());
}
