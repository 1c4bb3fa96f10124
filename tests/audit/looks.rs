//! Would catch an `inspect` or a `state` that shows something else than there is, or changes it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use stockhold::Level;

use crate::clean::picture;
use crate::sale::{NOW_MS, Sale};
use crate::support::{run, stockhold};

fn told(dir: &Path, command: &str, args: &[&str]) -> (i32, String, String) {
    let dir = dir.to_str().expect("a path in UTF-8");
    run(stockhold(&[command, dir]).args(args))
}

#[track_caller]
fn shown(dir: &Path, command: &str, args: &[&str]) -> String {
    let (code, printed, log) = told(dir, command, args);
    assert_eq!(code, 0, "{command} {args:?}: {log}");
    printed
}

#[track_caller]
fn lines(dir: &Path, args: &[&str]) -> Vec<Value> {
    let printed = shown(dir, "inspect", &[args, &["--json"]].concat());
    printed.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().expect("a number")).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().expect("a kind")).collect()
}

#[track_caller]
fn refused(dir: &Path, command: &str, args: &[&str], code: i32, what: &str) {
    let (exit, printed, log) = told(dir, command, args);
    assert_eq!((exit, &printed[..]), (code, ""), "{command} {args:?}: {log}");
    assert!(log.contains(what), "{command} {args:?} says: {log}");
}

#[test]
fn inspect_shows_files_and_events_by_every_filter() {
    let sale = Sale::open();
    sale.sell(60);
    sale.engine.catch_up().wait().expect("history follows");
    for _ in 0..2 {
        sale.engine.checkpoint().expect("it is written");
        sale.sell(1);
    }
    while sale.engine.status().archive_bytes == 0 {
        std::thread::yield_now();
    }
    sale.sell(20);
    let (last, live) = (sale.last_seq(), lines(sale.path(), &["--events"]).len() as u64);
    assert_eq!(live, last, "beside a running engine");
    let dir = sale.close();
    let before = picture(dir.path());

    let files = lines(dir.path(), &[]);
    let with_events: Vec<&Value> = files.iter().filter(|file| file["events"] != 0).collect();
    let mut next = 1;
    for file in &with_events {
        let (first, last) = (
            file["firstSeq"].as_u64().expect("a number"),
            file["lastSeq"].as_u64().expect("a number"),
        );
        assert!(first <= next, "a hole before {file}");
        next = next.max(last + 1);
    }
    assert_eq!(next, last + 1, "the files hold every event");
    let kinds_of_files: BTreeSet<&str> =
        files.iter().filter_map(|file| file["kind"].as_str()).collect();
    assert_eq!(kinds_of_files, BTreeSet::from(["archived", "last", "sealed"]));
    assert!(shown(dir.path(), "inspect", &[]).contains(&format!("Events 1 to {last} are kept.")));

    let all = lines(dir.path(), &["--events"]);
    assert_eq!(seqs(&all), (1..=last).collect::<Vec<_>>());
    assert_eq!(
        kinds(&all).into_iter().collect::<BTreeSet<_>>().len(),
        19,
        "every kind of event is there"
    );
    assert_eq!(shown(dir.path(), "inspect", &["--events"]).lines().count() as u64, last);
    assert_eq!(seqs(&lines(dir.path(), &["--from", "7", "--to", "9"])), [7, 8, 9]);
    assert_eq!(seqs(&lines(dir.path(), &["--limit", "2"])), [1, 2]);
    let only = lines(dir.path(), &["--kind", "released", "--kind", "expired"]);
    assert!(
        only.len() > 10 && kinds(&only).iter().all(|kind| ["released", "expired"].contains(kind))
    );
    let (since, until) = (NOW_MS + 400, NOW_MS + 800);
    let between = lines(
        dir.path(),
        &["--since", "2025-06-15T15:06:40.400Z", "--until", "2025-06-15T15:06:40.800Z"],
    );
    let expected =
        all.iter().filter(|event| (since..until).contains(&event["at"].as_u64().expect("a time")));
    assert_eq!(seqs(&between), seqs(&expected.cloned().collect::<Vec<_>>()));
    assert!(between.len() > 5 && between.len() < all.len());

    let returned =
        all.iter().find(|event| event["kind"] == "returned").expect("an order was returned");
    let id = returned["reservation"].as_str().expect("a number");
    let life = lines(dir.path(), &["--reservation", id]);
    assert_eq!(kinds(&life), ["reserved", "confirmed", "returned"]);
    assert_eq!(life[0]["owner"], "points/ann");
    let number: u64 = id.parse().expect("a number");
    for name in [format!("ord_{number:016x}"), format!("EX{number:020}")] {
        assert_eq!(lines(dir.path(), &["--reservation", &name]), life, "{name}");
    }
    assert_eq!(life[0]["lines"].as_array().map(Vec::len), Some(5));
    let person = shown(dir.path(), "inspect", &["--reservation", id]);
    assert!(person.contains("by points/ann") && person.contains("2 x stock/tea"), "{person}");

    // The chain of one account, from its events alone.
    let tea = lines(dir.path(), &["--account", "stock/tea"]);
    assert!(tea.len() > 100 && tea[0]["kind"] == "account-opened");
    // What happened together is told one by one.
    let last = tea
        .last()
        .map(|event| event["together"].as_array().and_then(|all| all.last()).unwrap_or(event));
    let told = last.and_then(|event| {
        event["available"].as_i64().or_else(|| {
            event["lines"]
                .as_array()?
                .iter()
                .find(|line| line["account"] == "stock/tea")?["available"]
                .as_i64()
        })
    });
    let state: Value =
        serde_json::from_str(&shown(dir.path(), "state", &["--account", "stock/tea", "--json"]))
            .expect("JSON");
    assert_eq!(state["accounts"][0]["available"].as_i64(), told);
    let drawn = shown(dir.path(), "inspect", &["--account", "stock/tea", "--svg"]);
    let in_the_end = format!(", {} in the end.", told.expect("a level"));
    assert!(drawn.starts_with("<svg") && drawn.contains(&in_the_end), "{drawn}");

    for (args, code, what) in [
        (&["--from", "999999"][..], 1, "ends at record"),
        (&["--account", "stock/coffee"], 1, "there is no account stock/coffee"),
        (&["--account", "coffee"], 2, "an account key is"),
        (&["--reservation", "ord_7"], 2, "a reservation is a number"),
        (&["--account", "stock/tea", "--svg", "--kind", "document"], 1, "changed stock/tea"),
        (&["--svg"], 2, "--account"),
        (&["--since", "noon"], 1, "\"noon\" is no time"),
        (&["--kind", "stolen"], 2, "possible values"),
    ] {
        refused(dir.path(), "inspect", args, code, what);
    }
    refused(&dir.path().join("nowhere"), "inspect", &[], 1, "there is no journal");
    refused(&dir.path().join("nowhere"), "verify", &[], 1, "nothing to verify");
    assert!(picture(dir.path()) == before, "inspect changes nothing");
}

