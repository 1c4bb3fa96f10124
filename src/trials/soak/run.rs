//! The course of a soak: a rough part of many lives, a calm one in which memory is looked at, and
//! the end.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::SoakArgs;
use super::caller::{Caller, Life};
use super::choices::Choices;
use super::counts::{Counts, Findings, LeftOut};
use super::disk::Disk;
use super::gauge::Gauge;
use super::holdings::Stock;
use super::products::PRODUCTS;
use super::progress::{progress_bar, show_progress};
use super::report::Report;
use super::server::{Audited, Program, Server};
use super::stall::stall;
use super::trouble::{Deck, Trouble};
use crate::base::clock::{Clock, SystemClock};
use crate::base::error::{Error, Result};
use crate::http::Auth;
use crate::settings::secret;
use crate::trials::client::Client;

/// Room for segments, checkpoints and sled, and for what the archive and sled gather in a minute.
const DISK_BYTES: u64 = 384 << 20;
const DISK_BYTES_A_MINUTE: u64 = 64 << 20;
const OUTSTANDING_MAX: u64 = 40;
/// How far the clock is set back while the books are looked at: time stands still then.
const STANDSTILL_MS: i64 = 24 * 3_600_000;
/// How far it is set forwards in the end: everything lapses, and a day ends.
const LAPSE_MS: i64 = 25 * 3_600_000;
const DAY_MS: u64 = 24 * 3_600_000;
const CALM_TTL_MS: u64 = 1_500;

pub(super) struct Soak<'a> {
    pub(super) dir: &'a Path,
    pub(super) program: Program,
    pub(super) deck: Deck,
    pub(super) chance: Choices,
    pub(super) callers: Vec<Caller>,
    pub(super) disk: Option<Disk>,
    pub(super) counts: Counts,
    pub(super) findings: Findings,
    /// By how much the machine's clock is wrong now.
    pub(super) shift_ms: i64,
    /// Between two troubles, on average.
    pub(super) gap: Duration,
    seed: u64,
    left_out: Vec<String>,
    left_out_kinds: LeftOut,
    /// What the demo put there.
    pub(super) before: [Stock; PRODUCTS.len()],
    pause: Duration,
    requests: Arc<AtomicU64>,
    started: Instant,
    length: Duration,
    gauge: Option<Gauge>,
    /// Where the mirror connects to. Nobody accepts.
    _follower: TcpListener,
    /// The header of a user that stalled clients ask for.
    pub(super) asker: String,
    pub(super) bar: ProgressBar,
}

impl<'a> Soak<'a> {
    /// Soaks a server whose files are in `dir`.
    ///
    /// # Errors
    /// What keeps it from beginning. What goes wrong after that is in the report.
    pub(super) async fn run(args: &SoakArgs, dir: &'a Path) -> Result<Report> {
        let mut soak = Self::new(args, dir)?;
        let shown =
            tokio::spawn(show_progress(soak.bar.clone(), soak.started, soak.requests.clone()));
        let went = soak.go().await;
        shown.abort();
        soak.bar.finish_and_clear();
        if let Err(error) = went {
            soak.findings.note(error.to_string());
        }
        Ok(soak.report())
    }

