//! A million reservations whose deadline is the same millisecond, of one product, while somebody
//! goes on reserving it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::durable::new_histogram;
use super::figures::{Figures, Target};
use super::stage::{self, MILLION, PLENTY, TTL_MS};
use crate::base::error::{Error, ErrorKind, Result};
use crate::engine::Engine;
use crate::ledger::{Command, Line, Reserve};

/// Time enough to make them all before the first lapses.
const LEAD_MS: u64 = 4_000;
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn lapse(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(dir).open()?;
    let lines = stage::one_of(stage::product(&engine, "hot", PLENTY)?);
    let deadline = engine.now_ms() + LEAD_MS;
    for _ in 0..MILLION / Engine::BATCH_MAX {
        let reserve = Reserve::new(&lines, deadline.saturating_sub(engine.now_ms()).max(1));
        for outcome in engine.batch(&vec![Command::Reserve(reserve); Engine::BATCH_MAX])?.wait()? {
            stage::number_of(outcome?.try_into()?)?;
        }
    }
    let early = deadline.saturating_sub(engine.now_ms());
    if early == 0 {
        return Err(Error::unavailable(
            "this machine is too slow to make a million reservations in time",
        ));
    }
    thread::sleep(Duration::from_millis(early));
    let done = AtomicBool::new(false);
    let (back, parallel) = thread::scope(|scope| {
        let reserver = scope.spawn(|| reserve_meanwhile(&engine, &lines, &done));
        let back = wait_until_back(&engine);
        done.store(true, Ordering::SeqCst);
        (back, reserver.join())
    });
    let (times, overloaded) =
        parallel.map_err(|_| Error::unavailable("a measuring thread panicked"))??;
    figures.figure(
        "a million lapses of one millisecond, until all are back",
        back?,
        "s",
        Target::Under(1.0),
    );
    let ms = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1e3;
    figures.figure(
        "a durable reserve of the same product meanwhile: p99",
        ms(0.99),
        "ms",
        Target::Under(10.0),
    );
    figures.figure("the same: longest", ms(1.0), "ms", Target::None);
    figures.figure("reserves meanwhile", times.len() as f64, "", Target::None);
    figures.figure("of them answered Overloaded", overloaded as f64, "", Target::None);
    engine.close()
}

/// Seconds until none is held; what is reserved meanwhile is confirmed at once.
fn wait_until_back(engine: &Engine) -> Result<f64> {
    let start = Instant::now();
    while engine.pending_count() > 0 {
        if start.elapsed() > PATIENCE {
            return Err(Error::unavailable("the lapsed reservations do not come back"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(start.elapsed().as_secs_f64())
}

fn reserve_meanwhile(
    engine: &Engine,
    lines: &[Line],
    done: &AtomicBool,
) -> Result<(Histogram<u64>, u64)> {
    let mut times = new_histogram()?;
    let mut overloaded = 0;
    while !done.load(Ordering::SeqCst) {
        let start = Instant::now();
        match engine.reserve(Reserve::new(lines, TTL_MS).confirmed()) {
            Ok(ticket) => drop(ticket.wait()?),
            Err(error) if error.kind() == ErrorKind::Overloaded => overloaded += 1,
            Err(error) => return Err(error),
        }
        times.saturating_record(start.elapsed().as_micros() as u64);
    }
    Ok((times, overloaded))
}
