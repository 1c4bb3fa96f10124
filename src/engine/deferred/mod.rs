//! The requests about reservations that ended, while they wait to be decided, and where whoever asked
//! finds what became of them.

pub(in crate::engine) mod decide;
pub(in crate::engine) mod look_back;
pub(in crate::engine) mod note;
mod reacquire;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use self::note::NoteOutcome;
use crate::base::calls::Calls;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::waiters::Waiter;
use crate::base::{AccountId, IdempotencyKey, ReservationId, Seq};
use crate::engine::ticket::Ticket;
use crate::history::record::ReservationRecord;
use crate::journal::{Journal, park_until};
use crate::ledger::{Executed, Line, ReacquireOutcome, RefundOutcome};

/// How many requests may wait to be decided.
const WAITING_MAX: usize = 4096;

/// What becomes of a request about a reservation that ended, once that is decided and durable.
/// Dropping it undoes nothing: the request is decided all the same.
#[must_use = "nothing is known of the request until the ticket resolves"]
pub struct DeferredTicket<T> {
    journal: Arc<Journal>,
    answer: Arc<Answer<T>>,
    /// Once it is decided.
    decided: Option<Ticket<T>>,
}

/// The ticket of a refund.
pub type RefundTicket = DeferredTicket<RefundOutcome>;
/// The ticket of a request to revive a reservation.
pub type ReacquireTicket = DeferredTicket<ReacquireOutcome>;
/// The ticket of a note with a condition.
pub type NoteTicket = DeferredTicket<NoteOutcome>;

impl<T> DeferredTicket<T> {
    pub(in crate::engine) fn new(answer: Arc<Answer<T>>, journal: &Arc<Journal>) -> Self {
        Self { journal: Arc::clone(journal), answer, decided: None }
    }

    /// The event that carries the outcome, once this was awaited; `None` when nothing happened.
    #[cfg(feature = "server")]
    pub(crate) fn seq(&self) -> Option<Seq> {
        self.decided.as_ref().and_then(Ticket::seq)
    }

    /// Blocks until it is decided and durable.
    ///
    /// # Errors
    /// As [`Engine::refund`](crate::Engine::refund). `Closed` when the engine was closed before the
    /// request was decided, and `Unavailable` when history failed before: nothing was changed then.
    /// `Unavailable` also where its thread panicked while it decided just this request; the message
    /// says so, and with an idempotency key a retry tells whether it was done.
    pub fn wait(mut self) -> Result<T> {
        let ticket = match self.decided.take() {
            Some(ticket) => ticket,
            None => {
                let executed = park_until(|parked| self.answer.poll(|| Waiter::thread(parked)))?;
                Ticket::new(executed, &self.journal)
            }
        };
        ticket.wait()
    }
}

impl<T: Copy + Unpin> Future for DeferredTicket<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.decided.is_none() {
            let executed = ready!(self.answer.poll(|| Waiter::task(cx)))?;
            self.decided = Some(Ticket::new(executed, &self.journal));
        }
        let decided = self.decided.as_mut().expect("it was just set");
        Pin::new(decided).poll(cx)
    }
}

impl<T> Drop for DeferredTicket<T> {
    fn drop(&mut self) {
        self.answer.forget();
    }
}

impl<T> fmt::Debug for DeferredTicket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_decided = self.decided.is_some();
        f.debug_struct("DeferredTicket").field("is_decided", &is_decided).finish_non_exhaustive()
    }
}

/// Where the one who decides leaves the outcome for the one who asked.
pub(in crate::engine) struct Answer<T>(Mutex<AnswerState<T>>);

enum AnswerState<T> {
    Awaited(Option<Waiter>),
    Decided(Result<Executed<T>>),
    Taken,
}

