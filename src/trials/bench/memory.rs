//! Decisions alone: nobody waits for a ticket, while the journal's thread writes all the same.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use super::figures::{Figures, Target};
use super::limit::{on_threads, take_rate};
use super::machine::{cores, resident_bytes};
use super::peers;
use super::stage::{self, MILLION, PLENTY, TTL_MS};
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::{AccountId, AccountKey, ReservationId};
use crate::engine::Engine;
use crate::event::{Policy, Window};
use crate::ledger::{Command, Line, Receive, Release, Reserve};

/// Commands of a burst: what they append fits the journal's queue, so that none waits for the disk.
const BURST: usize = 40_000;
const BURSTS: usize = 80;
/// Commands of a batch, where a batch is what one request of a service brings.
const HOT_BATCH: usize = 100;
const REFUSALS: usize = 10 * MILLION;

pub(super) fn pair(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(dir).open()?;
    let hot = stage::product(&engine, "hot", PLENTY)?;
    let lines = stage::one_of(hot);
    let pairs = BURST / 2;
    let mut best = Duration::MAX;
    let mut total = Duration::ZERO;
    for _ in 0..BURSTS {
        let start = Instant::now();
        for _ in 0..pairs {
            let reservation =
                stage::number_of(engine.reserve(Reserve::new(&lines, TTL_MS))?.outcome())?;
            let _ = black_box(engine.confirm(reservation)?.outcome());
        }
        best = best.min(start.elapsed());
        total += start.elapsed();
        stage::settle(&engine, hot)?;
    }
    let each = |time: Duration, count: usize| time.as_nanos() as f64 / count as f64;
    figures.figure(
        "reserve + confirm, 1 thread",
        each(total, BURSTS * pairs),
        "ns a pair",
        Target::Under(1000.0),
    );
    figures.figure("the fastest of its bursts", each(best, pairs), "ns a pair", Target::None);
    engine.close()
}

pub(super) fn hot(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(dir).open()?;
    let hot = stage::product(&engine, "hot", PLENTY)?;
    // The first burst makes the room that the others find, as a sale that has run for a while does.
    let growing = burst(&engine, hot, reserve_singly)?;
    let mut total = Duration::ZERO;
    let mut best = Duration::MAX;
    for _ in 0..BURSTS {
        let time = burst(&engine, hot, reserve_singly)?;
        total += time;
        best = best.min(time);
    }
    let rate = |count: usize, time: Duration| count as f64 / time.as_secs_f64();
    figures
        .figure(
            "reserves of one product, all cores",
            rate(BURST * BURSTS, total),
            "/s",
            Target::Over(3e6),
        )
        .against("compare-and-swap decrement", take_rate(cores())?);
    figures.figure("the fastest of its bursts", rate(BURST, best), "/s", Target::None);
    figures.figure(
        "the first burst, which makes the room",
        rate(BURST, growing),
        "/s",
        Target::None,
    );
    let batches =
        (0..BURSTS).map(|_| burst(&engine, hot, reserve_in_batches)).sum::<Result<Duration>>()?;
    let what = "reserves of one product in batches of 100, all cores";
    figures.figure(what, rate(BURST * BURSTS, batches), "/s", Target::Over(3e6));
    engine.close()
}

/// How long a burst of reserves takes on all cores. Afterwards all is given back and written.
fn burst(
    engine: &Engine,
    hot: AccountId,
    reserve: impl Fn(&Engine, &[Line], usize) -> Result<Vec<ReservationId>> + Sync,
) -> Result<Duration> {
    let lines = stage::one_of(hot);
    let made = Mutex::new(Vec::with_capacity(BURST));
    let time = on_threads(cores(), || {
        let mut mine = reserve(engine, &lines, BURST / cores())?;
        made.lock().append(&mut mine);
        Ok(())
    })?;
    stage::settle(engine, hot)?;
    for reservations in made.lock().chunks(Engine::BATCH_MAX) {
        let release =
            |&reservation| Command::Release(Release { reservation, owner: None, key: None });
        for outcome in
            engine.batch(&reservations.iter().map(release).collect::<Vec<_>>())?.wait()?
        {
            outcome?;
        }
    }
    Ok(time)
}

