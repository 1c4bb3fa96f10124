//! Would catch a batch that does a part of what should happen together, one whose commands are told in
//! another order than they were sent in, and a retry of one that does something twice.

use serde_json::{Value, json};

use super::{numbers, of, open, reserve, service};
use crate::support::{Client, Shop};

const TEA: &str = "tea/east";
const CUP: &str = "cup/east";

async fn stocked() -> (Shop, Client) {
    let shop = Shop::open().await;
    let mut office = service(&shop).await;
    open(&mut office, TEA, 10).await;
    open(&mut office, CUP, 3).await;
    (shop, office)
}

fn take(account: &str, quantity: u64) -> Value {
    json!({"reserve": {"lines": [{"account": account, "quantity": quantity}], "ttlMs": 60_000}})
}

async fn batch(client: &mut Client, commands: &[Value], atomic: bool) -> crate::support::Reply {
    client.post("/v1/batch", json!({"commands": commands, "atomic": atomic})).await
}

#[tokio::test]
async fn each_command_comes_to_what_it_comes_to_by_itself() {
    let (_shop, mut office) = stocked().await;
    open(&mut office, "tea/west", 0).await;
    let [held, late] = [
        reserve(&mut office, json!([{"account": TEA, "quantity": 1}])).await,
        "4611686018427387904".into(),
    ];
    let commands = [
        json!({"receive": {"account": TEA, "quantity": 2, "note": "x"}}),
        json!({"adjust": {"account": TEA, "delta": -1}}),
        json!({"count": {"account": CUP, "counted": 4.0}}),
        json!({"writeOff": {"account": CUP, "quantity": 1}}),
        json!({"transfer": {"from": TEA, "to": "tea/west", "quantity": 3}}),
        take(CUP, 9),
        take(CUP, 2),
        json!({"confirm": {"reservation": held, "quantities": [1]}}),
        json!({"release": {"reservation": held}}),
        json!({"extend": {"reservation": late, "ttlMs": 5}}),
        json!({"receive": {"account": "tea/none", "quantity": 2}}),
        json!({"receive": {"account": "points/demo", "quantity": 2}}),
        json!({"receive": {"account": TEA, "quantity": 0}}),
        json!({"reserve": {"lines": [{"account": TEA, "quantity": 1}]}}),
    ];
    let told = batch(&mut office, &commands, false).await.data();
    let results = told["results"].as_array().expect("a list");
    let shown: Vec<String> = results
        .iter()
        .map(|it| match (&it["done"], &it["failed"]["code"]) {
            (Value::Object(done), Value::Null) => done.keys().next().expect("a kind").clone(),
            (_, code) => code.as_str().expect("a code").to_owned(),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "changed",
            "changed",
            "changed",
            "changed",
            "transferred",
            "INSUFFICIENT_UNITS",
            "reserved",
            "settled",
            "RESERVATION_STATE",
            "RESERVATION_NOT_FOUND",
            "ACCOUNT_NOT_FOUND",
            "MALL_ACCOUNT",
            "INVALID_REQUEST",
            "INVALID_REQUEST",
        ]
    );
    assert_eq!(results[5]["failed"]["data"]["available"], 3);
    assert_eq!(results[8]["failed"]["data"], json!({"status": "confirmed"}));
    assert_eq!(results[7]["done"]["settled"], json!({"reservation": held, "status": "confirmed"}));
    assert_eq!(numbers(&mut office, TEA).await, [7, 0, 1, 12, 4]);
    assert_eq!(numbers(&mut office, CUP).await, [1, 2, 0, 4, 1]);
}

