//! Every metric of the server, besides those of the engine, which has a table of its own. Names, help,
//! kinds and labels follow from it, and so does `docs/metrics.md`, which a test holds to it.
//!
//! Labels have few values: routes and codes are those of their tables, receivers of webhooks are as
//! many as there may be. Nobody's name is in any of them.

use super::family::Kind::{Counter, Gauge, Histogram};
use super::family::{Kind, Labels, Row, Values};
use super::reading::{Reading, seconds};
use super::sale;
use crate::mall::{BOOK_KINDS, BOOK_STATES};
use crate::sink::MirrorState;
use crate::webhooks::Standing;

const fn row(
    kind: Kind,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Reading, &mut Values),
) -> Row {
    Row { name, help, kind, labels, read }
}

pub(super) const TABLE: &[Row] = &[
    row(
        Counter,
        "stockhold_http_requests_total",
        &["method", "route", "code"],
        "Requests by the route that they found and the status that they were answered with; none is a client that went away.",
        requests,
    ),
    row(
        Histogram,
        "stockhold_http_request_duration_seconds",
        &["method", "route"],
        "How long requests took, from their heads to the heads of their answers; a wait or a stream that a client asked for counts.",
        |it, to| {
            for ((method, route), times) in it.requests.times() {
                to.add(labels([method, route]), times.clone());
            }
        },
    ),
    row(
        Gauge,
        "stockhold_http_requests_in_flight",
        &[],
        "Requests that are not answered yet.",
        |it, to| to.one(it.requests.under_way()),
    ),
    row(
        Counter,
        "stockhold_http_failures_total",
        &["error"],
        "Requests that were answered with a code of the API other than success, over all routes.",
        |it, to| it.requests.failures().for_each(|(code, count)| to.add(labels([code]), count)),
    ),
    row(
        Counter,
        "stockhold_http_shed_total",
        &["reason"],
        "Requests that were turned away before anything was done for them: share, whose user or address asks for more than others; load, while even those who ask for little are too many; user, who has too many under way; operators, who have.",
        |it, to| it.gate.shed.iter().for_each(|(why, count)| to.add(labels([*why]), *count)),
    ),
    row(
        Gauge,
        "stockhold_http_wait_seconds",
        &[],
        "How long requests that have come wait for a processor, at least, as of the last look.",
        |it, to| to.one(it.gate.wait_us as f64 / 1e6),
    ),
    row(
        Counter,
        "stockhold_exchanges_total",
        &["outcome"],
        "Exchanges by what became of them, of the API and of pages: the code of the API, or ABANDONED where the client went away.",
        |it, to| {
            let outcomes = sale::outcomes(&it.requests);
            outcomes.into_iter().for_each(|(code, count)| to.add(labels([code]), count));
        },
    ),
    row(
        Gauge,
        "stockhold_exchanges_waiting",
        &[],
        "Exchanges that wait for a disk that hangs.",
        |it, to| to.one(it.exchanges_waiting as u64),
    ),
    row(
        Gauge,
        "stockhold_active_users",
        &[],
        "Users who asked for something of their own within five minutes, by estimate.",
        |it, to| to.one(it.users),
    ),
    row(
        Gauge,
        "stockhold_ready",
        &[],
        "Whether requests can be taken now, as /ready says.",
        |it, to| to.one(it.is_ready),
    ),
    row(
        Gauge,
        "stockhold_draining",
        &[],
        "Whether the server stops, and finishes what it has begun.",
        |it, to| to.one(it.is_draining),
    ),
    row(
        Gauge,
        "stockhold_oldest_reservation_age_seconds",
        &[],
        "For how long the oldest reservation has been waiting, as of some seconds ago; absent where none waits.",
        |it, to| to.known(it.books.oldest_made_at.map(|at| it.since(at))),
    ),
    row(
        Gauge,
        "stockhold_lapse_lag_seconds",
        &[],
        "How far the reservation that is longest overdue was past its deadline, as of some seconds ago.",
        |it, to| to.known(it.books.pending_seen_at.map(|_| seconds(it.books.overdue_ms))),
    ),
    row(
        Gauge,
        "stockhold_books_units",
        &["kind", "state"],
        "Units of all accounts of a kind, as of the last whole round over the books: units of products, points, and what quotas grant.",
        units,
    ),
    row(
        Counter,
        "stockhold_books_accounts_total",
        &[],
        "Accounts that were added up on rounds over the books.",
        |it, to| to.one(it.books.accounts),
    ),
    row(
        Counter,
        "stockhold_books_unbalanced_total",
        &[],
        "How often one of them did not add up: points or units were lost or invented.",
        |it, to| to.one(it.books.unbalanced),
    ),
    row(
        Gauge,
        "stockhold_books_age_seconds",
        &[],
        "The time since the last whole round over the books; absent before the first.",
        |it, to| to.known(it.books.accounts_seen_at.map(|at| it.since(at))),
    ),
    row(
        Histogram,
        "stockhold_journal_sync_duration_seconds",
        &[],
        "How long the disk was at each group of events, to write and to sync it.",
        |it, to| to.one(it.syncs.clone()),
    ),
    row(
        Gauge,
        "stockhold_mirror_state",
        &["state"],
        "Which state the mirror is in; absent without a mirror.",
        |it, to| {
            if let Some((status, ..)) = &it.mirror {
                for state in MirrorState::ALL {
                    to.add(labels([state.name()]), *state == status.state);
                }
            }
        },
    ),
    row(
        Gauge,
        "stockhold_mirror_lag_events",
        &[],
        "Durable events that the mirror's tables do not show; absent without a mirror.",
        |it, to| to.known(it.mirror.as_ref().map(|(_, events, _)| *events)),
    ),
    row(
        Gauge,
        "stockhold_mirror_lag_seconds",
        &[],
        "How old the oldest of them is; absent without a mirror.",
        |it, to| to.known(it.mirror.as_ref().map(|(.., ms)| seconds(*ms))),
    ),
    row(
        Gauge,
        "stockhold_mirror_rejected_rows",
        &[],
        "Rows that the database refused and that were set aside; absent without a mirror.",
        |it, to| to.known(it.mirror.as_ref().map(|(status, ..)| status.rejected)),
    ),
    row(
        Gauge,
        "stockhold_mirror_held_bytes",
        &[],
        "How much of the journal is kept for the mirror; absent without a mirror.",
        |it, to| to.known(it.mirror.as_ref().map(|(status, ..)| status.held_bytes)),
    ),
    row(
        Gauge,
        "stockhold_mirror_backlog_full",
        &[],
        "Whether that is more than it may be; absent without a mirror.",
        |it, to| to.known(it.mirror.as_ref().map(|(status, ..)| status.backlog_full)),
    ),
    row(
        Gauge,
        "stockhold_backup_last_seq",
        &[],
        "The last event that the backup has; absent where the server makes none.",
        |it, to| to.known(it.backup.as_ref().map(|backup| backup.last_seq)),
    ),
    row(
        Gauge,
        "stockhold_backup_exposed_seconds",
        &[],
        "How far back goes what would be lost with the machine; absent until a backup was whole.",
        |it, to| to.known(exposed_seconds(it)),
    ),
    row(
        Gauge,
        "stockhold_backup_failures",
        &[],
        "How many runs of the backup failed since the last that did not; absent where the server makes none.",
        |it, to| to.known(it.backup.as_ref().map(|backup| backup.failures)),
    ),
    row(
        Gauge,
        "stockhold_tls_certificate_expiry_time_seconds",
        &[],
        "When the certificate ends that clients are shown, since 1970; absent without TLS.",
        |it, to| to.known(it.certificate_ends_at.map(seconds)),
    ),
    row(
        Gauge,
        "stockhold_webhook_on",
        &["receiver"],
        "Whether a receiver of webhooks is told anything.",
        |it, to| each(it, to, |receiver| Some(receiver.profile.off.is_none())),
    ),
    row(
        Gauge,
        "stockhold_webhook_waiting_messages",
        &["receiver"],
        "Messages that wait to be delivered; those of events that were not read yet are not among them.",
        |it, to| each(it, to, |receiver| Some(receiver.waiting as u64)),
    ),
    row(
        Gauge,
        "stockhold_webhook_oldest_message_age_seconds",
        &["receiver"],
        "For how long the oldest of them has been waiting; absent where none waits.",
        |it, to| each(it, to, |receiver| receiver.oldest_queued_at.map(|at| it.since(at))),
    ),
    row(
        Gauge,
        "stockhold_webhook_lag_events",
        &["receiver"],
        "Durable events that were not read for a receiver yet.",
        |it, to| {
            each(it, to, |receiver| Some(it.durable_seq.saturating_sub(receiver.read_through)));
        },
    ),
    row(
        Gauge,
        "stockhold_webhook_dead_messages",
        &["receiver"],
        "Messages that were given up and are kept.",
        |it, to| each(it, to, |receiver| Some(receiver.dead as u64)),
    ),
    row(
        Counter,
        "stockhold_webhook_delivered_total",
        &["receiver"],
        "Messages that were delivered since the receiver was made.",
        |it, to| each(it, to, |receiver| Some(receiver.counts.delivered)),
    ),
    row(
        Counter,
        "stockhold_webhook_failed_attempts_total",
        &["receiver"],
        "Attempts to deliver one that failed, since the receiver was made.",
        |it, to| each(it, to, |receiver| Some(receiver.counts.failed_attempts)),
    ),
    row(
        Gauge,
        "stockhold_sagas_waiting",
        &[],
        "Orders whose points are kept elsewhere and on their way.",
        |it, to| to.one(it.sagas.0),
    ),
    row(
        Gauge,
        "stockhold_oldest_saga_age_seconds",
        &[],
        "How old the oldest of those orders is; absent where there is none.",
        |it, to| to.known(it.sagas.1.map(|at| it.since(at))),
    ),
    row(
        Gauge,
        "stockhold_points_service_up",
        &[],
        "Whether the service that keeps the points answers; absent where the ledger keeps them.",
        |it, to| to.known(it.points_service),
    ),
    row(Gauge, "stockhold_stock_alerts", &["kind"], "Alerts of stock that are open.", |it, to| {
        to.add(labels(["low_stock"]), it.alerts.low_stock);
        to.add(labels(["sold_out"]), it.alerts.sold_out);
    }),
    row(
        Gauge,
        "stockhold_stock_alerts_unacknowledged",
        &[],
        "Those of both kinds that no operator has acknowledged.",
        |it, to| to.one(it.alerts.unseen),
    ),
    row(
        Gauge,
        "stockhold_unreadable_documents",
        &[],
        "Documents of the catalogue that cannot be read, and are left out.",
        |it, to| to.one(it.unreadable as u64),
    ),
    row(
        Counter,
        "stockhold_trace_spans_total",
        &["outcome"],
        "Spans that ended, by what became of them: sent, dropped because too many waited, refused by the collector; absent \
         without traces.",
        |it, to| {
            let spans = it.spans.into_iter().flatten();
            spans.for_each(|(outcome, count)| to.add(labels([outcome]), count));
        },
    ),
    row(
        Counter,
        "process_cpu_seconds_total",
        &[],
        "How long the process had a processor, all together; this and what follows is of Linux alone.",
        |it, to| to.known(it.machine.cpu_seconds),
    ),
    row(Gauge, "process_resident_memory_bytes", &[], "Memory that the process has.", |it, to| {
        to.known(it.machine.resident_bytes)
    }),
    row(Gauge, "process_virtual_memory_bytes", &[], "Addresses that the process has.", |it, to| {
        to.known(it.machine.virtual_bytes)
    }),
    row(Gauge, "process_open_fds", &[], "Files and connections that are open.", |it, to| {
        to.known(it.machine.descriptors)
    }),
    row(Gauge, "process_max_fds", &[], "How many may be open.", |it, to| {
        to.known(it.machine.descriptors_max)
    }),
    row(Gauge, "process_threads", &[], "Threads of the process.", |it, to| {
        to.known(it.machine.threads)
    }),
    row(
        Gauge,
        "process_start_time_seconds",
        &[],
        "When the process began, since 1970.",
        |it, to| to.known(it.machine.started_seconds),
    ),
    row(
        Gauge,
        "stockhold_machine_load",
        &[],
        "How many processes of the machine would run, on average over a minute.",
        |it, to| to.known(it.machine.load),
    ),
    row(Gauge, "stockhold_processors", &[], "How many processors the process may use.", |_, to| {
        let processors = std::thread::available_parallelism().ok();
        to.known(processors.map(|count| count.get() as u64));
    }),
    row(Gauge, "stockhold_build_info", &["version"], "1, for the version that runs.", |_, to| {
        to.add(labels([env!("CARGO_PKG_VERSION")]), true)
    }),
];