    fn new(args: &SoakArgs, dir: &'a Path) -> Result<Self> {
        let seed = match args.seed {
            Some(seed) => seed,
            None => getrandom::u64()
                .map_err(|cause| Error::unavailable(format!("no random seed: {cause}")))?,
        };
        let length = Duration::from_secs(args.seconds());
        let (disk, why_not) = match Disk::mount(
            dir,
            DISK_BYTES + DISK_BYTES_A_MINUTE * args.seconds().div_ceil(60),
        ) {
            Ok(disk) => (Some(disk), None),
            Err(error) => {
                (None, Some(format!("a full disk: no small disk can be mounted here ({error})")))
            }
        };
        let kinds = LeftOut { full_disk: disk.is_none(), file_limit: !cfg!(target_os = "linux") };
        let no_mirror =
            (!cfg!(feature = "mysql")).then(|| "a mirror that stalls: this build has none".into());
        let no_limit = kinds
            .file_limit
            .then(|| "a file limit: only Linux can lower it for a process that runs".into());
        let deck = Deck::new(Choices::new(seed, 0), |trouble| match trouble {
            Trouble::FullDisk => !kinds.full_disk,
            Trouble::FileLimit => !kinds.file_limit,
            _ => true,
        });
        let (follower, mirror_url) = stalled_database()?;
        let secret = secret::random()?;
        let auth = Auth::new(&secret)?;
        let callers = (0..args.connections as usize).map(|number| Caller::new(number, seed, &auth));
        let callers = callers.collect::<Result<Vec<_>>>()?;
        let asker = callers[0].users[0].token.to_str().unwrap_or_default().to_owned();
        let path =
            std::env::current_exe().map_err(|cause| Error::io("finding this program", cause))?;
        let data_dir = disk.as_ref().map_or(dir, Disk::path).join("data");
        Ok(Self {
            dir,
            program: Program {
                path,
                data_dir,
                secret,
                outstanding_max: OUTSTANDING_MAX,
                mirror_url,
                mistake: args.mistake().map(str::to_owned),
            },
            chance: Choices::new(seed, u64::MAX),
            callers,
            disk,
            counts: Counts::default(),
            findings: Findings::default(),
            shift_ms: shift_to_day_end(length),
            // Most of the rough part is for starts and checks, so that a short one tries everything
            // too.
            gap: (length / 3 / deck.len() as u32)
                .clamp(Duration::from_millis(200), Duration::from_secs(2)),
            deck,
            seed,
            left_out: why_not.into_iter().chain(no_limit).chain(no_mirror).collect(),
            left_out_kinds: kinds,
            before: Default::default(),
            pause: Duration::from_secs(1) * args.connections / args.rate,
            requests: Arc::default(),
            started: Instant::now(),
            length,
            gauge: None,
            _follower: follower,
            asker,
            bar: progress_bar(length),
        })
    }

    async fn go(&mut self) -> Result<()> {
        self.see_the_demo().await?;
        while self.started.elapsed() < self.length * 3 / 4 || self.deck.rounds() == 0 {
            self.rough_life().await?;
            if self.program.mistake.is_some() && self.has_found_something() {
                return Ok(());
            }
        }
        self.calm_life().await
    }

    fn has_found_something(&self) -> bool {
        self.callers.iter().any(|caller| caller.findings.count > 0)
    }

    /// The first life is short: what the demo puts there is where the books begin.
    async fn see_the_demo(&mut self) -> Result<()> {
        let mut server = self.spawn(CALM_TTL_MS).await?;
        let mut client = Client::connect(server.listens().await?).await?;
        for (product, (name, _)) in PRODUCTS.iter().enumerate() {
            let shown = self.inventory(&mut client, name).await?;
            let of = |field: &str| shown.number(field);
            self.before[product] =
                Stock { received: of("total"), written_off: of("writtenOff"), ..Stock::default() };
        }
        self.terminate(server, true).await
    }

    /// Starts the server and looks at all books while its time stands still.
    pub(super) async fn start(&mut self, ttl_ms: u64) -> Result<(Server, Arc<Life>)> {
        let mut server = self.spawn(ttl_ms).await?;
        let address = server.listens().await?;
        self.counts.recoveries += 1;
        let requests = self.requests.clone();
        let life = Arc::new(Life {
            address,
            ttl_ms,
            pause: self.pause,
            rush: false.into(),
            over: false.into(),
            requests,
        });
        self.check(&life, false).await?;
        server.set_clock(self.shift_ms).await?;
        Ok((server, life))
    }

    pub(super) async fn spawn(&mut self, ttl_ms: u64) -> Result<Server> {
        self.counts.starts += 1;
        let log = self.dir.join(format!("server-{:04}.log", self.counts.starts));
        self.program.start(ttl_ms, self.shift_ms - STANDSTILL_MS, log).await
    }

