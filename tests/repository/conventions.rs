//! Would catch a scenario that does not say what it would catch, a unit test that is not where its
//! path says, and a test that nobody runs: the conventions of CONTRIBUTING.md, "Where a test belongs".

#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut found);
    assert!(found.len() > 20, "only {} sources in {dir}: the look is broken", found.len());
    found
}

fn collect(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(dir).expect("the sources are readable") {
        let path = entry.expect("the sources are readable").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source is UTF-8");
            found.push((path, text));
        }
    }
}

/// Tools of tests, with tests of their own.
const TOOLS: [&str; 2] = ["tests/mirror/lab.rs", "tests/linearizability/checker.rs"];

/// What a source says of itself before its first line of code.
fn opening(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    lines.concat().to_lowercase()
}

#[test]
fn every_scenario_says_what_it_would_catch() {
    let silent: Vec<PathBuf> = sources("tests")
        .into_iter()
        .filter(|(_, text)| text.contains("#[test]") || text.contains("#[tokio::test"))
        .filter(|(path, _)| !TOOLS.iter().any(|tool| path.ends_with(tool)))
        .filter(|(_, text)| !opening(text).contains("would catch"))
        .map(|(path, _)| path)
        .collect();
    assert!(
        silent.is_empty(),
        "these do not say in a `//!` comment what they would catch: {silent:#?}"
    );
}

#[test]
fn unit_tests_are_where_their_path_says_and_every_test_runs() {
    // In two pieces: this file is one of those that are looked at.
    let ignored = concat!("#[ign", "ore");
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        assert!(!text.contains(ignored), "{} has a test that nobody runs", path.display());
        let elsewhere = text.lines().filter_map(|line| line.trim().strip_prefix("#[path = \""));
        for file in elsewhere {
            let moved = file.split('"').next().is_some_and(|file| file.ends_with("tests.rs"));
            assert!(!moved, "{} has its tests elsewhere: {file}", path.display());
        }
    }
}
