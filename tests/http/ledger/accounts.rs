//! Would catch an account that is opened with other rules, a page of accounts that lacks some, a change
//! that comes to another number or happens twice, and an account that closes with units in it.

use hyper::Method;
use serde_json::{Value, json};

use super::{numbers, of, open, reserve, service};
use crate::support::{Client, Setup, Shop};

const SEAT: &str = "seat/hall-1/12";

async fn close(client: &mut Client, key: &str) -> crate::support::Reply {
    client.send(client.request(Method::DELETE, &of(key, "")), "").await
}

#[tokio::test]
async fn an_account_is_opened_once_with_its_rules() {
    let shop = Shop::open().await;
    let mut office = service(&shop).await;
    let rolling = json!({"rolling": {"lengthMs": 60_000}});
    let day = json!({"fixed": {"lengthMs": 86_400_000, "offsetMs": 57_600_000}});
    for (key, policy, expected) in [
        (SEAT, Value::Null, json!({"backorder": 0, "limit": 0, "window": "never"})),
        (
            "wallet-eur/ann",
            json!({"backorder": 5}),
            json!({"backorder": 5, "limit": 0, "window": "never"}),
        ),
        (
            "calls/ann",
            json!({"limit": 3, "window": rolling}),
            json!({"backorder": 0, "limit": 3, "window": rolling}),
        ),
        (
            "calls/bob",
            json!({"limit": 3.0, "window": day}),
            json!({"backorder": 0, "limit": 3, "window": day}),
        ),
        (
            "calls/eve",
            json!({"limit": 3, "window": "outstanding"}),
            json!({"backorder": 0, "limit": 3, "window": "outstanding"}),
        ),
    ] {
        let body = json!({"key": key, "policy": policy});
        let first = office.post("/v1/accounts", body.clone()).await.data();
        assert_eq!((&first["key"], &first["policy"]), (&json!(key), &expected));
        assert_eq!(office.post("/v1/accounts", body).await.data(), first, "it is found again");
        assert_eq!(office.get(&of(key, "")).await.data(), first);
        let number = first["account"].as_u64().expect("a number");
        assert_eq!(office.get(&of(&number.to_string(), "")).await.data(), first, "by its number");
        let other = json!({"key": key, "policy": {"backorder": 77}});
        office.post("/v1/accounts", other).await.failure(409, "ALREADY_EXISTS");
    }
    let rule =
        json!({"key": "calls/x", "policy": {"limit": 1, "window": {"rolling": {"lengthMs": 0}}}});
    for wrong in [
        json!({}),
        json!({"key": "seat"}),
        json!({"key": "seat/"}),
        json!({"key": "seat/x", "policy": {"limits": 1}}),
        json!({"key": "seat/x", "policy": {"window": "sometimes"}}),
        json!({"key": "seat/x", "policy": {"limit": -1}}),
        rule,
    ] {
        office.post("/v1/accounts", wrong).await.failure(400, "INVALID_REQUEST");
    }
    for (path, status, code) in [
        (of("seat/none", ""), 404, "ACCOUNT_NOT_FOUND"),
        (of("4294967295", ""), 404, "ACCOUNT_NOT_FOUND"),
        (of("4294967296", ""), 400, "INVALID_REQUEST"),
        (of("seat", ""), 400, "INVALID_REQUEST"),
        (of(SEAT, "?x=1"), 400, "INVALID_REQUEST"),
    ] {
        office.get(&path).await.failure(status, code);
    }
}

/// The keys of all pages of this size.
async fn pages(client: &mut Client, query: &str, size: u64) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/accounts?limit={size}{query}{after}");
        let page = client.get(&path).await.data();
        let accounts = page["accounts"].as_array().expect("a list");
        assert!(accounts.len() as u64 <= size);
        keys.extend(accounts.iter().map(|it| it["key"].as_str().expect("a text").to_owned()));
        match page["nextAfter"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => return keys,
        }
    }
}

