//! Promises of durability.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::command::Outcome;
use crate::error::Result;
use crate::journal::Journal;
use crate::ledger::Executed;
use crate::types::Seq;

/// An outcome, and the promise that it is durable.
///
/// [`wait`](Self::wait) for it on a thread or `.await` it in any runtime before you tell anybody. Dropping it undoes
/// nothing: the event is written all the same, soon. Who answers from [`outcome`](Self::outcome) without waiting
/// chooses the weaker mode: a crash loses what was not yet synced, the newest events first.
#[must_use = "the outcome is not durable until the ticket resolves"]
pub struct CommitTicket {
    outcome: Outcome,
    promise: Promise,
}

impl CommitTicket {
    pub(super) fn new((outcome, seq): Executed, journal: &Arc<Journal>) -> Self {
        Self { outcome, promise: Promise::new(seq, journal) }
    }

    /// Blocks until the outcome is durable.
    ///
    /// # Errors
    /// `Poisoned` when the disk failed before: what became of the request is known after a restart.
    pub fn wait(self) -> Result<Outcome> {
        self.promise.wait()?;
        Ok(self.outcome)
    }

    /// The outcome, which may not be durable yet.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The event that carries the outcome; `None` when nothing happened.
    pub fn seq(&self) -> Option<Seq> {
        self.promise.seq
    }
}

impl Future for CommitTicket {
    type Output = Result<Outcome>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.promise.poll(cx).map_ok(|()| self.outcome)
    }
}

/// The outcomes of a batch, and the promise that all of them are durable.
#[must_use = "the outcomes are not durable until the ticket resolves"]
pub struct BatchTicket {
    outcomes: Vec<Result<Outcome>>,
    promise: Promise,
}

impl BatchTicket {
    pub(super) fn new(executed: Vec<Result<Executed>>, journal: &Arc<Journal>) -> Self {
        let seqs = executed.iter().filter_map(|executed| executed.as_ref().ok());
        let promise = Promise::new(seqs.filter_map(|(_, seq)| *seq).max(), journal);
        let outcomes = executed.into_iter().map(|executed| executed.map(|(outcome, _)| outcome)).collect();
        Self { outcomes, promise }
    }

    /// Blocks until every outcome is durable. Outcomes are in the order of the commands.
    ///
    /// # Errors
    /// As [`CommitTicket::wait`].
    pub fn wait(self) -> Result<Vec<Result<Outcome>>> {
        self.promise.wait()?;
        Ok(self.outcomes)
    }

    /// The outcomes, which may not be durable yet.
    pub fn outcomes(&self) -> &[Result<Outcome>] {
        &self.outcomes
    }
}

impl Future for BatchTicket {
    type Output = Result<Vec<Result<Outcome>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.promise.poll(cx).map_ok(|()| std::mem::take(&mut self.outcomes))
    }
}

/// The promise that the journal is durable up to an event.
struct Promise {
    seq: Option<Seq>,
    /// `None` once it is kept, or when there is nothing to wait for.
    journal: Option<Arc<Journal>>,
}

impl Promise {
    fn new(seq: Option<Seq>, journal: &Arc<Journal>) -> Self {
        Self { seq, journal: seq.map(|_| Arc::clone(journal)) }
    }

    fn wait(&self) -> Result<()> {
        match (self.seq, &self.journal) {
            (Some(seq), Some(journal)) => journal.wait(seq),
            _ => Ok(()),
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match (self.seq, &self.journal) {
            (Some(seq), Some(journal)) => journal.poll_durable(seq, cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        // Nobody may have waited; the event is written all the same.
        if let (Some(seq), Some(journal)) = (self.seq, &self.journal)
            && journal.durable_seq() < seq
        {
            journal.kick();
        }
    }
}
