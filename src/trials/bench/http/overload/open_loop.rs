//! Requests that come when they come, as those of many users do.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::{Asked, BUSY, BUSY_CONNECTIONS, MEASURE, QUIET_USERS};
use crate::base::error::{Error, Result};
use crate::trials::bench::durable::new_histogram;
use crate::trials::bench::http::generator::Connection;
use crate::trials::bench::http::user_name;

/// Before figures count: what is let in has settled.
const WARM_UP: Duration = Duration::from_millis(1_500);
/// Of ten requests the busy user asks nine.
const BUSY_PART: f64 = 0.9;

/// How many ask for how much in a second.
pub(super) struct Crowd {
    quiet_rate: f64,
    busy_rate: f64,
}

/// What became of the requests of some.
pub(super) struct Became {
    let_in: Histogram<u64>,
    shed: Histogram<u64>,
}

pub(super) struct Seen {
    pub(super) quiet: Became,
    pub(super) busy: Became,
}

impl Became {
    fn new() -> Result<Self> {
        Ok(Self { let_in: new_histogram()?, shed: new_histogram()? })
    }

    fn add(&mut self, more: Self) -> Result<()> {
        let added = self.let_in.add(more.let_in).and_then(|()| self.shed.add(more.shed));
        added.map_err(|error| Error::unavailable("adding up latencies").with_source(error))
    }

    pub(super) fn asked(&self) -> u64 {
        self.let_in.len() + self.shed.len()
    }

    pub(super) fn let_in(&self) -> u64 {
        self.let_in.len()
    }

    /// How long those took that were let in.
    pub(super) fn ms(&self, quantile: f64) -> f64 {
        self.let_in.value_at_quantile(quantile) as f64 / 1e3
    }

    pub(super) fn shed_ms(&self, quantile: f64) -> f64 {
        self.shed.value_at_quantile(quantile) as f64 / 1e3
    }
}

impl Crowd {
    pub(super) fn alike(rate: f64) -> Self {
        Self { quiet_rate: rate, busy_rate: 0.0 }
    }

    pub(super) fn with_a_busy_one(rate: f64) -> Self {
        Self { quiet_rate: rate * (1.0 - BUSY_PART), busy_rate: rate * BUSY_PART }
    }

    pub(super) async fn run(&self, address: SocketAddr, asked: &Asked<'_>) -> Result<Seen> {
        let mut ready = Vec::new();
        for user in 0..QUIET_USERS {
            let rate = self.quiet_rate / QUIET_USERS as f64;
            let request = asked.by(&user_name(user))?;
            ready.push((Connection::open(address).await?, request, rate, false));
        }
        if self.busy_rate > 0.0 {
            for _ in 0..BUSY_CONNECTIONS {
                let rate = self.busy_rate / BUSY_CONNECTIONS as f64;
                ready.push((Connection::open(address).await?, asked.by(BUSY)?, rate, true));
            }
        }
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for (seed, (connection, request, rate, is_busy)) in ready.into_iter().enumerate() {
            let times = Times::new(seed as u64, rate);
            tasks.spawn(async move {
                Ok::<_, Error>((is_busy, drive(connection, &request, times, began).await?))
            });
        }
        let mut seen = Seen { quiet: Became::new()?, busy: Became::new()? };
        while let Some(ended) = tasks.join_next().await {
            let (is_busy, became) =
                ended.map_err(|_| Error::unavailable("a measuring task panicked"))??;
            if is_busy { seen.busy.add(became)? } else { seen.quiet.add(became)? }
        }
        Ok(seen)
    }
}

/// Asks when it is time, or as soon as the answer before it is there. What could not be sent in time is
/// not made up for.
async fn drive(
    mut connection: Connection,
    request: &str,
    mut times: Times,
    began: Instant,
) -> Result<Became> {
    let mut became = Became::new()?;
    let (from, until) = (began + WARM_UP, began + WARM_UP + MEASURE);
    let mut due = began;
    loop {
        due = (due + times.next()).max(Instant::now());
        if due >= until {
            return Ok(became);
        }
        tokio::time::sleep_until(due.into()).await;
        let sent = Instant::now();
        connection.send(request).await?;
        let answer = connection.receive().await?;
        let micros = sent.elapsed().as_micros() as u64;
        if sent < from {
            continue;
        }
        match answer.head.get(9..12) {
            Some(b"200") => became.let_in.saturating_record(micros),
            Some(b"503") => became.shed.saturating_record(micros),
            other => {
                let other = String::from_utf8_lossy(other.unwrap_or_default()).into_owned();
                return Err(Error::unavailable(format!("the measurement got {other}")));
            }
        }
    }
}

/// Times between requests of which none knows of another (a Poisson process), the same in every run.
struct Times {
    state: u64,
    mean_s: f64,
}

impl Times {
    fn new(seed: u64, rate: f64) -> Self {
        Self { state: seed, mean_s: 1.0 / rate }
    }

    fn next(&mut self) -> Duration {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.state;
        it = (it ^ it >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ it >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^= it >> 31;
        // Above 0, and at most 1.
        let drawn = ((it >> 11) + 1) as f64 / (1u64 << 53) as f64;
        Duration::from_secs_f64(-drawn.ln() * self.mean_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_as_often_as_is_said() {
        let mut times = Times::new(7, 100.0);
        let sum: Duration = (0..10_000).map(|_| times.next()).sum();
        assert!((95.0..105.0).contains(&sum.as_secs_f64()), "{sum:?}");
    }
}
