//! The engine in numbers, for whatever watches it. Every name, its help and where its value comes
//! from stand in one table; whoever exports them prints it.

use crate::engine::core::Core;
use crate::engine::{Engine, Status};
use crate::ledger::{Became, Tally, Verb};

/// Whether a number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It counts from the opening of the engine, and never falls.
    Counter,
    /// It is what it is now.
    Gauge,
}

/// A number of the engine, or several that differ by their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Such as `stockhold_commands_total`, of `a-z` and `_`. The unit is in it.
    pub name: &'static str,
    /// What it says, as a sentence.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: MetricKind,
    /// Its values; none where nothing is known.
    pub samples: Vec<Sample>,
}

/// One value of a [`Metric`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// What tells it from the metric's other values: names with what they are here, all of `a-z`
    /// and `_`.
    pub labels: Vec<(&'static str, &'static str)>,
    /// The value; 0 or 1 for what is so or not.
    pub value: i64,
}

impl Engine {
    /// Counters and gauges of this engine as plain numbers, with names and help in the manner of
    /// Prometheus. Cheap to keep, and cheap to ask for: each shard is locked for a few additions.
    /// The numbers are not all of one moment.
    ///
    /// ```
    /// # use stockhold::Engine;
    /// # use stockhold::engine::MetricKind;
    /// # fn main() -> stockhold::Result<()> {
    /// let engine = Engine::in_memory().open()?;
    /// for metric in engine.metrics() {
    ///     let kind = if metric.kind == MetricKind::Counter { "counter" } else { "gauge" };
    ///     println!("# HELP {0} {1}\n# TYPE {0} {kind}", metric.name, metric.help);
    ///     for sample in metric.samples {
    ///         let label = |(name, value)| format!("{name}=\"{value}\"");
    ///         let labels = sample.labels.into_iter().map(label).collect::<Vec<_>>().join(",");
    ///         println!("{}{{{labels}}} {}", metric.name, sample.value);
    ///     }
    /// }
    /// # engine.close()
    /// # }
    /// ```
    pub fn metrics(&self) -> Vec<Metric> {
        let reading = Reading::of(&self.0.core);
        let metric = |row: &Row| Metric {
            name: row.name,
            help: row.help,
            kind: row.kind,
            samples: row.values.read(&reading),
        };
        TABLE.iter().map(metric).collect()
    }
}

/// Everything that the table reads, gathered once.
struct Reading {
    status: Status,
    tally: Tally,
    now_ms: u64,
    checkpointed_at_ms: u64,
    queued_bytes: usize,
    written_bytes: u64,
    history_rows: Option<usize>,
    claims: usize,
}

impl Reading {
    fn of(core: &Core) -> Self {
        let journal = core.journal.status();
        Self {
            status: Status::of(core),
            tally: core.ledger.tally(),
            now_ms: core.now_ms(),
            checkpointed_at_ms: core.checkpoints.written_at_ms(),
            queued_bytes: journal.queued_bytes,
            written_bytes: journal.written_bytes,
            history_rows: core.history.store.get().map(|store| store.memtable_len()),
            claims: core.claims.lock().len(),
        }
    }
}

struct Row {
    name: &'static str,
    help: &'static str,
    kind: MetricKind,
    values: Values,
}

/// Where a metric's values come from.
enum Values {
    /// Always known.
    One(fn(&Reading) -> u64),
    /// Below zero, too.
    Signed(fn(&Reading) -> i64),
    /// What is so or not.
    Is(fn(&Reading) -> bool),
    /// Not always known.
    Known(fn(&Reading) -> Option<u64>),
    /// Commands by what was asked and what became of them.
    Commands,
}

