//! Reports that are delivered by themselves: each day and each week once, when it is over.
//!
//! Whoever receives them keeps how far it came. So a restart goes on where it was, and what ended while
//! no server ran is made up for. The first time it begins with the last day and week that were over.

mod directory;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use self::directory::Directory;
use crate::base::error::{Error, ErrorKind, Result};
use crate::mall::{Mall, REPORT_SETTLED_MS, Report, ReportPeriod, Span};

/// How often to look whether a day is over, and how long to leave alone what failed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(60);

/// Who is given reports: a directory, and whatever else will be.
trait Receiver: Send {
    /// The last period that it was given; `None` before the first.
    fn last(&self, span: Span) -> Result<Option<String>>;

    /// Takes a report. After a crash it may be given the same once more, to the byte.
    fn take(&self, report: &Report) -> Result<()>;

    /// That was the last period.
    fn keep_last(&self, span: Span, period: &str) -> Result<()>;
}

/// A thread that delivers, until it is dropped. It ends by itself when a report is under way then.
pub(super) struct Deliveries {
    _goes_on: Sender<()>,
}

impl Deliveries {
    /// Begins to deliver into `dir`, which is made when it is missing.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be made, or no thread started.
    pub(super) fn start(mall: Mall, dir: &Path) -> Result<Self> {
        let receiver = Directory::open(dir)?;
        let (goes_on, is_over) = mpsc::channel::<()>();
        let deliver = move || {
            let mut pause = Duration::ZERO;
            while is_over.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                pause = match deliver_next(&mall, &receiver) {
                    Ok(true) => Duration::ZERO,
                    Ok(false) => LOOK_EVERY,
                    // The server stops.
                    Err(error) if error.kind() == ErrorKind::Closed => return,
                    Err(error) => {
                        tracing::warn!(%error, "a report is not delivered yet");
                        PAUSE
                    }
                };
            }
        };
        let thread = thread::Builder::new().name("stockhold-reports".into()).spawn(deliver);
        thread.map_err(|cause| Error::io("starting a thread", cause))?;
        Ok(Self { _goes_on: goes_on })
    }
}

/// Delivers the next report that is due, of each kind; whether there was one.
fn deliver_next(mall: &Mall, receiver: &impl Receiver) -> Result<bool> {
    let mut delivered = false;
    for span in [Span::Daily, Span::Weekly] {
        let Some(period) = due(mall, receiver, span)? else { continue };
        match mall.report(&period) {
            Ok(report) => {
                receiver.take(&report)?;
                tracing::info!(period = period.name, "a report is delivered");
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                tracing::warn!(%error, "a report is left out");
            }
            Err(error) => return Err(error),
        }
        receiver.keep_last(span, &period.name)?;
        delivered = true;
    }
    Ok(delivered)
}

/// The oldest period that is over and not delivered.
fn due(mall: &Mall, receiver: &impl Receiver, span: Span) -> Result<Option<ReportPeriod>> {
    let now = mall.now_ms().saturating_sub(REPORT_SETTLED_MS);
    let Some(over) = ReportPeriod::last_over(span, now, mall.zone()) else {
        return Ok(None);
    };
    let next = match receiver.last(span)? {
        None => Some(over.clone()),
        Some(last) => ReportPeriod::parse(span, &last, mall.zone())?.next(),
    };
    Ok(next.filter(|next| next.from <= over.from))
}
