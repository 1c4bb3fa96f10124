//! Logs, on standard error or in a file.

mod file;
mod line;
mod mask;
mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, stderr};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use self::file::{LogFile, Rotation};
pub(super) use self::line::Lines;
use self::queue::{Out, Queue};
use super::traces::Traces;
use crate::base::clock::SystemClock;
use crate::base::error::{Error, Result};
use crate::settings::{LogConfig, LogFormat};

/// How long an end waits for the log's last lines.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// What the log of this process goes through, once it is started.
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    queue: Queue,
    is_file: bool,
}

/// Starts logging. Code that logs never waits for whoever reads the log. With a `secret`, the hashes
/// of users' ids are the same in every run that has it. Where there are `traces`, they hear of spans.
///
/// # Errors
/// `Unavailable` when the file cannot be opened, or no thread can be started.
pub(crate) fn start(
    config: &LogConfig,
    secret: Option<&SecretString>,
    traces: Option<&Traces>,
) -> Result<()> {
    let rotation = Rotation {
        bytes_max: config.file_bytes_max,
        period_ms: config.file_period.map(|period| period.as_millis() as u64),
        kept: config.files_kept,
    };
    let open = |path| LogFile::open(path, rotation, Arc::new(SystemClock::default()));
    let mut out: Box<dyn Out + Send> = match config.file.as_deref().map(open).transpose()? {
        Some(file) => Box::new(file),
        None => Box::new(stderr()),
    };
    let key = key(secret)?;
    let waiting = Queue::new(Lines::new(config, key));
    let log = LOG.get_or_init(|| Log { queue: waiting, is_file: config.file.is_some() });
    let thread = thread::Builder::new().name("stockhold-log".into());
    thread
        .spawn(move || log.queue.write_to(&mut *out))
        .map_err(|cause| Error::io("starting the log's thread", cause))?;
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(thread = thread::current().name(), backtrace, "{panic}");
    }));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(config.level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || Line(&log.queue))
        .event_format(Lines::new(config, key))
        // Spans are for traces: without them, nobody makes any.
        .with_filter(filter.and(filter_fn(|of| of.is_event())));
    let spans = traces.map(|traces| traces.layer(Lines::new(config, key)));
    if tracing_subscriber::registry().with(spans).with(lines).try_init().is_err() {
        // Somebody installed a subscriber before, which then gets our lines.
        tracing::debug!("logging had been started");
    }
    Ok(())
}

/// What users' ids are hashed with: nobody without the secret can try out whose a hash is.
fn key(secret: Option<&SecretString>) -> Result<[u8; 32]> {
    if let Some(secret) = secret {
        let secret = secret.expose_secret().as_bytes();
        return Ok(blake3::derive_key("stockhold 2026-11-30 users in the log", secret));
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|cause| Error::unavailable(format!("no random bytes: {cause}")))?;
    Ok(key)
}

/// Opens the log's file anew, where it goes to one: somebody may have moved it away.
pub(crate) fn reopen() {
    if let Some(log) = LOG.get()
        && log.is_file
    {
        log.queue.reopen();
        tracing::info!("the log's file is opened anew");
    }
}

/// Says something on standard error, after the log's lines where there is a log, and in the log's
/// file. Waits no longer than a moment for whoever reads it.
pub(crate) fn say(text: &str) {
    let Some(log) = LOG.get() else {
        eprintln!("{text}");
        return;
    };
    let lines = log.queue.lines();
    let line = match lines.format {
        LogFormat::Text => format!("{text}\n"),
        LogFormat::Json => lines.of(tracing::Level::ERROR, "stockhold::main", text),
    };
    log.queue.push(line.into_bytes());
    flush();
    if log.is_file {
        eprintln!("{text}");
    }
}

/// Waits until the log is written, but no longer than a moment.
pub(crate) fn flush() {
    if let Some(log) = LOG.get() {
        log.queue.flush(FLUSH_LIMIT);
    }
}

/// One line on its way into the queue.
struct Line(&'static Queue);

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
