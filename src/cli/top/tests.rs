//! Would catch a board that shows what it does not know, or does not fit a small terminal.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::draw::{draw, text};
use super::numbers::Numbers;
use super::watch::Watch;

fn numbers(success: u32) -> Result<Numbers, String> {
    let text = format!(
        "process_start_time_seconds 1\nstockhold_build_info{{version=\"9.9.9\"}} 1\nstockhold_ready 1\n\
         stockhold_exchanges_total{{outcome=\"SUCCESS\"}} {success}\n\
         stockhold_exchanges_total{{outcome=\"INSUFFICIENT_STOCK\"}} 2\n\
         stockhold_pending_reservations 1234\nstockhold_oldest_reservation_age_seconds 75\n\
         stockhold_journal_groups_total {success}\n\
         stockhold_journal_sync_duration_seconds_bucket{{le=\"0.0025\"}} {success}\n\
         stockhold_journal_sync_duration_seconds_bucket{{le=\"+Inf\"}} {success}\n\
         stockhold_mirror_state{{state=\"connecting\"}} 0\nstockhold_mirror_state{{state=\"live\"}} 1\n\
         stockhold_mirror_lag_events 7\nstockhold_free_bytes 1610612736\n\
         stockhold_stock_alerts{{kind=\"low\"}} 4\nstockhold_stock_alerts_unacknowledged 3\n\
         stockhold_poisoned 1\n"
    );
    Numbers::parse(&text).map_err(|error| error.to_string())
}

fn second(at: u64) -> Duration {
    Duration::from_secs(at)
}

/// What a terminal of this size shows.
fn shown(watch: &Watch, now: Duration, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let drawn = terminal.draw(|frame| draw(watch, now, frame.area(), frame.buffer_mut()));
    drawn.expect("it is drawn");
    terminal.backend().to_string()
}

fn assert_shows(shown: &str, parts: &[&str]) {
    for part in parts {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
}

#[test]
fn a_server_is_shown_as_it_says_that_it_is() {
    let mut watch = Watch::new("127.0.0.1:3000".to_owned());
    watch.saw(second(0), numbers(10));
    watch.saw(second(1), numbers(40));
    let parts = [
        "Stockhold at 127.0.0.1:3000, 9.9.9",
        "Exchanges: 30.0/s, at most 30.0/s",
        "SUCCESS",
        "30.0/s  of 40",
        "0.0/s  of 2",
        "reservations waiting 1,234",
        "oldest of them       1m 15s",
        "sync (p50 / p99)     <=2.5 / <=2.5 ms",
        "mirror               live, 7 events",
        "journal, archive     unknown, unknown",
        "memory               unknown",
        "disk, free           1.5 GiB",
        "stock alerts: low 4, unseen 3",
        "a write or a sync",
        "q ends",
    ];
    for (width, height) in [(80, 24), (100, 30), (200, 60)] {
        assert_shows(&shown(&watch, second(1), width, height), &parts);
    }
    let text = text(&watch, second(1));
    assert_shows(&text, &parts[..parts.len() - 1]);
    assert!(!text.contains("q ends"), "{text}");
}

#[test]
fn what_is_not_known_is_unknown() {
    let mut watch = Watch::new("there".to_owned());
    let nothing = shown(&watch, second(0), 80, 24);
    assert_shows(&nothing, &["being asked", "reservations waiting unknown"]);
    assert!(!nothing.contains("none") && !nothing.contains(" 0"), "{nothing}");
    // One look has no rates, and a server without a mirror and without history has none.
    watch.saw(
        second(0),
        Numbers::parse("stockhold_pending_reservations 0\n").map_err(|e| e.to_string()),
    );
    let once = shown(&watch, second(0), 80, 24);
    assert_shows(
        &once,
        &[
            "Exchanges: unknown",
            "groups               unknown",
            "sync (p50 / p99)     unknown",
            "disk, free           unknown",
            "oldest of them       none",
            "history lags by      none",
            "mirror               none",
            "nothing else",
        ],
    );
}

#[test]
fn a_server_that_is_away_shows_none_of_its_old_figures() {
    let mut watch = Watch::new("there".to_owned());
    watch.saw(second(0), numbers(10));
    watch.saw(second(1), numbers(40));
    watch.saw(second(6), Err("connection refused".to_owned()));
    let away = shown(&watch, second(6), 80, 24);
    assert_shows(
        &away,
        &["AWAY, seen 5.0s ago: connection refused", "at most 30.0/s", "Exchanges: unknown"],
    );
    assert!(!away.contains("1,234") && !away.contains("live"), "{away}");
    watch.saw(second(7), numbers(50));
    assert_shows(&shown(&watch, second(7), 80, 24), &["reservations waiting 1,234"]);
}

/// A terminal of any size is drawn in.
#[test]
fn no_terminal_is_too_small() {
    let mut watch = Watch::new("there".to_owned());
    watch.saw(second(0), numbers(10));
    for (width, height) in [(1, 1), (3, 2), (10, 7), (400, 3)] {
        drop(shown(&watch, second(1), width, height));
    }
}
