//! Would catch a server that does not start on a full disk, that then says it is well, or that sells
//! no more once there is room.
#![allow(clippy::disallowed_methods, reason = "the test takes files away")]

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, PROGRAM, Process, demo_token, isolated};

const EXCHANGE: &str = "/api/mall/exchange";

fn order() -> Value {
    json!({"productId": "prod_movie", "quantity": 1})
}

/// A disk that takes no file beyond some blocks has no room for a segment, nor for history.
#[tokio::test]
async fn a_full_disk_lets_the_server_start_and_sell_again_once_there_is_room() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    let server = Process::demo(dir.path());
    let token = demo_token(dir.path(), "demo", "user");
    let mut demo = Client::connect(server.address, Some(token.clone())).await;
    demo.post_keyed(EXCHANGE, "one", order()).await.data();
    let balance = demo.balance().await;
    server.signal(Signal::KILL);
    server.wait();
    for entry in std::fs::read_dir(dir.path().join("journal"))
        .expect("a directory")
        .map(|entry| entry.expect("a name"))
    {
        if entry.file_name().to_string_lossy().starts_with("spare-") {
            std::fs::remove_file(entry.path()).expect("the spare can be removed");
        }
    }
    // 512 KiB, as an error and no signal; the bound can be lifted again.
    let limited = "trap '' XFSZ; ulimit -S -f 1024; exec \"$0\" \"$@\"";
    let mut shell =
        isolated("sh", &["-c", limited, PROGRAM, "serve", "--demo", "--listen", "127.0.0.1:0"]);
    let server = Process::start(shell.args(["--data-dir", path]));
    let mut demo = Client::connect(server.address, Some(token)).await;
    demo.get("/api/mall/products").await.data();
    demo.post_keyed(EXCHANGE, "two", order()).await.failure(507, "LOW_SPACE");
    assert_eq!(demo.get("/health").await.status, 503, "nothing can be recorded");

    prlimit(Some(server.pid()), Resource::Fsize, Rlimit { current: None, maximum: None })
        .expect("a higher limit");
    while demo.get("/health").await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(demo.balance().await, balance, "everything is there");
    demo.post_keyed(EXCHANGE, "two", order()).await.data();
    assert_eq!(demo.balance().await, balance - 4500);
}
