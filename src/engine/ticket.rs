//! Promises of durability.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::base::Seq;
use crate::base::error::Result;
use crate::base::waiters::Slot;
use crate::journal::Journal;
use crate::ledger::{Executed, Outcome};

/// An outcome, and the promise that it is durable.
///
/// [`wait`](Self::wait) for it on a thread or `.await` it in any runtime before you tell anybody.
/// Dropping it undoes nothing: the event is written all the same, soon. Who answers from
/// [`outcome`](Self::outcome) without waiting chooses the weaker mode: a crash loses what was not
/// yet synced, the newest events first.
///
/// Wakers are called on a thread of the engine's that does nothing else, without any lock: one that
/// blocks or panics holds up nobody else.
#[derive(Debug)]
#[must_use = "the outcome is not durable until the ticket resolves"]
pub struct Ticket<T> {
    outcome: T,
    promise: Promise,
}

impl<T> Ticket<T> {
    pub(super) fn new((outcome, seq): Executed<T>, journal: &Arc<Journal>) -> Self {
        Self { outcome, promise: Promise::new(seq, journal) }
    }

    /// The same promise about another form of the outcome.
    pub(crate) fn map<U>(self, form: impl FnOnce(T) -> U) -> Ticket<U> {
        Ticket { outcome: form(self.outcome), promise: self.promise }
    }

    /// Blocks until the outcome is durable.
    ///
    /// # Errors
    /// `Poisoned` when the disk failed before: what became of the request is known after a restart.
    pub fn wait(self) -> Result<T> {
        self.promise.wait()?;
        Ok(self.outcome)
    }

    /// The event that carries the outcome; `None` when nothing happened.
    pub fn seq(&self) -> Option<Seq> {
        self.promise.seq
    }
}

impl<T: Clone> Ticket<T> {
    /// The outcome, which may not be durable yet.
    pub fn outcome(&self) -> T {
        self.outcome.clone()
    }
}

impl<T: Clone + Unpin> Future for Ticket<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.promise.poll(cx).map_ok(|()| self.outcome.clone())
    }
}

/// The outcomes of a batch, and the promise that all of them are durable.
#[derive(Debug)]
#[must_use = "the outcomes are not durable until the ticket resolves"]
pub struct BatchTicket {
    outcomes: Vec<Result<Outcome>>,
    promise: Promise,
}

impl BatchTicket {
    pub(super) fn new(executed: Vec<Result<Executed>>, journal: &Arc<Journal>) -> Self {
        let seqs = executed.iter().filter_map(|executed| executed.as_ref().ok());
        let promise = Promise::new(seqs.filter_map(|(_, seq)| *seq).max(), journal);
        let outcomes =
            executed.into_iter().map(|executed| executed.map(|(outcome, _)| outcome)).collect();
        Self { outcomes, promise }
    }

    /// Blocks until every outcome is durable. Outcomes are in the order of the commands.
    ///
    /// # Errors
    /// As [`Ticket::wait`].
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
pub(super) struct Promise {
    seq: Option<Seq>,
    /// `None` when there is nothing to wait for.
    journal: Option<Arc<Journal>>,
    /// Its place among those who wait.
    slot: Slot,
}

impl Promise {
    fn new(seq: Option<Seq>, journal: &Arc<Journal>) -> Self {
        Self { seq, journal: seq.map(|_| Arc::clone(journal)), slot: Slot::default() }
    }

    fn wait(&self) -> Result<()> {
        match (self.seq, &self.journal) {
            (Some(seq), Some(journal)) => journal.wait(seq),
            _ => Ok(()),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match (self.seq, &self.journal) {
            (Some(seq), Some(journal)) => journal.poll_durable(seq, &mut self.slot, cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").field("seq", &self.seq).finish_non_exhaustive()
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let (Some(seq), Some(journal)) = (self.seq, &self.journal) else {
            return;
        };
        journal.forget(&mut self.slot);
        // Nobody may have waited; the event is written all the same.
        if journal.durable_seq() < seq {
            journal.kick();
        }
    }
}
