//! What two looks at a server's numbers say.

use std::time::Duration;

use super::numbers::Numbers;

/// The route of exchanges, as the labels of their times have it.
const EXCHANGES: [(&str, &str); 2] = [("method", "POST"), ("route", "/api/mall/exchange")];
const EXCHANGE_TIMES: &str = "stockhold_http_request_duration_seconds";
const SYNC_TIMES: &str = "stockhold_journal_sync_duration_seconds";

/// A value of which the server may say nothing.
pub(super) type Known = Option<f64>;

/// How long something took, as far as bounds tell; `INFINITY` where it was beyond all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Took {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// What is shown of a server.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) version: Option<String>,
    pub(super) exchanges: Vec<Outcome>,
    /// Of all outcomes, in a second.
    pub(super) rate: Known,
    pub(super) exchange_took: Option<Took>,
    pub(super) in_flight: Known,
    pub(super) exchanges_waiting: Known,
    pub(super) reservations: Known,
    pub(super) oldest_reservation: Known,
    pub(super) last_event: Known,
    pub(super) undurable: Known,
    pub(super) groups_rate: Known,
    pub(super) sync_took: Option<Took>,
    pub(super) checkpoint_lag: Known,
    pub(super) history_lag: Known,
    pub(super) mirror: Option<Mirror>,
    pub(super) backup_exposed: Known,
    pub(super) free_bytes: Known,
    pub(super) journal_bytes: Known,
    pub(super) archive_bytes: Known,
    pub(super) memory_bytes: Known,
    pub(super) alerts: Vec<(String, f64)>,
    pub(super) unacknowledged: Known,
    /// What is wrong, in words.
    pub(super) wrong: Vec<String>,
}

/// Exchanges that ended alike.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) name: String,
    /// Since the process began.
    pub(super) count: f64,
    pub(super) rate: Known,
}

#[derive(Debug, PartialEq)]
pub(super) struct Mirror {
    pub(super) state: String,
    pub(super) lag_events: Known,
}

impl Figures {
    /// Rates and times are of what came since `before`, which was so long ago. Where nothing was seen
    /// before, or another process was, they are not known.
    pub(super) fn of(numbers: &Numbers, before: Option<(&Numbers, Duration)>) -> Self {
        let began = |of: &Numbers| of.one("process_start_time_seconds");
        let before = before.filter(|(it, _)| began(it) == began(numbers));
        let one = |name| numbers.one(name);
        let took = |name, labels: &[_]| {
            let (before, _) = before?;
            took(&numbers.histogram(name, labels), &before.histogram(name, labels))
        };
        let exchanges = outcomes(numbers, before);
        Self {
            version: numbers.label("stockhold_build_info", "version").map(str::to_owned),
            rate: before.map(|_| exchanges.iter().filter_map(|it| it.rate).sum()),
            exchanges,
            exchange_took: took(EXCHANGE_TIMES, &EXCHANGES),
            in_flight: one("stockhold_http_requests_in_flight"),
            exchanges_waiting: one("stockhold_exchanges_waiting"),
            reservations: one("stockhold_pending_reservations"),
            oldest_reservation: one("stockhold_oldest_reservation_age_seconds"),
            last_event: one("stockhold_journal_last_event"),
            undurable: one("stockhold_journal_undurable_events"),
            groups_rate: before.and_then(|(before, since)| {
                let name = "stockhold_journal_groups_total";
                grown(one(name), before.one(name), since)
            }),
            sync_took: took(SYNC_TIMES, &[]),
            checkpoint_lag: one("stockhold_checkpoint_lag_events"),
            history_lag: one("stockhold_history_lag_events"),
            mirror: mirror(numbers),
            backup_exposed: one("stockhold_backup_exposed_seconds"),
            free_bytes: one("stockhold_free_bytes"),
            journal_bytes: one("stockhold_journal_segment_bytes"),
            archive_bytes: one("stockhold_archive_bytes"),
            memory_bytes: one("process_resident_memory_bytes"),
            alerts: alerts(numbers),
            unacknowledged: one("stockhold_stock_alerts_unacknowledged"),
            wrong: wrong(numbers),
        }
    }
}

/// Those that happened most stand first.
fn outcomes(numbers: &Numbers, before: Option<(&Numbers, Duration)>) -> Vec<Outcome> {
    const NAME: &str = "stockhold_exchanges_total";
    let earlier = before.map(|(before, since)| (before.by(NAME, "outcome"), since));
    let counts = numbers.by(NAME, "outcome").into_iter();
    let mut outcomes: Vec<_> = counts
        .map(|(name, count)| {
            let rate = earlier.as_ref().and_then(|(before, since)| {
                grown(Some(count), Some(before.get(name).copied().unwrap_or(0.0)), *since)
            });
            Outcome { name: name.to_owned(), count, rate }
        })
        .collect();
    outcomes.sort_by(|a, b| b.count.total_cmp(&a.count));
    outcomes
}

/// How fast a counter grew, a second. One that shrank began anew.
fn grown(now: Known, before: Known, since: Duration) -> Known {
    let grown = now? - before?;
    (grown >= 0.0 && !since.is_zero()).then(|| grown / since.as_secs_f64())
}