impl<T> Answer<T> {
    pub(in crate::engine) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(AnswerState::Awaited(None))))
    }

    fn poll(&self, waiter: impl FnOnce() -> Waiter) -> Poll<Result<Executed<T>>> {
        let mut waiter = Some(waiter());
        // Wakers are dropped after the lock.
        let replaced = {
            let mut state = self.0.lock();
            match &mut *state {
                AnswerState::Awaited(waiting) => std::mem::replace(waiting, waiter.take()),
                AnswerState::Decided(_) | AnswerState::Taken => {
                    return match std::mem::replace(&mut *state, AnswerState::Taken) {
                        AnswerState::Decided(outcome) => Poll::Ready(outcome),
                        AnswerState::Awaited(_) | AnswerState::Taken => {
                            Poll::Ready(Err(Error::closed()))
                        }
                    };
                }
            }
        };
        drop(replaced);
        Poll::Pending
    }

    fn forget(&self) {
        let gone = match &mut *self.0.lock() {
            AnswerState::Awaited(waiting) => waiting.take(),
            AnswerState::Decided(_) | AnswerState::Taken => None,
        };
        drop(gone);
    }

    /// Leaves the outcome, and wakes the caller that waits for it; returns the event behind it.
    pub(in crate::engine) fn give(
        &self,
        calls: &Calls,
        outcome: Result<Executed<T>>,
    ) -> Option<Seq> {
        let seq = outcome.as_ref().ok().and_then(|(_, seq)| *seq);
        let before = std::mem::replace(&mut *self.0.lock(), AnswerState::Decided(outcome));
        let waiter = match before {
            AnswerState::Awaited(waiter) => waiter,
            AnswerState::Decided(_) | AnswerState::Taken => None,
        };
        calls.deliver(waiter.into_iter());
        calls.after_locks();
        seq
    }

    /// Leaves an error where there is no outcome, and wakes the caller that waits for it.
    pub(in crate::engine) fn fail(&self, calls: &Calls, why: impl FnOnce() -> Error) {
        let is_awaited = matches!(&*self.0.lock(), AnswerState::Awaited(_));
        if is_awaited {
            self.give(calls, Err(why()));
        }
    }
}

/// A request that waits to be decided.
pub(in crate::engine) struct Request {
    pub(in crate::engine) reservation: ReservationId,
    pub(in crate::engine) owner: Option<AccountId>,
    pub(in crate::engine) key: Option<IdempotencyKey>,
    /// What history must show before it can be decided.
    pub(in crate::engine) after: Seq,
    pub(in crate::engine) wish: Wish,
}

pub(in crate::engine) enum Wish {
    Refund {
        part: Option<Box<[Line]>>,
        written_off: Box<[AccountId]>,
        note: Box<str>,
        when: Option<fn(&ReservationRecord) -> bool>,
        answer: Arc<Answer<RefundOutcome>>,
    },
    Reacquire {
        /// What it takes, where that is not what it held.
        takes: Option<Box<[Line]>>,
        answer: Arc<Answer<ReacquireOutcome>>,
    },
    Note {
        body: Box<[u8]>,
        when: fn(&ReservationRecord, &[u8]) -> bool,
        answer: Arc<Answer<NoteOutcome>>,
    },
}

/// The requests that wait to be decided.
#[derive(Default)]
pub(in crate::engine) struct Deferred(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Request>,
    ended: bool,
}

/// The last event about each reservation that was decided here, and that history does not show yet.
#[derive(Default)]
pub(in crate::engine) struct Unseen(HashMap<ReservationId, Seq>);

impl Unseen {
    /// Notes the event that was just decided.
    pub(in crate::engine) fn note(&mut self, reservation: ReservationId, seq: Seq) {
        self.0.insert(reservation, seq);
    }

    /// Forgets what history shows by now.
    pub(in crate::engine) fn forget_until(&mut self, projected: Seq) {
        self.0.retain(|_, seq| *seq > projected);
    }
}

/// Why a request cannot wait.
#[derive(Debug)]
pub(in crate::engine) enum Refused {
    /// Nothing is decided any more.
    Ended,
    /// Too many wait.
    Full,
}

impl Deferred {
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.0.lock().waiting.is_empty()
    }

    /// Lets a request wait until history shows all that was decided before it.
    pub(in crate::engine) fn put(&self, request: Request) -> Result<(), Refused> {
        let mut queue = self.0.lock();
        if queue.ended {
            return Err(Refused::Ended);
        }
        if queue.waiting.len() >= WAITING_MAX {
            return Err(Refused::Full);
        }
        queue.waiting.push_back(request);
        Ok(())
    }

    /// The first request, if history shows all that it needs: what was decided before it was made,
    /// and what was decided here about the same reservation.
    pub(in crate::engine) fn next(&self, projected: Seq, unseen: &Unseen) -> Option<Request> {
        let mut queue = self.0.lock();
        let first = queue.waiting.front()?;
        let ready = first.after <= projected && !unseen.0.contains_key(&first.reservation);
        if ready { queue.waiting.pop_front() } else { None }
    }

    /// Accepts no more requests; returns those that were waiting.
    pub(in crate::engine) fn end(&self) -> VecDeque<Request> {
        let mut queue = self.0.lock();
        queue.ended = true;
        std::mem::take(&mut queue.waiting)
    }
}
