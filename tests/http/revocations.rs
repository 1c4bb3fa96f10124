//! Would catch a token that is good after its revocation, on a connection that was open before as well,
//! one that a restart brings back, one of somebody else that goes with it, and a revocation that does
//! not say who made it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::Method;
use serde_json::{Value, json};
use stockhold::http::Role;

use crate::support::{Client, NOW_MS, Reply, Shop, token_made};

const REVOCATIONS: &str = "/api/admin/revocations";
const BALANCE: &str = "/api/points/balance";

async fn client(shop: &Shop, user: &str, role: Role, made_ms: u64) -> Client {
    Client::connect(shop.address, Some(token_made(user, role, made_ms))).await
}

async fn revoke(admin: &mut Client, body: Value) -> Value {
    admin.post(REVOCATIONS, body).await.data()
}

async fn lift(admin: &mut Client, user: &str) -> Reply {
    let request = admin.request(Method::DELETE, &format!("{REVOCATIONS}/{user}"));
    admin.send(request, "").await
}

async fn assert_revoked(client: &mut Client) {
    let told = client.get(BALANCE).await;
    told.failure(401, "UNAUTHORIZED");
    assert!(told.envelope()["message"].as_str().expect("text").ends_with("the token was revoked"));
}

#[tokio::test]
async fn tokens_of_a_user_that_were_made_before_are_good_no_more() {
    let shop = Shop::open().await;
    let mut root = client(&shop, "root", Role::Admin, NOW_MS).await;
    let mut old = client(&shop, "ann", Role::User, NOW_MS - 1).await;
    let mut undated = shop.user("ann").await;
    let mut bob = client(&shop, "bob", Role::User, NOW_MS - 1).await;
    let mut new = client(&shop, "ann", Role::User, NOW_MS).await;
    for ann in [&mut old, &mut undated, &mut new] {
        ann.get(BALANCE).await.data();
    }
    let body = json!({"userId": "ann", "reason": "lost her phone"});
    let told = revoke(&mut root, body.clone()).await;
    let expected = json!({
        "userId": "ann", "issuedBefore": NOW_MS, "reason": "lost her phone",
        "revokedBy": "root", "revokedAt": NOW_MS,
    });
    assert_eq!(told, expected);
    assert_revoked(&mut old).await;
    assert_revoked(&mut undated).await;
    new.get(BALANCE).await.data();
    bob.get(BALANCE).await.data();
    let listed = root.get(REVOCATIONS).await.data();
    assert_eq!(listed, json!({"revocations": [expected], "nextAfter": null}));

    // Less than what is revoked changes nothing; so does the same again.
    let less = json!({"userId": "ann", "issuedBefore": NOW_MS - 5});
    assert_eq!(revoke(&mut root, less).await, expected);
    let shop = shop.reopen().await;
    let mut root = client(&shop, "root", Role::Admin, NOW_MS).await;
    assert_eq!(root.get(REVOCATIONS).await.data()["revocations"], json!([expected]));
    assert_revoked(&mut client(&shop, "ann", Role::User, NOW_MS - 1).await).await;
    assert_revoked(&mut shop.user("ann").await).await;
    client(&shop, "ann", Role::User, NOW_MS).await.get(BALANCE).await.data();

    // Taken back, they are good again, and stay so.
    assert_eq!(lift(&mut root, "ann").await.data(), json!({"userId": "ann"}));
    lift(&mut root, "ann").await.failure(404, "NOT_FOUND");
    shop.user("ann").await.get(BALANCE).await.data();
    let shop = shop.reopen().await;
    shop.user("ann").await.get(BALANCE).await.data();
}

#[tokio::test]
async fn everybodys_tokens_go_with_that_of_who_revokes_them() {
    let shop = Shop::open().await;
    let mut root = client(&shop, "root", Role::Admin, NOW_MS - 1).await;
    let mut ann = client(&shop, "ann", Role::User, NOW_MS - 1).await;
    let mut till = client(&shop, "till", Role::Service, NOW_MS - 1).await;
    revoke(&mut root, json!({"userId": "*", "issuedBefore": NOW_MS})).await;
    root.get(REVOCATIONS).await.failure(401, "UNAUTHORIZED");
    assert_revoked(&mut ann).await;
    let request = till.request(Method::GET, BALANCE).header("X-On-Behalf-Of", "bob");
    till.send(request, "").await.failure(401, "UNAUTHORIZED");
    // Whoever shows no good token is anybody.
    ann.get("/api/mall/products").await.data();

    let shop = shop.reopen().await;
    assert_revoked(&mut client(&shop, "ann", Role::User, NOW_MS - 1).await).await;
    client(&shop, "ann", Role::User, NOW_MS).await.get(BALANCE).await.data();
    let mut root = client(&shop, "root", Role::Admin, NOW_MS).await;
    assert_eq!(lift(&mut root, "*").await.data(), json!({"userId": "*"}));
    client(&shop, "ann", Role::User, NOW_MS - 1).await.get(BALANCE).await.data();
}

