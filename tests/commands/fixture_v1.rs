//! Would catch a release that cannot open, understand or go on from a directory that the first
//! format versions wrote: journal, archive, checkpoint and claim of version 1, history of version
//! 2, and every kind of event. The directory in `tests/fixtures/v1` stays as it is for good;
//! `expected.txt` beside it is what the release that wrote it said of it.
#![allow(clippy::disallowed_methods, reason = "the test copies files")]

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use stockhold::clock::ManualClock;
use stockhold::http::{App, Auth, Limits, Role};
use stockhold::mall::{Mall, MallConfig};
use stockhold::outcome::Reserved;
use stockhold::reader::DirectoryReader;
use stockhold::{AccountKind, Engine, Line, Reserve, ReserveOutcome};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{Client, SECRET, run, stockhold, token};

/// When the directory was left, by its clock.
const LEFT_AT_MS: u64 = 1_750_000_008_800;
const ORDERS: [&str; 2] = ["ord_065dd083f980002f", "ord_065dd083f980006f"];

pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("the fixture is there") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), &to).expect("a copy")),
        }
    }
}

fn directory() -> TempDir {
    let dir = TempDir::new().expect("a temporary directory");
    copy(&fixture().join("data"), dir.path());
    dir
}

pub fn open(dir: &Path) -> Engine {
    let clock = Arc::new(ManualClock::new(LEFT_AT_MS));
    let engine = Engine::builder(dir)
        .clock(clock)
        .segment_bytes(128 << 10)
        .open()
        .expect("the directory opens");
    engine.catch_up().wait().expect("history goes on");
    engine
}

/// Everything that can be asked of the directory, a fact on each line.
fn told(engine: &Engine) -> String {
    let mut text = String::new();
    let levels = engine.levels();
    for level in &levels {
        let (available, reserved, consumed) = (level.available, level.reserved, level.consumed);
        let (received, written_off, policy) = (level.received, level.written_off, level.policy);
        let counts = format!(
            "available={available} reserved={reserved} consumed={consumed} received={received} written_off={written_off}"
        );
        writeln!(text, "level {} {counts} {policy:?}", level.key).expect("a string takes it");
    }
    writeln!(text, "pending {}", engine.pending_count()).expect("a string takes it");
    for level in &levels {
        let (account, key) = (level.account, &level.key);
        for record in engine.history().reservations_of(account, None, 1000).expect("history reads")
        {
            let line = |line: &stockhold::history::RecordLine| {
                format!("{}:{}/{}", line.account.number(), line.consumed, line.quantity)
            };
            let lines: Vec<String> = record.lines.iter().map(line).collect();
            let (id, state, lines) = (record.reservation.number(), record.state, lines.join(","));
            let (details, notes) = (record.details.len(), record.notes.len());
            writeln!(
                text,
                "reservation {id} of {key} {state:?} {lines} details={details} notes={notes}"
            )
            .expect("a string takes it");
        }
        if key.kind() == AccountKind::Quota {
            continue;
        }
        for change in engine.history().changes_of(account, None, 1000).expect("history reads") {
            let (seq, kind, delta) = (change.seq, change.kind, change.delta);
            writeln!(
                text,
                "change {seq} {key} {kind:?} {delta} {} {}",
                change.available, change.quantity
            )
            .expect("a string takes it");
        }
    }
    for (key, body) in engine.documents("product").into_iter().chain(engine.documents("category")) {
        writeln!(text, "document {key} {}", body.len()).expect("a string takes it");
    }
    writeln!(text, "last {}", engine.durable_seq()).expect("a string takes it");
    text
}

#[track_caller]
fn check_told(engine: &Engine) {
    let expected =
        std::fs::read_to_string(fixture().join("expected.txt")).expect("the fixture is there");
    let told = told(engine);
    let difference = expected.lines().zip(told.lines()).find(|(expected, told)| expected != told);
    assert_eq!(difference, None, "the first line that differs");
    assert_eq!(told, expected);
}

#[track_caller]
fn check_verified(dir: &Path) {
    let (code, printed, log) =
        run(&mut stockhold(&["verify", dir.to_str().expect("a path in UTF-8")]));
    assert_eq!(code, 0, "{printed}{log}");
}

#[test]
fn the_directory_as_it_was_left_is_verified() {
    check_verified(directory().path());
}

#[test]
fn everything_is_as_it_was_before_and_after_the_upgrade() {
    let dir = directory();
    let engine = open(dir.path());
    check_told(&engine);
    engine.close().expect("it closes");
    drop(engine);
    check_verified(dir.path());
    check_told(&open(dir.path()));
}

#[test]
fn history_is_made_anew_from_the_old_journal_and_archive() {
    let dir = directory();
    std::fs::remove_dir_all(dir.path().join("store")).expect("history goes");
    std::fs::remove_file(dir.path().join("store.manifest")).expect("its manifest goes");
    check_told(&open(dir.path()));
    check_verified(dir.path());
}

