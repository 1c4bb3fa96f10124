//! Synced before it is acknowledged.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::figures::{Figures, Target};
use super::limit::sync_rate;
use super::machine::cores;
use super::peers;
use super::stage::{self, BATCH, PLENTY, TTL_MS};
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::ledger::{Command, Confirm, Line, Reserve};

const MEASURE: Duration = Duration::from_secs(3);
const CALLERS: usize = 256;

pub(super) fn batch(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(dir).open()?;
    let hot = stage::product(&engine, "hot", PLENTY)?;
    let lines = stage::one_of(hot);
    let (reserves, _) = batches(&engine, &lines, false)?;
    let (peer, theirs) = peers::TIGERBEETLE_RESERVES;
    figures
        .figure("reserves in batches of 1,000, 1 caller", reserves, "/s", Target::Over(1e6))
        .against(peer, theirs);
    let (_, completed) = batches(&engine, &lines, true)?;
    let (peer, theirs) = peers::TIGERBEETLE_COMPLETED;
    let what = "completed (a batch reserved, then confirmed), the same";
    figures.figure(what, completed, "/s", Target::Over(400e3)).against(peer, theirs);
    engine.close()
}

/// Reserves and completed reservations a second.
fn batches(engine: &Engine, lines: &[Line], confirm: bool) -> Result<(f64, f64)> {
    let reserves = vec![Command::Reserve(Reserve::new(lines, TTL_MS)); BATCH];
    let (mut reserved, mut completed) = (0, 0);
    let start = Instant::now();
    // A bound on what stays reserved, and so on memory.
    while start.elapsed() < MEASURE && reserved < 4 * stage::MILLION {
        let outcomes = engine.batch(&reserves)?.wait()?;
        reserved += outcomes.len();
        if confirm {
            let numbers = outcomes
                .into_iter()
                .map(|outcome| stage::number_of(outcome?.try_into()?))
                .collect::<Result<Vec<_>>>()?;
            let confirm = |reservation| {
                Command::Confirm(Confirm { reservation, owner: None, quantities: None, key: None })
            };
            let confirms: Vec<_> = numbers.into_iter().map(confirm).collect();
            completed += engine.batch(&confirms)?.wait()?.len();
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok((reserved as f64 / seconds, completed as f64 / seconds))
}

pub(super) fn callers(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = Arc::new(stage::builder(dir).open()?);
    let hot = stage::product(&engine, "hot", PLENTY)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(cores()).build();
    let runtime = runtime.map_err(|error| Error::io("starting a runtime", error))?;
    let start = Instant::now();
    let lines = stage::one_of(hot);
    let tasks: Vec<_> = (0..CALLERS)
        .map(|_| {
            let engine = Arc::clone(&engine);
            runtime.spawn(async move { caller(&engine, &lines, start + MEASURE).await })
        })
        .collect();
    let mut times = new_histogram()?;
    for task in tasks {
        let joined =
            runtime.block_on(task).map_err(|_| Error::unavailable("a measuring task panicked"))?;
        times
            .add(joined?)
            .map_err(|error| Error::unavailable("adding up latencies").with_source(error))?;
    }
    let completed = times.len() as f64 / start.elapsed().as_secs_f64();
    let ms = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1e3;
    let (peer, theirs) = peers::TIGERBEETLE_CALLERS;
    figures
        .figure("completed, 256 callers one at a time", completed, "/s", Target::Over(150e3))
        .against(peer, theirs);
    figures.figure("reserve and confirm, both durable: p50", ms(0.5), "ms", Target::None);
    let (peer, theirs) = peers::TIGERBEETLE_CALLERS_P99_MS;
    figures.figure("the same: p99", ms(0.99), "ms", Target::Under(5.0)).against(peer, theirs);
    figures.figure("the same: longest", ms(1.0), "ms", Target::None);
    engine.close()
}

/// Latencies in microseconds, up to a minute.
pub(super) fn new_histogram() -> Result<Histogram<u64>> {
    let histogram = Histogram::new_with_bounds(1, 60_000_000, 3);
    histogram.map_err(|error| Error::unavailable("making a histogram").with_source(error))
}

/// How long each pair took.
async fn caller(engine: &Engine, lines: &[Line], until: Instant) -> Result<Histogram<u64>> {
    let mut times = new_histogram()?;
    loop {
        let start = Instant::now();
        if start >= until {
            return Ok(times);
        }
        let reservation = stage::number_of(engine.reserve(Reserve::new(lines, TTL_MS))?.await?)?;
        engine.confirm(reservation)?.await?;
        times.saturating_record(start.elapsed().as_micros() as u64);
    }
}

pub(super) fn one_caller(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(&dir.join("engine")).open()?;
    let lines = stage::one_of(stage::product(&engine, "hot", PLENTY)?);
    // Before and after, so that a disk that changes its mind meanwhile does not decide.
    let before = sync_rate(dir)?;
    let (start, mut acknowledged) = (Instant::now(), 0);
    while start.elapsed() < MEASURE {
        let reservation = stage::number_of(engine.reserve(Reserve::new(&lines, TTL_MS))?.wait()?)?;
        engine.confirm(reservation)?.wait()?;
        acknowledged += 2;
    }
    let rate = f64::from(acknowledged) / start.elapsed().as_secs_f64();
    let limit = (before + sync_rate(dir)?) / 2.0;
    figures
        .figure("requests acknowledged, 1 caller", rate, "/s", Target::None)
        .against("fdatasync of 4 KiB", limit);
    figures.figure("that, of the disk's sync rate", rate / limit, "", Target::Over(0.8));
    engine.close()
}
