//! Would catch a secret that gets out: into the log, an answer, an error, the command line of the
//! process, or what it tells of itself.
#![allow(clippy::disallowed_methods, reason = "the test reads files")]

use std::net::SocketAddr;

use hyper::Method;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Client, Process, run, stockhold};

const AUTH: &str = "auth-secret-0123456789abcdef-0123456789";
const POINTS: &str = "points-secret-8d1f";
const DATABASE: &str = "database-secret-77aa";
const HOOK: &str = "d2ViaG9vay1zZWNyZXQtMDEyMzQ1Njc4OWFiY2RlZg==";
const KEY: &str = "a2V5LXNlY3JldC0wMTIzNDU2Nzg5YWJjZGVmLTAxMjM0NTY3ODk";

async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    listener.local_addr().expect("an address")
}

#[tokio::test]
async fn no_secret_gets_out() {
    let dir = TempDir::new().expect("a directory");
    let (data, keys) = (dir.path().join("data"), dir.path().join("keys.json"));
    let set = json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "one", "k": KEY}]});
    std::fs::write(&keys, set.to_string()).expect("the file is written");
    let mut command = stockhold(&["serve", "--demo", "--listen", "127.0.0.1:0"]);
    command.args(["--log-format", "json", "--log-requests", "all", "--log-level", "trace"]);
    command.args(["--points-service-failures", "1", "--points-service-patience", "50ms"]);
    command.arg("--data-dir").arg(&data).arg("--auth-keys").arg(&keys);
    command.args(["--points-service", &format!("http://{}", nobody().await)]);
    command.args(["--webhook-private-hosts", "127.0.0.1"]);
    command.env("STOCKHOLD_AUTH_SECRET", AUTH).env("STOCKHOLD_POINTS_SERVICE_SECRET", POINTS);
    if cfg!(feature = "mysql") {
        let url = format!("mysql://ann:{DATABASE}@{}/mall", nobody().await);
        command.env("STOCKHOLD_MIRROR_URL", url);
    }
    let server = Process::start(&mut command);
    let token = |role: &str, user: &str| {
        let mut command = stockhold(&["token", "--user", user, "--role", role, "--data-dir"]);
        let (code, printed, log) = run(command.arg(&data).env("STOCKHOLD_AUTH_SECRET", AUTH));
        assert_eq!(code, 0, "{log}");
        printed.lines().last().expect("a line").to_owned()
    };
    let (user, admin) = (token("user", "demo"), token("admin", "root"));
    let mut told = String::new();
    let hook = json!({"receiverId": "hook", "url": format!("http://{}/in", nobody().await),
        "events": ["order.*"], "secret": format!("whsec_{HOOK}")});
    let body = json!({"productId": "prod_movie", "quantity": 1});
    // What must work, what cannot, and what is wrong, with every token that there is.
    for token in [Some(&user), Some(&admin), None] {
        let mut client = Client::connect(server.address, token.cloned()).await;
        for (path, body) in [
            ("/api/admin/webhooks", &hook),
            ("/api/admin/webhooks/hook/test", &json!({})),
            ("/api/mall/exchange", &body),
            ("/api/mall/exchange", &json!({"productId": 7})),
            ("/api/admin/revocations", &json!({"userId": "ben"})),
            ("/nowhere", &json!({})),
        ] {
            let reply = client.post(path, body.clone()).await;
            let may = token == Some(&admin) && path.starts_with("/api/admin");
            assert_eq!(reply.status == 200, may, "{path}: {reply:?}");
            // The one answer that tells a secret is to whoever made it.
            if path != "/api/admin/webhooks" || reply.status != 200 {
                told.push_str(&String::from_utf8_lossy(&reply.body));
            }
            told.push_str(&format!("{:?}", reply.headers));
        }
        for path in [
            "/health",
            "/ready",
            "/metrics",
            "/api/admin/status",
            "/api/admin/webhooks",
            "/api/admin/webhooks/hook",
            "/api/admin/mirror",
            "/api/points/balance",
        ] {
            let reply = client.get(path).await;
            told.push_str(&String::from_utf8_lossy(&reply.body));
        }
        let bad = client.request(Method::GET, "/api/mall/orders").header("Accept", "x/y");
        told.push_str(&String::from_utf8_lossy(&client.send(bad, "").await.body));
    }
    if cfg!(target_os = "linux") {
        let command = std::fs::read(format!("/proc/{}/cmdline", server.pid().as_raw_pid()));
        told.push_str(&String::from_utf8_lossy(&command.expect("it runs")));
    }
    told.push_str(&server.printed.replace(&user, ""));
    std::fs::write(&keys, format!("{{\"keys\": [\"{KEY}\"]}}")).expect("the file is written");
    server.signal(Signal::HUP);
    server.signal(Signal::TERM);
    let (_, log) = server.wait();
    assert!(log.contains("answered"), "the log tells of requests: {log}");
    let mut wrong = stockhold(&["serve", "--listen", "nowhere", "--data-dir"]);
    let wrong = run(wrong.arg(&data).env("STOCKHOLD_AUTH_SECRET", AUTH));
    let help = run(&mut stockhold(&["serve", "--help"]));
    for (where_, text) in
        [("answers", &told), ("the log", &log), ("an error", &wrong.2), ("the help", &help.1)]
    {
        for secret in [AUTH, POINTS, DATABASE, HOOK, KEY, &*user, &*admin] {
            assert!(!text.contains(secret), "{secret} is in {where_}");
        }
    }
}
