//! Would catch a `rebuild` whose result is wrong, that does not say how far it goes, or that begins on
//! a directory in use.

use std::fs;
use std::path::Path;

use stockhold::history::{ChangeRecord, ReservationRecord};
use stockhold::{Engine, Level};

use crate::clean::picture;
use crate::forged::{add_to_snapshot, files};
use crate::sale::{Accounts, Sale, open_engine};
use crate::support::{run, stockhold};
use crate::verify;

fn rebuild(dir: &Path, args: &[&str]) -> (i32, String, String) {
    run(stockhold(&["rebuild", dir.to_str().expect("a path in UTF-8")]).args(args))
}

#[track_caller]
fn rebuilt(dir: &Path, args: &[&str]) -> String {
    let (code, printed, log) = rebuild(dir, args);
    assert_eq!(code, 0, "{log}");
    printed
}

#[track_caller]
fn expect_clean(dir: &Path) -> crate::Verdict {
    let verdict = verify(dir);
    assert_eq!(verdict.code, 0, "{}", verdict.told());
    verdict
}

/// What an engine shows of the past.
type Shown = (Vec<Level>, Vec<ReservationRecord>, Vec<ChangeRecord>);

fn shown(engine: &Engine, accounts: Accounts) -> Shown {
    engine.catch_up().wait().expect("history follows");
    let history = engine.history();
    let orders = history.reservations_of(accounts.points, None, usize::MAX).expect("it reads");
    let changes = [accounts.points, accounts.stock]
        .map(|account| history.changes_of(account, None, usize::MAX));
    (
        engine.levels(),
        orders,
        changes.into_iter().flat_map(|changes| changes.expect("it reads")).collect(),
    )
}

#[test]
fn history_is_made_anew_from_the_journal_and_the_archive() {
    let sale = Sale::open();
    for _ in 0..3 {
        sale.sell(50);
        sale.engine.checkpoint().expect("it is written");
    }
    let (accounts, clock, last) = (sale.accounts, sale.clock.clone(), sale.last_seq());
    let before = shown(&sale.engine, accounts);
    assert!(before.1.len() > 100 && before.2.len() > 300, "a past with something in it");
    let dir = sale.close();
    for file in files(&dir.path().join("store"), "") {
        if file.is_file() {
            fs::write(&file, b"nothing of use").expect("it is written");
        }
    }
    assert_eq!(verify(dir.path()).code, 20);
    let told = rebuilt(dir.path(), &[]);
    assert!(told.contains(&format!("History is made anew to event {last}")), "{told}");
    assert!(told.contains("store.set-aside-1"), "{told}");
    let clean = expect_clean(dir.path());
    assert_eq!(clean.report["audited"]["history"], serde_json::json!([1, last]));
    let engine = open_engine(dir.path(), &clock);
    assert!(shown(&engine, accounts) == before, "an engine shows another past");
    engine.close().expect("it closes");
    assert!(!dir.path().join("store.set-aside-2").exists(), "the engine uses what was made");
    // A second time, and on a directory without any.
    rebuilt(dir.path(), &[]);
    fs::remove_dir_all(dir.path().join("store")).expect("it is removed");
    rebuilt(dir.path(), &[]);
    expect_clean(dir.path());
}

#[test]
fn history_that_begins_late_says_where() {
    let sale = Sale::open();
    for _ in 0..3 {
        sale.sell(80);
        sale.engine.catch_up().wait().expect("history follows");
        sale.engine.checkpoint().expect("it is written");
    }
    while sale.engine.status().archive_bytes == 0 {
        std::thread::yield_now();
    }
    let (accounts, clock) = (sale.accounts, sale.clock.clone());
    let before = shown(&sale.engine, accounts);
    let dir = sale.close();
    for file in files(&dir.path().join("archive"), "0") {
        fs::remove_file(file).expect("it is removed");
    }
    let told = rebuilt(dir.path(), &[]);
    let clean = expect_clean(dir.path());
    let first = clean.audited("firstSeq");
    assert!(
        first > 1 && told.contains(&format!("Events before {first} are no longer kept")),
        "{told}"
    );
    let engine = open_engine(dir.path(), &clock);
    assert_eq!(engine.history().first_seq().expect("history is on"), first);
    let after = shown(&engine, accounts);
    let kept: Vec<&ChangeRecord> = before.2.iter().filter(|change| change.seq >= first).collect();
    assert!(
        after.0 == before.0 && !kept.is_empty() && after.2.iter().eq(kept),
        "from there on nothing is missing"
    );
    let told = rebuild(dir.path(), &["--snapshot"]).2;
    assert!(told.contains("is open already"), "{told}");
    engine.close().expect("it closes");
    let told = rebuilt(dir.path(), &["--snapshot"]);
    assert!(told.contains("the oldest snapshot was its beginning"), "{told}");
    expect_clean(dir.path());
}

#[test]
fn the_snapshot_is_made_anew_from_the_events() {
    let sale = Sale::open();
    sale.sell(60);
    let (clock, last, levels) = (sale.clock.clone(), sale.last_seq(), sale.engine.levels());
    let dir = sale.close();
    let snapshots = || files(&dir.path().join("checkpoint"), "snapshot-");
    let snapshot = snapshots().pop().expect("a snapshot");
    // Another ledger, which adds up.
    for field in [5, 8] {
        add_to_snapshot(&snapshot, b"stock/tea", field);
    }
    assert_eq!(verify(dir.path()).code, 19);
    let told = rebuilt(dir.path(), &["--snapshot"]);
    assert!(told.contains(&format!("The snapshot is made anew to event {last}")), "{told}");
    assert_eq!(expect_clean(dir.path()).audited("snapshotParts"), 65);
    fs::remove_file(&snapshot).expect("it is removed");
    rebuilt(dir.path(), &["--snapshot"]);
    assert_eq!(snapshots(), [snapshot]);
    assert_eq!(expect_clean(dir.path()).audited("snapshotParts"), 65);
    let engine = open_engine(dir.path(), &clock);
    assert_eq!(engine.levels(), levels);
    engine.close().expect("it closes");
}

#[test]
fn nothing_is_rebuilt_where_a_server_runs_or_no_data_is() {
    let sale = Sale::open();
    sale.sell(10);
    sale.engine.catch_up().wait().expect("history follows");
    for args in [&[][..], &["--snapshot"]] {
        let (code, printed, log) = rebuild(sale.path(), args);
        assert_eq!((code, &printed[..]), (1, ""));
        assert!(log.contains("is open already"), "{log}");
    }
    assert!(!sale.path().join("store.rebuilding").exists());
    let nowhere = tempfile::TempDir::new().expect("a directory");
    assert_eq!(rebuild(nowhere.path(), &[]).0, 1);
    assert!(picture(nowhere.path()).is_empty(), "nothing is made where no data is");
}
