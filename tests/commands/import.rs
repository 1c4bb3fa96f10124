//! Would catch an import that gives anybody the points of before twice, or that gives some of a
//! file that is wrong.

#![allow(clippy::disallowed_methods, reason = "tests keep files of their own")]

use std::fs;

use stockhold::{AccountKey, Engine, Receive};
use tempfile::TempDir;

use crate::support::{exit_code, stockhold};

fn import(dir: &TempDir, lines: &str) -> (i32, String) {
    let file = dir.path().join("balances");
    fs::write(&file, lines).expect("there is room");
    let mut command = stockhold(&["import", "points"]);
    command.arg(&file).arg("--data-dir").arg(dir.path().join("data"));
    let (code, printed, log) = exit_code(command.output().expect("the program runs"));
    (code, printed + &log)
}

fn points(dir: &TempDir, user: &str) -> i64 {
    let engine = Engine::builder(dir.path().join("data")).open().expect("the directory opens");
    let account = engine.account(&AccountKey::points(user).expect("a valid user"));
    let points = account.map_or(0, |account| engine.level(account).expect("it is open").available);
    engine.close().expect("it closes");
    points
}

#[test]
fn balances_of_before_are_given_once_however_often_they_are_imported() {
    let dir = TempDir::new().expect("a directory");
    for expected in [
        "2 imported, 0 imported before, 0 left alone",
        "0 imported, 2 imported before, 0 left alone",
    ] {
        let (code, said) = import(&dir, "ann,500\n{\"userId\": \"bob\", \"points\": 7}\ncat,0\n");
        assert!(code == 0 && said.contains(expected), "{said}");
        assert_eq!((points(&dir, "ann"), points(&dir, "bob"), points(&dir, "cat")), (500, 7, 0));
    }
    // Another number for somebody is a mistake, and nobody is given anything for it.
    let (code, said) = import(&dir, "ann,501");
    assert!(code == 1 && said.contains("another number"), "{said}");
    let (code, said) = import(&dir, "dan,5\nann");
    assert!(code == 1 && said.contains("line 2"), "{said}");
    assert_eq!((points(&dir, "ann"), points(&dir, "dan")), (500, 0));
}

#[test]
fn who_has_points_of_other_origin_is_left_alone() {
    let dir = TempDir::new().expect("a directory");
    let engine = Engine::builder(dir.path().join("data")).open().expect("a new directory");
    let key = AccountKey::points("ann").expect("a valid user");
    let account = engine.open_account(&key, stockhold::Policy::strict()).expect("there is room");
    let given = stockhold::command::Command::Receive(Receive::new(account, 3));
    engine.execute(&given).expect("it is decided").wait().expect("it is durable");
    engine.close().expect("it closes");
    let (code, said) = import(&dir, "ann,500\nbob,1");
    assert!(
        code == 2 && said.contains("ann has points already") && said.contains("1 imported"),
        "{said}"
    );
    assert_eq!((points(&dir, "ann"), points(&dir, "bob")), (3, 1));
}
