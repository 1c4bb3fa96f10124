//! Would catch an audit that finds fault with what is sound, or changes what it looks at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::sale::{Sale, open_engine};
use crate::verify;
use stockhold::Receive;

/// Every file below a directory, with its bytes and when it was changed.
pub(crate) fn picture(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("it is a directory") {
        let path = entry.expect("it lists").path();
        if path.is_dir() {
            files.extend(picture(&path));
        } else {
            let changed =
                fs::metadata(&path).and_then(|data| data.modified()).expect("it has a time");
            files.insert(path.clone(), (fs::read(&path).expect("it reads"), changed));
        }
    }
    files
}

#[track_caller]
fn expect_clean(dir: &Path) -> crate::Verdict {
    let verdict = verify(dir);
    assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.report);
    verdict
}

#[test]
fn a_sale_is_clean_while_it_goes_on_after_a_kill_and_after_a_close() {
    let sale = Sale::open();
    sale.sell(60);
    expect_clean(sale.path());
    sale.engine.checkpoint().expect("it is written");
    sale.sell(60);
    let open = expect_clean(sale.path());
    assert_eq!(open.audited("lastSeq"), sale.last_seq(), "everything was read");
    assert!(
        open.audited("entered") > 300 && open.audited("snapshotParts") == 65,
        "{}",
        open.report
    );
    let clock = std::sync::Arc::clone(&sale.clock);
    let dir = sale.drop_engine();
    expect_clean(dir.path());
    let engine = open_engine(dir.path(), &clock);
    engine.close().expect("it closes");
    let before = picture(dir.path());
    let closed = expect_clean(dir.path());
    assert_eq!(
        closed.report["audited"]["history"],
        serde_json::json!([1, closed.audited("lastSeq")])
    );
    assert_eq!(closed.audited("snapshotParts"), 2 * 65);
    assert!(picture(dir.path()) == before, "verify changes nothing");
}

#[test]
fn an_orderly_end_leaves_no_torn_write_behind_it() {
    let sale = Sale::open();
    // Until a segment is one that was recycled: what stood in it before is no write that was cut
    // off.
    while sale.engine.status().archive_bytes == 0 {
        sale.sell(70);
        sale.engine.catch_up().wait().expect("history follows");
        sale.engine.checkpoint().expect("it is written");
    }
    let clock = std::sync::Arc::clone(&sale.clock);
    let dir = sale.close();
    for _ in 0..3 {
        let engine = open_engine(dir.path(), &clock);
        let stock = engine.account(&"stock/tea".parse().expect("a key")).expect("it is open");
        engine
            .receive(Receive::new(stock, 1).note("more"))
            .and_then(|ticket| ticket.wait())
            .expect("it is durable");
        engine.close().expect("it closes");
        let closed = expect_clean(dir.path());
        assert_eq!(closed.report["audited"]["notes"], serde_json::json!([]), "{}", closed.report);
    }
}

#[test]
fn a_history_that_no_longer_reaches_back_begins_with_a_snapshot_and_says_so() {
    let sale = Sale::open();
    for _ in 0..3 {
        sale.sell(80);
        sale.engine.checkpoint().expect("it is written");
    }
    sale.sell(20);
    let dir = sale.close();
    for file in fs::read_dir(dir.path().join("archive")).expect("it lists") {
        fs::remove_file(file.expect("it lists").path()).expect("it is removed");
    }
    let verdict = expect_clean(dir.path());
    assert!(verdict.audited("firstSeq") > 1, "nothing was archived: {}", verdict.report);
    assert!(verdict.report["audited"]["beganWith"].is_string());
    assert_eq!(
        verdict.audited("snapshotParts"),
        65,
        "the newer snapshot is compared with the older one and the events"
    );
}

#[test]
fn a_copy_of_a_busy_directory_is_clean_as_far_as_it_goes() {
    let sale = Sale::open();
    sale.sell(20);
    let copy = tempfile::TempDir::new().expect("a directory");
    std::thread::scope(|scope| {
        let selling = scope.spawn(|| sale.sell(100));
        let mut looks = 0;
        while !selling.is_finished() {
            expect_clean(sale.path());
            looks += 1;
        }
        println!("{looks} audits of a busy directory");
    });
    let order = sale.engine.pending_count();
    assert!(order > 0, "something is pending");
    for name in ["checkpoint", "journal", "archive"] {
        copy_dir(&sale.path().join(name), &copy.path().join(name));
    }
    let copied = expect_clean(copy.path());
    assert_eq!(copied.audited("pending"), order as u64);
}

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it is made");
    for entry in fs::read_dir(from).expect("it is a directory") {
        let entry = entry.expect("it lists");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("it is copied");
        }
    }
}
