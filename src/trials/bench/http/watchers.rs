//! What it costs a sale to be watched: the same shop with thousands of open streams of the stock that
//! is being sold, and without, in turn. The streams are read in this process, too.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::generator::{Load, Seen, median};
use super::{Bench, CONNECTIONS, SECRET, SOLD, Server, requests, stock};
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::http::{self, App, Auth, Limits};
use crate::mall::{Mall, MallConfig};
use crate::trials::bench::figures::{Figures, Target};

const WATCHERS: usize = 5_000;
const PAIRS: usize = 5;
const MEASURE: Duration = Duration::from_secs(3);
/// How many connect before the first of them has heard something.
const CONNECTING: usize = 256;

pub(in crate::trials::bench) fn watchers(dir: &Path, figures: &mut Figures) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        runtime.enable_all().build().map_err(|error| Error::io("starting a runtime", error))?;
    let engine = Engine::builder(dir).open()?;
    let auth = Auth::new(&SECRET.into())?;
    let load = Load::new(requests(&auth, SOLD)?, StatusCode::OK, CONNECTIONS, MEASURE);
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    stock(&engine, &mall)?;
    let connections = 2 * WATCHERS;
    let limits = Limits {
        connections,
        connections_per_address: connections,
        stock_watchers_per_address: WATCHERS,
        ..Limits::default()
    };
    let app = Arc::new(App::new(mall, auth, limits));
    let shop = Server::start(&runtime, |listener, stop| http::run(listener, stop, app))?;
    let bench = Bench { runtime: &runtime, engine: &engine, shop: &shop };
    let (mut watched, mut alone) = (Vec::new(), Vec::new());
    let heard = Arc::new(AtomicU64::new(0));
    for _ in 0..PAIRS {
        alone.push(bench.sale(&load)?);
        let watching = runtime.block_on(watch(shop.address, &heard))?;
        let before = heard.load(Ordering::Relaxed);
        watched.push(bench.sale(&load)?);
        let told = heard.load(Ordering::Relaxed) - before;
        if told < WATCHERS as u64 {
            return Err(Error::unavailable(format!("{told} pieces were told while it was sold")));
        }
        drop(watching);
    }
    let (watched, alone) = (median(watched), median(alone));
    let what = "exchange, confirmed and durable, with 5,000 streams of its stock";
    figures.figure(what, watched.rate, "/s", Target::None).against("without", alone.rate);
    figures
        .figure("the same: p99", watched.p99_ms, "ms", Target::None)
        .against("without", alone.p99_ms);
    let times = watched.p99_ms / alone.p99_ms;
    figures.figure("the same: times the p99 without", times, "", Target::Under(1.2));
    shop.stop(&runtime)?;
    engine.close()
}

impl Bench<'_> {
    fn sale(&self, load: &Load) -> Result<Seen> {
        self.rest()?;
        self.runtime.block_on(load.run(self.shop.address))
    }
}

/// Streams that are read until they are dropped; each has heard of the stock once.
async fn watch(address: SocketAddr, heard: &Arc<AtomicU64>) -> Result<JoinSet<()>> {
    let mut watching = JoinSet::new();
    let mut left = WATCHERS;
    while left > 0 {
        let mut opening = JoinSet::new();
        for _ in 0..left.min(CONNECTING) {
            opening.spawn(open(address));
        }
        left -= opening.len();
        while let Some(opened) = opening.join_next().await {
            let opened = opened.map_err(|_| Error::unavailable("a measuring task panicked"))?;
            let mut stream = opened.map_err(|error| Error::io("a watching connection", error))?;
            let heard = Arc::clone(heard);
            watching.spawn(async move {
                let mut buffer = [0; 1024];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    heard.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
    Ok(watching)
}

async fn open(address: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /api/mall/products/{SOLD}/stock HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut read = Vec::new();
    while !read.windows(7).any(|it| it == b"\ndata: ") {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(stream)
}
