//! Would catch a scenario that does not say what it would catch, a unit test that is not where its
//! path says, a test that nobody runs, and a directory that goes before the engine in it: the
//! conventions of CONTRIBUTING.md, "Where a test belongs".

#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

use std::path::PathBuf;

use super::sources::texts;

/// Tools of tests, with tests of their own.
const TOOLS: [&str; 2] = ["tests/mirror/lab.rs", "tests/linearizability/checker.rs"];

/// What a source says of itself before its first line of code.
fn opening(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    lines.concat().to_lowercase()
}

#[test]
fn every_scenario_says_what_it_would_catch() {
    let silent: Vec<PathBuf> = texts("tests")
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
    for (path, text) in texts("src").into_iter().chain(texts("tests")) {
        assert!(!text.contains(ignored), "{} has a test that nobody runs", path.display());
        let elsewhere = text.lines().filter_map(|line| line.trim().strip_prefix("#[path = \""));
        for file in elsewhere {
            let moved = file.split('"').next().is_some_and(|file| file.ends_with("tests.rs"));
            assert!(!moved, "{} has its tests elsewhere: {file}", path.display());
        }
    }
}

/// The types of a struct's fields in their order, which is the order they are dropped in.
fn structs(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.split("struct ").skip(1).filter_map(|after| {
        let (head, body) = after.split_once('{')?;
        let body = body.split_once('}')?.0;
        let fields = body.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        let types = fields.filter_map(|line| Some(line.split_once(": ")?.1)).collect();
        (!head.contains([';', '('])).then_some(types)
    })
}

/// An engine whose files are removed under it leaves sled's memory behind, since nothing else can be
/// done with a sled that cannot write: a fuzz target then reports a leak.
#[test]
fn an_engine_is_dropped_before_its_directory() {
    let (mut both, mut wrong) = (0, Vec::new());
    for dir in ["src", "tests"] {
        for (path, text) in texts(dir) {
            for types in structs(&text) {
                let place = |name| types.iter().position(|kind| kind.contains(name));
                if let (Some(engine), Some(files)) = (place("Engine"), place("TempDir")) {
                    both += 1;
                    wrong.extend((files < engine).then(|| path.clone()));
                }
            }
        }
    }
    assert!(both > 2, "only {both} structs with both were found: the look is broken");
    assert!(wrong.is_empty(), "these drop the directory first: {wrong:#?}");
}