fn accounts(levels: &[Level]) -> Value {
    let mut accounts: Vec<Value> = levels
        .iter()
        .map(|level| {
            json!({
                "account": level.key.to_string(), "number": level.account.number(), "available": level.available,
                "reserved": level.reserved, "consumed": level.consumed, "received": level.received,
                "writtenOff": level.written_off, "policy": level.policy,
            })
        })
        .collect();
    accounts.sort_by_key(|account| account["account"].as_str().expect("a name").to_owned());
    accounts.into()
}

#[test]
fn state_shows_the_ledger_as_it_stood() {
    let sale = Sale::open();
    let mut witness = Vec::new();
    for orders in [10, 25, 7] {
        sale.sell(orders);
        witness.push((
            sale.last_seq(),
            sale.engine.now_ms(),
            sale.engine.levels(),
            sale.engine.pending_count(),
        ));
        sale.engine.checkpoint().expect("it is written");
        sale.clock.advance(5);
    }
    let state = |dir: &Path, args: &[&str]| -> Value {
        serde_json::from_str(&shown(dir, "state", &[args, &["--json"]].concat())).expect("JSON")
    };
    let check = |dir: &Path| {
        for (seq, at, levels, pending) in &witness {
            let by_seq = state(dir, &["--at", &seq.to_string()]);
            assert_eq!(by_seq["accounts"], accounts(levels), "as of event {seq}");
            assert_eq!(by_seq["pending"].as_array().map(Vec::len), Some(*pending));
            assert_eq!(by_seq["documents"], json!({"product": 1}));
            let time = by_seq["time"].as_str().expect("a time").to_owned();
            assert_eq!(by_seq["at"].as_u64(), Some(*at), "{time}");
            assert_eq!(state(dir, &["--at", &time])["seq"].as_u64(), Some(*seq), "as of {time}");
        }
        let end = state(dir, &[]);
        assert_eq!(end["seq"].as_u64(), Some(witness[2].0));
    };
    check(sale.path());
    let dir = sale.close();
    let before = picture(dir.path());
    check(dir.path());
    let points = state(dir.path(), &["--kind", "points"]);
    assert_eq!(points["accounts"].as_array().map(Vec::len), Some(1));
    let table = shown(dir.path(), "state", &["--pending"]);
    assert!(
        table.contains("stock/tea")
            && table.contains("reservation")
            && table.contains("x stock/tea"),
        "{table}"
    );
    let empty = state(dir.path(), &["--at", "0"]);
    assert_eq!((empty["accounts"].clone(), empty["pending"].clone()), (json!([]), json!([])));
    refused(dir.path(), "state", &["--at", "999999"], 1, "the journal ends at event");
    refused(dir.path(), "state", &["--at", "soon"], 1, "\"soon\" is no time");
    refused(
        dir.path(),
        "state",
        &["--account", "stock/coffee"],
        1,
        "there was no account stock/coffee",
    );
    assert!(picture(dir.path()) == before, "state changes nothing");
}
