//! Would catch a sale that charges twice, forgets a charge or keeps points of an order that came to
//! nothing, when the service that keeps the points fails, stalls, loses answers, does things twice and
//! dies, and our server is killed meanwhile: the mall's 服务故障恢复测试 with the points elsewhere.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hyper::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::{Client, PROGRAM, Process, demo_token, isolated, run, stockhold};

const BUYERS: usize = 12;
const PRICE: u64 = 4_500;
/// Two orders of each buyer can be paid, and a third cannot.
const POINTS: u64 = 2 * PRICE + 10;
const SECRET: &str = "hush";

/// A service in a process of its own, which is started again whenever it dies.
struct StandIn {
    address: SocketAddr,
    book: PathBuf,
    running: Arc<Mutex<Option<Process>>>,
    is_over: Arc<AtomicBool>,
    keeper: Option<thread::JoinHandle<usize>>,
}

fn start(book: &Path, listen: &str, troubles: &[&str]) -> Process {
    let mut command = isolated(PROGRAM, &["points", "stand-in", "--listen", listen]);
    command.args(["--secret", SECRET, "--book"]).arg(book);
    for buyer in 0..BUYERS {
        command.args(["--balance", &format!("buyer-{buyer}={POINTS}")]);
    }
    for trouble in troubles {
        command.args(["--trouble", trouble]);
    }
    Process::start(&mut command)
}

impl StandIn {
    fn new(dir: &Path, troubles: &'static [&'static str]) -> Self {
        let book = dir.join("book.json");
        let first = start(&book, "127.0.0.1:0", troubles);
        let (address, pid) = (first.address, first.pid());
        let (running, is_over) = (Arc::new(Mutex::new(Some(first))), Arc::default());
        let keeper = thread::spawn({
            let (book, running, is_over) = (book.clone(), running.clone(), Arc::clone(&is_over));
            move || keep(&book, address, troubles, pid, &running, &is_over)
        });
        Self { address, book, running, is_over, keeper: Some(keeper) }
    }

    /// Ends it for good; how often it died before.
    fn end(mut self) -> (SocketAddr, PathBuf, usize) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(process) = self.running.lock().expect("its keeper lives").as_ref() {
            process.signal(Signal::KILL);
        }
        let deaths = self.keeper.take().expect("it has a keeper").join().expect("it ends");
        (self.address, self.book.clone(), deaths)
    }
}

/// Starts the service again whenever it dies; how often that was.
fn keep(
    book: &Path,
    address: SocketAddr,
    troubles: &[&str],
    mut pid: rustix::process::Pid,
    running: &Mutex<Option<Process>>,
    is_over: &AtomicBool,
) -> usize {
    let mut deaths = 0;
    loop {
        // Left for its parent to collect, so that its number stays its own.
        let options =
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        let died = rustix::process::waitid(rustix::process::WaitId::Pid(pid), options);
        died.expect("it is a child of this process");
        drop(running.lock().expect("nobody panicked").take());
        if is_over.load(Ordering::SeqCst) {
            return deaths;
        }
        deaths += 1;
        let next = start(book, &address.to_string(), troubles);
        pid = next.pid();
        let mut place = running.lock().expect("nobody panicked");
        if is_over.load(Ordering::SeqCst) {
            next.signal(Signal::KILL);
        }
        *place = Some(next);
    }
}

fn serve(dir: &Path, points: SocketAddr) -> Process {
    let mut command = stockhold(&["serve", "--listen", "127.0.0.1:0", "--demo", "--data-dir"]);
    command.arg(dir).env("STOCKHOLD_POINTS_SERVICE_SECRET", SECRET).args([
        "--points-service",
        &format!("http://{points}"),
        "--points-service-timeout",
        "150ms",
        "--points-service-pause",
        "200ms",
        "--points-service-patience",
        "2s",
    ]);
    Process::start(&mut command)
}

/// Buys with each key until it is answered, at whatever address the server has by now; the keys that
/// made orders.
async fn buy(
    buyer: usize,
    [token, operator]: [String; 2],
    address: Arc<Mutex<SocketAddr>>,
) -> usize {
    let mut bought = 0;
    for number in 0..3 {
        let key = format!("{buyer}-{number}");
        loop {
            let to = *address.lock().expect("nobody panicked");
            let order = json!({"productId": "prod_movie", "quantity": 1, "confirm": true});
            let Some(reply) = ask(to, &token, &key, order).await else {
                tokio::task::yield_now().await;
                continue;
            };
            match (reply.status, reply.envelope()["code"].as_str()) {
                (200, _) => {
                    assert_eq!(reply.data()["status"], 1, "it is confirmed");
                    bought += 1;
                    break;
                }
                (409, Some("INSUFFICIENT_POINTS")) => break,
                // Who asks again and again while the service is left alone may ask too much.
                (503, Some(_)) | (429, Some("RATE_LIMITED")) => hurry(to, &operator).await,
                (status, code) => panic!("{key}: {status} {code:?}"),
            }
        }
    }
    bought
}