#[tokio::test]
async fn what_is_to_happen_together_happens_or_does_not() {
    let (shop, mut office) = stocked().await;
    let good = [
        json!({"writeOff": {"account": TEA, "quantity": 2}}),
        take(TEA, 8),
        json!({"receive": {"account": CUP, "quantity": 1}}),
    ];
    let told = batch(&mut office, &good, true).await.data();
    assert_eq!(told["results"].as_array().map(Vec::len), Some(3));
    assert_eq!(numbers(&mut office, TEA).await, [0, 8, 0, 10, 2]);
    let before = shop.state();
    let receive = json!({"receive": {"account": TEA, "quantity": 5}});
    for (last, status, code) in [
        (take(TEA, 6), 409, "INSUFFICIENT_UNITS"),
        (json!({"receive": {"account": "tea/none", "quantity": 2}}), 404, "ACCOUNT_NOT_FOUND"),
        (json!({"receive": {"account": "points/demo", "quantity": 2}}), 403, "MALL_ACCOUNT"),
        (json!({"receive": {"account": TEA, "quantity": 0}}), 400, "INVALID_REQUEST"),
        (json!({"release": {"reservation": "4611686018427387904"}}), 404, "RESERVATION_NOT_FOUND"),
    ] {
        let told = batch(&mut office, &[receive.clone(), last], true).await;
        let data = told.failure(status, code);
        let message = told.envelope()["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("command 1"), "{message}");
        if code == "INSUFFICIENT_UNITS" {
            assert_eq!(data["available"], 5, "it counts what came before");
        }
    }
    let many = vec![receive; stockhold::limits::ATOMIC_COMMANDS_MAX + 1];
    batch(&mut office, &many, true).await.failure(400, "INVALID_REQUEST");
    assert_eq!(shop.state(), before, "nothing of it happened");
}

#[tokio::test]
async fn a_retry_of_a_batch_does_nothing_twice() {
    let (mut shop, mut office) = stocked().await;
    let commands = [
        json!({"receive": {"account": TEA, "quantity": 2}}),
        take(TEA, 3),
        take(CUP, 9),
        take(TEA, 3),
    ];
    let bodies =
        [json!({"commands": commands}), json!({"commands": &commands[..2], "atomic": true})];
    let mut told = Vec::new();
    for (at, body) in bodies.iter().enumerate() {
        let answer = office.post_keyed("/v1/batch", &format!("b{at}"), body.clone()).await;
        answer.data();
        told.push(answer.without_timestamp());
    }
    for reopened in [false, true] {
        if reopened {
            shop = shop.reopen().await;
            office = service(&shop).await;
        }
        let before = shop.state();
        for (at, body) in bodies.iter().enumerate() {
            let again = office.post_keyed("/v1/batch", &format!("b{at}"), body.clone()).await;
            assert_eq!(again.without_timestamp(), told[at], "reopened: {reopened}");
        }
        assert_eq!(shop.state(), before);
    }
    assert_eq!(numbers(&mut office, TEA).await, [5, 9, 0, 14, 0]);
    let other = json!({"commands": [take(TEA, 1)]});
    let told = office.post_keyed("/v1/batch", "b0", other).await.data();
    assert_eq!(told["results"][0]["failed"]["code"], "IDEMPOTENCY_CONFLICT");
    let other = json!({"commands": [take(TEA, 1)], "atomic": true});
    office.post_keyed("/v1/batch", "b1", other).await.failure(422, "IDEMPOTENCY_CONFLICT");
}

#[tokio::test]
async fn a_batch_has_up_to_a_thousand_commands() {
    let (_shop, mut office) = stocked().await;
    let note = "n".repeat(100);
    let receive = json!({"receive": {"account": TEA, "quantity": 1, "note": note}});
    let told = batch(&mut office, &vec![receive.clone(); 1_000], false).await.data();
    assert_eq!(told["results"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(numbers(&mut office, TEA).await[0], 1_010);
    for wrong in [vec![], vec![receive; 1_001]] {
        batch(&mut office, &wrong, false).await.failure(400, "INVALID_REQUEST");
    }
    for wrong in [
        json!({}),
        json!({"commands": [{"refund": {}}]}),
        json!({"commands": [{"receive": {"account": TEA, "quantity": 1, "x": 1}}]}),
        json!({"commands": [{"receive": {"account": TEA, "quantity": 1}, "adjust": {}}]}),
        json!({"commands": [{"confirm": {"reservation": 7}}]}),
        json!({"commands": [{"receive": {"quantity": 1}}]}),
    ] {
        office.post("/v1/batch", wrong).await.failure(400, "INVALID_REQUEST");
    }
    let long = json!({"commands": [{"receive": {"account": TEA, "quantity": 1, "note": "x".repeat(2 << 20)}}]});
    office.post("/v1/batch", long).await.failure(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(office.get(&of(TEA, "")).await.status, 200);
}
