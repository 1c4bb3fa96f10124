//! Would catch a reservation that takes a part of what it should, one that ends twice or as another's,
//! a late request that succeeds, a retry with a second effect, and a refusal that does not say why.

use serde_json::{Value, json};
use stockhold::http::Role;

use super::{numbers, of, open, reserve, service};
use crate::support::{Client, NOW_MS, Reply, Shop};

const TEA: &str = "tea/east";
const CUP: &str = "cup/east";

fn on(reservation: &str, act: &str) -> String {
    format!("/v1/reservations/{reservation}/{act}")
}

async fn stocked() -> (Shop, Client) {
    let shop = Shop::open().await;
    let mut office = service(&shop).await;
    open(&mut office, TEA, 10).await;
    open(&mut office, CUP, 3).await;
    (shop, office)
}

fn both(tea: u64, cup: u64) -> Value {
    json!([{"account": TEA, "quantity": tea}, {"account": CUP, "quantity": cup}])
}

async fn act(client: &mut Client, reservation: &str, act: &str, body: Value) -> Reply {
    client.post(&on(reservation, act), body).await
}

#[tokio::test]
async fn a_reservation_takes_all_of_it_or_nothing() {
    let (shop, mut office) = stocked().await;
    let body = json!({"lines": both(4, 2), "ttlMs": 60_000, "details": "for the desk"});
    let made = office.post("/v1/reservations", body).await.data();
    assert_eq!((&made["status"], &made["expiresAt"]), (&json!("pending"), &json!(NOW_MS + 60_000)));
    let number = made["reservation"].as_str().expect("a text").to_owned();
    let cup = office.get(&of(CUP, "")).await.data()["account"].clone();
    let refused = office.post("/v1/reservations", json!({"lines": both(1, 2), "ttlMs": 1})).await;
    assert_eq!(
        refused.failure(409, "INSUFFICIENT_UNITS"),
        json!({"line": 1, "account": cup, "available": 1, "nextReleaseAt": NOW_MS + 60_000})
    );
    assert_eq!(numbers(&mut office, TEA).await, [6, 4, 0, 10, 0]);
    let told = office.get(&format!("/v1/reservations/{number}")).await.data();
    let tea = office.get(&of(TEA, "")).await.data()["account"].clone();
    let line = |account: &Value, key: &str, quantity: u64| json!({"account": account, "key": key, "quantity": quantity, "consumed": 0, "returned": 0});
    assert_eq!(
        told,
        json!({"reservation": number, "status": "pending", "owner": "caller/box-office",
            "lines": [line(&tea, TEA, 4), line(&cup, CUP, 2)], "createdAt": NOW_MS,
            "expiresAt": NOW_MS + 60_000, "endedAt": null, "returnedAt": null,
            "details": "for the desk"})
    );
    let until = json!({"lines": both(1, 1), "expiresAt": NOW_MS + 5, "confirm": true});
    let made = office.post("/v1/reservations", until).await.data();
    assert_eq!((&made["status"], &made["expiresAt"]), (&json!("confirmed"), &json!(NOW_MS + 5)));
    assert_eq!(numbers(&mut office, CUP).await, [0, 2, 1, 3, 0]);
    drop(shop);
}