/// Has an operator drive what waits, which would be tried after a pause of seconds.
async fn hurry(to: SocketAddr, operator: &str) {
    let Some(mut client) = Client::try_connect(to, Some(operator.to_owned())).await else { return };
    let list = client.request(Method::GET, "/api/admin/sagas");
    let Ok(list) = client.try_send(list, String::new()).await else { return };
    for saga in list.envelope()["data"]["sagas"].as_array().into_iter().flatten() {
        let path = format!("/api/admin/sagas/{}/retry", saga["orderId"].as_str().unwrap_or("none"));
        let body = json!({"reason": "its user waits"}).to_string();
        let retry = client.post_request(&path);
        if client.try_send(retry, body).await.is_err() {
            return;
        }
    }
}

/// One request on a connection of its own; `None` when the server is gone.
async fn ask(to: SocketAddr, token: &str, key: &str, body: Value) -> Option<crate::support::Reply> {
    let mut client = Client::try_connect(to, Some(token.to_owned())).await?;
    let request = client.post_request("/api/mall/exchange").header("Idempotency-Key", key);
    client.try_send(request, body.to_string()).await.ok()
}

fn reconcile(dir: &Path, points: SocketAddr) -> (i32, String) {
    let mut command = stockhold(&["points", "reconcile", "--data-dir"]);
    let url = format!("http://{points}");
    command.arg(dir).args(["--points-service", &url]);
    let (code, printed, log) = run(command.env("STOCKHOLD_POINTS_SERVICE_SECRET", SECRET));
    (code, printed + &log)
}

/// 模拟积分服务故障 → 检查兑换流程降级 → 服务恢复后检查数据一致性.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_from_a_failure_of_the_points_service() {
    let (dir, there) = (TempDir::new().expect("one"), TempDir::new().expect("another"));
    let troubles = &["die-after=19", "die-before=17", "stall=11", "lose=7", "twice=5", "fail=3"];
    let service = StandIn::new(there.path(), troubles);
    let server = serve(dir.path(), service.address);
    let address = Arc::new(Mutex::new(server.address));
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        let token = demo_token(dir.path(), &format!("buyer-{buyer}"), "user");
        let operator = demo_token(dir.path(), "ops", "operator");
        buyers.spawn(buy(buyer, [token, operator], Arc::clone(&address)));
    }
    let mut bought = Vec::new();
    let mut server = Some(server);
    while let Some(done) = buyers.join_next().await {
        bought.push(done.expect("a buyer gets an answer"));
        // Our side dies in the middle of it, once.
        if let Some(running) = server.take_if(|_| bought.len() == 2) {
            running.signal(Signal::KILL);
            assert_eq!(running.wait().0, -1, "it was killed");
            let again = serve(dir.path(), service.address);
            *address.lock().expect("nobody panicked") = again.address;
            server = Some(again);
        }
    }
    // Whoever had enough for two has two, and nobody has three.
    assert_eq!(bought, [2; BUYERS]);

    // 服务恢复
    let (points, book, deaths) = service.end();
    assert!(deaths > 0, "it never died");
    let well = start(&book, &points.to_string(), &[]);
    let server = server.expect("it runs");
    let operator = demo_token(dir.path(), "ops", "operator");
    let mut operator = Client::connect(server.address, Some(operator)).await;
    loop {
        let sagas = operator.get("/api/admin/sagas").await.data();
        if sagas["count"] == 0 {
            break;
        }
        for saga in sagas["sagas"].as_array().expect("sagas") {
            let order = saga["orderId"].as_str().expect("an id");
            let path = format!("/api/admin/sagas/{order}/retry");
            operator.post(&path, json!({"reason": "the service is back"})).await;
        }
    }
    for buyer in 0..BUYERS {
        let token = demo_token(dir.path(), &format!("buyer-{buyer}"), "user");
        let mut client = Client::connect(server.address, Some(token)).await;
        assert_eq!(client.balance().await, 10, "buyer-{buyer}");
        // Units were held while the service was asked: what it refused is no order of theirs.
        let orders = client.get("/api/mall/orders").await.data()["orders"].clone();
        let statuses: Vec<_> =
            orders.as_array().expect("an array").iter().map(|it| it["status"].clone()).collect();
        assert_eq!(statuses, [1, 1], "buyer-{buyer}: {orders}");
        let path = format!("/api/admin/orders?user_id=buyer-{buyer}&status=-1");
        let refused = operator.get(&path).await.data()["orders"].clone();
        assert!(!refused.as_array().expect("an array").is_empty(), "operators see them");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0, 0);
    let (code, told) = reconcile(dir.path(), points);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("the books are equal"), "{told}");

    // What nobody here knows of is a difference.
    let mut stranger = Client::connect(points, Some(SECRET.to_owned())).await;
    let take = json!({"key": "stranger", "userId": "buyer-0", "points": 7});
    assert_eq!(stranger.post("/takes", take).await.status, 200);
    let (code, told) = reconcile(dir.path(), points);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("stranger of buyer-0: unknown here, 7 points there"), "{told}");
    drop(well);
}
