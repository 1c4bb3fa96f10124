//! Would catch a report that is another one when it is made again, a format that says something else
//! than the others, a page that asks somebody for something, and a day that is none.

use std::sync::Arc;

use serde_json::{Value, json};
use stockhold::clock::ManualClock;
use stockhold::{AccountKey, Engine, Line, Policy, Receive, Reserve};
use tempfile::TempDir;

use crate::support::{exit_code, stockhold};

/// Midnight of the 15th of June 2025, a Sunday, in UTC.
const SUNDAY_MS: u64 = 1_749_945_600_000;
const HOUR_MS: u64 = 3_600_000;

/// Two exchanges of a product, at nine and at eleven, one of which goes back on Monday.
fn directory() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    let clock = Arc::new(ManualClock::new(SUNDAY_MS + HOUR_MS));
    let builder = Engine::builder(dir.path()).clock(Arc::clone(&clock) as _);
    let engine = builder.open().expect("it opens");
    let open = |key: stockhold::Result<AccountKey>, units| {
        let key = key.expect("a valid key");
        let account = engine.open_account(&key, Policy::strict()).expect("it is new");
        engine.receive(Receive::new(account, units)).expect("it is valid").wait().expect("it runs");
        account
    };
    let (tea, ann) = (open(AccountKey::stock("tea"), 10), open(AccountKey::points("ann"), 90));
    let buy = |quantity, points| {
        let lines = [Line { account: ann, quantity: points }, Line { account: tea, quantity }];
        let reserve = Reserve::new(&lines, HOUR_MS).owner(ann).confirmed();
        let made = engine.reserve(reserve).expect("it is valid").wait().expect("it runs");
        made.reserved().expect("there is enough").reservation
    };
    clock.advance(8 * HOUR_MS);
    let first = buy(2, 20);
    clock.advance(2 * HOUR_MS);
    buy(1, 10);
    clock.advance(24 * HOUR_MS);
    engine.refund(first).expect("it is valid").wait().expect("it runs");
    engine.close().expect("it closes");
    dir
}

fn report(dir: &TempDir, args: &[&str]) -> (i32, String, String) {
    let mut command = stockhold(&["report"]);
    command.args(args).arg("--data-dir").arg(dir.path());
    exit_code(command.output().expect("the program runs"))
}

fn printed(dir: &TempDir, args: &[&str]) -> String {
    let (code, printed, log) = report(dir, args);
    assert_eq!(code, 0, "{args:?}: {printed}{log}");
    printed
}

#[test]
fn a_day_is_told_alike_in_every_format_and_whenever_it_is_asked_for() {
    let dir = directory();
    let daily = |format| printed(&dir, &["daily", "--date", "2025-06-15", "--format", format]);
    let told: Value = serde_json::from_str(&daily("json")).expect("it is JSON");
    let orders = json!({"made": 2, "exchanged": 2, "cancelled": 0, "expired": 0, "refunds": 0,
        "refundedWhole": 0});
    assert_eq!(told["orders"], orders);
    assert_eq!(told["points"], json!({"consumed": 30, "returned": 0}));
    // Their orders are not the mall's own, and say nothing of prices.
    assert_eq!(told["revenue"]["unitsWithoutPrice"], 3);
    let hours: Vec<_> = told["course"].as_array().expect("an array").iter().collect();
    assert_eq!((&hours[9]["exchanges"], &hours[9]["pointsConsumed"]), (&json!(1), &json!(20)));
    assert_eq!((&hours[11]["name"], &hours[11]["exchanges"]), (&json!("11:00"), &json!(1)));

    let table = daily("csv");
    for line in [
        "about,item,figure,value",
        "report,,daily,2025-06-15",
        "orders,,exchanged,2",
        "points,,consumed,30",
        "product,tea,units,3",
        "course,09:00,points consumed,20",
    ] {
        assert!(table.lines().any(|it| it == line), "{line}: {table}");
    }
    assert!(table.lines().all(|line| line.split(',').count() == 4), "{table}");

    let text = daily("text");
    assert!(text.starts_with("Daily report 2025-06-15\n2025-06-15T00:00:00.000Z to "), "{text}");
    assert!(text.contains("conversion: no views of products are on record"), "{text}");
    for format in ["json", "csv", "text", "html"] {
        assert_eq!(daily(format), daily(format), "{format}");
    }
}

#[test]
fn a_refund_is_of_its_day_and_of_the_week_of_that() {
    let dir = directory();
    let of = |args: &[&str]| -> Value {
        let args = [args, &["--format", "json"]].concat();
        serde_json::from_str(&printed(&dir, &args)).expect("it is JSON")
    };
    let monday = of(&["daily", "--date", "2025-06-16"]);
    assert_eq!(
        (&monday["orders"]["refunds"], &monday["points"]["returned"]),
        (&json!(1), &json!(20))
    );
    let week = of(&["weekly", "--week", "2025-W24"]);
    assert_eq!((&week["orders"]["exchanged"], &week["orders"]["refunds"]), (&json!(2), &json!(0)));
    // Further east, the second exchange was on Monday.
    let east = of(&["daily", "--date", "2025-06-15", "--time-zone", "Pacific/Kiritimati"]);
    assert_eq!(
        (&east["orders"]["exchanged"], &east["timeZone"]),
        (&json!(1), &json!("Pacific/Kiritimati"))
    );
}

#[test]
fn a_page_shows_plots_and_asks_nobody_for_anything() {
    let dir = directory();
    let page = printed(&dir, &["weekly", "--week", "2025-W24", "--format", "html"]);
    assert_eq!(page.matches("<svg").count(), 2, "{page}");
    assert!(page.contains("<title>Weekly report 2025-W24</title>"), "{page}");
    assert!(page.contains("default-src 'none'; style-src 'sha256-"), "{page}");
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    for never in ["<script", "style=", "src=", "href=", "http:", "https:", "@import", "url("] {
        assert!(!elsewhere.contains(never), "{never}: {page}");
    }
}

#[test]
fn what_is_no_period_is_refused_by_name_and_no_directory_is_made() {
    let dir = directory();
    for (args, told) in [
        (["daily", "--date", "2025-02-29"], "\"2025-02-29\" is no date"),
        (["daily", "--date", "yesterday"], "\"yesterday\" is no date"),
        (["weekly", "--week", "2025-W53"], "\"2025-W53\" is no week"),
        (["daily", "--date", "2999-01-01"], "2999-01-01 has not begun"),
    ] {
        let (code, printed, log) = report(&dir, &args);
        assert!(code == 1 && log.contains(told) && printed.is_empty(), "{args:?}: {code} {log}");
    }
    let (code, _, log) =
        report(&dir, &["daily", "--date", "2025-06-15", "--time-zone", "Mars/Olympus"]);
    assert!(code == 1 && log.contains("time_zone is \"Mars/Olympus\""), "{log}");
    let nowhere = dir.path().join("nowhere");
    let mut command = stockhold(&["report", "daily", "--date", "2025-06-15", "--data-dir"]);
    let (code, _, log) = exit_code(command.arg(&nowhere).output().expect("the program runs"));
    assert!(code == 1 && !nowhere.exists(), "{log}");
}