#[tokio::test]
async fn a_reservation_ends_once() {
    let (_shop, mut office) = stocked().await;
    let whole = reserve(&mut office, both(2, 1)).await;
    let part = reserve(&mut office, both(2, 1)).await;
    let given_up = reserve(&mut office, both(2, 1)).await;
    let settled = |number: &str, status: &str| json!({"reservation": number, "status": status});
    let confirm = office.send(office.post_request(&on(&whole, "confirm")), "").await;
    assert_eq!(confirm.data(), settled(&whole, "confirmed"), "also without a body");
    let body = json!({"quantities": [1, 0]});
    let told = act(&mut office, &part, "confirm", body).await.data();
    assert_eq!(told, settled(&part, "confirmed"));
    let told = act(&mut office, &given_up, "release", json!({})).await.data();
    assert_eq!(told, settled(&given_up, "released"));
    assert_eq!(numbers(&mut office, TEA).await, [7, 0, 3, 10, 0]);
    assert_eq!(numbers(&mut office, CUP).await, [2, 0, 1, 3, 0]);
    for (number, status) in [(&whole, "confirmed"), (&part, "confirmed"), (&given_up, "released")] {
        for (what, body) in
            [("confirm", json!({})), ("release", json!({})), ("extend", json!({"ttlMs": 1}))]
        {
            let data = act(&mut office, number, what, body).await.failure(409, "RESERVATION_STATE");
            assert_eq!(data, json!({"status": status}), "{what}");
        }
    }
    let data = act(&mut office, &given_up, "refund", json!({})).await;
    assert_eq!(data.failure(409, "RESERVATION_STATE")["status"], "released");
    let told = office.get(&format!("/v1/reservations/{part}")).await.data();
    assert_eq!(
        (&told["lines"][0]["consumed"], &told["lines"][1]["consumed"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn what_a_reservation_consumed_is_returned_once() {
    let (_shop, mut office) = stocked().await;
    let number = reserve(&mut office, both(4, 2)).await;
    let waiting = act(&mut office, &number, "refund", json!({})).await;
    assert_eq!(waiting.failure(409, "RESERVATION_STATE"), json!({"status": "pending"}));
    act(&mut office, &number, "confirm", json!({})).await.data();
    let line = |quantity: u64| json!({"lines": [{"account": TEA, "quantity": quantity}]});
    let told = act(&mut office, &number, "refund", line(1)).await.data();
    assert_eq!(told["status"], "confirmed", "there is more to return");
    let broken =
        json!({"lines": [{"account": TEA, "quantity": 1}], "writtenOff": [TEA], "note": "x"});
    act(&mut office, &number, "refund", broken).await.data();
    assert_eq!(numbers(&mut office, TEA).await, [7, 0, 2, 10, 1]);
    let tea = office.get(&of(TEA, "")).await.data()["account"].clone();
    let too_much = act(&mut office, &number, "refund", line(3)).await;
    assert_eq!(
        too_much.failure(409, "RESERVATION_STATE"),
        json!({"status": "confirmed", "account": tea, "left": 2})
    );
    let told = act(&mut office, &number, "refund", json!({})).await.data();
    assert_eq!(told["status"], "returned");
    assert_eq!(numbers(&mut office, TEA).await, [9, 0, 0, 10, 1]);
    let again = act(&mut office, &number, "refund", json!({})).await;
    assert_eq!(again.failure(409, "RESERVATION_STATE"), json!({"status": "returned"}));
    let told = office.get(&format!("/v1/reservations/{number}")).await.data();
    assert_eq!((&told["status"], &told["lines"][0]["returned"]), (&json!("returned"), &json!(4)));
}

#[tokio::test]
async fn the_deadline_decides_and_a_late_payment_may_have_it_again() {
    let (shop, mut office) = stocked().await;
    let number = reserve(&mut office, both(4, 2)).await;
    let other = reserve(&mut office, both(1, 1)).await;
    let told = act(&mut office, &number, "extend", json!({"ttlMs": 120_000})).await.data();
    let expected =
        json!({"reservation": number, "status": "pending", "expiresAt": NOW_MS + 120_000});
    assert_eq!(told, expected);
    act(&mut office, &number, "reacquire", json!({})).await.failure(409, "RESERVATION_STATE");
    // The wheel has not turned yet.
    shop.clock.advance(120_000);
    let before = shop.engine.now_ms();
    act(&mut office, &number, "confirm", json!({})).await.failure(410, "RESERVATION_EXPIRED");
    assert_eq!(shop.engine.now_ms(), before);
    for number in [&number, &other] {
        for (what, body) in
            [("confirm", json!({})), ("release", json!({})), ("extend", json!({"ttlMs": 1}))]
        {
            act(&mut office, number, what, body).await.failure(410, "RESERVATION_EXPIRED");
        }
    }
    assert_eq!(numbers(&mut office, TEA).await, [10, 0, 0, 10, 0]);
    office.post(&of(CUP, "/write-off"), json!({"quantity": 2})).await.data();
    let cup = office.get(&of(CUP, "")).await.data()["account"].clone();
    let refused = act(&mut office, &number, "reacquire", json!({})).await;
    assert_eq!(
        refused.failure(409, "INSUFFICIENT_UNITS"),
        json!({"line": 1, "account": cup, "available": 1, "nextReleaseAt": null})
    );
    let told = act(&mut office, &other, "reacquire", json!({})).await.data();
    assert_eq!(told, json!({"reservation": other, "status": "confirmed"}));
    assert_eq!(numbers(&mut office, TEA).await, [9, 0, 1, 10, 0]);
    let again = act(&mut office, &other, "reacquire", json!({})).await;
    assert_eq!(again.failure(409, "RESERVATION_STATE"), json!({"status": "confirmed"}));
}

#[tokio::test]
async fn a_retry_hears_the_first_answer_and_another_request_does_not() {
    let (mut shop, mut office) = stocked().await;
    let body = json!({"lines": both(2, 1), "ttlMs": 60_000});
    let made = office.post_keyed("/v1/reservations", "r", body.clone()).await;
    let number = made.data()["reservation"].as_str().expect("a text").to_owned();
    let other = reserve(&mut office, both(1, 1)).await;
    let steps = [
        (on(&number, "extend"), json!({"ttlMs": 90_000}), json!({"ttlMs": 1})),
        (on(&number, "confirm"), json!({"quantities": [2, 0]}), json!({})),
        (on(&other, "release"), json!({}), json!({"owner": "caller/nobody"})),
        (
            on(&number, "refund"),
            json!({"note": "x"}),
            json!({"lines": [{"account": TEA, "quantity": 1}]}),
        ),
    ];
    open_caller(&shop, "nobody").await;
    let mut told = vec![made.without_timestamp()];
    for (at, (path, body, _)) in steps.iter().enumerate() {
        let answer = office.post_keyed(path, &format!("k{at}"), body.clone()).await;
        answer.data();
        told.push(answer.without_timestamp());
    }
    shop.advance(100_000);
    for reopened in [false, true] {
        if reopened {
            shop = shop.reopen().await;
            office = service(&shop).await;
        }
        let before = shop.state();
        let again = office.post_keyed("/v1/reservations", "r", body.clone()).await;
        assert_eq!(again.without_timestamp(), told[0]);
        for (at, (path, body, conflicting)) in steps.iter().enumerate() {
            let again = office.post_keyed(path, &format!("k{at}"), body.clone()).await;
            assert_eq!(again.without_timestamp(), told[at + 1], "{path}, reopened: {reopened}");
            let conflict = office.post_keyed(path, &format!("k{at}"), conflicting.clone()).await;
            conflict.failure(422, "IDEMPOTENCY_CONFLICT");
        }
        assert_eq!(shop.state(), before, "retries change nothing");
    }
    let other = json!({"lines": both(1, 1), "ttlMs": 60_000});
    office.post_keyed("/v1/reservations", "r", other).await.failure(422, "IDEMPOTENCY_CONFLICT");
}

/// Makes the account of a caller, as its first request about a reservation does.
async fn open_caller(shop: &Shop, name: &str) {
    let mut client = shop.client(name, Role::Service).await;
    client.post(&on("1", "release"), json!({})).await.failure(404, "RESERVATION_NOT_FOUND");
}

#[tokio::test]
async fn a_reservation_is_its_owners() {
    let (shop, mut office) = stocked().await;
    let number = reserve(&mut office, both(1, 1)).await;
    let mut other = shop.client("other", Role::Service).await;
    for (what, body) in [
        ("confirm", json!({})),
        ("release", json!({})),
        ("extend", json!({"ttlMs": 1})),
        ("refund", json!({})),
        ("reacquire", json!({})),
    ] {
        act(&mut other, &number, what, body).await.failure(403, "FORBIDDEN");
    }
    assert_eq!(other.get(&format!("/v1/reservations/{number}")).await.data()["status"], "pending");
    // Whoever names the owner acts for it.
    let mut admin = shop.client("root", Role::Admin).await;
    let body = json!({"owner": "caller/box-office"});
    act(&mut admin, &number, "confirm", body).await.data();
    open(&mut office, "guest/ann", 0).await;
    let body = json!({"lines": both(1, 1), "ttlMs": 1_000, "owner": "guest/ann"});
    let number = office.post("/v1/reservations", body).await.data()["reservation"].clone();
    let number = number.as_str().expect("a text");
    act(&mut office, number, "confirm", json!({})).await.failure(403, "FORBIDDEN");
    act(&mut other, number, "confirm", json!({"owner": "guest/ann"})).await.data();
    let told = office.get(&format!("/v1/reservations/{number}")).await.data();
    assert_eq!((&told["owner"], &told["details"]), (&json!("guest/ann"), &Value::Null));
    let none = json!({"lines": both(1, 1), "ttlMs": 1, "owner": "guest/none"});
    office.post("/v1/reservations", none).await.failure(404, "ACCOUNT_NOT_FOUND");
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_changes_nothing() {
    let (shop, mut office) = stocked().await;
    let number = reserve(&mut office, both(1, 1)).await;
    let before = shop.state();
    let line = |quantity: Value| json!([{"account": TEA, "quantity": quantity}]);
    for body in [
        json!({}),
        json!({"lines": [], "ttlMs": 1}),
        json!({"lines": line(json!(0)), "ttlMs": 1}),
        json!({"lines": line(json!("1")), "ttlMs": 1}),
        json!({"lines": line(json!(1))}),
        json!({"lines": line(json!(1)), "ttlMs": 0}),
        json!({"lines": line(json!(1)), "ttlMs": 1, "expiresAt": NOW_MS + 1}),
        json!({"lines": line(json!(1)), "expiresAt": NOW_MS}),
        json!({"lines": line(json!(1)), "ttlMs": 1, "details": {}}),
        json!({"lines": line(json!(1)), "ttlMs": 1, "details": "x".repeat(64 << 10)}),
        json!({"lines": vec![json!({"account": TEA, "quantity": 1}); 129], "ttlMs": 1}),
    ] {
        let told = office.post("/v1/reservations", body).await;
        let too_long = told.status == 413;
        assert!(too_long || told.failure(400, "INVALID_REQUEST").is_null());
    }
    let none = json!({"lines": [{"account": "tea/none", "quantity": 1}], "ttlMs": 1});
    office.post("/v1/reservations", none).await.failure(404, "ACCOUNT_NOT_FOUND");
    for (what, body) in [
        ("confirm", json!({"quantities": [1]})),
        ("confirm", json!({"quantities": [2, 1]})),
        ("confirm", json!({"quantities": [0, 0]})),
        ("confirm", json!({"quantity": 1})),
        ("extend", json!({})),
        ("extend", json!({"ttlMs": 1, "expiresAt": 1})),
        ("refund", json!({"lines": []})),
        ("refund", json!({"writtenOff": "x"})),
    ] {
        let told = act(&mut office, &number, what, body.clone()).await;
        assert_eq!(told.status, 400, "{what} {body}: {told:?}");
    }
    for wrong in ["x", "-1", "+1", "99999999999999999999"] {
        act(&mut office, wrong, "confirm", json!({})).await.failure(400, "INVALID_REQUEST");
        let path = format!("/v1/reservations/{wrong}");
        office.get(&path).await.failure(400, "INVALID_REQUEST");
    }
    let never = "4611686018427387904";
    office.get(&format!("/v1/reservations/{never}")).await.failure(404, "RESERVATION_NOT_FOUND");
    for (what, body) in [
        ("confirm", json!({})),
        ("release", json!({})),
        ("extend", json!({"ttlMs": 1})),
        ("refund", json!({})),
        ("reacquire", json!({})),
    ] {
        act(&mut office, never, what, body).await.failure(404, "RESERVATION_NOT_FOUND");
    }
    assert_eq!(shop.state(), before);
}
