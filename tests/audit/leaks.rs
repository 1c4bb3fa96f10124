//! Would catch a leak that is not named: units that are reserved and nobody holds, reservations that
//! outlive their deadline, orders that wait and hold nothing. Each is made in a directory whose records are
//! sound otherwise; `verify` names it, and so does a mall that opens the directory.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stockhold::clock::ManualClock;
use stockhold::command::WriteOff;
use stockhold::event::{Event, Fact};
use stockhold::{AccountKey, Line, Policy, Receive, ReservationId, Reserve};
use tempfile::TempDir;

use crate::forge::{events, keep_events, replace_events, write_events};
use crate::forged::{add_to_snapshot, files};
use crate::sale::{NOW_MS, Sale, TTL_MS, done, open_engine};
use crate::support::{Shop, run, stockhold};
use crate::verify;

const HEALTH: &str = "/api/admin/inventory/health";

/// The findings of leaks that `verify` tells.
#[track_caller]
fn leaks(dir: &Path) -> Vec<String> {
    let verdict = verify(dir);
    let findings = verdict.report["findings"].as_array().expect("findings");
    let leaks = findings.iter().filter(|finding| finding["kind"] == "leak");
    leaks.map(|finding| finding["what"].as_str().expect("a text").to_owned()).collect()
}

async fn health(shop: &Shop) -> Value {
    shop.operator().await.get(HEALTH).await.data()
}

#[test]
fn a_reservation_that_outlives_its_deadline_while_events_go_on() {
    let sale = Sale::open();
    sale.sell(14);
    let account = sale.accounts.stock;
    let pending = sale.engine.pending_count();
    assert!(pending > 0);
    let mut available = sale.engine.level(account).expect("it is open").available;
    let dir = sale.drop_engine();
    let mut events = events(dir.path());
    let mut at = events.last().expect("some").at + TTL_MS;
    let mut go_on = |events: &mut Vec<Event<'static>>, count: u64, step_ms: u64| {
        for _ in 0..count {
            (at, available) = (at + step_ms, available + 1);
            let note = "".into();
            let fact = Fact::Received { account, quantity: 1, available, note };
            events.push(Event { at, request: None, fact });
        }
    };
    // A minute in which it need not have run, and not quite a minute in which it did.
    go_on(&mut events, 1, 60_000);
    go_on(&mut events, 58, 1_000);
    write_events(dir.path(), &events);
    assert_eq!((verify(dir.path()).code, leaks(dir.path())), (0, vec![]));
    go_on(&mut events, 4, 1_000);
    write_events(dir.path(), &events);
    let verdict = verify(dir.path());
    assert_eq!(verdict.code, 23, "{}", verdict.told());
    assert_eq!(verdict.found(), [("leak".to_owned(), pending as u64)], "{}", verdict.told());
    assert!(leaks(dir.path())[0].contains("its deadline"), "{}", verdict.told());
}

/// Fields of an account in a snapshot.
const RESERVED: usize = 6;
const RECEIVED: usize = 8;

#[tokio::test]
async fn units_that_are_reserved_and_that_nobody_holds() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let body = json!({"productId": "prod_movie", "quantity": 2});
    ann.post("/api/mall/exchange", body).await.data();
    let dir = shop.close().await;
    assert_eq!(leaks(dir.path()), [""; 0]);
    // As if what the journal tells of it were no longer kept.
    for snapshot in files(&dir.path().join("checkpoint"), "snapshot-") {
        for field in [RESERVED, RECEIVED] {
            add_to_snapshot(&snapshot, b"stock/prod_movie", field);
        }
    }
    let shop = Shop::on(dir).await;
    let found = health(&shop).await;
    assert_eq!(found["healthy"], false);
    assert_eq!(
        found["unexplainedUnits"],
        json!({"count": 1, "first": [
            {"productId": "prod_movie", "reserved": 3, "heldByReservations": 2}
        ]})
    );
    shop.close().await;
}

#[test]
fn a_snapshot_whose_reservations_do_not_make_what_it_says_is_reserved() {
    let sale = Sale::open();
    for _ in 0..3 {
        sale.sell(80);
        sale.engine.checkpoint().expect("it is written");
    }
    let dir = sale.close();
    std::fs::remove_dir_all(dir.path().join("archive")).expect("it is removed");
    for snapshot in files(&dir.path().join("checkpoint"), "snapshot-") {
        for field in [RESERVED, RECEIVED] {
            add_to_snapshot(&snapshot, b"stock/tea", field);
        }
    }
    let verdict = verify(dir.path());
    assert_eq!(verdict.code, 23, "{}", verdict.told());
    assert_eq!(verdict.found(), [("leak".to_owned(), 1)], "{}", verdict.told());
    assert!(leaks(dir.path())[0].starts_with("stock/tea: "), "{}", verdict.told());
}

