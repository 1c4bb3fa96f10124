//! The way out. Whoever asks the server to stop is heard in a thread of its own, from before the
//! server opens its files until the process has ended: whatever hangs meanwhile, the end comes in
//! time, and says what it left.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use super::logs;
use crate::base::error::{Error, Result};

/// What the server is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Opening,
    Serving,
    /// The mirror is being stopped.
    Mirror,
    /// The engine is being closed.
    Closing,
    /// The last events are being copied into the backup.
    Backup,
    /// Another server has taken over, or is about to.
    HandedOver,
}

impl Stage {
    /// What an end at this stage leaves undone.
    fn left(self) -> &'static str {
        match self {
            Self::Opening => "nothing was served",
            Self::Serving => "requests under way are cut off, and the engine is not closed",
            Self::Mirror => "the mirror has not stopped, and the engine is not closed",
            Self::Closing => {
                "the engine is not closed: history may be behind, and there may be no new checkpoint"
            }
            Self::HandedOver => "another server takes over, and serves once it has read all of it",
            Self::Backup => "the backup may lack the last events: the next start copies them",
        }
    }
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Ends the process with this code.
    End(i32),
    /// Stops accepting, and lets requests under way finish.
    Drain,
    /// Cuts requests off.
    CutOff,
}

/// The first signal drains, the next one cuts short what is under way.
fn step(stage: Stage, asked_before: usize) -> Step {
    match (stage, asked_before) {
        (Stage::Opening | Stage::HandedOver, _) => Step::End(0),
        (Stage::Serving, 0) => Step::Drain,
        (Stage::Serving, 1) => Step::CutOff,
        // Closing begins by itself after the first signal, so there was one before unless serving
        // failed.
        (Stage::Mirror | Stage::Closing | Stage::Backup, 0) => Step::Drain,
        _ => Step::End(1),
    }
}

/// The server's side: says how far it is, and hears requests to stop.
#[derive(Clone)]
pub(crate) struct WayOut {
    stage: Arc<Mutex<Stage>>,
    /// When everything must have ended; `None` before anybody asked for it.
    deadline: watch::Sender<Option<Instant>>,
    asked: watch::Sender<usize>,
    limit: Duration,
}

impl WayOut {
    /// Listens from here on. An end may take as long as `limit` from the first signal.
    ///
    /// # Errors
    /// `Unavailable` when signals cannot be caught.
    pub(crate) fn listen(limit: Duration) -> Result<Self> {
        let way_out = Self {
            stage: Arc::new(Mutex::new(Stage::Opening)),
            deadline: watch::Sender::new(None),
            asked: watch::Sender::new(0),
            limit,
        };
        let failed = |cause| Error::io("catching signals", cause);
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let signals = runtime.block_on(async { Signals::new() }).map_err(failed)?;
        let watching = way_out.clone();
        let thread = thread::Builder::new().name("stockhold-signals".into());
        thread.spawn(move || runtime.block_on(watching.watch(signals))).map_err(failed)?;
        Ok(way_out)
    }

    /// Says what the server is at. Once it ends, for whatever reason, it has no longer than the
    /// limit.
    pub(crate) fn enter(&self, stage: Stage) {
        *self.stage.lock() = stage;
        if stage == Stage::Closing {
            tracing::info!("closing the engine");
        }
        if matches!(stage, Stage::Mirror | Stage::Closing | Stage::Backup) {
            self.begin_end();
        }
    }

    /// Resolves when the server has been asked to stop this many times.
    pub(crate) async fn asked(&self, times: usize) {
        // Fails only when no sender is left, and this is one.
        drop(self.asked.subscribe().wait_for(|asked| *asked >= times).await);
    }

    fn begin_end(&self) {
        self.deadline.send_if_modified(|deadline| {
            let first = deadline.is_none();
            deadline.get_or_insert_with(|| Instant::now() + self.limit);
            first
        });
    }

    async fn watch(self, mut signals: Signals) {
        let mut deadline = self.deadline.subscribe();
        loop {
            let end = *deadline.borrow_and_update();
            tokio::select! {
                () = signals.next() => self.obey(),
                () = reached(end) => self.end(1, &format!("the end took longer than {:?}", self.limit)),
                // Fails only when no sender is left, and `self` has one.
                _ = deadline.changed() => {}
            }
        }
    }

    fn obey(&self) {
        let (stage, asked_before) = (*self.stage.lock(), *self.asked.borrow());
        match step(stage, asked_before) {
            Step::End(code) => self.end(code, "stopping at once"),
            Step::Drain => self.begin_end(),
            Step::CutOff => tracing::warn!("stopping at once: requests under way are cut off"),
        }
        self.asked.send_modify(|asked| *asked += 1);
    }

    fn end(&self, code: i32, why: &str) -> ! {
        let left = self.stage.lock().left();
        logs::say(&format!("stockhold: {why}: {left}. What was acknowledged is in the journal"));
        std::process::exit(code);
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A terminal that closes must not end the server.
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves with the next one that ends the server.
    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => logs::reopen(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_gets_further_than_the_one_before() {
        for (stage, steps) in [
            (Stage::Opening, [Step::End(0), Step::End(0), Step::End(0)]),
            (Stage::HandedOver, [Step::End(0), Step::End(0), Step::End(0)]),
            (Stage::Serving, [Step::Drain, Step::CutOff, Step::End(1)]),
            (Stage::Mirror, [Step::Drain, Step::End(1), Step::End(1)]),
            (Stage::Closing, [Step::Drain, Step::End(1), Step::End(1)]),
        ] {
            for (asked_before, expected) in steps.into_iter().enumerate() {
                assert_eq!(step(stage, asked_before), expected, "{stage:?} after {asked_before}");
            }
        }
    }
}
