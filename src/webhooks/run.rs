//! The thread that sends, with a runtime of its own: a receiver that hangs, or a name that nobody
//! resolves, holds up no thread that serves.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::receiver::Receiver;
use super::{CLAIM, HELD_MAX, Shared, serve};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::engine::Claim;

/// How many threads may block on look-ups and writes.
const BLOCKING_MAX: usize = 64;
/// How often what is held is looked at.
const HOLD_EVERY: Duration = Duration::from_secs(1);
/// How long the end may take.
const END_LIMIT: Duration = Duration::from_secs(2);

/// Sends until it is stopped, or dropped.
pub(crate) struct Sending {
    stop: watch::Sender<bool>,
    ended: oneshot::Receiver<()>,
}

impl Sending {
    pub(super) fn begin(shared: Arc<Shared>) -> Result<Self> {
        let failed = |cause| Error::io("the thread that sends webhooks did not start", cause);
        let (stop, stopped) = watch::channel(false);
        let (ending, ended) = oneshot::channel();
        let mut builder = runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(BLOCKING_MAX).build();
        let runtime = runtime.map_err(failed)?;
        let thread = thread::Builder::new().name("stockhold-webhooks".into());
        let running = thread.spawn(move || {
            runtime.block_on(Supervisor::new(shared, stopped).run());
            // A look-up that hangs is not waited for.
            runtime.shutdown_background();
            drop(ending);
        });
        running.map_err(failed)?;
        Ok(Self { stop, ended })
    }

    /// Sends no more, and keeps what is on its way.
    pub(crate) async fn stop(self) {
        let Self { stop, ended } = self;
        stop.send_replace(true);
        if tokio::time::timeout(END_LIMIT + HOLD_EVERY, ended).await.is_err() {
            tracing::warn!("webhooks did not end in time: some are sent again");
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for receiver in self.shared.receivers() {
            receiver.is_served.store(false, Ordering::Release);
        }
    }
}

/// Has a task for each receiver that is on, and a claim on what they have not seen.
struct Supervisor {
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
    tasks: JoinSet<()>,
    claim: Option<Claim>,
    /// Those for whom the journal is not kept any more.
    unheld: HashSet<String>,
}

impl Supervisor {
    fn new(shared: Arc<Shared>, stop: watch::Receiver<bool>) -> Self {
        Self { shared, stop, tasks: JoinSet::new(), claim: None, unheld: HashSet::new() }
    }

    async fn run(mut self) {
        loop {
            self.begin_tasks();
            if let Err(error) = self.hold() {
                tracing::debug!(%error, "webhooks hold what they held");
            }
            let shared = self.shared.clone();
            tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => break,
                Some(ended) = self.tasks.join_next() => {
                    if let Err(failed) = ended {
                        tracing::error!(%failed, "the task of a receiver of webhooks failed");
                    }
                }
                () = shared.changed.notified() => {}
                () = tokio::time::sleep(HOLD_EVERY) => {}
            }
        }
        let ending = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(END_LIMIT, ending).await.is_err() {
            tracing::warn!("some receivers of webhooks are not as they were kept");
        }
        drop(self.hold());
    }

    fn begin_tasks(&mut self) {
        for receiver in self.shared.receivers() {
            if receiver.is_on() && !receiver.is_served.swap(true, Ordering::AcqRel) {
                let task = serve::serve(self.shared.clone(), receiver, self.stop.clone());
                self.tasks.spawn(task);
            }
        }
    }

    /// Keeps the journal for those that are on, unless they are too far behind.
    fn hold(&mut self) -> Result<()> {
        let mut first: Option<Seq> = None;
        for receiver in self.shared.receivers() {
            if receiver.is_on() && self.holds_for(&receiver) {
                let from_seq = receiver.kept_through() + 1;
                first = Some(first.map_or(from_seq, |first| first.min(from_seq)));
            }
        }
        let Some(from_seq) = first else {
            if self.claim.is_some() || self.shared.engine.claims().iter().any(|it| it == CLAIM) {
                self.shared.engine.claim(CLAIM)?.give_up()?;
            }
            return Ok(());
        };
        let claim = match self.claim.take() {
            Some(claim) => claim,
            None => self.shared.engine.claim(CLAIM)?,
        };
        let held = claim.from_seq();
        let moves = held.is_none_or(|held| {
            from_seq < held || from_seq - held >= HELD_MAX || claim.held_bytes() > 0
        });
        let moved = if moves { claim.hold_from(from_seq) } else { Ok(()) };
        self.claim = Some(claim);
        moved
    }

    /// Whether the journal is kept for a receiver: as long as that is not too much.
    fn holds_for(&mut self, receiver: &Receiver) -> bool {
        let bytes = self.shared.engine.sealed_bytes_from(receiver.kept_through() + 1);
        let holds = bytes <= self.shared.settings.backlog_bytes_max;
        if holds {
            self.unheld.remove(&receiver.id);
        } else if self.unheld.insert(receiver.id.clone()) {
            tracing::warn!(
                receiver = receiver.id,
                bytes,
                "a receiver of webhooks is too far behind: the journal is not kept for it any more"
            );
        }
        holds
    }
}