/// In the journal the order is another: history shows one that waits and holds nothing, and does not
/// know the one that does.
#[tokio::test]
async fn an_order_that_waits_and_has_no_reservation() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let body = json!({"productId": "prod_movie", "quantity": 2});
    let order = ann.post("/api/mall/exchange", body).await.data()["orderId"].clone();
    // By the last record history knows its journal: that one is never forged.
    ann.post("/api/mall/exchange", json!({"productId": "prod_kfc", "quantity": 1})).await.data();
    let dir = shop.close().await;
    let mut events = events(dir.path());
    replace_events(dir.path(), &events);
    let path = dir.path().to_str().expect("a path in UTF-8");
    let (code, told, log) = run(&mut stockhold(&["rebuild", path]));
    assert_eq!(code, 0, "{told}{log}");
    assert_eq!(leaks(dir.path()), [""; 0]);
    let number = order.as_str().expect("a string").trim_start_matches("ord_");
    let number = u64::from_str_radix(number, 16).expect("a number");
    for event in &mut events {
        if let Fact::Reserved { reservation, .. } = &mut event.fact
            && reservation.number() == number
        {
            // In the same shard, before any other of that millisecond.
            *reservation = ReservationId::from_number(number - 64);
        }
    }
    replace_events(dir.path(), &events);
    let told = leaks(dir.path());
    assert!(told.iter().any(|what| what.contains(&format!("{number} waits"))), "{told:?}");

    let shop = Shop::on(dir).await;
    let found = health(&shop).await;
    assert_eq!(
        found["ordersWithoutReservation"],
        json!({"count": 1, "first": [{"orderId": order}]})
    );
    let other = format!("ord_{:016x}", number - 64);
    assert_eq!(
        found["reservationsWithoutOrder"],
        json!({"count": 1, "first": [{"orderId": other, "why": "unknown"}]})
    );
    shop.close().await;
}

/// A closed directory that keeps nothing of its beginning but a snapshot and history, in which two of
/// ten units are reserved or written off. Nothing else differs.
fn without_beginning(is_reserved: bool) -> TempDir {
    let (dir, clock) = (TempDir::new().expect("a directory"), Arc::new(ManualClock::new(NOW_MS)));
    let engine = open_engine(dir.path(), &clock);
    let tea = AccountKey::stock("tea").expect("a valid key");
    let tea = engine.open_account(&tea, Policy::strict()).expect("there is room");
    done(engine.receive(Receive::new(tea, 10)));
    if is_reserved {
        let two = [Line { account: tea, quantity: 2 }];
        done(engine.reserve(Reserve::new(&two, 3_600_000)));
    } else {
        done(engine.write_off(WriteOff::new(tea, 2)));
    }
    let kept_from = engine.status().last_seq + 1;
    // By the last record history knows its journal.
    for _ in 0..2 {
        done(engine.receive(Receive::new(tea, 1)));
    }
    engine.close().expect("it closes");
    let (path, aside) = (dir.path().to_str().expect("a path in UTF-8"), dir.path().join("aside"));
    std::fs::rename(dir.path().join("checkpoint"), &aside).expect("it is moved");
    let events = events(dir.path());
    replace_events(dir.path(), &events);
    let (code, told, log) = run(&mut stockhold(&["rebuild", path]));
    assert_eq!(code, 0, "{told}{log}");
    keep_events(dir.path(), &events, kept_from);
    std::fs::rename(&aside, dir.path().join("checkpoint")).expect("it is moved");
    let verdict = verify(dir.path());
    assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.told());
    assert_eq!(verdict.audited("firstSeq"), kept_from);
    dir
}

/// Each history shows the other directory's order, or want of one. What either differs in is no
/// longer in the journal: nothing else is wrong.
#[test]
fn a_reservation_that_is_in_a_snapshot_or_in_history_alone() {
    let (held, given_up) = (without_beginning(true), without_beginning(false));
    for name in ["store", "store.manifest"] {
        let aside = held.path().join("aside");
        for (from, to) in [
            (held.path().join(name), aside.clone()),
            (given_up.path().join(name), held.path().join(name)),
            (aside, given_up.path().join(name)),
        ] {
            std::fs::rename(from, to).expect("it is moved");
        }
    }
    for (dir, what) in [
        (&held, "is pending, and in history it does not wait"),
        (&given_up, "waits, and there is no such reservation"),
    ] {
        let verdict = verify(dir.path());
        assert_eq!(verdict.code, 23, "{}", verdict.told());
        assert_eq!(verdict.found(), [("leak".to_owned(), 1)], "{}", verdict.told());
        assert!(leaks(dir.path())[0].contains(what), "{}", verdict.told());
    }
}
