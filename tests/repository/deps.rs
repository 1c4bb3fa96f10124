//! Would catch an embedder who suddenly compiles a web server, an async runtime or a database
//! client.

use std::process::Command;

/// What only the `server` feature, or no feature at all, may bring in.
const UNWANTED: [&str; 5] = ["hyper", "hyper-util", "mysql", "mysql_async", "tokio"];

/// The names of all crates that are compiled for an embedder with these flags.
fn crates(flags: &[&str]) -> Vec<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["tree", "--offline", "-e", "normal", "--prefix", "none", "--format", "{p}"]);
    let output = cargo.args(flags).output().expect("cargo runs");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("crate names are UTF-8");
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn an_embedder_gets_neither_a_server_nor_a_runtime_nor_a_client() {
    let crates = crates(&["--no-default-features"]);
    assert!(
        crates.iter().any(|name| name == "stockhold"),
        "the tree names the crate itself: {crates:?}"
    );
    for unwanted in UNWANTED {
        assert!(
            !crates.iter().any(|name| name == unwanted),
            "`{unwanted}` is compiled for embedders"
        );
    }
}

#[test]
fn a_server_without_the_mirror_gets_no_client() {
    let crates = crates(&["--no-default-features", "--features", "server"]);
    assert!(crates.iter().any(|name| name == "hyper"), "{crates:?}");
    assert!(!crates.iter().any(|name| name.starts_with("mysql")), "{crates:?}");
}

/// One library for TLS, in Rust, with one library for its cryptography.
#[test]
fn the_mirror_brings_no_openssl() {
    let crates = crates(&[]);
    assert!(
        crates.iter().any(|name| name == "mysql_async") && crates.iter().any(|name| name == "ring"),
        "{crates:?}"
    );
    for unwanted in ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"] {
        assert!(!crates.iter().any(|name| name == unwanted), "`{unwanted}` is compiled");
    }
}

#[test]
fn the_server_is_seen_by_the_same_look() {
    // Guards the test above against a tree that lists nothing.
    let crates = crates(&[]);
    assert!(crates.iter().any(|name| name == "hyper"), "{crates:?}");
}
