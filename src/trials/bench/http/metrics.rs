//! What it costs a sale to be counted: the same shop behind two addresses, one of which counts
//! nothing and is never scraped. The two are driven in turn, and each pair gives a ratio, so that what
//! else the machine does meets both alike.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::generator::Load;
use super::{Bench, CONNECTIONS, SECRET, SOLD, SOLD_OUT, Server, requests, stock};
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::http::{self, App, Auth, Limits, Role};
use crate::mall::{Mall, MallConfig};
use crate::trials::bench::figures::{Figures, Target};
use crate::trials::bench::machine;

const PAIRS: usize = 12;
const MEASURE: Duration = Duration::from_millis(800);
/// Prometheus asks ten times as rarely.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);

pub(in crate::trials::bench) fn metrics(dir: &Path, figures: &mut Figures) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        runtime.enable_all().build().map_err(|error| Error::io("starting a runtime", error))?;
    let engine = Engine::builder(dir).open()?;
    let auth = Arc::new(Auth::new(&SECRET.into())?);
    let asked = [
        (SOLD, StatusCode::OK, "exchange, confirmed and durable"),
        (SOLD_OUT, StatusCode::CONFLICT, "exchange of a sold-out product"),
    ];
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    stock(&engine, &mall)?;
    let app = || App::new(mall.clone(), Arc::clone(&auth), Limits::default());
    let (counting, silent) = (Arc::new(app()), Arc::new(app().uncounted()));
    let counting = Server::start(&runtime, |listener, stop| http::run(listener, stop, counting))?;
    let silent = Server::start(&runtime, |listener, stop| http::run(listener, stop, silent))?;
    let monitor = auth.issue("prometheus", Role::Monitor, u64::MAX / 2)?;
    let bench = Bench { runtime: &runtime, engine: &engine, shop: &counting };
    for (product, status, what) in asked {
        let load = Load::new(requests(&auth, product)?, status, CONNECTIONS, MEASURE);
        let (mut rates, mut times) = (Vec::new(), Vec::new());
        for pair in 0..PAIRS {
            let with = || bench.counted(&load, &counting, Some(&monitor));
            let without = || bench.counted(&load, &silent, None);
            // Each goes first in half of the pairs.
            let (with, without) = match pair % 2 {
                0 => (with()?, without()?),
                _ => {
                    let without = without()?;
                    (with()?, without)
                }
            };
            rates.push((1.0 - with.rate / without.rate) * 100.0);
            times.extend(
                with.cpu_us.zip(without.cpu_us).map(|(it, other)| (it / other - 1.0) * 100.0),
            );
        }
        told(figures, what, "fewer a second", Target::None, rates);
        told(figures, what, "more of the processors for each", Target::Under(2.0), times);
    }
    counting.stop(&runtime)?;
    silent.stop(&runtime)?;
    engine.close()
}

/// The median of the pairs, and the quarters around it.
fn told(figures: &mut Figures, what: &str, which: &str, target: Target, mut costs: Vec<f64>) {
    costs.sort_by(f64::total_cmp);
    let Some(median) = costs.get(costs.len() / 2) else { return };
    let (low, high) = (costs[costs.len() / 4], costs[costs.len() * 3 / 4]);
    let what = format!(
        "{what}: {which} when counted (middle half of {PAIRS} pairs: {low:.1} to {high:.1})"
    );
    figures.figure(&what, *median, "%", target);
}

struct Counted {
    rate: f64,
    /// What the processors did for each answer, generator included, in microseconds.
    cpu_us: Option<f64>,
}

impl Bench<'_> {
    /// One run, scraped meanwhile where there is a token for it.
    fn counted(&self, load: &Load, server: &Server, monitor: Option<&str>) -> Result<Counted> {
        self.rest()?;
        let scraping = monitor.map(|token| {
            let (address, token) = (server.address, token.to_owned());
            self.runtime.spawn(async move {
                loop {
                    // What fails is measured all the same.
                    drop(scrape(address, &token).await);
                    tokio::time::sleep(SCRAPE_EVERY).await;
                }
            })
        });
        let before = machine::processor_ns();
        let seen = self.runtime.block_on(load.run(server.address))?;
        let after = machine::processor_ns();
        if let Some(scraping) = scraping {
            scraping.abort();
        }
        let answers = seen.rate * MEASURE.as_secs_f64();
        let spent = after.zip(before).map(|(after, before)| after.saturating_sub(before));
        Ok(Counted { rate: seen.rate, cpu_us: spent.map(|ns| ns as f64 / 1e3 / answers) })
    }
}

async fn scrape(address: std::net::SocketAddr, token: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}
