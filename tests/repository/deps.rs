//! Would catch an embedder who suddenly compiles a web server, an async runtime or a database
//! client.

use std::process::Command;

/// What an embedder never asked for: a web server, a runtime, a database client, a command line.
const UNWANTED: [&str; 11] = [
    "clap",
    "hyper",
    "hyper-util",
    "indicatif",
    "jsonwebtoken",
    "mimalloc",
    "mysql_async",
    "prometheus-client",
    "serde_json",
    "tokio",
    "tracing-subscriber",
];

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

fn assert_none(unwanted: &[&str], crates: &[String]) {
    for unwanted in unwanted {
        assert!(!crates.iter().any(|name| name == unwanted), "`{unwanted}` is compiled");
    }
}

fn assert_brings(wanted: &[&str], crates: &[String]) {
    for wanted in wanted {
        assert!(crates.iter().any(|name| name == wanted), "no `{wanted}`: {crates:?}");
    }
}

/// What `cargo add stockhold` brings.
#[test]
fn an_embedder_gets_neither_a_server_nor_a_runtime_nor_a_client() {
    let crates = crates(&[]);
    assert_brings(&["stockhold", "sled"], &crates);
    assert_none(&UNWANTED, &crates);
}

#[test]
fn an_embedder_without_history_gets_no_sled() {
    let crates = crates(&["--no-default-features"]);
    assert_brings(&["stockhold"], &crates);
    assert_none(&UNWANTED, &crates);
    assert_none(&["sled"], &crates);
}

#[test]
fn a_server_gets_neither_a_command_line_nor_the_trials_tools() {
    let crates = crates(&["--features", "server"]);
    assert_brings(&["hyper"], &crates);
    assert_none(&["clap", "hdrhistogram", "indicatif", "mimalloc", "tempfile"], &crates);
}

#[test]
fn a_program_without_the_mirror_gets_no_client() {
    let crates = crates(&["--features", "bin"]);
    assert_brings(&["hyper", "clap"], &crates);
    assert!(!crates.iter().any(|name| name.starts_with("mysql")), "{crates:?}");
}

#[test]
fn a_program_without_traces_gets_none_of_their_crates() {
    let crates = crates(&["--features", "bin,mysql"]);
    assert_brings(&["hyper", "clap"], &crates);
    assert!(!crates.iter().any(|name| name.contains("opentelemetry")), "{crates:?}");
}

/// Messages of OTLP, and the client that is here: no second one.
#[test]
fn traces_bring_no_other_client() {
    let crates = crates(&["--features", "otel"]);
    assert_brings(&["opentelemetry-proto", "tracing-opentelemetry"], &crates);
    assert_none(&["tonic", "reqwest", "opentelemetry-otlp"], &crates);
}

/// One library for TLS, in Rust, with one library for its cryptography.
#[test]
fn the_mirror_brings_no_openssl() {
    let crates = crates(&["--all-features"]);
    assert_brings(&["mysql_async", "ring"], &crates);
    assert_none(&["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"], &crates);
}

/// The look sees what it should: every crate that embedders must not get is there with all features.
#[test]
fn the_program_has_what_embedders_must_not_get() {
    assert_brings(&UNWANTED, &crates(&["--all-features"]));
}