impl Values {
    fn read(&self, reading: &Reading) -> Vec<Sample> {
        let one = |value| vec![Sample { labels: Vec::new(), value }];
        match self {
            Self::One(read) => one(number(read(reading))),
            Self::Signed(read) => one(read(reading)),
            Self::Is(read) => one(i64::from(read(reading))),
            Self::Known(read) => read(reading).map(number).map(one).unwrap_or_default(),
            Self::Commands => commands(&reading.tally),
        }
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn commands(tally: &Tally) -> Vec<Sample> {
    let mut samples = Vec::with_capacity(Verb::ALL.len() * Became::ALL.len());
    for verb in Verb::ALL {
        for became in Became::ALL {
            let labels = vec![("command", verb.name()), ("outcome", became.name())];
            samples.push(Sample { labels, value: number(tally.counts.of(*verb, *became)) });
        }
    }
    samples
}

const fn counter(name: &'static str, help: &'static str, values: Values) -> Row {
    Row { name, help, kind: MetricKind::Counter, values }
}

const fn gauge(name: &'static str, help: &'static str, values: Values) -> Row {
    Row { name, help, kind: MetricKind::Gauge, values }
}

use Values::{Commands, Is, Known, One, Signed};

/// Every metric there is. `docs/metrics.md` lists them by name; a test compares.
const TABLE: &[Row] = &[
    counter(
        "stockhold_commands_total",
        "Commands by what became of them: done, refused for want of units, too late, not pending, \
         repeated under an idempotency key, or failed with an error.",
        Commands,
    ),
    counter(
        "stockhold_expired_total",
        "Reservations that lapsed at their deadline.",
        One(|reading| reading.tally.counts.expired),
    ),
    gauge(
        "stockhold_accounts",
        "Accounts that are open.",
        One(|reading| reading.tally.accounts as u64),
    ),
    gauge(
        "stockhold_pending_reservations",
        "Reservations that wait for their end.",
        One(|reading| reading.tally.pending as u64),
    ),
    gauge(
        "stockhold_idempotency_keys",
        "Answers to keyed requests that are kept, those included that may be forgotten.",
        One(|reading| reading.tally.keys as u64),
    ),
    gauge(
        "stockhold_documents",
        "Documents beside the accounts.",
        One(|reading| reading.tally.documents as u64),
    ),
    counter(
        "stockhold_journal_groups_total",
        "Groups of events written and synced since the opening.",
        One(|reading| reading.status.syncs),
    ),
    counter(
        "stockhold_journal_written_bytes_total",
        "Bytes of those groups.",
        One(|reading| reading.written_bytes),
    ),
    gauge(
        "stockhold_journal_queued_bytes",
        "Bytes that wait to be written.",
        One(|reading| reading.queued_bytes as u64),
    ),
    gauge(
        "stockhold_journal_undurable_events",
        "Events that were decided and are not durable yet.",
        One(|reading| reading.status.last_seq.saturating_sub(reading.status.durable_seq)),
    ),
    gauge(
        "stockhold_journal_last_event",
        "The number of the last event that was decided.",
        One(|reading| reading.status.last_seq),
    ),
    gauge(
        "stockhold_journal_oldest_event",
        "The number of the oldest event that a subscription can start from.",
        One(|reading| reading.status.oldest_seq),
    ),
    gauge(
        "stockhold_journal_segment_bytes",
        "The size of the journal's segments in use.",
        One(|reading| reading.status.segment_bytes),
    ),
    gauge(
        "stockhold_archive_bytes",
        "The size of the archive.",
        One(|reading| reading.status.archive_bytes),
    ),
    gauge(
        "stockhold_sync_age_ms",
        "For how long the disk has been at a group of events; absent while it rests.",
        Known(|reading| reading.status.sync_age_ms),
    ),
    gauge(
        "stockhold_checkpoint_age_ms",
        "The time since the last checkpoint of this opening, or since the opening.",
        One(|reading| reading.now_ms.saturating_sub(reading.checkpointed_at_ms)),
    ),
    gauge(
        "stockhold_checkpoint_lag_events",
        "Durable events that the newest checkpoint does not show.",
        One(|reading| reading.status.durable_seq.saturating_sub(reading.status.checkpoint_seq)),
    ),
    gauge(
        "stockhold_checkpoint_failures",
        "Checkpoints that failed since the last one that did not.",
        One(|reading| reading.status.checkpoint_failures.into()),
    ),
    gauge(
        "stockhold_history_lag_events",
        "Durable events that history does not show yet; absent without history.",
        Known(|reading| {
            let (shown, _) = reading.status.history_seq?;
            Some(reading.status.durable_seq.saturating_sub(shown))
        }),
    ),
    gauge(
        "stockhold_history_rows",
        "Rows of history that wait in memory; absent without history.",
        Known(|reading| reading.history_rows.map(|rows| rows as u64)),
    ),
    gauge(
        "stockhold_history_bytes",
        "The size of history's files, as last measured.",
        One(|reading| reading.status.history_bytes),
    ),
    gauge(
        "stockhold_free_bytes",
        "Bytes that can still be written, as last seen; absent where the file system does not say.",
        Known(|reading| reading.status.free_bytes),
    ),
    gauge("stockhold_claims", "Followers that have a claim.", One(|reading| reading.claims as u64)),
    gauge(
        "stockhold_clock_ahead_ms",
        "How far the engine's time is ahead of the machine's clock; 0 while they agree.",
        Signed(|reading| reading.status.clock_ahead_ms),
    ),
    gauge(
        "stockhold_poisoned",
        "Whether a write or a sync has failed, so that nothing more is accepted.",
        Is(|reading| reading.status.poisoned),
    ),
    gauge(
        "stockhold_stalled",
        "Whether the disk hangs, so that nothing more is accepted for now.",
        Is(|reading| reading.status.stalled),
    ),
    gauge(
        "stockhold_low_space",
        "Whether there is too little room for anything new.",
        Is(|reading| reading.status.low_space),
    ),
    gauge(
        "stockhold_history_failed",
        "Whether history failed, so that nothing more is shown until the next opening.",
        Is(|reading| reading.status.history_failed),
    ),
    gauge(
        "stockhold_dead_thread",
        "Whether a thread of the engine died, history's apart.",
        Is(|reading| reading.status.dead_thread.is_some()),
    ),
];
