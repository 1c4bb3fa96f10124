//! Would catch a soak that finds fault with a server that keeps its promises, that tries nothing
//! and does not say so, or that leaves something behind; and, in a short one, a server that breaks
//! a promise.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{exit_code, run, stockhold};

#[test]
fn a_short_soak_tries_everything_and_finds_nothing() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    let (code, printed, log) =
        run(&mut stockhold(&["soak", "--seconds", "20", "--json", "--dir", path]));
    // Past the test harness, which shows the output of failed tests only.
    let report = format!("a short soak: {printed}");
    std::io::stderr().write_all(report.as_bytes()).expect("standard error takes a line");
    assert_eq!(code, 0, "{printed}{log}");
    let report: Value = serde_json::from_str(&printed).expect("it prints JSON");
    assert_eq!(
        (&report["findings"]["count"], &report["never_tried"]),
        (&0.into(), &Value::Array(Vec::new()))
    );
    let counts = &report["counts"];
    let count =
        |name: &str| counts[name].as_u64().unwrap_or_else(|| panic!("{name} is counted: {counts}"));
    assert!(
        count("kills") >= 4 && count("recoveries") >= 4 && count("orders_looked_up") >= 100,
        "{counts}"
    );
    assert!(
        count("full_disks") > 0 || !report["left_out"].as_array().expect("a list").is_empty(),
        "{report}"
    );
    assert!(report["memory_bytes"]["samples"].as_u64() > Some(10), "{report}");
    assert_eq!(dir.path().read_dir().expect("a directory").count(), 0, "nothing stays behind");
}

/// Would catch a soak that does not see what it is there to see.
#[test]
fn a_part_return_of_too_much_is_seen_and_named() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    let soak = ["soak", "--seconds", "4", "--json", "--dir", path, "--mistake", "ReturnsTooMuch"];
    let (code, printed, log) = run(&mut stockhold(&soak));
    assert_eq!(code, 1, "{printed}{log}");
    let report: Value = serde_json::from_str(&printed).expect("it prints JSON");
    let findings = report["findings"]["first"].as_array().expect("a list");
    let is_named = |it: &Value| it.to_string().contains("more goes back than is left");
    assert!(findings.iter().any(is_named), "{findings:?}");
}

/// Whoever starts a server without holding its clock all the time gets none.
#[test]
fn a_server_is_not_soaked_by_accident() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("data");
    let serve = ["serve", "--demo", "--listen", "127.0.0.1:0", "--soaked", "--data-dir"];
    let (code, printed, log) = run(stockhold(&serve).arg(&path));
    assert_eq!((code, printed.as_str()), (1, ""), "{log}");
    assert!(log.contains("--soaked is for `stockhold soak` alone"), "{log}");
    assert!(!path.join("journal").exists(), "nothing was opened");

    let mut child =
        stockhold(&serve).arg(&path).stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"60000\n").expect("it listens");
    drop(stdin);
    let (code, _, log) = exit_code(child.wait_with_output().expect("it ends"));
    assert!(
        code == 1
            && log.contains("THIS SERVER IS SOAKED")
            && log.contains("nobody holds the clock"),
        "{log}"
    );
}