fn labels<const N: usize>(values: [&'static str; N]) -> Labels {
    values.into_iter().map(Into::into).collect()
}

/// Requests that differ by the code of the API alone are one series.
fn requests(it: &Reading, to: &mut Values) {
    let mut counted: Vec<([&'static str; 3], u64)> = Vec::new();
    for ((method, route), told, count) in it.requests.by_route() {
        let key = [method, route, told.status];
        match counted.iter_mut().rev().find(|(known, _)| *known == key) {
            Some((_, sum)) => *sum += count,
            None => counted.push((key, count)),
        }
    }
    counted.into_iter().for_each(|(key, count)| to.add(labels(key), count));
}

fn units(it: &Reading, to: &mut Values) {
    let Some(units) = &it.books.units else { return };
    for (kind, sums) in BOOK_KINDS.into_iter().zip(units) {
        for (state, sum) in BOOK_STATES.into_iter().zip(sums) {
            to.add(labels([kind, state]), *sum);
        }
    }
}

/// A value of each receiver of webhooks.
fn each<T: Into<super::family::Value>>(
    it: &Reading,
    to: &mut Values,
    value: impl Fn(&Standing) -> Option<T>,
) {
    for receiver in &it.webhooks {
        if let Some(value) = value(receiver) {
            to.add(vec![receiver.id.clone().into()], value);
        }
    }
}

fn exposed_seconds(it: &Reading) -> Option<f64> {
    it.backup.as_ref()?.exposed_ms(it.now_ms, it.durable_seq).map(seconds)
}