fn reserve_singly(engine: &Engine, lines: &[Line], count: usize) -> Result<Vec<ReservationId>> {
    let mut made = Vec::with_capacity(count);
    for _ in 0..count {
        made.push(stage::number_of(engine.reserve(Reserve::new(lines, TTL_MS))?.outcome())?);
    }
    Ok(made)
}

fn reserve_in_batches(engine: &Engine, lines: &[Line], count: usize) -> Result<Vec<ReservationId>> {
    let batch = [Command::Reserve(Reserve::new(lines, TTL_MS)); HOT_BATCH];
    let mut made = Vec::with_capacity(count);
    for _ in 0..count / HOT_BATCH {
        for outcome in engine.batch(&batch)?.outcomes() {
            let outcome =
                outcome.as_ref().map_err(|error| Error::unavailable(error.to_string()))?;
            made.push(stage::number_of((*outcome).try_into()?)?);
        }
    }
    Ok(made)
}

pub(super) fn sold_out(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(dir).open()?;
    let lines = stage::one_of(stage::product(&engine, "empty", 0)?);
    let each = REFUSALS / cores();
    let time = on_threads(cores(), || {
        for _ in 0..each {
            let _ = black_box(engine.reserve(Reserve::new(&lines, TTL_MS))?.outcome());
        }
        Ok(())
    })?;
    let rate = (each * cores()) as f64 / time.as_secs_f64();
    let (peer, theirs) = peers::TIGERBEETLE_SOLD_OUT;
    figures
        .figure("refusals of a sold-out product, all cores", rate, "/s", Target::Over(30e6))
        .against("compare-and-swap decrement", take_rate(cores())?)
        .against(peer, theirs);
    engine.close()
}

pub(super) fn bytes(dir: &Path, figures: &mut Figures) -> Result<()> {
    let engine = stage::builder(dir).open()?;
    let hot = stage::product(&engine, "hot", PLENTY)?;
    held(&engine, "of one line, one product", |_| vec![Line { account: hot, quantity: 1 }], figures)
}

pub(super) fn bytes_exchange(dir: &Path, figures: &mut Figures) -> Result<()> {
    const USERS: usize = 10_000;
    const PRODUCTS: usize = 100;
    let engine = stage::builder(dir).open()?;
    let users = (0..USERS).map(|user| open_user(&engine, &format!("user-{user}")));
    let users = users.collect::<Result<Vec<_>>>()?;
    let products =
        (0..PRODUCTS).map(|product| stage::product(&engine, &format!("product-{product}"), PLENTY));
    let products = products.collect::<Result<Vec<_>>>()?;
    let lines = |at: usize| {
        let [points, quota] = users[at % USERS];
        let line = |account, quantity| Line { account, quantity };
        vec![line(points, 100), line(quota, 1), line(products[at % PRODUCTS], 1)]
    };
    held(&engine, "of points, quota and stock, 10,000 users", lines, figures)
}

fn open_user(engine: &Engine, user: &str) -> Result<[AccountId; 2]> {
    let points = engine.open_account(&AccountKey::points(user)?, Policy::strict())?;
    drop(engine.receive(Receive::new(points, PLENTY))?);
    let quota = Policy::quota(1 << 20, Window::Outstanding);
    Ok([points, engine.open_account(&AccountKey::quota_of_user(user)?, quota)?])
}

/// What a million reservations add to the process. What the journal keeps in its buffers counts
/// too.
fn held(
    engine: &Engine,
    what: &str,
    lines: impl Fn(usize) -> Vec<Line>,
    figures: &mut Figures,
) -> Result<()> {
    let unknown = || Error::unavailable("this system does not tell how much memory a process has");
    let before = resident_bytes().ok_or_else(unknown)?;
    stage::fill(engine, MILLION, TTL_MS, lines)?;
    let after = resident_bytes().unwrap_or(before);
    let each = after.saturating_sub(before) as f64 / MILLION as f64;
    figures.figure(
        &format!("memory of a live reservation {what}"),
        each,
        "B",
        Target::Under(200.0),
    );
    engine.close()
}
