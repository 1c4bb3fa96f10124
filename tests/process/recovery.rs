//! Would catch an acknowledged order that a crash takes back, a retry that buys twice after it, and
//! a server that goes on selling when its disk has failed: the mall's 服务故障恢复测试 on the real program.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::{Client, PROGRAM, Process, demo_token, isolated};

const BUYERS: usize = 8;
const PRICE: u64 = 4500;
/// After so many answers the server is killed.
const ANSWERS: usize = 150;
const POINTS: u64 = 10_000_000;

/// What the buyers know: keys that were answered with the order's id and status, and keys that were
/// sent.
#[derive(Default)]
struct Known {
    answered: BTreeMap<String, (String, i64)>,
    sent: BTreeSet<String>,
}

/// 服务故障恢复测试: 服务恢复后检查数据一致性.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_failure_recovery() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    let address = server.address;
    award(address, dir.path()).await;
    let token = demo_token(dir.path(), "ann", "user");

    let known = Arc::new(Mutex::new(Known::default()));
    let (answers, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        let client = Client::connect(address, Some(token.clone())).await;
        buyers.spawn(buy_until_it_fails(
            buyer,
            client,
            known.clone(),
            answers.clone(),
            enough.clone(),
        ));
    }
    enough.notified().await;
    server.signal(Signal::KILL);
    assert_eq!(server.wait().0, -1, "it was killed");
    buyers.join_all().await;
    let known = Arc::into_inner(known)
        .expect("the buyers are done")
        .into_inner()
        .expect("no buyer panicked");
    assert!(
        known.answered.len() >= ANSWERS && known.sent.len() > known.answered.len(),
        "some were under way"
    );

    let server = Process::demo(dir.path());
    let mut ann = Client::connect(server.address, Some(token)).await;
    for (key, (order, status)) in &known.answered {
        let found = ann.get(&format!("/api/mall/orders/{order}")).await.data();
        assert_eq!(found["status"], *status, "{key} was answered: {found}");
    }
    let orders_before = books(&mut ann, server.address, dir.path()).await;
    assert!(
        (known.answered.len()..=known.sent.len()).contains(&orders_before),
        "{orders_before} orders"
    );

    // Every buyer asks again, and each request has had one effect.
    for key in &known.sent {
        let made = buy(&mut ann, key).await.expect("the server is back");
        if let Some(answered) = known.answered.get(key) {
            assert_eq!(made, *answered, "{key} hears its first answer");
        }
    }
    assert_eq!(
        books(&mut ann, server.address, dir.path()).await,
        known.sent.len(),
        "one order for each key"
    );
}

async fn buy_until_it_fails(
    buyer: usize,
    mut client: Client,
    known: Arc<Mutex<Known>>,
    answers: Arc<AtomicUsize>,
    enough: Arc<Notify>,
) {
    for number in 0.. {
        let key = format!("{buyer}-{number}");
        known.lock().expect("no buyer panicked").sent.insert(key.clone());
        let Some(made) = buy(&mut client, &key).await else {
            return;
        };
        known.lock().expect("no buyer panicked").answered.insert(key, made);
        if answers.fetch_add(1, Ordering::SeqCst) + 1 == ANSWERS {
            enough.notify_one();
        }
    }
}

/// Every second order is confirmed at once. The order and its status; `None` when the server is
/// gone.
async fn buy(client: &mut Client, key: &str) -> Option<(String, i64)> {
    let confirm = key.ends_with(['0', '2', '4', '6', '8']);
    let body = json!({"productId": "prod_movie", "quantity": 1, "confirm": confirm}).to_string();
    let request = client.post_request("/api/mall/exchange").header("Idempotency-Key", key);
    let data = client.try_send(request, body).await.ok()?.data();
    assert_eq!(data["status"], i64::from(confirm), "{data}");
    Some((data["orderId"].as_str()?.to_owned(), data["status"].as_i64()?))
}

/// Whether points and stock tell of the same number of orders; the number.
async fn books(ann: &mut Client, address: SocketAddr, dir: &Path) -> usize {
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} is a number"));
    let points = ann.get("/api/points/balance").await.data();
    let spent = number(&points["reserved"]) + number(&points["consumed"]);
    assert_eq!(number(&points["balance"]) + spent, POINTS, "points are conserved: {points}");
    let mut admin = Client::connect(address, Some(demo_token(dir, "root", "admin"))).await;
    let stock = admin.get("/api/admin/inventory/prod_movie").await.data();
    let sold = number(&stock["reserved"]) + number(&stock["sold"]);
    assert_eq!(number(&stock["available"]) + sold, 2000, "stock is conserved: {stock}");
    assert_eq!(spent, sold * PRICE, "points and stock tell the same");
    assert_eq!(
        number(&points["consumed"]),
        number(&stock["sold"]) * PRICE,
        "as many are confirmed"
    );
    sold as usize
}

async fn award(address: SocketAddr, dir: &Path) {
    let mut admin = Client::connect(address, Some(demo_token(dir, "root", "admin"))).await;
    admin.post("/api/admin/points/ann/award", json!({"points": POINTS})).await.data();
}

/// 检查兑换流程降级: with a disk that takes no more writes, nothing is sold, what is asked of the books is
/// refused, and the catalogue is still there. A restart has everything that was acknowledged.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_failed_disk_stops_the_exchange_and_a_restart_mends_it() {
    use rustix::process::{Resource, Rlimit, prlimit};

    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    // A write beyond the limit is an error only where the signal that comes with it is ignored.
    let ignoring = "trap '' XFSZ; exec \"$0\" \"$@\"";
    let mut shell =
        isolated("sh", &["-c", ignoring, PROGRAM, "serve", "--demo", "--listen", "127.0.0.1:0"]);
    let server = Process::start(shell.args(["--data-dir", path]));
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    let order = demo.post("/api/mall/exchange", body.clone()).await.data();
    let balance = demo.balance().await;

    prlimit(Some(server.pid()), Resource::Fsize, Rlimit { current: Some(0), maximum: Some(0) })
        .expect("a lower limit");
    for _ in 0..2 {
        let refused = demo.post("/api/mall/exchange", body.clone()).await;
        refused.failure(503, "UNAVAILABLE");
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
    }
    let order_path = format!("/api/mall/orders/{}", order["orderId"].as_str().expect("a string"));
    demo.get("/api/points/balance").await.failure(503, "UNAVAILABLE");
    demo.get(&order_path).await.failure(503, "UNAVAILABLE");
    assert_eq!((demo.get("/health").await.status, demo.get("/ready").await.status), (503, 503));
    demo.get("/api/mall/products").await.data();
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_ne!(code, 0, "the last words say what is wrong:\n{log}");

    let server = Process::demo(dir.path());
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    assert_eq!(demo.get(&order_path).await.data()["status"], 0);
    assert_eq!(demo.balance().await, balance, "what was refused had no effect");
    demo.post("/api/mall/exchange", body).await.data();
}
