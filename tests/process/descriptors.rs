//! Would catch connections that take the descriptors that files need, and a history or a journal
//! that does not go on after a moment without any.

use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Client, PROGRAM, Process, demo_token, isolated, run};

fn order() -> serde_json::Value {
    json!({"productId": "prod_movie", "quantity": 1, "confirm": true})
}

/// `stockhold serve` where no more than `limit` files can be open.
fn limited(limit: u32, dir: &str) -> std::process::Command {
    let serve = format!(
        "ulimit -n {limit} && exec \"$0\" serve --demo --listen 127.0.0.1:0 --data-dir \"$1\""
    );
    isolated("sh", &["-c", &serve, PROGRAM, dir])
}

#[tokio::test]
async fn connections_leave_files_their_descriptors() {
    let dir = TempDir::new().expect("a directory");
    let mut server =
        Process::start(&mut limited(200, dir.path().to_str().expect("a path in UTF-8")));
    server.read_log_to("the limit of open files is too low for max_connections");
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    demo.post("/api/mall/exchange", order()).await.data();
    // More than there are descriptors, and none of them says a word.
    let mut silent = Vec::new();
    for number in 0..300 {
        silent.push(TcpStream::connect(server.address).expect("the server accepts"));
        if number % 3 == 0 {
            demo.post("/api/mall/exchange", order()).await.data();
        }
    }
    let orders = demo.get("/api/mall/orders?page_size=100").await.data();
    assert_eq!(orders["orders"].as_array().expect("an array").len(), 100);
    assert_eq!(demo.get("/health").await.json()["checks"]["history"], "fulfilled");
    // And it closes well, with a checkpoint.
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("Too many open files"), "{log}");
}

#[test]
fn a_limit_that_leaves_nothing_is_refused() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let (code, printed, log) = run(&mut limited(80, data.to_str().expect("a path in UTF-8")));
    assert_eq!((code, printed.as_str()), (1, ""), "{log}");
    assert!(log.contains("open files is 80") && log.contains("LimitNOFILE"), "{log}");
    assert!(!data.exists(), "nothing was made");
}

#[tokio::test]
async fn history_goes_on_after_a_moment_without_descriptors() {
    let dir = TempDir::new().expect("a directory");
    let mut server = Process::demo(dir.path());
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    demo.post("/api/mall/exchange", order()).await.data();
    let pid = Some(server.pid());
    // What is open stays open, and nothing can be opened.
    let none = Rlimit { current: Some(0), maximum: getrlimit(Resource::Nofile).maximum };
    let before = prlimit(pid, Resource::Nofile, none).expect("the server's limit");
    demo.post("/api/mall/exchange", order()).await.data();
    server.read_log_to("history waits until files can be opened again");
    demo.post("/api/mall/exchange", order()).await.data();
    assert_eq!(
        demo.get("/api/mall/orders").await.data()["orders"].as_array().expect("an array").len(),
        3
    );
    prlimit(pid, Resource::Nofile, before).expect("the server's limit");
    server.read_log_to("history goes on");
    assert_eq!(demo.get("/health").await.json()["checks"]["history"], "fulfilled");
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
    let server = Process::demo(dir.path());
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    assert_eq!(
        demo.get("/api/mall/orders").await.data()["orders"].as_array().expect("an array").len(),
        3
    );
}