    /// Lets every caller look at its own, and holds the stocks against all of them together.
    async fn check(&mut self, life: &Life, whole: bool) -> Result<()> {
        let mut checks = JoinSet::new();
        for mut caller in self.callers.drain(..) {
            let address = life.address;
            checks.spawn(async move {
                let checked = match Client::connect(address).await {
                    Ok(mut client) => caller.check(&mut client, whole).await,
                    Err(error) => Err(error),
                };
                (caller, checked)
            });
        }
        let mut outcome = Ok(());
        while let Some(check) = checks.join_next().await {
            let (caller, checked) = check.map_err(failed_task)?;
            self.callers.push(caller);
            outcome = outcome.and(checked);
        }
        outcome?;
        self.check_stocks(life).await?;
        self.counts.checks += 1;
        Ok(())
    }

    /// Lets the callers ask until the life is over.
    pub(super) fn send_callers(&mut self, life: &Arc<Life>) -> JoinSet<Caller> {
        let mut work = JoinSet::new();
        for caller in self.callers.drain(..) {
            work.spawn(caller.work(life.clone()));
        }
        work
    }

    pub(super) async fn call_back(&mut self, life: &Life, mut work: JoinSet<Caller>) -> Result<()> {
        life.over.store(true, Ordering::Relaxed);
        while let Some(caller) = work.join_next().await {
            self.callers.push(caller.map_err(failed_task)?);
        }
        Ok(())
    }

    /// Nothing is done to the server but ask it, for long enough to see what it gathers; then it is
    /// held to everything.
    async fn calm_life(&mut self) -> Result<()> {
        let length = self.length / 4;
        let (mut server, life) = self.start(CALM_TTL_MS).await?;
        let stalled = stall(life.address, &self.asker).await?;
        self.counts.stalled_clients += stalled.len() as u64;
        let work = self.send_callers(&life);
        let mut gauge = Gauge::new(length / 2);
        let until = Instant::now() + length;
        let mut broke = None;
        while Instant::now() < until && broke.is_none() {
            gauge.look(server.id().unwrap_or_default(), self.requests.load(Ordering::Relaxed));
            broke =
                self.wait(&mut server, (length / 100).max(Duration::from_millis(50))).await.err();
        }
        self.gauge = Some(gauge);
        self.call_back(&life, work).await?;
        drop(stalled);
        match broke {
            Some(error) => Err(error),
            None => self.end(server, &life).await,
        }
    }

    /// Everything lapses, every order is looked at, and the server goes in peace.
    async fn end(&mut self, mut server: Server, life: &Life) -> Result<()> {
        self.leave_lines(life).await?;
        self.shift_ms += LAPSE_MS;
        server.set_clock(self.shift_ms).await?;
        self.check(life, true).await?;
        for (caller, stocks) in self.callers.iter().map(|caller| (caller, caller.stocks())) {
            let still: u64 = stocks.iter().map(|stock| stock.reserved).sum();
            self.findings.check(still == 0, || {
                format!(
                    "{still} units are reserved {LAPSE_MS} ms after the last request of {}",
                    caller.users[0].name
                )
            });
        }
        let (bytes, max) = self.program.journal_bytes()?;
        self.findings.check(bytes <= max, || {
            format!("the journal takes {bytes} bytes, where {max} would do")
        });
        let damaged = self.counts.histories_damaged;
        self.audit().await?;
        self.counts.audits_beside += 1;
        self.terminate(server, true).await?;
        self.audit().await?;
        // Nothing died since history was made anew.
        let whole = self.counts.histories_damaged == damaged;
        self.findings.check(whole, || "history is damaged in the end".to_owned());
        Ok(())
    }

    /// Nobody is served any more.
    async fn leave_lines(&mut self, life: &Life) -> Result<()> {
        let mut client = Client::connect(life.address).await?;
        for caller in &mut self.callers {
            caller.leave_lines(&mut client).await?;
        }
        Ok(())
    }

