//! Following the events from outside.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::base::Seq;
use crate::base::error::{ErrorKind, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::handle;
use crate::base::waiters::Slot;
use crate::engine::core::Core;
use crate::event::{self, Event};
use crate::journal::{Journal, Reader};

/// How much is read ahead, in bytes of the journal.
const READ_BYTES: usize = 64 << 10;

/// The durable events from some place on, each once and in order. It reads the journal's files, so
/// a slow or dead subscriber costs the writer nothing; one that falls behind what is kept gets
/// `NotFound`.
pub struct Subscription {
    journal: Arc<Journal>,
    reader: Reader,
    ahead: VecDeque<(Seq, Event<'static>, u64)>,
    /// Whether events are told with their marks, and the mark of the one that was delivered last.
    marks: bool,
    #[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "the mirror asks for it"))]
    mark: u64,
    /// Its place among those who wait for the journal.
    slot: Slot,
}

handle!(Subscription, this { ahead: this.ahead.len() });

impl Subscription {
    pub(in crate::engine) fn new(core: &Core, from_seq: Seq) -> Result<Self> {
        let reader = core.journal.reader(from_seq)?;
        let (ahead, slot) = (VecDeque::new(), Slot::default());
        Ok(Self { journal: Arc::clone(&core.journal), reader, ahead, marks: false, mark: 0, slot })
    }

    /// The next durable event, or `None` when there is none yet. Never waits for one.
    ///
    /// # Errors
    /// `NotFound` when the next event is no longer kept, `Corrupt` when it is damaged,
    /// `Unavailable` when it cannot be read.
    pub fn try_next(&mut self) -> Result<Option<(Seq, Event<'static>)>> {
        if self.ahead.is_empty() {
            let (ahead, marks) = (&mut self.ahead, self.marks);
            self.reader.next_batch(READ_BYTES, &mut |seq, kind, payload| {
                let mark = if marks { event::mark(seq, payload) } else { 0 };
                ahead.push_back((seq, event::decode(kind, payload)?.into_owned(), mark));
                Ok(())
            })?;
            if flaw::is_made(Flaw::LosesEvent) {
                self.ahead.pop_front();
            }
        }
        Ok(self.ahead.pop_front().map(|(seq, event, mark)| {
            self.mark = mark;
            (seq, event)
        }))
    }

    /// The same events, each with its [`Subscription::mark`].
    #[cfg(feature = "mysql")]
    pub(crate) fn marking(mut self) -> Self {
        self.marks = true;
        self
    }

    /// Tells the event that was delivered last from another one of its number: see [`event::mark`].
    #[cfg(feature = "mysql")]
    pub(crate) fn mark(&self) -> u64 {
        self.mark
    }

    /// Ready when there is an event to read, or none will come any more because the engine is closed.
    #[cfg(feature = "server")]
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.ahead.is_empty() {
            return Poll::Ready(Ok(()));
        }
        match ready!(self.journal.poll_durable(self.reader.next_seq(), &mut self.slot, cx)) {
            Err(error) if error.kind() == ErrorKind::Closed => Poll::Ready(Ok(())),
            outcome => Poll::Ready(outcome),
        }
    }

    /// The next event, waiting for it; `None` once the engine is closed and everything was
    /// delivered.
    ///
    /// # Errors
    /// As [`Subscription::try_next`], and `Poisoned` when the journal failed.
    pub fn next_event(&mut self) -> Result<Option<(Seq, Event<'static>)>> {
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(Some(event));
            }
            match self.journal.wait(self.reader.next_seq()) {
                Err(error) if error.kind() == ErrorKind::Closed => return self.try_next(),
                outcome => outcome?,
            }
        }
    }

    /// As [`Subscription::next_event`] for a task of any runtime, which is woken when there is
    /// something.
    ///
    /// # Errors
    /// As [`Subscription::next_event`].
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<(Seq, Event<'static>)>>> {
        loop {
            if let Some(event) = self.try_next()? {
                return Poll::Ready(Ok(Some(event)));
            }
            match ready!(self.journal.poll_durable(self.reader.next_seq(), &mut self.slot, cx)) {
                Err(error) if error.kind() == ErrorKind::Closed => {
                    return Poll::Ready(self.try_next());
                }
                outcome => outcome?,
            }
        }
    }
}

/// The same as [`Subscription::next_event`], for combinators of any runtime. After an error it may
/// be polled again; after `None` it stays at its end.
impl Stream for Subscription {
    type Item = Result<(Seq, Event<'static>)>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Subscription::poll_next(self.get_mut(), cx).map(Result::transpose)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.journal.forget(&mut self.slot);
    }
}
