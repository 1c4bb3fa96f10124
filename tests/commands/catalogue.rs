//! Would catch a catalogue that is imported in part though some of it is wrong, a line that is
//! refused without its number, and an export that does not read back.

#![allow(clippy::disallowed_methods, reason = "tests keep files of their own")]

use std::fs;
use std::io::Write;
use std::process::Stdio;

use stockhold::Engine;
use tempfile::TempDir;

use crate::support::{exit_code, stockhold};

const GOOD: &str = r#"{"id":"tea","name":"茶","categoryId":"cat_tea","pointsPrice":0,"specifications":{"n":117.63331139400017}}
{"kind":"category","id":"cat_green","name":"绿茶","parentId":"cat_tea","sortOrder":2}
{"kind":"category","id":"cat_tea","name":"茶叶","icon":"/i.png"}

{"kind":"product","id":"cup","name":"Cup, \"fine\"","description":"two\nlines","categoryId":"cat_green","pointsPrice":5,"originalPrice":19.9,"images":["/a.png"],"isHot":true,"status":0,"limitPerUser":{"quantity":2,"period":{"rolling":{"lengthMs":1000}}},"createdAt":7}
"#;

fn import(dir: &TempDir, name: &str, text: &str, flags: &[&str]) -> (i32, String) {
    let file = dir.path().join(name);
    fs::write(&file, text).expect("there is room");
    let mut command = stockhold(&["catalogue", "import"]);
    command.arg(&file).args(flags).arg("--data-dir").arg(dir.path().join("data"));
    let (code, printed, log) = exit_code(command.output().expect("the program runs"));
    (code, printed + &log)
}

fn export(dir: &TempDir, flags: &[&str]) -> String {
    let mut command = stockhold(&["catalogue", "export"]);
    command.args(flags).arg("--data-dir").arg(dir.path().join("data"));
    let (code, printed, log) = exit_code(command.output().expect("the program runs"));
    assert_eq!(code, 0, "{printed}{log}");
    printed
}

fn documents(dir: &TempDir) -> usize {
    let engine = Engine::builder(dir.path().join("data")).open().expect("the directory opens");
    let count = engine.documents("product").len() + engine.documents("category").len();
    engine.close().expect("it closes");
    count
}

#[test]
fn a_catalogue_is_imported_once_and_exported_as_it_is() {
    let dir = TempDir::new().expect("a directory");
    let (code, said) = import(&dir, "all.jsonl", GOOD, &["--dry-run"]);
    assert!(code == 0 && said.contains("4 would be written, 0 unchanged, 0 refused"), "{said}");
    assert_eq!(documents(&dir), 0);
    for expected in ["4 written, 0 unchanged, 0 refused", "0 written, 4 unchanged, 0 refused"] {
        let (code, said) = import(&dir, "all.jsonl", GOOD, &[]);
        assert!(code == 0 && said.contains(expected), "{said}");
    }
    let lines = export(&dir, &[]);
    assert_eq!(lines.lines().count(), 4);
    for part in ["117.63331139400017", "\"updatedBy\""] {
        assert_eq!(lines.contains(part), part.starts_with('1'), "{part}: {lines}");
    }
    let table = export(&dir, &["--format", "csv"]);

    // Each of the two forms makes the same catalogue elsewhere, and nothing anew here.
    for (name, text) in [("again.jsonl", &lines), ("again.csv", &table)] {
        let (code, said) = import(&dir, name, text, &[]);
        assert!(code == 0 && said.contains("0 written, 4 unchanged"), "{said}");
        let elsewhere = TempDir::new().expect("a directory");
        let (code, said) = import(&elsewhere, name, text, &["--operator", "ann"]);
        assert!(code == 0 && said.contains("4 written"), "{said}");
        assert_eq!(export(&elsewhere, &["-"]), lines);
        assert_eq!(export(&elsewhere, &["--format", "csv"]), table);
        let file = elsewhere.path().join("out.csv");
        export(&elsewhere, &[file.to_str().expect("UTF-8")]);
        assert_eq!(fs::read_to_string(file).expect("it is there"), table);
    }
    let engine = Engine::builder(dir.path().join("data")).open().expect("the directory opens");
    let kept = String::from_utf8(engine.documents("product")[0].1.clone()).expect("UTF-8");
    assert!(kept.contains("\"updatedBy\":\"import\""), "{kept}");
    engine.close().expect("it closes");
}

#[test]
fn one_wrong_line_refuses_all_unless_told_to_go_on() {
    let dir = TempDir::new().expect("a directory");
    let wrong = format!(
        "{GOOD}{}",
        r#"{"id":"pot","name":"Pot","categoryId":"nowhere","pointsPrice":1}
{"id":"tea","name":"Tea","categoryId":"cat_tea","pointsPrice":1}
{"id":"can","name":"Can","categoryId":"cat_tea","pointsPrice":1.5}
not json
"#
    );
    let told = [
        "line 6: $.categoryId: the category nowhere does not exist",
        "line 7: $.id: it is that of line 1",
        "line 8: $.pointsPrice: ",
        "line 9: $: it is no JSON",
    ];
    let (code, said) = import(&dir, "all.jsonl", &wrong, &[]);
    assert!(code == 1 && told.iter().all(|line| said.contains(line)), "{said}");
    assert!(said.contains("4 lines are refused, and nothing was written"), "{said}");
    assert_eq!(documents(&dir), 0);
    let (code, said) = import(&dir, "all.jsonl", &wrong, &["--keep-going"]);
    assert!(code == 2 && told.iter().all(|line| said.contains(line)), "{said}");
    assert!(said.contains("4 written, 0 unchanged, 4 refused"), "{said}");
    assert_eq!(documents(&dir), 4);
    let (code, said) = import(&dir, "all.csv", "id,colour\nx,y\n", &[]);
    assert!(code == 1 && said.contains("no column \"colour\""), "{said}");
}

#[test]
fn a_catalogue_may_come_through_a_pipe() {
    let dir = TempDir::new().expect("a directory");
    let mut command = stockhold(&["catalogue", "import", "-", "--data-dir"]);
    command.arg(dir.path().join("data")).stdin(Stdio::piped());
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(GOOD.as_bytes()).expect("it reads");
    drop(stdin);
    let (code, printed, log) = exit_code(child.wait_with_output().expect("it ends"));
    assert!(code == 0 && printed.contains("4 written"), "{printed}{log}");
}
