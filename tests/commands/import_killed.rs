//! Would catch an import of the catalogue of which a part stays when the process is killed in the middle,
//! and one that is lost though it was decided.

#![allow(clippy::disallowed_methods, reason = "tests keep files of their own")]

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;

use stockhold::Engine;
use stockhold::reader::DirectoryReader;
use tempfile::TempDir;

use crate::support::{exit_code, stockhold};

const PRODUCTS: u64 = 600;

/// A category, and products of some pages each.
fn catalogue() -> String {
    let mut lines = r#"{"kind":"category","id":"cat","name":"茶"}"#.to_owned();
    let description = "leaf ".repeat(300);
    for number in 0..PRODUCTS {
        // Writing to a string cannot fail.
        let _ = write!(
            lines,
            "\n{{\"id\":\"p{number}\",\"name\":\"P\",\"categoryId\":\"cat\",\"pointsPrice\":1,\
             \"description\":\"{description}\"}}"
        );
    }
    lines
}

fn export(dir: &TempDir) -> u64 {
    let mut command = stockhold(&["catalogue", "export", "--data-dir"]);
    command.arg(dir.path().join("data"));
    let (code, printed, log) = exit_code(command.output().expect("the program runs"));
    assert_eq!(code, 0, "{log}");
    printed.lines().count() as u64
}

/// How far an import that was killed had come.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    Nothing,
    Seal,
    End,
}

/// Imports, and kills the process once its journal has so many events.
fn kill_at(events: u64, lines: &str) -> Came {
    let dir = TempDir::new().expect("a directory");
    let (file, data) = (dir.path().join("all.jsonl"), dir.path().join("data"));
    fs::write(&file, lines).expect("there is room");
    let mut import = stockhold(&["catalogue", "import"]);
    import.arg(&file).arg("--data-dir").arg(&data);
    let mut child = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let is_there = || DirectoryReader::open(&data).is_ok_and(|it| it.last_seq() >= events);
    while !is_there() && child.try_wait().expect("it is ours").is_none() {
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().expect("it was started");

    let shown = export(&dir);
    assert!([0, PRODUCTS + 1].contains(&shown), "{events}: {shown} are there");
    let engine = Engine::builder(&data).open().expect("it opens");
    let is_sealed = engine.documents("import").iter().any(|(name, _)| name == "seal");
    let placed = (engine.documents("product").len() + engine.documents("category").len()) as u64;
    engine.close().expect("it closes");
    assert!(shown == 0 || is_sealed || placed == shown, "{events}");
    // The next start has all of it, or none.
    let (code, said, log) = exit_code(import.stdout(Stdio::piped()).output().expect("it runs"));
    let unchanged = format!("{shown} unchanged, 0 refused");
    assert!(code == 0 && said.contains(&unchanged), "{events}: {said}{log}");
    assert_eq!(export(&dir), PRODUCTS + 1);
    let engine = Engine::builder(&data).open().expect("it opens");
    assert_eq!(engine.documents("import").len(), 0, "nothing is left aside");
    engine.close().expect("it closes");
    match (shown, is_sealed) {
        (0, _) => Came::Nothing,
        (_, true) => Came::Seal,
        (_, false) => Came::End,
    }
}

#[test]
fn an_import_that_is_killed_leaves_all_of_it_or_nothing() {
    let lines = catalogue();
    // Its accounts are opened, the pieces and their seal written, and then the documents. How far it has
    // come when it dies is chance; that it is not whole is none.
    let points = [1, PRODUCTS / 2, PRODUCTS + 3, PRODUCTS + 16, PRODUCTS + 20, 2 * PRODUCTS - 50];
    let came: Vec<Came> = points.into_iter().map(|events| kill_at(events, &lines)).collect();
    println!("{came:?}");
}
