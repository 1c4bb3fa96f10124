//! One rough life of the server, from its start to its death.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::caller::Life;
use super::run::Soak;
use super::server::Server;
use super::stall::stall;
use super::trouble::Trouble;
use crate::base::error::Result;
use crate::trials::client::Client;

const TTLS_MS: [u64; 3] = [400, 1_500, 5_000];
const HOUR_MS: u64 = 3_600_000;
/// A life writes about this much to its journal, so a limit below it is met in the middle of a
/// segment, or at once.
const FILE_BYTES: u64 = 96 << 10;
/// How long a server goes on with a disk that fails.
const EPISODE: Duration = Duration::from_millis(1_200);
/// One death in this many is followed by an audit.
const AUDIT_EVERY: u64 = 3;
/// How long a start may last that is killed.
const START_US: u64 = 60_000;

impl Soak<'_> {
    /// The server starts, is looked at, and lives until something kills it.
    pub(super) async fn rough_life(&mut self) -> Result<()> {
        let ttl_ms = TTLS_MS[self.chance.below(TTLS_MS.len() as u64) as usize];
        let (mut server, life) = self.start(ttl_ms).await?;
        self.show();
        let work = self.send_callers(&life);
        let mut stalled = Vec::new();
        let ended = match self.trouble(&mut server, &life, &mut stalled).await {
            Ok(deadly) => {
                // They would hold up a graceful end for as long as the server waits.
                stalled.clear();
                self.end_life(deadly, server, &life).await
            }
            Err(error) => Err(error),
        };
        self.call_back(&life, work).await?;
        ended?;
        match self.chance.below(AUDIT_EVERY) {
            0 => self.audit().await,
            _ => Ok(()),
        }
    }

    /// Does to the server what does not kill it; the trouble that will.
    async fn trouble(
        &mut self,
        server: &mut Server,
        life: &Life,
        stalled: &mut Vec<TcpStream>,
    ) -> Result<Trouble> {
        loop {
            let gap_ms = self.gap.as_millis() as u64;
            let gap = self.chance.between(gap_ms / 2, gap_ms * 3 / 2);
            self.wait(server, Duration::from_millis(gap)).await?;
            match self.deck.draw() {
                Trouble::Stop => self.stop(server).await?,
                Trouble::Forwards => self.set_forwards(server, life.ttl_ms).await?,
                Trouble::Backwards => self.set_backwards(server).await?,
                Trouble::Stall => {
                    let more = stall(life.address, &self.asker).await?;
                    self.counts.stalled_clients += more.len() as u64;
                    stalled.extend(more);
                }
                deadly => return Ok(deadly),
            }
        }
    }

    async fn stop(&mut self, server: &mut Server) -> Result<()> {
        let time_ms = self.chance.between(20, 800);
        server.signal(Signal::STOP)?;
        sleep(Duration::from_millis(time_ms)).await;
        server.signal(Signal::CONT)?;
        self.counts.stops += 1;
        Ok(())
    }

    /// By a moment, by about a lifetime, or by an hour.
    async fn set_forwards(&mut self, server: &mut Server, ttl_ms: u64) -> Result<()> {
        let by_ms = [1, self.chance.between(ttl_ms / 2, ttl_ms * 2), HOUR_MS]
            [self.chance.below(3) as usize];
        self.shift_ms += by_ms as i64;
        self.counts.jumps_forwards += 1;
        server.set_clock(self.shift_ms).await
    }

    async fn set_backwards(&mut self, server: &mut Server) -> Result<()> {
        self.shift_ms -= self.chance.between(50, 2_500) as i64;
        self.counts.jumps_backwards += 1;
        server.set_clock(self.shift_ms).await
    }

    async fn end_life(&mut self, deadly: Trouble, mut server: Server, life: &Life) -> Result<()> {
        match deadly {
            Trouble::Terminate => self.terminate(server, true).await,
            Trouble::FullDisk => self.fill_the_disk(server, life).await,
            Trouble::FileLimit => {
                server.limit_files(self.chance.below(FILE_BYTES))?;
                self.counts.file_limits += 1;
                self.fail_for_a_while(&mut server, life).await?;
                self.end_somehow(server).await
            }
            Trouble::KillStopped => {
                self.rush(life).await;
                server.signal(Signal::STOP)?;
                sleep(Duration::from_millis(self.chance.between(1, 100))).await;
                self.counts.kills_while_stopped += 1;
                self.kill(server).await
            }
            Trouble::KillTwice => {
                self.rush(life).await;
                self.kill(server).await?;
                let starting = self.spawn(life.ttl_ms).await?;
                sleep(Duration::from_micros(self.chance.below(START_US))).await;
                self.counts.kills_while_starting += 1;
                self.kill(starting).await
            }
            _ => {
                self.rush(life).await;
                self.kill(server).await
            }
        }
    }

    async fn rush(&mut self, life: &Life) {
        life.rush.store(true, Ordering::Relaxed);
        sleep(Duration::from_millis(self.chance.between(5, 120))).await;
    }

    async fn kill(&mut self, mut server: Server) -> Result<()> {
        server.kill().await?;
        self.counts.kills += 1;
        self.bury(server).await;
        Ok(())
    }

    /// A server whose disk failed ends either way; SIGTERM says how that went.
    async fn end_somehow(&mut self, server: Server) -> Result<()> {
        match self.chance.below(2) {
            0 => self.kill(server).await,
            _ => self.terminate(server, false).await,
        }
    }

    async fn fill_the_disk(&mut self, mut server: Server, life: &Life) -> Result<()> {
        let Some(disk) = &self.disk else {
            return self.kill(server).await;
        };
        disk.fill()?;
        self.counts.full_disks += 1;
        self.fail_for_a_while(&mut server, life).await?;
        self.end_somehow(server).await?;
        if self.chance.below(2) == 0 {
            self.start_on_full_disk(life.ttl_ms).await?;
        }
        self.disk.as_ref().map_or(Ok(()), |disk| disk.free())
    }

    /// It serves or says why not; either way it leaves everything as it was.
    async fn start_on_full_disk(&mut self, ttl_ms: u64) -> Result<()> {
        let mut server = self.spawn(ttl_ms).await?;
        self.counts.full_disks_at_start += 1;
        match server.listens().await {
            Ok(_) => self.kill(server).await,
            Err(_) => {
                let status = server.ends().await?;
                self.findings.check(status.code() == Some(1), || {
                    format!("on a full disk it ended with {status}")
                });
                self.bury(server).await;
                Ok(())
            }
        }
    }

    /// Lets it run with a disk that takes no more, and notes whether it says so.
    async fn fail_for_a_while(&mut self, server: &mut Server, life: &Life) -> Result<()> {
        let until = Instant::now() + EPISODE;
        let mut told = false;
        while Instant::now() < until {
            self.wait(server, Duration::from_millis(100)).await?;
            told = told || !is_healthy(life).await;
        }
        self.counts.disk_failures_told += u64::from(told);
        Ok(())
    }

    fn show(&self) {
        let (starts, kills, broken) = (self.counts.starts, self.counts.kills, self.findings.count);
        self.bar.set_message(format!("{starts} starts, {kills} kills, {broken} findings"));
    }
}

async fn is_healthy(life: &Life) -> bool {
    let Ok(mut client) = Client::connect(life.address).await else {
        return false;
    };
    let token = hyper::header::HeaderValue::from_static("");
    let answer = client.send(Method::GET, "/health", &token, Bytes::new()).await;
    // The mirror is never well here.
    let ill = |body: &str| {
        body.contains(r#""engine":"rejected""#) || body.contains(r#""history":"rejected""#)
    };
    answer.is_ok_and(|(status, body)| status.is_success() && !ill(&String::from_utf8_lossy(&body)))
}
