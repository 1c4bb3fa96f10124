//! A sale that goes on: the exchange over HTTP for a minute, with everything that history costs meanwhile
//! and afterwards. A window of a second and a half, between which history rests, flatters.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use hyper::StatusCode;
use tokio::runtime::Runtime;

use super::generator::{self, Load};
use super::{Bench, Bytes, CONNECTIONS, SECRET, SOLD, Server, echo, requests, stock};
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::http::{self, App, Auth, Limits};
use crate::mall::{Mall, MallConfig};
use crate::trials::bench::durable::new_histogram;
use crate::trials::bench::figures::{Figures, Target};
use crate::trials::bench::machine;

const SALE: Duration = Duration::from_secs(60);
/// The echo says the same after less.
const ECHO: Duration = Duration::from_secs(5);
/// How often somebody asks for what is newest in history.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How the threads of history begin, and the one that writes the journal.
const HISTORY: &[&str] = &["stockhold-histo", "stockhold-store", "sled-io"];
const JOURNAL: &[&str] = &["journal-writer"];

pub(in crate::trials::bench) fn sustained(dir: &Path, figures: &mut Figures) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        runtime.enable_all().build().map_err(|error| Error::io("starting a runtime", error))?;
    let engine = Engine::builder(dir).open()?;
    let auth = Auth::new(&SECRET.into())?;
    let load = |measure| {
        let requests = requests(&auth, SOLD)?;
        Ok::<_, Error>(Load::new(requests, StatusCode::OK, CONNECTIONS, measure))
    };
    let (sale, short) = (load(SALE)?, load(ECHO)?);
    let first = requests(&auth, SOLD)?;
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    stock(&engine, &mall)?;
    let app = Arc::new(App::new(mall, auth, Limits::default()));
    let shop = Server::start(&runtime, |listener, stop| http::run(listener, stop, app))?;
    let answer = Bytes::from(vec![b' '; runtime.block_on(generator::one(shop.address, &first))?]);
    let bare =
        Server::start(&runtime, |listener, stop| echo(listener, stop, StatusCode::OK, answer))?;
    let bench = Bench { runtime: &runtime, engine: &engine, shop: &shop };
    bench.rest()?;
    let before = runtime.block_on(short.run(bare.address))?;
    let cost = Cost::so_far(&engine);
    let (sold, waits) = sell(&runtime, &sale, shop.address, &engine)?;
    let during = Cost::so_far(&engine).since(&cost);
    let behind = Instant::now();
    bench.rest()?;
    let behind = behind.elapsed().as_secs_f64();
    let after = Cost::so_far(&engine).since(&cost);
    let again = runtime.block_on(short.run(bare.address))?;
    let echoed = f64::midpoint(before.rate, again.rate);
    figures
        .figure("exchange, confirmed and durable, for 60 s", sold.rate, "/s", Target::None)
        .against("bare hyper echo of the same sizes", echoed);
    figures.figure("the same, of the echo's rate", sold.rate / echoed, "", Target::Over(0.6));
    figures.figure("the same: p99", sold.p99_ms, "ms", Target::None);
    let [first, last] = waits.map(|half| half.value_at_quantile(0.99) as f64 / 1e3);
    figures
        .figure("a read of the newest waits, p99, last 30 s", last, "ms", Target::Under(250.0))
        .against("the first 30 s", first);
    figures.figure("history in sled after the sale", behind, "s", Target::None);
    let (events, total) = (during.events as f64, after.events as f64);
    let us = |ns: u64, events: f64| ns as f64 / 1e3 / events;
    figures.figure(
        "processor time of history for an exchange, in the sale",
        us(during.history_ns, events),
        "us",
        Target::Under(5.0),
    );
    figures.figure(
        "the same, with what it did afterwards",
        us(after.history_ns, total),
        "us",
        Target::None,
    );
    let (journal, history) = (after.journal_bytes as f64, after.history_bytes as f64);
    figures.figure("journal written for an exchange", journal / total, "B", Target::None);
    figures.figure(
        "journal and history together, times the journal",
        (journal + history) / journal,
        "",
        Target::Under(4.0),
    );
    let resident = machine::resident_bytes().unwrap_or(0) as f64 / f64::from(1 << 20);
    figures.figure("memory of the process afterwards", resident, "MiB", Target::None);
    bare.stop(&runtime)?;
    shop.stop(&runtime)?;
    engine.close()
}

/// Sells, while somebody asks again and again for the newest. How long that took, in microseconds, in
/// either half of the time.
fn sell(
    runtime: &Runtime,
    load: &Load,
    address: std::net::SocketAddr,
    engine: &Engine,
) -> Result<(generator::Seen, [Histogram<u64>; 2])> {
    let start = Instant::now();
    let reader = engine.clone();
    let looking = runtime.spawn(async move {
        let mut waits = [new_histogram()?, new_histogram()?];
        while start.elapsed() < SALE {
            let asked = Instant::now();
            reader.catch_up().await?;
            let half = usize::from(start.elapsed() >= SALE / 2);
            waits[half].saturating_record(asked.elapsed().as_micros() as u64);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok::<_, Error>(waits)
    });
    let sold = runtime.block_on(load.run(address))?;
    let waits = runtime.block_on(looking);
    Ok((sold, waits.map_err(|_| Error::unavailable("a measuring task panicked"))??))
}

/// What was used so far.
struct Cost {
    events: u64,
    history_ns: u64,
    journal_bytes: u64,
    history_bytes: u64,
}

impl Cost {
    fn so_far(engine: &Engine) -> Self {
        Self {
            events: engine.durable_seq(),
            history_ns: machine::processor_ns_of(HISTORY).unwrap_or(0),
            journal_bytes: machine::written_bytes_of(JOURNAL).unwrap_or(0),
            history_bytes: machine::written_bytes_of(HISTORY).unwrap_or(0),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            events: (self.events - before.events).max(1),
            history_ns: self.history_ns - before.history_ns,
            journal_bytes: self.journal_bytes - before.journal_bytes,
            history_bytes: self.history_bytes - before.history_bytes,
        }
    }
}