/// How long what came since `before` took; `None` where nothing came.
fn took(now: &[(f64, f64)], before: &[(f64, f64)]) -> Option<Took> {
    let since: Vec<(f64, f64)> = now
        .iter()
        .map(|(bound, count)| {
            let before = before.iter().find(|(of, _)| of == bound).map_or(0.0, |(_, count)| *count);
            (*bound, count - before)
        })
        .collect();
    let all = since.last().filter(|(_, count)| *count > 0.0)?.1;
    let within = |part: f64| since.iter().find(|(_, count)| *count >= part * all).map(|it| it.0);
    Some(Took { p50: within(0.5)?, p99: within(0.99)? })
}

fn mirror(numbers: &Numbers) -> Option<Mirror> {
    let states = numbers.by("stockhold_mirror_state", "state");
    let (state, _) = states.into_iter().find(|(_, is)| *is > 0.0)?;
    Some(Mirror { state: state.to_owned(), lag_events: numbers.one("stockhold_mirror_lag_events") })
}

fn alerts(numbers: &Numbers) -> Vec<(String, f64)> {
    let kinds = numbers.by("stockhold_stock_alerts", "kind").into_iter();
    kinds.map(|(kind, count)| (kind.to_owned(), count)).collect()
}

/// What of these numbers is more than nothing, and what that means.
const WRONG: [(&str, &str); 12] = [
    ("stockhold_poisoned", "a write or a sync failed: nothing more is accepted"),
    ("stockhold_stalled", "the disk hangs: nothing more is accepted for now"),
    ("stockhold_low_space", "too little room for anything new"),
    ("stockhold_history_failed", "history failed"),
    ("stockhold_dead_thread", "a thread of the engine died"),
    ("stockhold_books_unbalanced_total", "accounts that do not add up"),
    ("stockhold_checkpoint_failures", "checkpoints that failed"),
    ("stockhold_mirror_backlog_full", "too much is kept for the mirror"),
    ("stockhold_mirror_rejected_rows", "rows that the mirror's database refused"),
    ("stockhold_backup_failures", "runs of the backup that failed"),
    ("stockhold_webhook_dead_messages", "messages of webhooks that were given up"),
    ("stockhold_unreadable_documents", "documents that cannot be read"),
];

fn wrong(numbers: &Numbers) -> Vec<String> {
    let mut wrong = Vec::new();
    let is = |name, value| numbers.one(name) == Some(value);
    if is("stockhold_draining", 1.0) {
        wrong.push("the server stops".to_owned());
    } else if is("stockhold_ready", 0.0) {
        wrong.push("requests cannot be taken now".to_owned());
    }
    if is("stockhold_points_service_up", 0.0) {
        wrong.push("the service that keeps the points does not answer".to_owned());
    }
    for (name, what) in WRONG {
        match numbers.sum(name) {
            Some(1.0) => wrong.push(what.to_owned()),
            Some(count) if count > 0.0 => wrong.push(format!("{what}: {count}")),
            Some(_) | None => {}
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(success: u32, groups: u32, began: u32, quick: u32, all: u32) -> Numbers {
        let text = format!(
            "process_start_time_seconds {began}\nstockhold_exchanges_total{{outcome=\"SUCCESS\"}} {success}\n\
             stockhold_exchanges_total{{outcome=\"INSUFFICIENT_STOCK\"}} 3\nstockhold_journal_groups_total {groups}\n\
             stockhold_http_request_duration_seconds_bucket{{method=\"POST\",route=\"/api/mall/exchange\",le=\"0.001\"}} {quick}\n\
             stockhold_http_request_duration_seconds_bucket{{method=\"POST\",route=\"/api/mall/exchange\",le=\"+Inf\"}} {all}\n"
        );
        Numbers::parse(&text).expect("good text")
    }

    #[test]
    fn rates_and_times_are_of_what_came_between_two_looks() {
        let (before, now) = (numbers(10, 4, 1, 10, 10), numbers(30, 9, 1, 18, 20));
        let figures = Figures::of(&now, Some((&before, Duration::from_secs(2))));
        assert_eq!((figures.rate, figures.groups_rate), (Some(10.0), Some(2.5)));
        let expected = Outcome { name: "SUCCESS".to_owned(), count: 30.0, rate: Some(10.0) };
        assert_eq!(figures.exchanges[0], expected);
        // Eight of the ten that came were within a millisecond, and two beyond every bound.
        assert_eq!(figures.exchange_took, Some(Took { p50: 0.001, p99: f64::INFINITY }));
        assert_eq!((figures.mirror, figures.sync_took), (None, None));
    }

    #[test]
    fn of_one_look_and_of_another_process_there_is_no_rate() {
        let now = numbers(30, 9, 2, 18, 20);
        let before = numbers(10, 4, 1, 10, 10);
        for before in [None, Some((&before, Duration::from_secs(2)))] {
            let figures = Figures::of(&now, before);
            assert_eq!(
                (figures.rate, figures.groups_rate, figures.exchange_took),
                (None, None, None)
            );
            assert_eq!(figures.exchanges[0].count, 30.0);
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_what_is_well_is_not() {
        let text = "stockhold_ready 0\nstockhold_draining 0\nstockhold_poisoned 1\nstockhold_stalled 0\n\
            stockhold_webhook_dead_messages{receiver=\"a\"} 2\nstockhold_webhook_dead_messages{receiver=\"b\"} 1\n";
        let numbers = Numbers::parse(text).expect("good text");
        let wrong = Figures::of(&numbers, None).wrong;
        assert_eq!(
            wrong,
            [
                "requests cannot be taken now",
                "a write or a sync failed: nothing more is accepted",
                "messages of webhooks that were given up: 3"
            ]
        );
    }
}
