//! Experiments, as operators see what came of them.

use serde::Serialize;

use crate::base::TimeMs;
use crate::http::call::OperatorCall;
use crate::http::reply::Answer;
use crate::mall::{Interval, RunShown, VariantShown};

#[derive(Serialize)]
struct ExperimentsWire<'a> {
    experiments: Vec<RunWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunWire<'a> {
    name: &'a str,
    /// Another definition, or window, is another run, with counts of its own.
    run: u64,
    /// `running` or `ended`.
    status: &'static str,
    /// `weights` or `lists`; null where an earlier release defined it in other words.
    subject: Option<&'static str>,
    definition: &'a str,
    window_ms: u64,
    begun_at: TimeMs,
    ended_at: Option<TimeMs>,
    /// Whether more users saw it than are counted.
    is_full: bool,
    variants: Vec<VariantWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VariantWire<'a> {
    name: &'a str,
    strategy: &'static str,
    percent: u64,
    /// How many users were shown it.
    exposed: u64,
    /// How many of them exchanged something within the window.
    converted: u64,
    /// Null while nobody was shown it.
    rate: Option<IntervalWire>,
    /// By how much its rate is above that of the first variant; null for that one.
    difference: Option<IntervalWire>,
}

/// A value, and the interval that holds the true one in 95 of 100 experiments.
#[derive(Serialize)]
struct IntervalWire {
    value: f64,
    low: f64,
    high: f64,
}

impl IntervalWire {
    fn of(Interval { value, low, high }: Interval) -> Self {
        Self { value, low, high }
    }
}

impl<'a> VariantWire<'a> {
    fn of(shown: &'a VariantShown) -> Self {
        let VariantShown { name, strategy, percent, share, difference } = shown;
        Self {
            name,
            strategy: strategy.name(),
            percent: *percent,
            exposed: share.of,
            converted: share.some,
            rate: share.interval().map(IntervalWire::of),
            difference: difference.map(IntervalWire::of),
        }
    }
}

impl<'a> RunWire<'a> {
    fn of(shown: &'a RunShown) -> Self {
        let RunShown { run, is_full, subject, variants } = shown;
        Self {
            name: &run.name,
            run: run.run,
            status: if run.end.is_some() { "ended" } else { "running" },
            subject: subject.map(|subject| subject.name()),
            definition: &run.definition,
            window_ms: run.window_ms,
            begun_at: run.begun_at,
            ended_at: run.end.as_ref().map(|end| end.at),
            is_full: *is_full,
            variants: variants.iter().map(VariantWire::of).collect(),
        }
    }
}

pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    call.no_query()?;
    let shown = call.app.mall.experiments().await?;
    Ok(call.success(&ExperimentsWire { experiments: shown.iter().map(RunWire::of).collect() }))
}
