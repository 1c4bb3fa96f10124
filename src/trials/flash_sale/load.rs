//! The crowd: many connections that buy as fast as they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::shop::Shop;
use crate::base::error::{Error, Result};
use crate::trials::client::{Answer, Client};

/// The longest latency that is told apart, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Load {
    pub(super) connections: u32,
    pub(super) requests: u64,
    /// Instead of counting requests.
    pub(super) seconds: Option<u64>,
}

/// What the crowd saw.
pub(super) struct Heard {
    pub(super) sold: u64,
    pub(super) refused: u64,
    /// Those of them that were told there is no stock.
    pub(super) sold_out: u64,
    /// Requests without a clear answer: each may have sold one unit, or none.
    pub(super) unclear: u64,
    /// The first of those, for the operator.
    pub(super) example: Option<String>,
    pub(super) elapsed: Duration,
    /// In microseconds.
    pub(super) latency: Histogram<u64>,
}

/// What the connections share.
struct Crowd {
    shop: Arc<Shop>,
    sent: AtomicU64,
    requests: u64,
    over: AtomicBool,
    order: Bytes,
}

impl Crowd {
    /// The number of the next request, until there are enough.
    fn next(&self) -> Option<u64> {
        // Relaxed: the numbers only have to differ, and the flag may be seen a request late.
        if self.over.load(Ordering::Relaxed) {
            return None;
        }
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        (number < self.requests).then_some(number)
    }
}

enum Bought {
    Sold,
    SoldOut,
    Refused,
    Unclear(String),
}

pub(super) async fn run(load: &Load, shop: &Arc<Shop>) -> Result<Heard> {
    let crowd = Arc::new(Crowd {
        shop: shop.clone(),
        sent: AtomicU64::new(0),
        requests: if load.seconds.is_some() { u64::MAX } else { load.requests },
        over: AtomicBool::new(false),
        order: shop.order(),
    });
    // All connections stand before the first request is sent.
    let mut clients = Vec::new();
    for _ in 0..load.connections {
        clients.push(Client::connect(shop.address).await?);
    }
    let started = Instant::now();
    let progress = tokio::spawn(show_progress(crowd.clone(), load.requests, load.seconds, started));
    let mut workers = JoinSet::new();
    for client in clients {
        workers.spawn(buy(crowd.clone(), client));
    }
    let mut heard = empty()?;
    while let Some(worker) = workers.join_next().await {
        heard.add(worker.map_err(|cause| {
            Error::unavailable("a connection's task failed").with_source(cause)
        })??)?;
    }
    heard.elapsed = started.elapsed();
    crowd.over.store(true, Ordering::Relaxed);
    progress
        .await
        .map_err(|cause| Error::unavailable("the progress bar failed").with_source(cause))?;
    Ok(heard)
}

async fn buy(crowd: Arc<Crowd>, mut client: Client) -> Result<Heard> {
    let mut heard = empty()?;
    while let Some(number) = crowd.next() {
        let user = &crowd.shop.users[(number % crowd.shop.users.len() as u64) as usize];
        let asked = Instant::now();
        let answer =
            client.send(Method::POST, "/api/mall/exchange", &user.token, crowd.order.clone()).await;
        let latency_us = asked.elapsed().as_micros() as u64;
        heard.latency.saturating_record(latency_us.clamp(1, LATENCY_US_MAX));
        match classify(answer) {
            Bought::Sold => heard.sold += 1,
            Bought::SoldOut => {
                (heard.refused, heard.sold_out) = (heard.refused + 1, heard.sold_out + 1)
            }
            Bought::Refused => heard.refused += 1,
            Bought::Unclear(example) => {
                heard.unclear += 1;
                heard.example.get_or_insert(example);
            }
        }
    }
    Ok(heard)
}

fn classify(answer: Result<(StatusCode, Bytes)>) -> Bought {
    #[derive(Deserialize)]
    struct Ignored {}
    match answer {
        Ok((StatusCode::OK, _)) => Bought::Sold,
        Ok((status, body)) => match serde_json::from_slice::<Answer<Ignored>>(&body) {
            Ok(answer) => match &*answer.code {
                "OUT_OF_STOCK" => Bought::SoldOut,
                "INSUFFICIENT_POINTS" | "LIMIT_EXCEEDED" => Bought::Refused,
                code => Bought::Unclear(format!("{status} {code} {}", answer.message)),
            },
            Err(_) => Bought::Unclear(status.to_string()),
        },
        Err(error) => Bought::Unclear(error.to_string()),
    }
}

/// Shows how far the crowd is, and ends a sale that is limited by time.
async fn show_progress(crowd: Arc<Crowd>, requests: u64, seconds: Option<u64>, started: Instant) {
    let bar = ProgressBar::new(seconds.map_or(requests, |seconds| seconds * 1_000));
    let template = if seconds.is_some() { "{bar:40} {msg}" } else { "{bar:40} {pos}/{len} {msg}" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    while !crowd.over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let (sent, elapsed) = (crowd.sent.load(Ordering::Relaxed), started.elapsed());
        let position = if seconds.is_some() { elapsed.as_millis() as u64 } else { sent };
        bar.set_position(position.min(bar.length().unwrap_or(u64::MAX)));
        bar.set_message(format!(
            "{:.0} requests/s",
            sent as f64 / elapsed.as_secs_f64().max(0.001)
        ));
        if seconds.is_some_and(|seconds| elapsed >= Duration::from_secs(seconds)) {
            crowd.over.store(true, Ordering::Relaxed);
        }
    }
    bar.finish_and_clear();
}

fn empty() -> Result<Heard> {
    let latency = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
        .map_err(|cause| Error::invalid("the histogram's bounds").with_source(cause))?;
    Ok(Heard {
        sold: 0,
        refused: 0,
        sold_out: 0,
        unclear: 0,
        example: None,
        elapsed: Duration::ZERO,
        latency,
    })
}

impl Heard {
    fn add(&mut self, other: Self) -> Result<()> {
        self.sold += other.sold;
        self.refused += other.refused;
        self.sold_out += other.sold_out;
        self.unclear += other.unclear;
        self.example = self.example.take().or(other.example);
        self.latency.add(other.latency).map_err(|cause| {
            Error::invalid("the histograms do not fit together").with_source(cause)
        })
    }
}
