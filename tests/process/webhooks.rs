//! Would catch a message to a receiver of webhooks that a killed server loses, or tells out of its
//! order when it is back; and a report that does not come, or comes again after a restart.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Answer, Client, Hook, Process, by_order, demo_token, signature};

const KILLS: usize = 3;
const ORDERS: usize = 12;

fn serve(dir: &Path) -> Process {
    let dir = dir.to_str().expect("a path in UTF-8");
    let hosts = ["--webhook-private-hosts", "127.0.0.1"];
    Process::serve(&[&["--demo", "--data-dir", dir][..], &hosts].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_tells_everything_that_it_acknowledged_in_its_order() {
    let (dir, hook) = (TempDir::new().expect("a directory"), Hook::open().await);
    let mut server = serve(dir.path());
    let ops = demo_token(dir.path(), "ops", "operator");
    let ann = demo_token(dir.path(), "ann", "user");
    let mut operator = Client::connect(server.address, Some(ops.clone())).await;
    let receiver = json!({"receiverId": "till", "url": hook.url(), "events": ["order.*"]});
    operator.post("/api/admin/webhooks", receiver).await.data();
    operator.post("/api/admin/points/ann/award", json!({"points": 10_000_000})).await.data();
    let mut orders = Vec::new();
    for _ in 0..KILLS {
        // Some of what comes is refused, so that some waits when the server is killed.
        let count = Arc::new(AtomicUsize::new(0));
        hook.answers(move |_| {
            let is_refused = count.fetch_add(1, Ordering::SeqCst) % 3 == 2;
            Answer::Status(if is_refused { 500 } else { 204 })
        });
        let mut user = Client::connect(server.address, Some(ann.clone())).await;
        let before = hook.told().len();
        for _ in 0..ORDERS {
            let body = json!({"productId": "prod_movie", "quantity": 1});
            let made = user.post("/api/mall/exchange", body).await.data();
            let order = made["orderId"].as_str().expect("an id").to_owned();
            user.post(&format!("/api/mall/orders/{order}/confirm"), json!({})).await.data();
            orders.push(order);
        }
        hook.count(before + ORDERS / 2).await;
        server.signal(Signal::KILL);
        assert_eq!(server.wait().0, -1, "it was killed");
        server = serve(dir.path());
    }
    hook.answers(|_| Answer::Status(204));
    let whole = ["order.created", "order.confirmed"];
    let told = hook
        .until(|told| {
            let delivered = by_order(told);
            orders.iter().all(|order| delivered.get(order).is_some_and(|it| it.len() == 2))
        })
        .await;
    for (order, kinds) in by_order(&told) {
        assert_eq!(kinds, whole, "{order}");
    }
    drop(server);
}

async fn make(operator: &mut Client, id: &str, hook: &Hook) -> String {
    let receiver = json!({"receiverId": id, "url": hook.url(), "events": ["report.*"]});
    let made = operator.post("/api/admin/webhooks", receiver).await.data();
    made["secret"].as_str().expect("it is shown").to_owned()
}

/// Waits until what a receiver was told is known to be delivered: two reports, and a third when a day
/// ends just then.
async fn has_both(operator: &mut Client, id: &str, hook: &Hook) {
    hook.count(2).await;
    let path = format!("/api/admin/webhooks/{id}");
    while operator.get(&path).await.data()["delivered"].as_u64() < Some(2) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_day_and_week_are_reported_signed_and_once_through_a_restart() {
    let dir = TempDir::new().expect("a directory");
    let (first, second) = (Hook::open().await, Hook::open().await);
    let server = serve(dir.path());
    let ops = demo_token(dir.path(), "ops", "operator");
    let mut operator = Client::connect(server.address, Some(ops.clone())).await;
    let secret = make(&mut operator, "a-first", &first).await;
    has_both(&mut operator, "a-first", &first).await;
    let told = first.told();
    for it in &told {
        assert_eq!(it.signatures, signature(&secret, it), "the receiver can tell who says so");
        let (kind, data) = (it.kind(), it.json()["data"].clone());
        assert_eq!(kind, format!("report.{}", data["span"].as_str().expect("a word")));
        assert_eq!((&data["isOver"], &data["timeZone"]), (&json!(true), &json!("UTC")));
        let (span, period) = (data["span"].as_str(), data["period"].as_str());
        let name = format!("_{}_{}", span.expect("a word"), period.expect("a name"));
        assert!(it.id.ends_with(&name), "{}", it.id);
    }
    for kind in ["report.daily", "report.weekly"] {
        assert!(told.iter().any(|it| it.kind() == kind), "{kind}");
    }

    server.signal(Signal::TERM);
    server.wait();
    let server = serve(dir.path());
    let mut operator = Client::connect(server.address, Some(ops)).await;
    make(&mut operator, "b-second", &second).await;
    // Who comes later in their order has theirs: so the first was looked at.
    has_both(&mut operator, "b-second", &second).await;
    let mut ids: Vec<_> = first.told().into_iter().map(|it| it.id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "a report came twice");
    for it in second.told() {
        let same = told.iter().find(|first| first.id == it.id);
        assert!(same.is_none_or(|same| same.body == it.body), "whoever asks, a day is the same");
    }
    drop(server);
}
