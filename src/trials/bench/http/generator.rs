//! The load: connections that each send one request after the other, as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::base::error::{Error, Result};
use crate::trials::bench::durable::new_histogram;

/// Before figures count: connections stand, and everything that is made once is made.
const WARM_UP: Duration = Duration::from_millis(300);
/// Answers are shorter.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// The bytes that each connection sends.
pub(super) struct Requests(pub(super) Vec<String>);

/// Many connections, for so long.
pub(super) struct Load {
    requests: Arc<Requests>,
    /// What every answer must begin with.
    status_line: Arc<str>,
    connections: usize,
    measure: Duration,
}

/// What one run saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Answers a second.
    pub(super) rate: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Load {
    pub(super) fn new(
        requests: Requests,
        status: StatusCode,
        connections: usize,
        measure: Duration,
    ) -> Self {
        let status_line = format!("HTTP/1.1 {} ", status.as_str()).into();
        Self { requests: Arc::new(requests), status_line, connections, measure }
    }

    pub(super) async fn run(&self, address: SocketAddr) -> Result<Seen> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            connections.push(Connection::open(address).await?);
        }
        let from = Instant::now() + WARM_UP;
        let until = from + self.measure;
        let mut tasks = JoinSet::new();
        for (index, connection) in connections.into_iter().enumerate() {
            let (requests, status_line) =
                (Arc::clone(&self.requests), Arc::clone(&self.status_line));
            tasks.spawn(async move {
                let request = &requests.0[index % requests.0.len()];
                connection.drive(request, &status_line, from, until).await
            });
        }
        let mut times = new_histogram()?;
        while let Some(task) = tasks.join_next().await {
            let seen = task.map_err(|_| Error::unavailable("a measuring task panicked"))??;
            times
                .add(seen)
                .map_err(|error| Error::unavailable("adding up latencies").with_source(error))?;
        }
        let ms = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1e3;
        Ok(Seen {
            rate: times.len() as f64 / self.measure.as_secs_f64(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
        })
    }
}

/// The run in the middle.
pub(super) fn median(mut runs: Vec<Seen>) -> Seen {
    runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    runs[runs.len() / 2]
}

/// How many bytes the body of the answer to one request has.
pub(super) async fn one(address: SocketAddr, requests: &Requests) -> Result<usize> {
    let mut connection = Connection::open(address).await?;
    connection.send(&requests.0[0]).await?;
    let answer = connection.receive().await?;
    Ok(answer.body_bytes)
}

pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub(super) struct Answer<'a> {
    pub(super) head: &'a [u8],
    body_bytes: usize,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        Ok(Self { stream, buffer: Vec::with_capacity(ANSWER_BYTES_MAX) })
    }

    /// Sends the request until the time is over; the latencies of what was asked from `from` on.
    async fn drive(
        mut self,
        request: &str,
        status_line: &str,
        from: Instant,
        until: Instant,
    ) -> Result<Histogram<u64>> {
        let mut times = new_histogram()?;
        loop {
            let asked = Instant::now();
            if asked >= until {
                return Ok(times);
            }
            self.send(request).await?;
            let answer = self.receive().await?;
            if !answer.head.starts_with(status_line.as_bytes()) {
                let head = String::from_utf8_lossy(answer.head).into_owned();
                return Err(Error::unavailable(format!(
                    "the measurement expected {status_line}, and got {head}"
                )));
            }
            if asked >= from {
                times.saturating_record(asked.elapsed().as_micros() as u64);
            }
        }
    }

    pub(super) async fn send(&mut self, request: &str) -> Result<()> {
        self.stream.write_all(request.as_bytes()).await.map_err(lost)
    }

    /// One whole answer; there is never more than one under way.
    pub(super) async fn receive(&mut self) -> Result<Answer<'_>> {
        self.buffer.clear();
        loop {
            let count = self.stream.read_buf(&mut self.buffer).await.map_err(lost)?;
            if count == 0 || self.buffer.len() >= ANSWER_BYTES_MAX {
                return Err(Error::unavailable("an answer broke off, or does not end"));
            }
            if let Some((head_bytes, body_bytes)) = parts(&self.buffer)
                && self.buffer.len() >= head_bytes + body_bytes
            {
                return Ok(Answer { head: &self.buffer[..head_bytes], body_bytes });
            }
        }
    }
}

/// How long head and body of an answer are, once its head is whole.
fn parts(answer: &[u8]) -> Option<(usize, usize)> {
    const END: &[u8] = b"\r\n\r\n";
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    let head_bytes = answer.windows(END.len()).position(|window| window == END)? + END.len();
    let at = answer[..head_bytes]
        .windows(LENGTH.len())
        .position(|window| window.eq_ignore_ascii_case(LENGTH))?;
    let digits =
        answer[at + LENGTH.len()..head_bytes].iter().take_while(|byte| byte.is_ascii_digit());
    Some((head_bytes, digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))))
}

fn lost(cause: std::io::Error) -> Error {
    Error::io("a measuring connection", cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_head_and_a_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nx: y\r\n\r\n{";
        assert_eq!(parts(answer), Some((answer.len() - 1, 12)));
        assert_eq!(parts(&answer[..20]), None, "the head is not whole");
    }
}
