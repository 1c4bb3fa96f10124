//! The server that is soaked: a process of its own.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::audit::Kind;
use crate::base::error::{Error, Result};

/// How long a server may take to do what it always does in the end, on a machine that does much
/// else.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of the journal the mirror may hold back, in bytes.
const MIRROR_BACKLOG_BYTES: u64 = 2 << 20;
/// What the journal's files may take in all: that, what recovery needs, and spare segments.
const JOURNAL_BYTES_MAX: u64 = 8 << 20;
/// A write beyond a limit is an error only where the signal that comes with it is ignored.
const IGNORING: &str = "trap '' XFSZ; exec \"$0\" \"$@\"";

/// What is started, over and over.
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) data_dir: PathBuf,
    pub(super) secret: SecretString,
    pub(super) outstanding_max: u64,
    /// A database that never answers, for a mirror that is always behind; `None` without mirrors.
    pub(super) mirror_url: Option<String>,
    /// What it does wrong, on purpose.
    pub(super) mistake: Option<String>,
}

/// One life of the server. Dropped, it is killed.
pub(super) struct Server {
    child: Child,
    stdin: ChildStdin,
    printed: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    logging: JoinHandle<()>,
}

impl Program {
    /// Starts it with the clock set wrong by `shift_ms`; what it logs goes to the file `log`.
    #[allow(clippy::disallowed_methods, reason = "a log of the soak, not a file of the engine")]
    pub(super) async fn start(&self, ttl_ms: u64, shift_ms: i64, log: PathBuf) -> Result<Server> {
        let failed = |cause| Error::io("starting the server", cause);
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOCKHOLD_")) {
            command.env_remove(name);
        }
        command.args(["-c", IGNORING]).arg(&self.path).args([
            "serve",
            "--demo",
            "--soaked",
            "--listen",
            "127.0.0.1:0",
        ]);
        command
            .arg("--data-dir")
            .arg(&self.data_dir)
            .arg("--reservation-ttl")
            .arg(format!("{ttl_ms}ms"));
        // The disk is small, and its users are few.
        command.args(["--low-space-mark", "1", "--user-requests-per-minute", "1000000"]);
        command.args(["--user-bytes-per-minute", "1000000000"]);
        // What is complete is so because somebody said it.
        command.args(["--complete-after", "365d", "--reacquire-window", "365d"]);
        command.args(["--waiting-places", "6", "--granted-ttl"]).arg(format!("{ttl_ms}ms"));
        command.arg("--max-outstanding").arg(self.outstanding_max.to_string());
        command.env("STOCKHOLD_AUTH_SECRET", self.secret.expose_secret()).env_remove("RUST_LOG");
        if let Some(url) = &self.mirror_url {
            command.env("STOCKHOLD_MIRROR_URL", url).env("STOCKHOLD_MIRROR_BACKLOG_POLICY", "drop");
            command.env("STOCKHOLD_MIRROR_BACKLOG_MAX", MIRROR_BACKLOG_BYTES.to_string());
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let piped = || Error::unavailable("the server has no standard streams");
        let stdin = child.stdin.take().ok_or_else(piped)?;
        let stdout = child.stdout.take().ok_or_else(piped)?;
        let stderr = child.stderr.take().ok_or_else(piped)?;
        // Through a pipe: the limits of the process must not apply to its log.
        let logging = tokio::spawn(keep(stderr, File::create(&log).map_err(failed)?));
        let mut server =
            Server { child, stdin, printed: BufReader::new(stdout).lines(), log, logging };
        server.hold_clock(shift_ms).await?;
        if let Some(mistake) = &self.mistake {
            server.say(&format!("mistake {mistake}")).await?;
        }
        Ok(server)
    }

    /// Audits the data directory.
    pub(super) async fn audit(&self) -> Result<Audited> {
        let mut command = Command::new(&self.path);
        let audited = command.arg("verify").arg(&self.data_dir).stdin(Stdio::null()).output().await;
        let audited = audited.map_err(|cause| Error::io("starting an audit", cause))?;
        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(match audited.status.code() {
            Some(0) => Audited::Clean,
            Some(code) if code == i32::from(Kind::Store.exit_code()) => Audited::HistoryDamaged,
            _ => Audited::Wrong(format!(
                "{}: {}{}",
                audited.status,
                told(&audited.stdout),
                told(&audited.stderr)
            )),
        })
    }

