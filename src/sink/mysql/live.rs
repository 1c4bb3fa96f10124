//! The mirror as it runs beside a server: a thread with a runtime of its own, so that a database
//! that stands still never stands in a sale's way.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::backlog::keep_claim;
use super::follow::Follower;
use super::reporter::StatusReporter;
use super::target::Target;
use crate::base::error::{Error, Result};
use crate::engine::{Claim, Engine};
use crate::sink::status::{MirrorStatus, State};
use crate::sink::{MirrorConfig, MirrorView};

/// The name of the mirror's claim on the journal.
pub(crate) const CLAIM: &str = "mirror";

/// A mirror that runs. Dropped without [`Mirror::stop`], it ends by itself.
pub(crate) struct Mirror {
    stop: watch::Sender<bool>,
    status: watch::Receiver<MirrorStatus>,
    thread: JoinHandle<()>,
}

impl Mirror {
    /// Starts it. The database may be down: the mirror comes to it when it is there.
    ///
    /// # Errors
    /// `Invalid` when the URL is malformed; `Unavailable` when the claim cannot be written, or
    /// there is no thread to be had.
    pub(crate) fn start(engine: &Engine, config: MirrorConfig) -> Result<Self> {
        let target = Target::of(&config.database)?;
        let claim = Arc::new(engine.claim(CLAIM)?);
        if claim.from_seq().is_none() {
            // Everything there is, until the database says what it has.
            claim.hold_from(1)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|cause| Error::io("the mirror's runtime did not start", cause))?;
        let (status_sender, status) = watch::channel(before(engine, &claim));
        let (stop, stopped) = watch::channel(false);
        let engine = engine.clone();
        let reporter = StatusReporter::new(status_sender);
        tracing::info!(database = target.shown(), "mirroring");
        let run = move || {
            runtime.block_on(run(&engine, &target, &config, &claim, &reporter, stopped));
            // A name that is still being looked up must not delay the end.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("stockhold-mirror".to_owned()).spawn(run);
        let thread = thread.map_err(|cause| Error::io("starting the mirror's thread", cause))?;
        Ok(Self { stop, status, thread })
    }

    pub(crate) fn view(&self) -> MirrorView {
        MirrorView::new(self.status.clone())
    }

    /// Ends it. What is not mirrored yet is kept for the next start.
    pub(crate) fn stop(self) {
        self.stop.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!("the mirror's thread had panicked");
        }
    }
}

/// What is known before the database was reached.
fn before(engine: &Engine, claim: &Claim) -> MirrorStatus {
    let missing = claim.from_seq().unwrap_or(1);
    let first =
        engine.subscribe(missing).ok().and_then(|mut events| events.try_next().ok().flatten());
    let pending_at = first.map(|(_, event)| event.at);
    MirrorStatus { heard_of: missing.saturating_sub(1), pending_at, ..MirrorStatus::default() }
}

async fn run(
    engine: &Engine,
    target: &Target,
    config: &MirrorConfig,
    claim: &Arc<Claim>,
    reporter: &StatusReporter,
    mut stopped: watch::Receiver<bool>,
) {
    let claiming = tokio::spawn(keep_claim(
        engine.clone(),
        Arc::clone(claim),
        config.backlog,
        reporter.clone(),
    ));
    let mut follower = Follower::new(engine, target, config, claim, reporter);
    tokio::select! {
        () = follower.run() => {}
        // The sender gone means the same.
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    claiming.abort();
    let watermark = reporter.watermark();
    if watermark > 0
        && claim.from_seq().is_some()
        && let Err(error) = claim.hold_from(watermark + 1)
    {
        tracing::warn!(%error, "the mirror's claim stays where it was");
    }
    reporter.state(State::Stopped);
}