#[test]
fn the_snapshots_are_not_needed_where_the_past_is_read() {
    let dir = directory();
    let reader = DirectoryReader::open(dir.path()).expect("the past opens");
    assert_eq!(
        (reader.oldest_seq(), reader.claim_id("mirror").expect("the claim reads").is_some()),
        (1, true)
    );
    let ledger = reader.ledger_at(reader.last_seq()).expect("the events replay");
    let engine = open(dir.path());
    assert_eq!(
        (ledger.levels(), ledger.all_pending().len()),
        (engine.levels(), engine.pending_count())
    );
}

/// A server on the directory, and what stops it.
async fn serve(engine: &Engine) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let mall = Mall::open(engine.clone(), MallConfig::default()).expect("the catalogue reads");
    let auth = Auth::new(&SecretString::from(SECRET)).expect("a secret that is long enough");
    let app = Arc::new(App::new(mall, auth, Limits::default()));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(stockhold::http::run(listener, async { drop(stopped.await) }, app));
    (address, stop, server)
}

/// Would catch a list that begins with the release that has an index for it.
#[tokio::test]
async fn every_change_of_stock_is_listed_whichever_release_kept_it() {
    let dir = directory();
    let engine = open(dir.path());
    let (address, stop, server) = serve(&engine).await;
    let mut ops = Client::connect(address, Some(token("ops", Role::Operator))).await;
    let body = json!({"quantity": 3, "reason": "x"});
    ops.post("/api/admin/inventory/prod_starbucks/receive", body).await.data();
    engine.catch_up().wait().expect("history goes on");
    let mut kept = Vec::new();
    for level in engine.accounts_of_kind("stock").flatten() {
        let changes = engine.history().changes_of(level.account, None, usize::MAX);
        for change in changes.expect("history reads") {
            let order = change.reservation.map(|it| format!("ord_{:016x}", it.number()));
            let owner = level.key.owner().to_owned();
            kept.push((change.seq, owner, change.delta, change.available, order));
        }
    }
    kept.sort_by(|a, b| b.cmp(a));
    assert!(kept.len() > 300, "{} changes", kept.len());
    let of_order = kept.iter().filter(|it| it.4.as_deref() == Some(ORDERS[0])).cloned().collect();
    for (query, want) in [("", kept), (&*format!("&order_id={}", ORDERS[0]), of_order)] {
        let (mut found, mut before) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/admin/inventory/records?page_size=100{query}{before}");
            let page = ops.get(&path).await.data();
            for record in page["records"].as_array().expect("an array") {
                let number = |field: &str| record[field].as_i64().expect("a number");
                let text = |field: &str| record[field].as_str().map(str::to_owned);
                found.push((
                    record["seq"].as_u64().expect("a number"),
                    text("productId").expect("a product"),
                    number("quantityChange"),
                    number("stockAfter"),
                    text("relatedOrderId"),
                ));
            }
            match page["nextBefore"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        found.sort_by(|a, b| b.cmp(a));
        assert_eq!(found, want, "{query}");
    }
    drop(stop);
    server.await.expect("the server ends");
    engine.close().expect("it closes");
    check_verified(dir.path());
}

#[tokio::test]
async fn a_retry_hears_the_answer_of_the_old_release_and_sales_go_on() {
    let dir = directory();
    let engine = open(dir.path());
    let (address, stop, server) = serve(&engine).await;
    let mut eve = Client::connect(address, Some(token("eve", Role::User))).await;
    let body = json!({
        "productId": "prod_starbucks", "quantity": 1, "confirm": true, "deliveryInfo": {"name": "伊芙", "floor": 3},
    });
    let retried = eve.post_keyed("/api/mall/exchange", "a", body).await.data();
    assert_eq!(retried["orderId"], ORDERS[0], "{retried}");
    let before = eve.balance().await;
    let cancelled =
        eve.post(&format!("/api/mall/orders/{}/cancel", ORDERS[1]), json!({})).await.data();
    assert_eq!(
        (cancelled["orderId"].clone(), eve.balance().await - before),
        (json!(ORDERS[1]), 3500),
        "{cancelled}"
    );
    drop(stop);
    server.await.expect("the server ends");

    let tea = engine.account(&"stock/tea".parse().expect("a key")).expect("the account is there");
    let lines = [Line { account: tea, quantity: 1 }];
    let sold =
        engine.reserve(Reserve::new(&lines, 1000).confirmed()).and_then(|ticket| ticket.wait());
    assert!(
        matches!(sold, Ok(ReserveOutcome::Reserved(Reserved { confirmed: true, .. }))),
        "{sold:?}"
    );
    engine.close().expect("it closes");
    check_verified(dir.path());
}
