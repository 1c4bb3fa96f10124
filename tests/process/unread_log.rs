//! Would catch a server that stops serving, or does not stop, because nobody reads what it logs.

use std::io::{Read as _, Write as _, pipe};
use std::process::Stdio;

use rustix::pipe::fcntl_getpipe_size;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, stockhold};

#[tokio::test]
async fn a_full_pipe_holds_up_neither_serving_nor_stopping() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    let (mut log, mut full) = pipe().expect("a pipe");
    let size = fcntl_getpipe_size(&full).expect("a pipe has a size");
    full.write_all(&vec![b'.'; size]).expect("the pipe takes as much as it has room for");
    let mut command =
        stockhold(&["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir", path]);
    // Everything is logged, which is far more than may wait.
    let server = Process::start(command.env("RUST_LOG", "trace").stderr(Stdio::from(full)));
    drop(command);
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    let sold =
        demo.post("/api/mall/exchange", json!({"productId": "prod_movie", "quantity": 1})).await;
    assert_eq!(sold.data()["status"], 0);
    server.signal(Signal::TERM);
    let (code, _) = server.wait();
    assert_eq!(code, 0);
    let mut logged = Vec::new();
    log.read_to_end(&mut logged).expect("the pipe is readable");
    assert_eq!(logged, vec![b'.'; size], "nobody read it, so nothing was written");
}
