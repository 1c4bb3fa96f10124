//! Would catch a server that hangs with its disk: that says it is well, lets requests wait for
//! ever, forgets what it decided meanwhile, or cannot be stopped.

use std::io::Write as _;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, stockhold};

/// A server whose disk hangs and answers as it is told.
fn serve(dir: &TempDir, more: &[&str]) -> Process {
    let path = dir.path().to_str().expect("a path in UTF-8");
    let mut command =
        stockhold(&["serve", "--demo", "--soaked", "--listen", "127.0.0.1:0", "--data-dir", path]);
    // The clock is right: that is what it asks for before anything is opened.
    let (input, mut tell) = std::io::pipe().expect("a pipe");
    tell.write_all(b"0\n").expect("the pipe takes a line");
    let process = Process::start(command.args(more).stdin(Stdio::from(input)));
    process.told_by(tell)
}

fn movie() -> serde_json::Value {
    json!({"productId": "prod_movie", "quantity": 1})
}

async fn demo(server: &Process, dir: &TempDir) -> Client {
    Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await
}

#[tokio::test]
async fn a_disk_that_hangs_is_told_of_and_a_retry_with_its_key_hears_what_became_of_it() {
    let dir = TempDir::new().expect("a directory");
    let mut server = serve(&dir, &["--sync-timeout", "100ms", "--exchange-patience", "0ms"]);
    let mut demo = demo(&server, &dir).await;
    let body = movie();
    let balance = demo.balance().await;

    server.tell("disk hangs");
    let unknown = demo.post_keyed("/api/mall/exchange", "one", body.clone()).await;
    unknown.failure(503, "OUTCOME_UNKNOWN");
    assert!(unknown.header("retry-after").is_some(), "{unknown:?}");
    for path in ["/health", "/ready"] {
        let told = demo.get(path).await;
        let checks = told.json()["checks"].take();
        assert_eq!((told.status, &checks["disk"]), (503, &"rejected".into()), "{path}: {checks}");
        assert!(checks["syncAgeMs"].as_u64().is_some_and(|age| age >= 100), "{path}: {checks}");
    }
    // What is new is refused at once, and the books that may not survive are not told.
    demo.post_keyed("/api/mall/exchange", "two", body.clone()).await.failure(503, "DISK_STALLED");
    demo.get("/api/points/balance").await.failure(503, "DISK_STALLED");
    demo.get("/api/mall/orders").await.failure(503, "DISK_STALLED");
    demo.post_keyed("/api/mall/exchange", "one", body.clone())
        .await
        .failure(503, "OUTCOME_UNKNOWN");

    server.tell("disk answers");
    let order = demo.post_keyed("/api/mall/exchange", "one", body.clone()).await.data();
    assert_eq!(demo.get("/health").await.status, 200, "it recovers by itself");
    let orders = demo.get("/api/mall/orders").await.data();
    assert_eq!(orders["orders"].as_array().map(Vec::len), Some(1), "{orders}");
    assert_eq!(orders["orders"][0]["orderId"], order["orderId"]);
    assert_eq!(demo.balance().await, balance - 4500, "it was sold once");
}

/// By default exchanges are patient.
#[tokio::test]
async fn exchanges_wait_until_a_disk_that_hangs_answers() {
    let dir = TempDir::new().expect("a directory");
    let mut server = serve(&dir, &["--sync-timeout", "100ms"]);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(demo(&server, &dir).await);
    }
    let (mut demo, body) = (demo(&server, &dir).await, movie());
    let balance = demo.balance().await;
    server.tell("disk hangs");
    let asked = clients.into_iter().enumerate().map(|(key, mut client)| {
        let body = body.clone();
        tokio::spawn(async move {
            client.post_keyed("/api/mall/exchange", &format!("k{key}"), body).await.data()
        })
    });
    let asked: Vec<_> = asked.collect();
    let token = demo_token(dir.path(), "root", "admin");
    let mut admin = Client::connect(server.address, Some(token)).await;
    loop {
        let told = admin.get("/metrics").await;
        let told = String::from_utf8(told.body.to_vec()).expect("text");
        if told.contains("\nstockhold_exchanges_waiting 3\n") {
            break;
        }
    }
    server.tell("disk answers");
    for answer in asked {
        answer.await.expect("each is made");
    }
    assert_eq!(demo.balance().await, balance - 3 * 4500, "once");
}

#[tokio::test]
async fn a_disk_that_hangs_holds_up_no_end() {
    let dir = TempDir::new().expect("a directory");
    let short =
        ["--sync-timeout", "100ms", "--exchange-patience", "0ms", "--shutdown-timeout", "2s"];
    let mut server = serve(&dir, &short);
    let mut demo = demo(&server, &dir).await;
    server.tell("disk hangs");
    demo.post("/api/mall/exchange", movie()).await.failure(503, "OUTCOME_UNKNOWN");
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 1, "{log}");
    let last = log.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("stockhold: the engine did not close within 1s: it was still "),
        "{log}"
    );

    let server = Process::demo(dir.path());
    let mut demo = self::demo(&server, &dir).await;
    assert_eq!(demo.get("/health").await.status, 200, "nothing is damaged");
}

#[tokio::test]
async fn a_signal_is_heard_while_the_engine_closes() {
    let dir = TempDir::new().expect("a directory");
    let mut server = serve(&dir, &["--sync-timeout", "100ms", "--shutdown-timeout", "1h"]);
    server.tell("disk hangs");
    server.signal(Signal::TERM);
    server.read_log_to("closing");
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("stopping at once: the engine is not closed"), "{log}");
}
