//! Would catch points of a file that are moved twice or in part, also by a program that is killed on its
//! way, and a line that is refused without its number.

#![allow(clippy::disallowed_methods, reason = "tests keep files of their own")]

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use stockhold::reader::DirectoryReader;
use stockhold::{AccountKey, Engine};
use tempfile::TempDir;

use crate::support::{exit_code, stockhold};

fn command(dir: &TempDir, name: &str, flags: &[&str]) -> Command {
    let mut command = stockhold(&["points", "import"]);
    command.arg(dir.path().join(name)).args(flags).arg("--data-dir").arg(dir.path().join("data"));
    command
}

fn import(dir: &TempDir, name: &str, text: &str, flags: &[&str]) -> (i32, String) {
    fs::write(dir.path().join(name), text).expect("there is room");
    let output = command(dir, name, flags).output().expect("the program runs");
    let (code, printed, log) = exit_code(output);
    (code, printed + &log)
}

fn balances(dir: &TempDir, users: &[String]) -> Vec<i64> {
    let engine = Engine::builder(dir.path().join("data")).open().expect("the directory opens");
    let balance = |user: &String| {
        let account = engine.account(&AccountKey::points(user).expect("a valid user"));
        account.map_or(0, |account| engine.level(account).expect("it is open").available)
    };
    let balances = users.iter().map(balance).collect();
    engine.close().expect("it closes");
    balances
}

fn users(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_file_moves_points_once_and_all_of_them_or_none() {
    let dir = TempDir::new().expect("a directory");
    let both = users(&["ann", "bob"]);
    let good = "userId,kind,points,source,reason,orderId\nann,award,10,invite_reward,邀请,\n\
        bob,,5,,,pay-7\nann,deduct,4,,误发,\nann,refund,1,,退货,\n";
    let (code, said) = import(&dir, "good.csv", good, &["--dry-run"]);
    assert!(code == 0 && said.contains("4 would be applied, 0 applied before"), "{said}");
    assert_eq!(balances(&dir, &both), [0, 0]);
    for expected in ["4 applied, 0 applied before, 0 refused", "0 applied, 4 applied before"] {
        let (code, said) = import(&dir, "good.csv", good, &["--operator", "root"]);
        assert!(code == 0 && said.contains(expected), "{said}");
        assert_eq!(balances(&dir, &both), [7, 5]);
    }
    let (code, said) = import(&dir, "good.csv", good, &["--batch", "again"]);
    assert!(code == 0 && said.contains("again: 4 applied"), "{said}");
    assert_eq!(balances(&dir, &both), [14, 10]);

    let bad = "{\"userId\":\"ann\",\"points\":1}\n{\"userId\":\"ann\",\"points\":0}\n\
        {\"kind\":\"deduct\",\"userId\":\"bob\",\"points\":11,\"reason\":\"误发\"}\nno JSON\n";
    let (code, said) = import(&dir, "bad.jsonl", bad, &[]);
    assert!(code == 1 && said.contains("3 lines are refused, and nothing was applied"), "{said}");
    for line in ["line 2: $.points: ", "line 3: $.points: the user can spend 10", "line 4: $: "] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(balances(&dir, &both), [14, 10]);
    let (code, said) = import(&dir, "bad.jsonl", bad, &["--keep-going"]);
    assert!(code == 2 && said.contains("1 applied, 0 applied before, 3 refused"), "{said}");
    assert_eq!(balances(&dir, &both), [15, 10]);
    let (code, said) =
        import(&dir, "other.jsonl", "{\"userId\":\"ann\",\"points\":1}", &["--batch", "again"]);
    assert!(code == 1 && said.contains("again was the name of another batch"), "{said}");
}

#[test]
fn points_of_a_file_are_good_until_the_end_of_the_day_that_they_name() {
    const DAY_MS: u64 = 86_400_000;
    const NOON_MS: u64 = 40_000 * DAY_MS + DAY_MS / 2;
    let dir = TempDir::new().expect("a directory");
    let line = |kind: &str, points: u64, end: &str| {
        format!(
            "{{\"userId\":\"ann\",\"kind\":\"{kind}\",\"points\":{points},\"reason\":\"x\"{end}}}\n"
        )
    };
    let end = |at: u64| format!(",\"expiresAt\":{at}");
    let text = [
        line("award", 10, ""),
        line("award", 20, &end(NOON_MS)),
        line("award", 5, &end(NOON_MS - 1)),
        line("deduct", 24, ""),
        line("award", 1, &end(1)),
    ];
    // What has passed is refused before anything happens.
    let (code, said) = import(&dir, "old.jsonl", &text.concat(), &[]);
    assert!(code == 1 && said.contains("line 5: $.expiresAt: expiresAt has passed"), "{said}");
    let flags = ["--points-day", "+08:00"];
    for expected in ["4 applied, 0 applied before, 0 refused", "0 applied, 4 applied before"] {
        let (code, said) = import(&dir, "good.jsonl", &text[..4].concat(), &flags);
        assert!(code == 0 && said.contains(expected), "{said}");
        let engine = Engine::builder(dir.path().join("data")).open().expect("it opens");
        let of = |key: stockhold::Result<AccountKey>| {
            let account = engine.account(&key.expect("a valid name")).expect("it is open");
            engine.level(account).expect("it is open").available
        };
        // The day ends there sixteen hours after it begins here.
        let until = AccountKey::points_until("ann", 40_000 * DAY_MS + DAY_MS / 3 * 2);
        assert_eq!((of(until), of(AccountKey::points("ann"))), (1, 10));
        engine.close().expect("it closes");
    }
}

#[test]
fn a_program_that_is_killed_on_its_way_is_run_again_and_moves_nothing_twice() {
    let dir = TempDir::new().expect("a directory");
    let names: Vec<String> = (0..50).map(|number| format!("user{number}")).collect();
    let mut text = String::new();
    for line in 0..20_000 {
        writeln!(text, "{{\"userId\":\"user{}\",\"points\":3}}", line % 50).expect("a string");
    }
    fs::write(dir.path().join("many.jsonl"), text).expect("there is room");
    drop(Engine::builder(dir.path().join("data")).open().expect("it opens"));
    for at_least in [100, 6_000] {
        let mut child = command(&dir, "many.jsonl", &[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        // Killed once so many events are on the disk, or when it was faster.
        while child.try_wait().expect("it is ours").is_none() {
            let reader = DirectoryReader::open(dir.path().join("data"));
            if reader.is_ok_and(|reader| reader.last_seq() >= at_least) {
                child.kill().expect("it is ours");
            }
        }
        child.wait().expect("it ended");
    }
    let (code, printed, log) =
        exit_code(command(&dir, "many.jsonl", &[]).output().expect("it runs"));
    assert_eq!(code, 0, "{printed}{log}");
    assert_eq!(balances(&dir, &names), vec![1_200; 50], "{printed}");
    let (_, printed, _) = exit_code(command(&dir, "many.jsonl", &[]).output().expect("it runs"));
    assert!(printed.contains("0 applied, 20000 applied before"), "{printed}");
}
