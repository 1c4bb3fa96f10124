//! Reading what left memory.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::base::error::{Error, Result};
use crate::base::waiters::{Slot, Waiter};
use crate::base::{AccountId, ReservationId, Seq, handle};
use crate::engine::core::Core;
use crate::history::Store;
use crate::history::record::{ChangeRecord, ReservationRecord};
#[cfg(feature = "server")]
use crate::history::record::{Course, Touched};

/// Resolves when history shows everything up to some event.
#[must_use = "history is caught up only once this resolves"]
pub struct CatchUp {
    core: Arc<Core>,
    seq: Seq,
    /// Why it never was to be: the engine was closed already, or this is a fork.
    refused: Option<Error>,
    /// The place among those who wait for the journal, and among those who wait for history.
    durable: Slot,
    shown: Slot,
}

handle!(CatchUp, this { seq: this.seq });

impl CatchUp {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        let (seq, refused) = (core.journal.last_seq(), core.check_open().err());
        Self {
            core: Arc::clone(core),
            seq,
            refused,
            durable: Slot::default(),
            shown: Slot::default(),
        }
    }

    /// Blocks until it is so.
    ///
    /// # Errors
    /// `Unavailable` when history is off or no longer follows, or the disk failed; `Closed`.
    pub fn wait(mut self) -> Result<()> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        if self.core.history.store.is_off() {
            return Err(self.core.history.progress.off());
        }
        self.core.journal.wait(self.seq)?;
        self.core.history.progress.wait(self.seq)
    }
}

impl Future for CatchUp {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { core, seq, refused, durable, shown } = &mut *self;
        if let Some(error) = refused.take() {
            return Poll::Ready(Err(error));
        }
        if core.history.store.is_off() {
            return Poll::Ready(Err(core.history.progress.off()));
        }
        ready!(core.journal.poll_durable(*seq, durable, cx))?;
        core.history.progress.poll(*seq, shown, || Waiter::task(cx))
    }
}

impl Drop for CatchUp {
    fn drop(&mut self) {
        self.core.journal.forget(&mut self.durable);
        self.core.history.progress.forget(&mut self.shown);
    }
}

/// Reads of ended reservations and change records, as far as they are carried over. See
/// [`Engine::catch_up`](crate::Engine::catch_up).
pub struct History<'a> {
    core: &'a Core,
}

handle!(History<'_>, this { seq: this.seq().ok() });

impl<'a> History<'a> {
    pub(super) fn new(core: &'a Core) -> Self {
        Self { core }
    }

    fn store(&self) -> Result<&Store> {
        self.core.history.store.awaited().ok_or_else(|| self.core.history.progress.off())
    }

    /// A reservation with its whole life, pending ones included.
    ///
    /// # Errors
    /// `Unavailable` when history is off, `Corrupt` when the record is damaged.
    pub fn reservation(&self, id: ReservationId) -> Result<Option<ReservationRecord>> {
        self.store()?.reservation(id)
    }

    /// Reservations on behalf of `owner`, newest first, older than `before`, at most `limit`.
    ///
    /// # Errors
    /// As [`History::reservation`].
    pub fn reservations_of(
        &self,
        owner: AccountId,
        before: Option<ReservationId>,
        limit: usize,
    ) -> Result<Vec<ReservationRecord>> {
        self.store()?.reservations_of(owner, before, limit)
    }

    /// Everybody's reservations, newest first, older than `before`, at most `limit`.
    ///
    /// # Errors
    /// As [`History::reservation`].
    pub fn reservations(
        &self,
        before: Option<ReservationId>,
        limit: usize,
    ) -> Result<Vec<ReservationRecord>> {
        self.store()?.reservations(before, limit)
    }

    /// Changes of an account of any kind but quotas, newest first, from events before `before`, at most
    /// `limit`.
    ///
    /// # Errors
    /// As [`History::reservation`].
    pub fn changes_of(
        &self,
        account: AccountId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<ChangeRecord>> {
        self.store()?.changes_of(account, before, limit)
    }

    /// The changes of an account by one event, the last first.
    #[cfg(feature = "server")]
    pub(crate) fn changes_by(&self, account: AccountId, seq: Seq) -> Result<Vec<ChangeRecord>> {
        self.store()?.changes_by(account, seq)
    }

    /// The newest events before `before` that changed accounts in this way, as far as the index of
    /// them goes back: to the first since a release that has it.
    #[cfg(feature = "server")]
    pub(crate) fn touched(
        &self,
        course: Course,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<Touched>> {
        self.store()?.touched(course, before, limit)
    }

    /// The first event that reads know of: 1, unless history was lost and made anew after the
    /// archive had let older events go. A reservation that ended before is then unknown here.
    ///
    /// # Errors
    /// `Unavailable` when history is off, `Closed`.
    pub fn first_seq(&self) -> Result<Seq> {
        self.store()?.first_seq()
    }

    /// The last event that reads show.
    ///
    /// # Errors
    /// `Unavailable` when history is off.
    pub fn seq(&self) -> Result<Seq> {
        Ok(self.store()?.projected())
    }
}
