//! Would catch keys of tokens that need a restart, a rotation that refuses somebody with a good
//! token, a broken file that takes the keys with it, and a hangup that ends the server.
#![allow(clippy::disallowed_methods, reason = "the test writes files")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Process, run, stockhold};

/// A new secret, as the program makes it.
fn secret(kid: &str) -> Value {
    let (code, printed, log) = run(&mut stockhold(&["token", "secret", "--kid", kid]));
    assert_eq!(code, 0, "{log}");
    let set: Value = serde_json::from_str(&printed).expect("it prints a set");
    set["keys"][0].clone()
}

/// Puts a set of keys in the place of another at once.
fn write(path: &Path, keys: &[&Value]) {
    let new = path.with_extension("new");
    std::fs::write(&new, json!({"keys": keys}).to_string()).expect("it is written");
    std::fs::rename(new, path).expect("it is renamed");
}

fn token(path: &Path, kid: &str) -> String {
    let path = path.to_str().expect("a path in UTF-8");
    let token = ["token", "--user", "ann", "--auth-keys", path, "--kid", kid];
    let (code, printed, log) = run(&mut stockhold(&token));
    assert_eq!(code, 0, "{log}");
    printed.trim_end().to_owned()
}

fn serve(dir: &TempDir) -> (PathBuf, Process) {
    let keys = dir.path().join("keys.json");
    let first = secret("first");
    write(&keys, &[&first]);
    let data = dir.path().join("data");
    let [data, path] = [&data, &keys].map(|path| path.to_str().expect("a path in UTF-8"));
    let process = Process::serve(&["--data-dir", data, "--auth-keys", path]);
    (keys, process)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_under_load_and_nobody_is_refused() {
    let dir = TempDir::new().expect("a directory");
    let (keys, mut process) = serve(&dir);
    let mut last = secret("k0");
    write(&keys, &[&last]);
    process.read_log_to(r#"removed="first""#);
    let mut kept = token(&keys, "k0");
    for round in 1..=3 {
        let next = secret(&format!("k{round}"));
        // What asks all the time has a token of the key that is there before and after.
        let stop = Arc::new(AtomicBool::new(false));
        let mut asking = Client::connect(process.address, Some(kept.clone())).await;
        let load = tokio::spawn({
            let stop = stop.clone();
            async move {
                while !stop.load(Ordering::SeqCst) {
                    asking.get("/api/points/balance").await.data();
                }
            }
        });
        write(&keys, &[&last, &next]);
        process.signal(Signal::HUP);
        process.read_log_to(&format!("added=\"k{round}\""));
        let newer = token(&keys, &format!("k{round}"));
        let mut client = Client::connect(process.address, Some(newer.clone())).await;
        client.get("/api/points/balance").await.data();
        stop.store(true, Ordering::SeqCst);
        load.await.expect("nobody was refused");
        let mut old = Client::connect(process.address, Some(kept)).await;
        old.get("/api/points/balance").await.data();
        write(&keys, &[&next]);
        process.signal(Signal::HUP);
        process.read_log_to(&format!("removed=\"k{}\"", round - 1));
        let told = old.get("/api/points/balance").await;
        told.failure(401, "UNAUTHORIZED");
        let told = told.envelope();
        let gone = format!("no key has the kid \"k{}\"", round - 1);
        assert!(told["message"].as_str().is_some_and(|told| told.contains(&gone)), "{told}");
        client.get("/api/points/balance").await.data();
        (last, kept) = (next, newer);
    }
}

#[tokio::test]
async fn a_file_that_is_broken_or_gone_changes_nothing() {
    let dir = TempDir::new().expect("a directory");
    let (keys, mut process) = serve(&dir);
    let token = token(&keys, "first");
    let mut client = Client::connect(process.address, Some(token)).await;
    std::fs::write(&keys, r#"{"keys":[{"kty":"oct","kid":"first","k":"c2hvcnQ"}]}"#)
        .expect("written");
    process.read_log_to("the keys of tokens stay as they were");
    client.get("/api/points/balance").await.data();
    std::fs::remove_file(&keys).expect("it is removed");
    process.read_log_to("the keys of tokens stay as they were");
    client.get("/api/points/balance").await.data();
    write(&keys, &[&secret("second")]);
    process.read_log_to(r#"added="second""#);
    client.get("/api/points/balance").await.failure(401, "UNAUTHORIZED");
    // It ends only now.
    process.signal(Signal::TERM);
    assert_eq!(process.wait().0, 0);
}

#[test]
fn a_file_that_is_wrong_is_told_at_the_start_without_what_is_secret() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("keys.json");
    for (text, told) in [
        (
            r#"{"keys":[{"kty":"oct","kid":"a","k":"dGhpcyBpcyBzaG9ydA"}]}"#,
            "\"a\" has fewer than 32",
        ),
        ("dGhpcyBpcyBzaG9ydA", "no JSON Web Key Set"),
    ] {
        std::fs::write(&path, text).expect("it is written");
        let data = dir.path().join("data");
        let mut serve = stockhold(&["serve", "--listen", "127.0.0.1:0"]);
        let (code, _, log) = run(serve.arg("--data-dir").arg(&data).arg("--auth-keys").arg(&path));
        assert!(code == 1 && log.contains(told) && log.contains("keys.json"), "{log}");
        assert!(!log.contains("dGhpcyBpcyBzaG9ydA") && !data.exists(), "{log}");
    }
}

/// Would catch a command that says it revoked when nobody heard of it.
#[tokio::test]
async fn tokens_are_revoked_from_the_command_line_while_it_serves() {
    let dir = TempDir::new().expect("a directory");
    let (keys, process) = serve(&dir);
    let path = keys.to_str().expect("a path in UTF-8");
    let server = format!("http://{}", process.address);
    let revoke = |server: &str, more: &[&str]| {
        let all = ["token", "revoke", "--server", server, "--auth-keys", path, "--kid", "first"];
        run(stockhold(&all).args(more))
    };
    let of_before = token(&keys, "first");
    let mut before = Client::connect(process.address, Some(of_before)).await;
    before.get("/api/points/balance").await.data();
    let (code, printed, log) =
        revoke(&server, &["--user", "ann", "--reason", "lost", "--by", "olga"]);
    assert_eq!(code, 0, "{log}");
    let told: Value = serde_json::from_str(&printed).expect("it prints what the server says");
    assert_eq!(
        (&told["userId"], &told["reason"], &told["revokedBy"]),
        (&json!("ann"), &json!("lost"), &json!("olga"))
    );
    before.get("/api/points/balance").await.failure(401, "UNAUTHORIZED");
    let mut after = Client::connect(process.address, Some(token(&keys, "first"))).await;
    after.get("/api/points/balance").await.data();
    let (code, _, log) = revoke(&server, &["--all", "--before", "2026-01-01"]);
    assert_eq!(code, 0, "{log}");
    after.get("/api/points/balance").await.data();
    let (code, _, log) = revoke(&server, &["--user", "ann", "--lift"]);
    assert_eq!(code, 0, "{log}");
    before.get("/api/points/balance").await.data();
    for (server, args, told) in [
        (server.as_str(), &["--user", "bob", "--lift"][..], "no tokens of this user are revoked"),
        (server.as_str(), &["--user", "a/b"], "400"),
        ("http://127.0.0.1:1", &["--all"], "Nothing was revoked"),
        ("ftp://127.0.0.1", &["--all"], "http"),
    ] {
        let (code, printed, log) = revoke(server, args);
        assert!(code == 1 && printed.is_empty() && log.contains(told), "{args:?}: {log}");
    }
}