    /// The size of the journal, and the most that it may be, whatever follows it.
    #[allow(clippy::disallowed_methods, reason = "looks at the soaked server's files from outside")]
    pub(super) fn journal_bytes(&self) -> Result<(u64, u64)> {
        let entries = std::fs::read_dir(self.data_dir.join("journal"));
        let lengths =
            entries.and_then(|entries| entries.map(|entry| Ok(entry?.metadata()?.len())).sum());
        let bytes: u64 =
            lengths.map_err(|cause: std::io::Error| Error::io("looking at the journal", cause))?;
        Ok((bytes, JOURNAL_BYTES_MAX))
    }
}

/// What an audit says.
pub(super) enum Audited {
    Clean,
    /// Nothing else is: sled does not survive every death, and the next start makes it anew.
    HistoryDamaged,
    Wrong(String),
}

impl Server {
    /// Where it listens, once it does; what it logged when it ends instead.
    pub(super) async fn listens(&mut self) -> Result<SocketAddr> {
        loop {
            let line = self.read_line().await?;
            if let Some((_, address)) = line.split_once("serving on http://") {
                let wrong = |cause| {
                    Error::unavailable(format!("the server printed {line:?}")).with_source(cause)
                };
                return address.trim_end().parse().map_err(wrong);
            }
        }
    }

    /// Sets its clock wrong by so much, and waits until it has heard.
    pub(super) async fn set_clock(&mut self, shift_ms: i64) -> Result<()> {
        self.hold_clock(shift_ms).await?;
        let heard = format!("clock {shift_ms}");
        while self.read_line().await? != heard {}
        Ok(())
    }

    async fn hold_clock(&mut self, shift_ms: i64) -> Result<()> {
        self.say(&shift_ms.to_string()).await
    }

    /// A line to its standard input.
    async fn say(&mut self, line: &str) -> Result<()> {
        let written = self.stdin.write_all(format!("{line}\n").as_bytes()).await;
        written.map_err(|cause| Error::io("telling the server something", cause))
    }

    async fn read_line(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.printed.next_line()).await;
        let line = line.map_err(|_| Error::unavailable("the server neither listens nor ends"))?;
        let line = line.map_err(|cause| Error::io("reading what the server prints", cause))?;
        line.ok_or_else(|| {
            Error::unavailable(format!("the server ended by itself: {}", self.last_words()))
        })
    }

    /// Resolves when the process has ended.
    pub(super) async fn ends(&mut self) -> Result<ExitStatus> {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let ended = ended.map_err(|_| Error::unavailable("the server does not end"))?;
        ended.map_err(|cause| Error::io("waiting for the server", cause))
    }

    /// Resolves when the process has ended, however long that takes.
    pub(super) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => format!("{status}: {}", self.last_words()),
            Err(error) => error.to_string(),
        }
    }

    pub(super) async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.ends().await.map(drop)
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let sent = kill_process(self.pid()?, signal);
        sent.map_err(|cause| Error::io("sending the server a signal", cause.into()))
    }

    /// Lets no file of the process grow beyond `bytes`.
    #[cfg(target_os = "linux")]
    pub(super) fn limit_files(&self, bytes: u64) -> Result<()> {
        use rustix::process::{Resource, Rlimit, prlimit};
        let limit = Rlimit { current: Some(bytes), maximum: None };
        let lowered = prlimit(Some(self.pid()?), Resource::Fsize, limit);
        lowered
            .map(drop)
            .map_err(|cause| Error::io("lowering the server's limit of file sizes", cause.into()))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn limit_files(&self, _bytes: u64) -> Result<()> {
        Err(Error::unavailable("only Linux can lower the limits of a process that runs"))
    }

    /// The process; `None` once it was waited for.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    fn pid(&self) -> Result<Pid> {
        let pid = self.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        pid.ok_or_else(|| {
            Error::unavailable(format!("the server ended by itself: {}", self.last_words()))
        })
    }

    /// What it logged, once it has ended.
    pub(super) async fn log(mut self) -> String {
        // A task that failed has written what it could.
        let _ = (&mut self.logging).await;
        self.logged()
    }

    #[allow(clippy::disallowed_methods, reason = "a log of the soak, not a file of the engine")]
    fn logged(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn last_words(&self) -> String {
        let logged = self.logged();
        let from = logged.lines().count().saturating_sub(5);
        let last: Vec<&str> = logged.lines().skip(from).collect();
        format!("{} ends with: {}", self.log.display(), last.join(" | "))
    }
}

/// Keeps what a server logs until it ends.
async fn keep(mut stderr: ChildStderr, mut log: File) {
    let mut part = vec![0; 16 << 10];
    while let Ok(length @ 1..) = stderr.read(&mut part).await {
        if log.write_all(&part[..length]).is_err() {
            return;
        }
    }
}