    /// Lets the auditor, who believes nothing, look at the directory.
    pub(super) async fn audit(&mut self) -> Result<()> {
        self.counts.audits += 1;
        match self.program.audit().await? {
            Audited::Clean => {}
            Audited::HistoryDamaged => self.counts.histories_damaged += 1,
            Audited::Wrong(wrong) => self.findings.note(format!("the auditor says {wrong}")),
        }
        Ok(())
    }

    /// SIGTERM, and what comes of it. On a disk that failed a server cannot write its last
    /// checkpoint, and says so.
    pub(super) async fn terminate(&mut self, mut server: Server, is_well: bool) -> Result<()> {
        server.signal(Signal::TERM)?;
        let status = server.ends().await?;
        self.counts.graceful_ends += 1;
        self.findings
            .check(status.success() || !is_well, || format!("SIGTERM ended it with {status}"));
        self.bury(server).await;
        Ok(())
    }

    /// Whatever it died of, it never panicked.
    pub(super) async fn bury(&mut self, server: Server) {
        let log = server.log().await;
        let panic = log.lines().find(|line| line.contains("panicked at"));
        if let Some(panic) = panic {
            self.findings.note(format!("the server panicked: {panic}"));
        }
        // Room comes back; a history that was set aside for the want of it does not.
        let lost =
            log.lines().find(|line| line.contains("set aside") && line.contains("No space left"));
        if let Some(lost) = lost {
            self.findings.note(format!("a full disk cost the history: {lost}"));
        }
    }

    /// Waits, unless the server ends by itself meanwhile.
    pub(super) async fn wait(&mut self, server: &mut Server, time: Duration) -> Result<()> {
        tokio::select! {
            () = sleep(time) => Ok(()),
            ended = server.ended() => Err(Error::unavailable(format!("the server ended by itself: {ended}"))),
        }
    }

    fn report(mut self) -> Report {
        for caller in &self.callers {
            self.counts.add(&caller.counts);
            self.findings.add(&caller.findings);
        }
        let series = self.gauge.as_ref().and_then(Gauge::series);
        if let Some((bytes, descriptors)) = series {
            self.findings.check(bytes.is_flat(), || format!("memory grows: {bytes:?}"));
            self.findings
                .check(descriptors.is_flat(), || format!("file descriptors grow: {descriptors:?}"));
        }
        Report {
            seed: self.seed,
            seconds: self.started.elapsed().as_secs_f64(),
            stalled_follower: self.program.mirror_url.is_some(),
            disk: self
                .disk
                .as_ref()
                .map_or("the directory's own".into(), |disk| format!("{} of its own", disk.kind)),
            left_out: self.left_out,
            never_tried: self.counts.never(self.left_out_kinds),
            counts: self.counts,
            memory_bytes: series.map(|(bytes, _)| bytes),
            descriptors: series.map(|(_, descriptors)| descriptors),
            findings: self.findings,
        }
    }
}

/// By how much the clock is wrong at first: so that a day ends, and points with it, in the middle of
/// the soak.
fn shift_to_day_end(length: Duration) -> i64 {
    let left_ms = DAY_MS - SystemClock::default().now_ms() % DAY_MS;
    let wanted_ms = length.as_millis().min(DAY_MS as u128) as u64 / 2;
    left_ms as i64 - wanted_ms as i64
}

/// A database that takes connections and never answers: a follower that stalls for as long as the
/// soak lasts.
fn stalled_database() -> Result<(TcpListener, Option<String>)> {
    let failed = |cause| Error::io("listening for a mirror", cause);
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let url = cfg!(feature = "mysql").then(|| format!("mysql://soak:soak@{address}/soak"));
    Ok((listener, url))
}

fn failed_task(cause: tokio::task::JoinError) -> Error {
    Error::unavailable("a caller's task failed").with_source(cause)
}
