//! Would catch a server whose backup lacks what was acknowledged, or that cannot be restored
//! beside it.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, run, stockhold};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// The digest in the last line but one of what was printed, or in the last.
fn digest(printed: &str) -> String {
    let line = printed.lines().find_map(|line| line.strip_prefix("Ledger "));
    line.unwrap_or_else(|| panic!("no digest: {printed}")).to_owned()
}

#[tokio::test]
async fn a_server_copies_what_it_acknowledged_and_any_moment_of_it_serves_again() {
    let home = TempDir::new().expect("a directory");
    let path = |name: &str| text(&home.path().join(name));
    let (data, to, key) = (path("data"), path("backup"), path("key"));
    #[allow(clippy::disallowed_methods, reason = "an operator's file")]
    std::fs::write(&key, KEY).expect("it is written");
    let args = ["--demo", "--data-dir", &data, "--backup-to", &to, "--backup-every", "1s"];
    let server = Process::serve(&[&args[..], &["--backup-key-file", &key]].concat());
    let user = demo_token(Path::new(&data), "demo", "user");
    let admin = demo_token(Path::new(&data), "root", "admin");
    let mut demo = Client::connect(server.address, Some(user.clone())).await;
    let mut root = Client::connect(server.address, Some(admin)).await;
    let buy = json!({"productId": "prod_kfc", "quantity": 1, "confirm": true});
    let order = demo.post("/api/mall/exchange", buy.clone()).await.data()["orderId"].clone();
    let order = order.as_str().expect("it has a number").to_owned();
    let durable = root.get("/api/admin/status").await.data()["durableSeq"].clone();

    // The next run has it. Nothing but the server can say when that is.
    let backup = loop {
        let backup = root.get("/api/admin/status").await.data()["backup"].clone();
        if backup["lastSeq"].as_u64() >= durable.as_u64() {
            break backup;
        }
    };
    assert_eq!((&backup["failures"], &backup["error"]), (&json!(0), &Value::Null));
    assert_eq!(root.get("/health").await.json()["checks"]["backup"], "fulfilled");
    let at = durable.to_string();
    drop(server);

    let with_key = ["--key-file", &key];
    let (code, printed, log) = run(stockhold(&["backup", "--to", &to, "--check"]).args(with_key));
    assert_eq!(code, 0, "{printed}{log}");
    assert!(printed.contains("all of them verify"), "{printed}");

    let restored = path("restored");
    let restore = ["restore", &restored, "--from", &to, "--at", &at];
    let (code, printed, log) = run(stockhold(&restore).args(with_key));
    assert_eq!(code, 0, "{printed}{log}");
    let (_, state, _) = run(&mut stockhold(&["state", &data, "--at", &at]));
    assert_eq!(digest(&printed), digest(&state), "as the original stood");
    let (code, _, log) = run(stockhold(&restore).args(with_key));
    assert!(code == 1 && log.contains("not empty"), "{code}: {log}");

    // The copy of a demo has no secret of its own: it is told the same.
    let secret = home.path().join("data").join("demo-secret");
    let copied = home.path().join("restored").join("demo-secret");
    #[allow(clippy::disallowed_methods, reason = "an operator's file")]
    std::fs::copy(secret, copied).expect("it is copied");
    let again = Process::demo(Path::new(&restored));
    let mut demo = Client::connect(again.address, Some(user)).await;
    assert_eq!(demo.get(&format!("/api/mall/orders/{order}")).await.data()["status"], 1);
    demo.post("/api/mall/exchange", buy).await.data();
    again.signal(Signal::TERM);
    let (code, log) = again.wait();
    assert_eq!(code, 0, "{log}");

    // It is another directory, and no backup of the first takes it for that.
    let (code, _, log) = run(stockhold(&["backup", &restored, "--to", &to]).args(with_key));
    assert!(code == 1 && log.contains("another data directory"), "{code}: {log}");
    let (code, _, log) = run(&mut stockhold(&["backup", &data, "--to", &to]));
    assert!(code == 1 && log.contains("name its key file") && !log.contains(KEY), "{log}");
}
