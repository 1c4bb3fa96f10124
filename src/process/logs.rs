//! Logs, on standard error.

mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, stderr};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use self::queue::Queue;
use crate::base::error::{Error, Result};
use crate::settings::LogFormat;

/// How long an end waits for the log's last lines.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// What the log of this process goes through, once it is started.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Starts logging at `info`, or as `RUST_LOG` says. Code that logs never waits for whoever reads
/// the log.
///
/// # Errors
/// `Unavailable` when no thread can be started.
pub(crate) fn start(format: LogFormat) -> Result<()> {
    let queue = QUEUE.get_or_init(|| Queue::new(format));
    let thread = thread::Builder::new().name("stockhold-log".into());
    thread
        .spawn(|| queue.write_to(&mut stderr()))
        .map_err(|cause| Error::io("starting the log's thread", cause))?;
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(thread = thread::current().name(), backtrace, "{panic}");
    }));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder =
        tracing_subscriber::fmt().with_writer(move || Line(queue)).with_env_filter(filter);
    let started = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        // Somebody installed a subscriber before, which then gets our lines.
        tracing::debug!("logging had been started");
    }
    Ok(())
}

/// Says something on standard error, after the log's lines where there is a log. Waits no longer
/// than a moment for whoever reads it.
pub(crate) fn say(text: &str) {
    match QUEUE.get() {
        Some(queue) => {
            queue.push(format!("{text}\n").into_bytes());
            flush();
        }
        None => eprintln!("{text}"),
    }
}

/// Waits until the log is written, but no longer than a moment.
pub(crate) fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(FLUSH_LIMIT);
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
