//! Would catch a line of a batch that happens twice or is lost, one that is refused and takes others with
//! it, or whose error names another, and a caller who may not move anybody's points.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stockhold::http::{Limits, Role};

use crate::support::{Client, NOW_MS, Reply, Setup, Shop};

const BATCH: &str = "/api/points/batch";
const DAY_MS: u64 = 86_400_000;

/// What each line was told: its path, its code, and the balance or nothing.
fn told(reply: &Reply) -> Vec<(String, String, Option<i64>)> {
    let data = reply.data();
    let lines = data["lines"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let applied = lines.iter().filter(|line| line["success"] == true).count();
    assert_eq!(
        (&data["applied"], &data["refused"]),
        (&applied.into(), &(lines.len() - applied).into())
    );
    let row =
        |line: &Value| (text(&line["path"]), text(&line["code"]), line["data"]["balance"].as_i64());
    lines.iter().map(row).collect()
}

fn row(path: &str, code: &str, balance: Option<i64>) -> (String, String, Option<i64>) {
    (path.to_owned(), code.to_owned(), balance)
}

async fn records(ops: &mut Client, user: &str) -> Vec<Value> {
    let page = ops.get(&format!("/api/admin/points/{user}/records?page_size=100")).await.data();
    page["records"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn each_line_is_answered_on_its_own_and_an_error_names_its_field() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let lines = json!({"lines": [
        {"userId": "ann", "points": 10, "source": "invite_reward", "reason": "六月活动"},
        {"kind": "deduct", "userId": "ann", "points": 4, "reason": "误发", "orderId": "pay-7"},
        {"kind": "deduct", "userId": "ann", "points": 7, "reason": "误发"},
        {"userId": "bob", "points": 5, "expiresAt": NOW_MS + 1},
        {"userId": "bob", "points": 0},
        {"userId": "b b", "points": 1},
        7,
        {"userId": "bob", "points": 1, "expiresAt": NOW_MS},
        {"kind": "deduct", "userId": "bob", "points": 1, "reason": "误发", "expiresAt": NOW_MS + 1},
        {"kind": "deduct", "userId": "bob", "points": 1},
        {"userId": "bob", "points": 1, "reason": "a\nb"},
        {"userId": "bob", "points": 1, "colour": "red"},
        {"userId": "bob", "points": 1, "key": "a b"},
        {"kind": "give", "userId": "bob", "points": 1},
        {"kind": "refund", "userId": "ann", "points": 1, "reason": "退货"},
        {"kind": "deduct", "userId": "eve", "points": 1, "reason": "误发"},
    ]});
    let reply = ops.post(BATCH, lines).await;
    let (good, wrong) = ("SUCCESS", "INVALID_REQUEST");
    assert_eq!(
        told(&reply),
        [
            row("$.lines[0]", good, Some(10)),
            row("$.lines[1]", good, Some(6)),
            row("$.lines[2].points", "INSUFFICIENT_POINTS", None),
            row("$.lines[3]", good, Some(5)),
            row("$.lines[4].points", wrong, None),
            row("$.lines[5].userId", wrong, None),
            row("$.lines[6]", wrong, None),
            row("$.lines[7].expiresAt", wrong, None),
            row("$.lines[8].expiresAt", wrong, None),
            row("$.lines[9].reason", wrong, None),
            row("$.lines[10].reason", wrong, None),
            row("$.lines[11].colour", wrong, None),
            row("$.lines[12].key", wrong, None),
            row("$.lines[13].kind", wrong, None),
            row("$.lines[14]", good, Some(7)),
            row("$.lines[15].points", "INSUFFICIENT_POINTS", None),
        ]
    );
    let lines = &reply.data()["lines"];
    assert_eq!(lines[2]["data"], json!({"required": 7, "available": 6, "nextReleaseAt": null}));
    let until = lines[3]["data"]["expiresAt"].as_u64().expect("the end of a day");
    assert!(until > NOW_MS && until.is_multiple_of(DAY_MS), "{until}");
    assert!(lines[4]["message"].as_str().is_some_and(|it| it.contains("$.lines[4].points: ")));

    let of_ann = records(&mut ops, "ann").await;
    let shown = |it: &Value| json!([it["points"], it["source"], it["operator"], it["orderId"]]);
    assert_eq!(
        of_ann.iter().map(shown).collect::<Vec<_>>(),
        [
            json!([1, "mall_refund", "ops", null]),
            json!([-4, "admin_adjust", "ops", "pay-7"]),
            json!([10, "invite_reward", "ops", null]),
        ]
    );
    assert!(shop.engine.account(&stockhold::AccountKey::points("eve").expect("a name")).is_none());
}

#[tokio::test]
async fn what_is_no_batch_is_refused_whole() {
    let limits = Limits { body_bytes: 8 * 1024, ..Limits::default() };
    let shop = Shop::with(Setup { limits, ..Setup::default() }).await;
    let mut ops = shop.operator().await;
    let line = json!({"userId": "ann", "points": 1});
    let before = shop.state();
    for (body, path) in [
        (json!({}), "$.lines"),
        (json!({"lines": {}}), "$.lines"),
        (json!({"lines": []}), "$.lines"),
        (json!({"lines": vec![line.clone(); 1001]}), "$.lines"),
        (json!({"lines": [line], "dryRun": true}), "$.dryRun"),
    ] {
        let reply = ops.post(BATCH, body).await;
        reply.failure(400, "INVALID_REQUEST");
        let message = reply.json()["message"].to_string();
        assert!(message.contains(&format!("{path}: ")), "{message}");
    }
    let long = json!({"lines": [{"userId": "ann", "points": 1, "reason": "x".repeat(64 * 1024)}]});
    ops.post(BATCH, long).await.failure(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(shop.state(), before);

    let body = json!({"lines": [{"userId": "bob", "points": 1}]});
    shop.user("ann").await.post(BATCH, body.clone()).await.failure(403, "FORBIDDEN");
    let mut till = shop.client("till", Role::Service).await;
    let named = till.post_request(BATCH).header("X-On-Behalf-Of", "bob");
    till.send(named, body.to_string()).await.failure(403, "FORBIDDEN");
    assert_eq!(shop.state(), before);
    assert_eq!(told(&till.post(BATCH, body).await), [row("$.lines[0]", "SUCCESS", Some(1))]);
    assert_eq!(records(&mut ops, "bob").await[0]["operator"], "till");
}

/// A thousand lines: awards, some that end, deductions that are refused, and lines of no form.
fn many() -> Value {
    let line = |number: u64| match number % 10 {
        7 => {
            json!({"kind": "deduct", "userId": format!("user{}", number % 40), "points": 9_999, "reason": "x"})
        }
        8 => json!({"userId": format!("user{}", number % 40), "points": 0}),
        9 => {
            json!({"userId": format!("user{}", number % 40), "points": 2, "expiresAt": NOW_MS + DAY_MS})
        }
        _ => json!({"userId": format!("user{}", number % 40), "points": 3}),
    };
    json!({"lines": (0..1_000).map(line).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_batch_that_is_sent_again_has_one_effect_and_hears_the_first_answer() {
    let mut shop = Shop::open().await;
    for (name, role) in [("ops", Role::Operator), ("till", Role::Service)] {
        let mut client = shop.client(name, role).await;
        let first = client.post_keyed(BATCH, "june", many()).await;
        assert_eq!(
            (first.data()["applied"].clone(), first.data()["refused"].clone()),
            (800.into(), 200.into())
        );
        for reopened in [false, true] {
            if reopened {
                shop = shop.reopen().await;
                client = shop.client(name, role).await;
            }
            let before = shop.state();
            let again = client.post_keyed(BATCH, "june", many()).await;
            assert_eq!(again.without_timestamp(), first.without_timestamp(), "{name}, {reopened}");
            assert_eq!(shop.state(), before, "{name}, {reopened}");
        }
    }
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for line in many()["lines"].as_array().expect("a list").iter().filter(|it| it["kind"].is_null())
    {
        let points = line["points"].as_i64().expect("a number");
        *sums.entry(line["userId"].as_str().expect("a user").to_owned()).or_default() += 2 * points;
    }
    for (user, points) in sums {
        assert_eq!(shop.user(&user).await.balance().await, points, "{user}");
    }
}

#[tokio::test]
async fn a_line_is_known_by_its_own_key_wherever_it_stands() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let line = |key: &str, points: u64| json!({"userId": "ann", "points": points, "key": key});
    let batch = |lines: &[Value]| json!({"lines": lines});
    let first = ops.post_keyed(BATCH, "k", batch(&[line("a", 1), line("b", 2)])).await;
    assert_eq!(
        told(&first),
        [row("$.lines[0]", "SUCCESS", Some(1)), row("$.lines[1]", "SUCCESS", Some(3))]
    );
    // In another order, with another beside, and one that is another line by now.
    let again = batch(&[line("c", 4), line("b", 2), line("a", 8), line("c", 4)]);
    assert_eq!(
        told(&ops.post_keyed(BATCH, "k", again.clone()).await),
        [
            row("$.lines[0]", "SUCCESS", Some(7)),
            row("$.lines[1]", "SUCCESS", Some(3)),
            row("$.lines[2].key", "IDEMPOTENCY_CONFLICT", None),
            row("$.lines[3]", "SUCCESS", Some(7)),
        ]
    );
    assert_eq!(shop.user("ann").await.balance().await, 7);
    // Without a key of the request, that of the line is enough; without either, nothing is known again.
    for expected in [16, 16] {
        let alone = ops.post(BATCH, batch(&[line("a", 9)])).await;
        assert_eq!(told(&alone), [row("$.lines[0]", "SUCCESS", Some(expected))]);
    }
    for expected in [17, 18] {
        let plain = ops.post(BATCH, json!({"lines": [{"userId": "ann", "points": 1}]})).await;
        assert_eq!(told(&plain), [row("$.lines[0]", "SUCCESS", Some(expected))]);
    }
    // Another caller's key is another key.
    let mut till = shop.client("till", Role::Service).await;
    assert_eq!(told(&till.post_keyed(BATCH, "k", batch(&[line("a", 1)])).await)[0].2, Some(19));
}

#[tokio::test]
async fn a_batch_that_was_cut_off_is_sent_again_and_does_the_rest() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    // Its first lines, as one that broke off would have had them decided.
    let all: Vec<Value> =
        (0..200).map(|number| json!({"userId": format!("u{}", number % 3), "points": 1})).collect();
    ops.post_keyed(BATCH, "june", json!({"lines": &all[..100]})).await.data();
    let whole = ops.post_keyed(BATCH, "june", json!({"lines": all})).await;
    assert_eq!(whole.data()["applied"], 200);
    let mut sum = 0;
    for user in ["u0", "u1", "u2"] {
        sum += shop.user(user).await.balance().await;
    }
    assert_eq!(sum, 200);
}
