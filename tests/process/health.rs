//! Would catch a server that whoever watches it takes for dead: because it replays for long, or
//! because something is down that it can do without; and one that does not say what that is.
#![allow(clippy::disallowed_methods, reason = "the test is in the way of a file")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, raw, stockhold};

fn path(dir: &TempDir) -> &str {
    dir.path().to_str().expect("a path in UTF-8")
}

/// Asks until the part is so; what `/health` says then, which is always 200, as is `/ready`.
async fn until(client: &mut Client, part: &str, state: &str) -> Value {
    let began = Instant::now();
    loop {
        let (health, ready) = (client.get("/health").await, client.get("/ready").await);
        assert_eq!((health.status, ready.status), (200, 200), "{health:?} {ready:?}");
        let health = health.json();
        if health["dependencies"][part]["state"] == state {
            assert_eq!(health["checks"][part], state, "{health}");
            return health;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{part} is never {state}: {health}");
    }
}

#[tokio::test]
async fn while_it_starts_it_lives_and_is_not_ready() {
    let dir = TempDir::new().expect("a directory");
    let args = ["serve", "--demo", "--soaked", "--listen", "127.0.0.1:0", "--data-dir", path(&dir)];
    // It opens nothing before it is told what time it is.
    let (input, mut tell) = std::io::pipe().expect("a pipe");
    let mut command = stockhold(&args);
    let mut child = command.stdin(Stdio::from(input)).spawn().expect("the program starts");
    drop(command);
    let mut log = BufReader::new(child.stderr.take().expect("its log is piped"));
    let address = loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).expect("its log is readable"), 0, "it ended");
        if let Some((_, address)) = line.split_once("starting address=") {
            break address.trim().trim_matches('"').parse::<SocketAddr>().expect("an address");
        }
    };
    for (path, status, body) in [
        ("/health", "200 OK", "\"status\":\"healthy\""),
        ("/ready", "503 Service Unavailable", "\"status\":\"not ready\""),
        ("/api/mall/products", "503 Service Unavailable", "\"code\":\"UNAVAILABLE\""),
    ] {
        // It closes by itself, though it was not asked to.
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: early-1\r\n\r\n");
        let answer = raw(address, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains(body) && answer.contains("x-request-id: early-1"), "{answer}");
        assert_eq!(path.starts_with("/api"), answer.contains("retry-after: 1"), "{answer}");
        assert_ne!(path.starts_with("/api"), answer.contains("\"phase\":\"starting\""), "{answer}");
    }
    tell.write_all(b"0\n").expect("the pipe takes a line");
    let mut printed = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    assert!(printed.any(|line| line.expect("readable").contains("http://")), "it serves");
    let mut guest = Client::connect(address, None).await;
    let ready = guest.get("/ready").await;
    assert_eq!((ready.status, &ready.json()["phase"]), (200, &json!("serving")));
    child.kill().expect("it lives");
    child.wait().expect("it ends");
}

/// An address at which nobody listens any more.
async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    listener.local_addr().expect("an address")
}

#[tokio::test]
async fn a_points_service_and_a_database_that_are_down_make_no_server_unhealthy() {
    let dir = TempDir::new().expect("a directory");
    let points = format!("http://{}", nobody().await);
    let mut args = vec!["--demo", "--data-dir", path(&dir), "--points-service", &points];
    args.extend(["--points-service-failures", "1", "--points-service-patience", "50ms"]);
    args.extend(["--points-service-pause", "1d"]);
    let database = format!("mysql://ann:hunter2@{}/mall", nobody().await);
    if cfg!(feature = "mysql") {
        args.extend(["--mirror-url", &database]);
    }
    let server = Process::serve(&args);
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    demo.post("/api/mall/exchange", body).await.failure(503, "POINTS_UNAVAILABLE");
    let told = until(&mut demo, "points", "rejected").await;
    let points = &told["dependencies"]["points"];
    assert!(points["stillWorks"].as_str().is_some_and(|it| it.contains("catalogue")), "{points}");
    assert!(points["since"].as_str().is_some_and(|it| it.ends_with('Z')), "{points}");
    assert_eq!(demo.get("/api/mall/products").await.status, 200, "it says so rightly");
    if cfg!(feature = "mysql") {
        let told = until(&mut demo, "mirror", "rejected").await;
        let mirror = &told["dependencies"]["mirror"];
        assert!(mirror["stillWorks"].as_str().is_some_and(|it| it.starts_with("everything")));
        assert!(!told.to_string().contains("hunter2"), "{told}");
    }
    for (name, part) in told["dependencies"].as_object().expect("an object") {
        assert_eq!(part["state"] == "rejected", part.get("stillWorks").is_some(), "{name}: {part}");
    }
}

#[tokio::test]
async fn checkpoints_that_fail_make_no_server_unhealthy() {
    let dir = TempDir::new().expect("a directory");
    let args = ["--demo", "--data-dir", path(&dir), "--checkpoint-events", "20"];
    let server = Process::serve(&args);
    std::fs::create_dir(dir.path().join("checkpoint/snapshot.tmp")).expect("it is made");
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    for _ in 0..20 {
        let body = json!({"productId": "prod_starbucks", "quantity": 1, "confirm": true});
        demo.post("/api/mall/exchange", body).await.data();
    }
    let told = until(&mut demo, "checkpoint", "rejected").await;
    let works = told["dependencies"]["checkpoint"]["stillWorks"].as_str();
    assert!(works.is_some_and(|works| works.starts_with("everything")), "{told}");
}
