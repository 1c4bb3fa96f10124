//! How far history has come, and the callers that wait for it to show more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use crossbeam_utils::sync::Unparker;

use crate::base::Seq;
use crate::base::calls::Calls;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::waiters::{Slot, Waiter, Waiters};
use crate::journal::park_until;

/// How far the store shows the journal, and who waits for it.
pub(in crate::engine) struct Progress {
    projected: AtomicU64,
    waiters: Mutex<Waiting>,
    follower: Mutex<Option<Unparker>>,
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Waiting {
    list: Waiters,
    /// Why nothing more will be shown.
    end: Option<End>,
}

/// Why history shows nothing more.
#[derive(Clone)]
pub(in crate::engine) enum End {
    Closed,
    Failed(String),
}

impl End {
    fn error(&self) -> Error {
        match self {
            Self::Closed => Error::closed(),
            Self::Failed(why) => Error::unavailable(why.clone()),
        }
    }
}

impl Progress {
    pub(in crate::engine) fn new(projected: Seq, calls: &Arc<Calls>) -> Self {
        Self {
            projected: AtomicU64::new(projected),
            waiters: Mutex::new(Waiting::default()),
            follower: Mutex::new(None),
            calls: Arc::clone(calls),
        }
    }

    pub(in crate::engine) fn projected(&self) -> Seq {
        self.projected.load(Ordering::Acquire)
    }

    /// Ready when history shows `seq`, which must be durable or become so; otherwise `waiter` is
    /// told, in its `slot`.
    pub(in crate::engine) fn poll(
        &self,
        seq: Seq,
        slot: &mut Slot,
        waiter: impl FnOnce() -> Waiter,
    ) -> Poll<Result<()>> {
        if self.projected() >= seq {
            return Poll::Ready(Ok(()));
        }
        let mut waiter = Some(waiter());
        // Dropped, like what is left in `waiter`, after the lock.
        let _replaced = {
            let mut waiters = self.waiters.lock();
            // Looked at again under the lock that `advance` takes after it has raised the number:
            // no wake-up is lost.
            if self.projected() >= seq {
                return Poll::Ready(Ok(()));
            }
            if let Some(end) = &waiters.end {
                return Poll::Ready(Err(end.error()));
            }
            waiter.take().and_then(|waiter| waiters.list.put(slot, seq, waiter))
        };
        self.hurry();
        Poll::Pending
    }

    /// Blocks until history shows `seq`.
    pub(in crate::engine) fn wait(&self, seq: Seq) -> Result<()> {
        let mut slot = Slot::default();
        park_until(|parked| self.poll(seq, &mut slot, || Waiter::thread(parked)))
    }

    /// Gives back the place of somebody who no longer waits.
    pub(in crate::engine) fn forget(&self, slot: &mut Slot) {
        if !slot.is_empty() {
            let gone = self.waiters.lock().list.take(slot);
            drop(gone);
        }
    }

    /// Says which thread carries history.
    pub(in crate::engine) fn is_made_by(&self, follower: Unparker) {
        *self.follower.lock() = Some(follower);
    }

    /// Lets the thread look now.
    pub(in crate::engine) fn hurry(&self) {
        if let Some(follower) = &*self.follower.lock() {
            follower.unpark();
        }
    }

    /// Why nothing more will be shown; `None` while history follows.
    pub(in crate::engine) fn end_error(&self) -> Option<Error> {
        self.waiters.lock().end.as_ref().map(End::error)
    }

    /// Whether history failed, and shows nothing more.
    pub(in crate::engine) fn has_failed(&self) -> bool {
        matches!(self.waiters.lock().end, Some(End::Failed(_)))
    }

    /// How many wait.
    #[cfg(all(test, feature = "history", not(stockhold_loom)))]
    pub(in crate::engine) fn waiter_count(&self) -> usize {
        self.waiters.lock().list.len()
    }

    /// What to say where there is no history.
    pub(in crate::engine) fn off(&self) -> Error {
        let off = || Error::unavailable("history is off: the engine was opened without it");
        self.waiters.lock().end.as_ref().map_or_else(off, End::error)
    }

    pub(in crate::engine) fn is_awaited(&self) -> bool {
        !self.waiters.lock().list.is_empty()
    }

    /// Reads show everything up to `projected`: wakes those who wait for that.
    pub(in crate::engine) fn advance(&self, projected: Seq) {
        self.projected.store(projected, Ordering::Release);
        let woken = self.waiters.lock().list.reached(projected);
        self.calls.deliver(woken);
        self.calls.after_locks();
    }

    /// Nothing more will be shown, and why.
    pub(in crate::engine) fn end(&self, why: End) {
        let woken = {
            let mut waiters = self.waiters.lock();
            waiters.end.get_or_insert(why);
            waiters.list.take_all()
        };
        self.calls.deliver(woken);
        self.calls.after_locks();
    }
}