#[tokio::test]
async fn pages_have_each_open_account_with_a_prefix_once() {
    let shop = Shop::open().await;
    let mut office = service(&shop).await;
    let mut expected = Vec::new();
    for at in 0..40 {
        // Of many shards, and many of one.
        for key in [format!("seat/hall-{at}/1"), format!("seat/hall-1/row-{at}")] {
            open(&mut office, &key, 0).await;
            expected.push(key);
        }
    }
    close(&mut office, &expected.remove(10)).await.data();
    expected.sort();
    for size in [1, 7, 40, 1_000] {
        let mut seats = pages(&mut office, "&prefix=seat/", size).await;
        seats.sort();
        assert_eq!(seats, expected, "in pages of {size}");
        let hall = pages(&mut office, "&prefix=seat/hall-1/", size).await;
        let of_hall = expected.iter().filter(|key| key.starts_with("seat/hall-1/"));
        assert_eq!(hall.len(), of_hall.count(), "in pages of {size}");
    }
    let all = pages(&mut office, "", 100).await;
    assert!(all.iter().any(|key| key == "points/demo"), "what the mall keeps is seen, too");
    assert!(pages(&mut office, "&prefix=seat/hall-1/&after=4294967295", 9).await.is_empty());
    for wrong in ["limit=0", "limit=1001", "after=-1", "after=4294967296", "before=1"] {
        office.get(&format!("/v1/accounts?{wrong}")).await.failure(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn units_come_and_go_once_for_each_key() {
    let mut shop = Shop::open().await;
    let mut office = service(&shop).await;
    open(&mut office, SEAT, 0).await;
    open(&mut office, "seat/hall-1/13", 0).await;
    let account = office.get(&of(SEAT, "")).await.data()["account"].clone();
    let changed = |available: i64| json!({"account": account, "available": available});
    let steps = [
        ("receive", json!({"quantity": 100, "note": "built"}), changed(100)),
        ("adjust", json!({"delta": -5}), changed(95)),
        ("adjust", json!({"delta": 1, "note": null}), changed(96)),
        ("count", json!({"counted": 90.0}), changed(90)),
        ("write-off", json!({"quantity": 10, "note": "broken"}), changed(80)),
    ];
    let mut told = Vec::new();
    for (at, (act, body, expected)) in steps.iter().enumerate() {
        let path = of(SEAT, &format!("/{act}"));
        let answer = office.post_keyed(&path, &format!("k{at}"), body.clone()).await;
        assert_eq!(&answer.data(), expected, "{act}");
        told.push(answer.without_timestamp());
        let field = ["quantity", "delta", "counted"].into_iter().find(|it| !body[it].is_null());
        let other = json!({field.expect("there is one"): 2});
        office
            .post_keyed(&path, &format!("k{at}"), other)
            .await
            .failure(422, "IDEMPOTENCY_CONFLICT");
    }
    let transfer = json!({"to": "seat/hall-1/13", "quantity": 30});
    let moved = office.post_keyed(&of(SEAT, "/transfer"), "t", transfer.clone()).await.data();
    assert_eq!((&moved["from"], &moved["to"]["available"]), (&changed(50), &json!(30)));
    for reopened in [false, true] {
        if reopened {
            shop = shop.reopen().await;
            office = service(&shop).await;
        }
        for (at, (act, body, _)) in steps.iter().enumerate() {
            let path = of(SEAT, &format!("/{act}"));
            let again = office.post_keyed(&path, &format!("k{at}"), body.clone()).await;
            assert_eq!(again.without_timestamp(), told[at], "{act} again, reopened: {reopened}");
        }
        let again = office.post_keyed(&of(SEAT, "/transfer"), "t", transfer.clone()).await.data();
        assert_eq!(again, moved);
        assert_eq!(numbers(&mut office, SEAT).await, [50, 0, 0, 101, 51]);
        assert_eq!(numbers(&mut office, "seat/hall-1/13").await, [30, 0, 0, 30, 0]);
    }
    // Another caller's key is another key.
    let mut other = shop.client("other", stockhold::http::Role::Service).await;
    let body = json!({"quantity": 100, "note": "built"});
    let received = other.post_keyed(&of(SEAT, "/receive"), "k0", body).await.data();
    assert_eq!(received["available"], 150);
}

#[tokio::test]
async fn too_little_is_refused_and_says_what_there_was() {
    let shop = Shop::open().await;
    let mut office = service(&shop).await;
    let account = open(&mut office, SEAT, 3).await["account"].clone();
    open(&mut office, "seat/hall-1/13", 0).await;
    let before = shop.state();
    let refused = json!({"line": 0, "account": account, "available": 3, "nextReleaseAt": null});
    for (act, body) in [
        ("adjust", json!({"delta": -4})),
        ("write-off", json!({"quantity": 4})),
        ("transfer", json!({"to": "seat/hall-1/13", "quantity": 4})),
    ] {
        let path = of(SEAT, &format!("/{act}"));
        let data = office.post(&path, body).await.failure(409, "INSUFFICIENT_UNITS");
        assert_eq!(data, refused, "{act}");
    }
    for (act, body) in [
        ("receive", json!({"quantity": 0})),
        ("receive", json!({"quantity": 1.5})),
        ("receive", json!({"quantity": 1, "location": "x"})),
        ("receive", json!({})),
        // Also where nothing would change.
        ("count", json!({"counted": 3, "note": "x".repeat(201)})),
        ("count", json!({"counted": 3, "note": "a\nb"})),
        ("count", json!([3])),
        ("adjust", json!({"delta": 0})),
        ("count", json!({"counted": -1})),
        ("write-off", json!({"quantity": (1_u64 << 48) + 1})),
        ("transfer", json!({"to": SEAT, "quantity": 1})),
        ("transfer", json!({"to": "seat", "quantity": 1})),
        ("transfer", json!({"quantity": 1})),
    ] {
        let path = of(SEAT, &format!("/{act}"));
        office.post(&path, body.clone()).await.failure(400, "INVALID_REQUEST");
        let none = of("seat/none", &format!("/{act}"));
        let told = office.post(&none, body).await.status;
        assert!(matches!(told, 400 | 404), "{act}: {told}");
    }
    let none = json!({"to": "seat/none", "quantity": 1});
    office.post(&of(SEAT, "/transfer"), none).await.failure(404, "ACCOUNT_NOT_FOUND");
    // Kinds of another name.
    open(&mut office, "bed/1", 0).await;
    let other = json!({"to": "bed/1", "quantity": 1});
    office.post(&of(SEAT, "/transfer"), other).await.failure(400, "INVALID_REQUEST");
    let after = shop.state();
    assert_eq!(after.0.len(), before.0.len() + 1, "only a bed was opened");
    assert_eq!(numbers(&mut office, SEAT).await, [3, 0, 0, 3, 0]);
}

#[tokio::test]
async fn an_account_is_closed_when_nothing_is_left() {
    let shop = Shop::open().await;
    let mut office = service(&shop).await;
    let account = open(&mut office, SEAT, 2).await["account"].clone();
    let number = account.as_u64().expect("a number").to_string();
    let held = reserve(&mut office, json!([{"account": SEAT, "quantity": 1}])).await;
    let left = close(&mut office, SEAT).await.failure(409, "ACCOUNT_NOT_EMPTY");
    assert_eq!(left, json!({"account": account, "available": 1, "reserved": 1, "counting": 0}));
    office.post(&format!("/v1/reservations/{held}/release"), json!({})).await.data();
    office.post(&of(SEAT, "/write-off"), json!({"quantity": 2})).await.data();
    let closed = close(&mut office, SEAT).await.data();
    assert_eq!((&closed["account"], &closed["closed"]), (&account, &json!(true)));
    close(&mut office, SEAT).await.failure(404, "ACCOUNT_NOT_FOUND");
    assert_eq!(
        close(&mut office, &number).await.data(),
        closed,
        "a number is one account for good"
    );
    let receive = json!({"quantity": 1});
    office.post(&of(&number, "/receive"), receive).await.failure(404, "ACCOUNT_NOT_FOUND");
    let anew = open(&mut office, SEAT, 5).await;
    assert_ne!(anew["account"], account, "another account");
    assert_eq!(numbers(&mut office, SEAT).await, [5, 0, 0, 5, 0]);
}

#[tokio::test]
async fn a_program_has_more_keys_and_requests_than_a_person() {
    let shop = Shop::with(Setup {
        limits: stockhold::http::Limits {
            user_requests_per_minute: Some(3),
            ..stockhold::http::Limits::default()
        },
        engine: |builder| builder.idempotency_keys_per_owner(4),
        ..Setup::default()
    })
    .await;
    let mut office = service(&shop).await;
    open(&mut office, SEAT, 0).await;
    for key in 0..20 {
        let body = json!({"quantity": 1});
        office.post_keyed(&of(SEAT, "/receive"), &format!("k{key}"), body).await.data();
    }
    assert_eq!(numbers(&mut office, SEAT).await[0], 20);
    // But not without bound.
    let mut refused = None;
    for key in 20..400 {
        let body = json!({"quantity": 1});
        let told = office.post_keyed(&of(SEAT, "/receive"), &format!("k{key}"), body).await;
        if told.status != 200 {
            refused = Some(told);
            break;
        }
    }
    refused.expect("64 shares of 4 keys are not 400").failure(429, "TOO_MANY_KEYS");
}