#[tokio::test]
async fn a_service_is_revoked_as_itself_and_not_with_whom_it_acts_for() {
    let shop = Shop::open().await;
    let mut root = client(&shop, "root", Role::Admin, NOW_MS).await;
    let mut till = client(&shop, "till", Role::Service, NOW_MS - 1).await;
    let for_ann =
        |till: &Client| till.request(Method::GET, BALANCE).header("X-On-Behalf-Of", "ann");
    revoke(&mut root, json!({"userId": "ann"})).await;
    let request = for_ann(&till);
    till.send(request, "").await.data();
    revoke(&mut root, json!({"userId": "till"})).await;
    let request = for_ann(&till);
    till.send(request, "").await.failure(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_retry_revokes_nothing_again_and_pages_go_on() {
    let shop = Shop::open().await;
    let mut root = client(&shop, "root", Role::Admin, NOW_MS).await;
    let body = json!({"userId": "ann"});
    root.post_keyed(REVOCATIONS, "k", body.clone()).await.data();
    root.post_keyed(REVOCATIONS, "k", body.clone()).await.data();
    root.post_keyed(REVOCATIONS, "k", json!({"userId": "bob"}))
        .await
        .failure(422, "IDEMPOTENCY_CONFLICT");
    lift(&mut root, "ann").await.data();
    root.post_keyed(REVOCATIONS, "k", body).await.failure(404, "NOT_FOUND");
    shop.user("ann").await.get(BALANCE).await.data();
    for user in ["c", "a", "b"] {
        revoke(&mut root, json!({"userId": user})).await;
    }
    let (mut path, mut seen) = (format!("{REVOCATIONS}?page_size=2"), Vec::new());
    loop {
        let page = root.get(&path).await.data();
        let users = page["revocations"].as_array().expect("an array");
        seen.extend(users.iter().map(|it| it["userId"].clone()));
        let Some(after) = page["nextAfter"].as_str() else { break };
        path = format!("{REVOCATIONS}?page_size=2&after={after}");
    }
    assert_eq!(seen, ["a", "b", "c"]);
    for wrong in [
        json!({}),
        json!({"userId": "no/slash"}),
        json!({"userId": ""}),
        json!({"userId": "ann", "issuedBefore": 0}),
        json!({"userId": "ann", "issuedBefore": NOW_MS + 300_001}),
        json!({"userId": "ann", "reason": "x".repeat(501)}),
        json!({"userId": "ann", "reason": "a\nb"}),
        json!({"userId": "ann", "everything": true}),
    ] {
        root.post(REVOCATIONS, wrong).await.failure(400, "INVALID_REQUEST");
    }
    shop.operator()
        .await
        .post(REVOCATIONS, json!({"userId": "ann"}))
        .await
        .failure(403, "FORBIDDEN");
}

/// Would catch a lane of the server that goes on with what it remembers of a token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_holds_for_every_request_after_it_under_load() {
    let shop = Shop::open().await;
    let mut root = client(&shop, "root", Role::Admin, NOW_MS).await;
    let is_revoked = Arc::new(AtomicBool::new(false));
    let mut asking = Vec::new();
    for at in 0..6 {
        let is_old = at % 2 == 0;
        let made_ms = if is_old { NOW_MS - 1 } else { NOW_MS };
        let mut ann = client(&shop, "ann", Role::User, made_ms).await;
        let is_revoked = is_revoked.clone();
        asking.push(tokio::spawn(async move {
            let mut after = 0;
            while after < 20 {
                let was_revoked = is_revoked.load(Ordering::SeqCst);
                let status = ann.get(BALANCE).await.status;
                match (is_old, was_revoked) {
                    (false, _) => assert_eq!(status, 200, "a newer token is refused"),
                    (true, true) => assert_eq!(status, 401, "an older token is let in"),
                    (true, false) => assert!([200, 401].contains(&status)),
                }
                after += usize::from(was_revoked);
            }
        }));
    }
    revoke(&mut root, json!({"userId": "ann"})).await;
    is_revoked.store(true, Ordering::SeqCst);
    for asked in asking {
        asked.await.expect("each was let in or refused as it should be");
    }
}
