//! Would catch a server that drops a request under way when it is told to stop, that does not stop,
//! that leaves no checkpoint, or that starts where another one runs.
#![allow(clippy::disallowed_methods, reason = "the test looks at files")]

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, Process, demo_token, run, stockhold};

const BODY: &str = r#"{"productId":"prod_movie","quantity":1}"#;

/// An exchange whose handler waits for the body.
struct UnderWay(TcpStream);

impl UnderWay {
    async fn begin(address: SocketAddr, token: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the server accepts");
        let head = format!(
            "POST /api/mall/exchange HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {token}\r\n\
             Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            BODY.len()
        );
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        let mut answer = [0; 25];
        stream.read_exact(&mut answer).await.expect("the server asks for the body");
        assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
        Self(stream)
    }

    /// Sends the body; what comes until the server closes.
    async fn finish(mut self) -> String {
        drop(self.0.write_all(BODY.as_bytes()).await);
        let mut answer = Vec::new();
        drop(self.0.read_to_end(&mut answer).await);
        String::from_utf8(answer).expect("an answer in UTF-8")
    }
}

fn checkpoints(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("checkpoint")).expect("a directory").count()
}

#[tokio::test]
async fn a_signal_lets_requests_finish_and_leaves_a_checkpoint() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = TempDir::new().expect("a directory");
        let mut server = Process::demo(dir.path());
        let token = demo_token(dir.path(), "demo", "user");
        let mut idle = Client::connect(server.address, None).await;
        assert_eq!(idle.get("/ready").await.status, 200);
        let under_way = UnderWay::begin(server.address, &token).await;
        assert_eq!(checkpoints(dir.path()), 0);

        server.signal(signal);
        server.read_log_to("stopping");
        let answer = under_way.finish().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let (code, log) = server.wait();
        assert_eq!(code, 0, "{log}");
        assert_eq!(checkpoints(dir.path()), 1);

        let server = Process::demo(dir.path());
        let mut demo = Client::connect(server.address, Some(token)).await;
        assert_eq!(
            (demo.balance().await, demo.stock("prod_movie").await),
            (995_500, 1999),
            "what was answered is there"
        );
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let dir = TempDir::new().expect("a directory");
    let mut server = Process::demo(dir.path());
    let under_way = UnderWay::begin(server.address, &demo_token(dir.path(), "demo", "user")).await;
    server.signal(Signal::TERM);
    server.read_log_to("stopping");
    server.signal(Signal::INT);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("cut off"), "{log}");
    assert_eq!(under_way.finish().await, "", "it got no answer");
    assert_eq!(checkpoints(dir.path()), 1);
}

#[tokio::test]
async fn a_terminal_that_closes_ends_nothing() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    server.signal(Signal::HUP);
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    demo.send(demo.post_request("/api/mall/exchange"), BODY).await.data();
}

#[tokio::test]
async fn nobody_else_can_read_the_data() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let server = Process::demo(&data);
    let mut demo = Client::connect(server.address, Some(demo_token(&data, "demo", "user"))).await;
    demo.send(demo.post_request("/api/mall/exchange"), BODY).await.data();
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
    let mut looked_at = 0;
    let mut open_to_others = Vec::new();
    let mut left = vec![data];
    while let Some(path) = left.pop() {
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        looked_at += 1;
        if path.is_dir() {
            left.extend(
                std::fs::read_dir(&path)
                    .expect("it lists")
                    .map(|entry| entry.expect("an entry").path()),
            );
        }
        // What sled makes is as readable as its directory is.
        let in_store = path.parent().is_some_and(|parent| parent.ends_with("store"));
        if mode & 0o077 != 0 && !in_store {
            open_to_others.push(path);
        }
    }
    assert!(looked_at > 10, "{looked_at}");
    assert_eq!(open_to_others, Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_directory_has_one_server_and_a_port_too() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    let server = Process::demo(dir.path());
    let serve = ["serve", "--demo", "--data-dir", path, "--listen"];
    let (code, printed, log) = run(stockhold(&serve).arg("127.0.0.1:0"));
    assert_eq!((code, printed.as_str()), (1, ""), "{log}");
    assert!(log.contains("is open already") && log.contains(path), "{log}");
    // The one that runs is none the worse.
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    demo.send(demo.post_request("/api/mall/exchange"), BODY).await.data();

    let other = TempDir::new().expect("a directory");
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = taken.local_addr().expect("an address").to_string();
    let path = other.path().to_str().expect("a path in UTF-8");
    let (code, printed, log) =
        run(&mut stockhold(&["serve", "--demo", "--data-dir", path, "--listen", &address]));
    assert_eq!((code, printed.as_str()), (1, ""), "{log}");
    let last = log.lines().last().unwrap_or_default();
    assert!(
        last.starts_with(&format!("stockhold: listening on {address}: Address already in use")),
        "{log}"
    );
}
