//! Would catch a request about receivers of webhooks that acts twice under one key, a retry that hears
//! something else than the first try, and a secret that is kept where answers are.

#![allow(clippy::disallowed_methods, reason = "a test reads the files that the engine wrote")]

use hyper::Method;
use serde_json::{Value, json};

use super::webhooks::{WEBHOOKS, make, receiver, tea_shop, until};
use crate::support::{Answer, Client, Hook, Reply, Setup, Shop};

async fn keyed(ops: &mut Client, method: Method, path: &str, key: &str, body: &Value) -> Reply {
    let request = ops.request(method, path).header("Content-Type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    ops.send(request.header("Idempotency-Key", key), body).await
}

#[tokio::test]
async fn a_receiver_is_made_once_under_a_key_and_its_maker_is_shown_the_secret_again() {
    let shop = Shop::open().await;
    let (hook, mut ops) = (Hook::open().await, shop.operator().await);
    let body = json!({"receiverId": "till", "url": hook.url()});
    let first = ops.post_keyed(WEBHOOKS, "k", body.clone()).await;
    let secret = first.data()["secret"].as_str().expect("it is shown").to_owned();
    let again = ops.post_keyed(WEBHOOKS, "k", body.clone()).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    let other = json!({"receiverId": "till", "url": hook.url(), "events": ["order.*"]});
    ops.post_keyed(WEBHOOKS, "k", other).await.failure(422, "IDEMPOTENCY_CONFLICT");
    ops.post_keyed(WEBHOOKS, "l", body.clone()).await.failure(409, "ALREADY_EXISTS");
    ops.post(WEBHOOKS, body.clone()).await.failure(409, "ALREADY_EXISTS");

    let rotate = format!("{WEBHOOKS}/till/rotate");
    let rotated = ops.post_keyed(&rotate, "k", json!({"overlapMs": 60_000})).await;
    assert_ne!(rotated.data()["secret"], secret.as_str());
    let again = ops.post_keyed(&rotate, "k", json!({"overlapMs": 60_000})).await;
    assert_eq!(again.without_timestamp(), rotated.without_timestamp());
    assert_eq!(receiver(&mut ops, "till").await["secrets"].as_array().map(Vec::len), Some(2));

    // The same after a restart; nothing but the receiver's own file has a secret.
    let shop = shop.reopen().await;
    let mut ops = shop.operator().await;
    let again = ops.post_keyed(WEBHOOKS, "k", body.clone()).await;
    assert_eq!(again.without_timestamp(), first.without_timestamp());
    // The first secret signs no more: what was told of the receiver is told, without it.
    ops.post(&rotate, json!({"overlapMs": 0})).await.data();
    let again = ops.post_keyed(WEBHOOKS, "k", body).await.data();
    let mut told = first.data();
    told.as_object_mut().expect("an object").remove("secret");
    assert_eq!(again, told);
    let dir = shop.close().await;
    let secrets = [secret, rotated.data()["secret"].as_str().expect("it is shown").to_owned()];
    for path in files(dir.path()) {
        let bytes = std::fs::read(&path).expect("it can be read");
        let has = |secret: &String| bytes.windows(secret.len()).any(|it| it == secret.as_bytes());
        assert!(!secrets.iter().any(has), "{} has a secret", path.display());
    }
}

/// Every file but those that only receivers are kept in.
fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).expect("it can be read");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let rest = paths.filter(|path| !path.ends_with("kept"));
    rest.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn what_else_is_asked_of_a_receiver_has_one_effect_and_one_answer_under_a_key() {
    let (_shop, mut ops, mut ann) = tea_shop(Setup::default().webhooks).await;
    let hook = Hook::open().await;
    make(&mut ops, "till", &hook, json!(["order.created"])).await;
    let path = format!("{WEBHOOKS}/till");

    let test = format!("{path}/test");
    let sent = ops.post_keyed(&test, "k", json!({})).await;
    hook.count(1).await;
    until(&mut ops, "till", |it| it["delivered"] == 1).await;
    let again = ops.post_keyed(&test, "k", json!({})).await;
    assert_eq!(again.without_timestamp(), sent.without_timestamp());
    let other = ops.post_keyed(&test, "l", json!({})).await.data();
    let told = hook.count(2).await;
    assert_eq!(told[0].id, sent.data()["messageId"].as_str().expect("an id"));
    assert_eq!(told[1].id, other["messageId"].as_str().expect("an id"));

    let off = json!({"enabled": false});
    let patched = keyed(&mut ops, Method::PATCH, &path, "k", &off).await;
    let on = json!({"enabled": true});
    keyed(&mut ops, Method::PATCH, &path, "l", &on).await.data();
    let again = keyed(&mut ops, Method::PATCH, &path, "k", &off).await;
    assert_eq!(again.without_timestamp(), patched.without_timestamp());
    assert_eq!(receiver(&mut ops, "till").await["enabled"], true, "it is turned off once");

    hook.answers(|_| Answer::Status(410));
    super::webhooks::buy(&mut ann).await;
    until(&mut ops, "till", |it| it["dead"] == 1).await;
    let replay = format!("{WEBHOOKS}/dead/replay");
    let body = json!({"receiverId": "till"});
    let replayed = ops.post_keyed(&replay, "k", body.clone()).await;
    assert_eq!(replayed.data()["replayed"], 1);
    let again = ops.post_keyed(&replay, "k", body).await;
    assert_eq!(again.without_timestamp(), replayed.without_timestamp());

    let removed = keyed(&mut ops, Method::DELETE, &path, "k", &Value::Null).await;
    removed.data();
    let again = keyed(&mut ops, Method::DELETE, &path, "k", &Value::Null).await;
    assert_eq!(again.without_timestamp(), removed.without_timestamp());
    keyed(&mut ops, Method::DELETE, &path, "l", &Value::Null)
        .await
        .failure(404, "WEBHOOK_NOT_FOUND");
}

/// A client that lost patience asks again while its first request is under way.
#[tokio::test]
async fn tries_at_the_same_time_hear_one_answer() {
    let shop = Shop::open().await;
    let hook = Hook::open().await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut ops, url) = (shop.operator().await, hook.url());
        tries.spawn(async move {
            let body = json!({"receiverId": "till", "url": url});
            let made = ops.post_keyed(WEBHOOKS, "k", body).await.data();
            let test = format!("{WEBHOOKS}/till/test");
            (made, ops.post_keyed(&test, "k", json!({})).await.data())
        });
    }
    let answers = tries.join_all().await;
    assert!(answers.iter().all(|it| *it == answers[0]), "{answers:#?}");
    hook.count(1).await;
    let mut ops = shop.operator().await;
    until(&mut ops, "till", |it| it["delivered"] == 1 && it["waiting"] == 0).await;
    assert_eq!(hook.told().len(), 1);
}
