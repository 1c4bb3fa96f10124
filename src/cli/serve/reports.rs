//! Reports that are delivered by themselves: each day and each week once, when it is over.
//!
//! Whoever receives them keeps how far it came. So a restart goes on where it was, and what ended while
//! no server ran is made up for. The first time it begins with the last day and week that were over.

mod directory;
mod hook;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use self::directory::Directory;
use self::hook::Hook;
use crate::base::error::{Error, ErrorKind, Result};
use crate::mall::{Mall, REPORT_SETTLED_MS, Report, ReportPeriod, Span};
use crate::webhooks::Webhooks;

/// How often to look whether a day is over, and how long to leave alone what failed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(60);

/// Who is given reports: a directory, and receivers of webhooks.
trait Receiver {
    /// Its name, for the log.
    fn name(&self) -> &str;

    /// Whether it wants those of a span.
    fn wants(&self, span: Span) -> bool;

    /// The last period that it was given; `None` before the first.
    fn last(&self, span: Span) -> Result<Option<String>>;

    /// Takes a report. After a crash it may be given the same once more, to the byte.
    fn take(&self, report: &Report) -> Result<()>;

    /// That was the last period.
    fn keep_last(&self, span: Span, period: &str) -> Result<()>;
}

/// All who are given reports, as they are at each look.
pub(super) struct Receivers {
    directory: Option<Directory>,
    webhooks: Option<Webhooks>,
}

impl Receivers {
    /// A directory, which is made when it is missing, and whoever wants them of the receivers of
    /// webhooks.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be made.
    pub(super) fn open(dir: Option<&Path>, webhooks: Option<Webhooks>) -> Result<Self> {
        Ok(Self { directory: dir.map(Directory::open).transpose()?, webhooks })
    }

    fn all(&self) -> Vec<Box<dyn Receiver + '_>> {
        let mut all: Vec<Box<dyn Receiver + '_>> = Vec::new();
        if let Some(directory) = &self.directory {
            all.push(Box::new(directory));
        }
        if let Some(webhooks) = &self.webhooks {
            all.extend(Hook::all(webhooks).into_iter().map(|hook| Box::new(hook) as _));
        }
        all
    }
}

/// A thread that delivers, until it is dropped. It ends by itself when a report is under way then.
pub(super) struct Deliveries {
    _goes_on: Sender<()>,
}

impl Deliveries {
    /// Begins to deliver.
    ///
    /// # Errors
    /// `Unavailable` when no thread starts.
    pub(super) fn start(mall: Mall, receivers: Receivers) -> Result<Self> {
        let (goes_on, is_over) = mpsc::channel::<()>();
        let deliver = move || {
            let (mut pause, mut resting) = (Duration::ZERO, HashMap::new());
            while is_over.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                pause = match deliver_to_all(&mall, &receivers, &mut resting) {
                    Ok(true) => Duration::ZERO,
                    Ok(false) => LOOK_EVERY,
                    // The server stops.
                    Err(_) => return,
                };
            }
        };
        let thread = thread::Builder::new().name("stockhold-reports".into()).spawn(deliver);
        thread.map_err(|cause| Error::io("starting a thread", cause))?;
        Ok(Self { _goes_on: goes_on })
    }
}

/// Delivers the next reports that are due to each receiver; whether there were any. One who could
/// not take theirs is left alone for a while, and holds up no other.
///
/// # Errors
/// `Closed` when the server stops.
fn deliver_to_all(
    mall: &Mall,
    receivers: &Receivers,
    resting: &mut HashMap<String, Instant>,
) -> Result<bool> {
    let mut delivered = false;
    resting.retain(|_, failed_at| failed_at.elapsed() < PAUSE);
    for receiver in receivers.all() {
        if resting.contains_key(receiver.name()) {
            continue;
        }
        match deliver_next(mall, &*receiver) {
            Ok(was_due) => delivered |= was_due,
            Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
            Err(error) => {
                let to = receiver.name();
                tracing::warn!(%error, to, "a report is not delivered yet");
                resting.insert(to.to_owned(), Instant::now());
            }
        }
    }
    Ok(delivered)
}

/// Delivers the next report that is due, of each kind; whether there was one.
fn deliver_next(mall: &Mall, receiver: &dyn Receiver) -> Result<bool> {
    let mut delivered = false;
    for span in Span::ALL.iter().copied().filter(|span| receiver.wants(*span)) {
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
fn due(mall: &Mall, receiver: &dyn Receiver, span: Span) -> Result<Option<ReportPeriod>> {
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
