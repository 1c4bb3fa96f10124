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

/// What a soak of a server finds that makes this mistake; it ends with the first life in which it
/// does.
#[track_caller]
fn findings(mistake: &str, seconds: &str) -> Vec<String> {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    let soak = ["soak", "--seconds", seconds, "--json", "--dir", path, "--mistake", mistake];
    let (code, printed, log) = run(&mut stockhold(&soak));
    assert_eq!(code, 1, "{printed}{log}");
    let report: Value = serde_json::from_str(&printed).expect("it prints JSON");
    let findings = report["findings"]["first"].as_array().expect("a list");
    findings.iter().map(Value::to_string).collect()
}

/// Would catch a soak that does not see what it is there to see.
#[test]
fn a_part_return_of_too_much_is_seen_and_named() {
    let found = findings("ReturnsTooMuch", "4");
    assert!(found.iter().any(|it| it.contains("more goes back than is left")), "{found:?}");
}

#[test]
fn a_late_payment_that_takes_no_points_is_seen() {
    let found = findings("RevivesBeyondLimits", "8");
    // At the payment, in a retry, in the books, or when the order goes back: whichever comes first.
    assert!(!found.is_empty(), "a soak that fails says why");
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
