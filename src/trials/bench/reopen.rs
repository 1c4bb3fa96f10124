//! How long opening takes after a crash, and after a clean close.

use std::path::Path;
use std::time::Instant;

use super::figures::{Figures, Target};
use super::stage::{self, MILLION, PLENTY, TTL_MS};
use crate::base::error::Result;
use crate::engine::Engine;
use crate::ledger::{Command, Confirm, Reserve};

pub(super) fn replay(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(dir).open()?;
    let lines = stage::one_of(stage::product(&engine, "hot", PLENTY)?);
    let reserves = vec![Command::Reserve(Reserve::new(&lines, TTL_MS)); Engine::BATCH_MAX];
    for _ in 0..MILLION / Engine::BATCH_MAX {
        let outcomes = engine.batch(&reserves)?.wait()?;
        let numbers = outcomes
            .into_iter()
            .map(|outcome| stage::number_of(outcome?.try_into()?))
            .collect::<Result<Vec<_>>>()?;
        let confirm = |reservation| {
            Command::Confirm(Confirm { reservation, owner: None, quantities: None, key: None })
        };
        let confirms: Vec<_> = numbers.into_iter().map(confirm).collect();
        for outcome in engine.batch(&confirms)?.wait()? {
            outcome?;
        }
    }
    let events = engine.durable_seq();
    // Without a checkpoint, as a crash leaves it.
    drop(engine);
    let start = Instant::now();
    let engine = stage::builder(dir).open()?;
    let rate = events as f64 / start.elapsed().as_secs_f64();
    figures.figure(
        "events replayed at opening (reserves and confirms)",
        rate,
        "/s",
        Target::Over(2e6),
    );
    engine.close()
}

pub(super) fn snapshot(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(dir).open()?;
    let lines = stage::one_of(stage::product(&engine, "hot", PLENTY)?);
    stage::fill(&engine, MILLION, TTL_MS, |_| lines.to_vec())?;
    let start = Instant::now();
    engine.checkpoint()?;
    let writing = start.elapsed().as_secs_f64();
    figures.figure(
        "writing a checkpoint of a million live reservations",
        writing,
        "s",
        Target::None,
    );
    engine.close()?;
    drop(engine);
    let start = Instant::now();
    let engine = stage::builder(dir).open()?;
    figures.figure("opening from it", start.elapsed().as_secs_f64(), "s", Target::Under(1.0));
    engine.close()
}
