//! What is asked about reservations that ended: refunds, and notes with a condition. Anybody asks
//! without waiting; the thread that carries history decides, one after another. It alone knows how a
//! reservation ended and what was noted on it, and when it knows.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::core::{Core, check_body};
use super::look_back;
use super::note::{NoteOutcome, NoteWhen};
use super::ticket::Ticket;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::waiters::Waiter;
use crate::base::{AccountId, IdempotencyKey, ReservationId, Seq};
use crate::history::Store;
use crate::history::record::ReservationRecord;
use crate::journal::park_until;
use crate::ledger::{Executed, Line, NotPending, Noting, Refund, RefundOutcome, Return, Used};

/// How many requests may wait to be decided.
const WAITING_MAX: usize = 4096;
/// How many are decided before history is carried on.
const DECIDED_AT_ONCE: usize = 256;

/// What becomes of a request about a reservation that ended, once that is decided and durable.
/// Dropping it undoes nothing: the request is decided all the same.
#[must_use = "nothing is known of the request until the ticket resolves"]
pub struct DeferredTicket<T> {
    core: Arc<Core>,
    answer: Arc<Answer<T>>,
    /// Once it is decided.
    decided: Option<Ticket<T>>,
}

/// The ticket of a refund.
pub type RefundTicket = DeferredTicket<RefundOutcome>;
/// The ticket of a note with a condition.
pub type NoteTicket = DeferredTicket<NoteOutcome>;

impl<T> DeferredTicket<T> {
    /// Blocks until it is decided and durable.
    ///
    /// # Errors
    /// As [`Engine::refund`](crate::Engine::refund). `Closed` when the engine was closed before the
    /// request was decided, and `Unavailable` when history failed before: nothing was changed then.
    pub fn wait(mut self) -> Result<T> {
        let ticket = match self.decided.take() {
            Some(ticket) => ticket,
            None => {
                let executed = park_until(|parked| self.answer.poll(|| Waiter::thread(parked)))?;
                self.core.ticket(executed)
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
            self.decided = Some(self.core.ticket(executed));
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
struct Answer<T>(Mutex<AnswerState<T>>);

enum AnswerState<T> {
    Awaited(Option<Waiter>),
    Decided(Result<Executed<T>>),
    Taken,
}

impl<T> Answer<T> {
    fn new() -> Arc<Self> {
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

    /// Leaves the outcome, and wakes who waits for it; answers the event behind it.
    fn give(&self, core: &Core, outcome: Result<Executed<T>>) -> Option<Seq> {
        let seq = outcome.as_ref().ok().and_then(|(_, seq)| *seq);
        let before = std::mem::replace(&mut *self.0.lock(), AnswerState::Decided(outcome));
        let waiter = match before {
            AnswerState::Awaited(waiter) => waiter,
            AnswerState::Decided(_) | AnswerState::Taken => None,
        };
        core.journal.calls().deliver(waiter.into_iter());
        core.journal.calls().after_locks();
        seq
    }
}

/// A request that waits to be decided.
struct Request {
    reservation: ReservationId,
    owner: Option<AccountId>,
    key: Option<IdempotencyKey>,
    /// What history must show before it can be decided.
    after: Seq,
    wish: Wish,
}

enum Wish {
    Refund {
        note: Box<str>,
        when: Option<fn(&ReservationRecord) -> bool>,
        answer: Arc<Answer<RefundOutcome>>,
    },
    Note {
        body: Box<[u8]>,
        when: fn(&ReservationRecord, &[u8]) -> bool,
        answer: Arc<Answer<NoteOutcome>>,
    },
}

/// The requests that wait to be decided.
#[derive(Default)]
pub(super) struct Deferred(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Request>,
    ended: bool,
}

/// The last event about each reservation that was decided here, and that history does not show yet.
#[derive(Default)]
pub(super) struct Unseen(HashMap<ReservationId, Seq>);

impl Deferred {
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().waiting.is_empty()
    }

    /// Asks for a refund.
    ///
    /// # Errors
    /// `Invalid`, `Overloaded` when too many wait, `Unavailable` when history is off or has failed,
    /// `Closed`.
    pub(super) fn refund(
        core: &Arc<Core>,
        refund: &Refund<'_>,
        when: Option<fn(&ReservationRecord) -> bool>,
    ) -> Result<RefundTicket> {
        let Refund { reservation, owner, note, key } = *refund;
        let (note, answer) = (Box::from(note), Answer::new());
        let wish = Wish::Refund { note, when, answer: Arc::clone(&answer) };
        Self::ask(core, Request { reservation, owner, key, after: 0, wish })?;
        Ok(DeferredTicket { core: Arc::clone(core), answer, decided: None })
    }

    /// Asks for a note.
    ///
    /// # Errors
    /// As [`Deferred::refund`].
    pub(super) fn note(core: &Arc<Core>, note: &NoteWhen<'_>) -> Result<NoteTicket> {
        let NoteWhen { reservation, owner, body, key, when } = *note;
        let (body, answer) = (Box::from(body), Answer::new());
        let wish = Wish::Note { body, when, answer: Arc::clone(&answer) };
        Self::ask(core, Request { reservation, owner, key, after: 0, wish })?;
        Ok(DeferredTicket { core: Arc::clone(core), answer, decided: None })
    }

    fn ask(core: &Arc<Core>, mut request: Request) -> Result<()> {
        if core.store.is_none() {
            return Err(Error::unavailable(
                "how reservations ended is asked of history, which is off",
            ));
        }
        check_body(match &request.wish {
            Wish::Refund { note, .. } => note.as_bytes(),
            Wish::Note { body, .. } => body,
        })?;
        core.journal.admit()?;
        request.after = core.journal.last_seq();
        {
            let mut queue = core.deferred.0.lock();
            if queue.ended {
                return Err(ended(core));
            }
            if queue.waiting.len() >= WAITING_MAX {
                return Err(Error::overloaded("too many requests wait for history to catch up"));
            }
            queue.waiting.push_back(request);
        }
        core.progress.hurry();
        Ok(())
    }

    /// Decides those for which history shows enough; returns how many. Only the thread that carries
    /// history calls this.
    pub(super) fn decide(&self, core: &Core, store: &Store, unseen: &mut Unseen) -> usize {
        let projected = core.progress.projected();
        unseen.0.retain(|_, seq| *seq > projected);
        let mut count = 0;
        while count < DECIDED_AT_ONCE
            && let Some(request) = self.next(projected, unseen)
        {
            let seq = match &request.wish {
                Wish::Refund { note, when, answer } => {
                    answer.give(core, refund(core, store, &request, note, *when))
                }
                Wish::Note { body, when, answer } => {
                    answer.give(core, note(core, store, &request, body, *when))
                }
            };
            if let Some(seq) = seq {
                unseen.0.insert(request.reservation, seq);
                core.journal.kick();
            }
            count += 1;
        }
        count
    }

    /// The first request, if history shows all that it needs: what was decided before it was made,
    /// and what was decided here about the same reservation.
    fn next(&self, projected: Seq, unseen: &Unseen) -> Option<Request> {
        let mut queue = self.0.lock();
        let first = queue.waiting.front()?;
        let ready = first.after <= projected && !unseen.0.contains_key(&first.reservation);
        if ready { queue.waiting.pop_front() } else { None }
    }

    /// Nothing will be decided any more.
    pub(super) fn end(&self, core: &Core) {
        let waiting = {
            let mut queue = self.0.lock();
            queue.ended = true;
            std::mem::take(&mut queue.waiting)
        };
        for request in waiting {
            match request.wish {
                Wish::Refund { answer, .. } => answer.give(core, Err(ended(core))),
                Wish::Note { answer, .. } => answer.give(core, Err(ended(core))),
            };
        }
    }
}

fn ended(core: &Core) -> Error {
    core.progress.end_error().filter(|_| !core.is_stopped()).unwrap_or_else(Error::closed)
}

impl Request {
    /// The reservation as history shows it, when it is on behalf of whom it is asked for.
    fn record(&self, store: &Store) -> Result<Option<ReservationRecord>> {
        let is_owned =
            |record: &ReservationRecord| self.owner.is_none() || self.owner == record.owner;
        Ok(store.reservation(self.reservation)?.filter(is_owned))
    }
}

/// A caller's condition must not end the thread that carries history.
fn holds(condition: impl FnOnce() -> bool + std::panic::UnwindSafe) -> Result<bool> {
    catch_unwind(condition).map_err(|_| Error::invalid("the condition panicked"))
}

fn refund(
    core: &Core,
    store: &Store,
    request: &Request,
    note: &str,
    when: Option<fn(&ReservationRecord) -> bool>,
) -> Result<Executed<RefundOutcome>> {
    let Request { reservation: id, owner, key, .. } = *request;
    if let Some(key) = key
        && let Some(first) = core.ledger.recall(key, core.now_ms())?
    {
        return Ok((first.answer.to_refund()?, Some(first.seq)));
    }
    let refused = |why| Ok((RefundOutcome::NotConfirmed { reservation: id, why }, None));
    let Some(record) = store.reservation(id)? else {
        return refused(look_back::missing(store, request.after)?);
    };
    if owner.is_some() && owner != record.owner {
        return refused(NotPending::Anothers);
    }
    match look_back::ended(record.state) {
        None => return Ok((RefundOutcome::StillPending { reservation: id }, None)),
        Some(NotPending::Confirmed) => {}
        Some(why) => return refused(why),
    }
    if let Some(when) = when
        && !holds(std::panic::AssertUnwindSafe(|| when(&record)))?
    {
        return refused(NotPending::Confirmed);
    }
    let consumed = record.lines.iter().filter(|line| line.consumed > 0);
    let lines: Vec<Line> =
        consumed.map(|line| Line { account: line.account, quantity: line.consumed }).collect();
    let consumed_at = record.ended_at.unwrap_or(record.created_at);
    let used = Used { reservation: id, lines: &lines, consumed_at };
    let back = Return { note, expires_at: record.expires_at, owner, key };
    core.ledger.return_used(&used, &back, core.now_ms(), &core.recorder())
}

fn note(
    core: &Core,
    store: &Store,
    request: &Request,
    body: &[u8],
    when: fn(&ReservationRecord, &[u8]) -> bool,
) -> Result<Executed<NoteOutcome>> {
    let Request { reservation, owner, key, .. } = *request;
    let noting = Noting { reservation, body, owner, key };
    // The first answer, whatever has become of the reservation since.
    if let Some(seq) = core.ledger.noted_before(&noting, core.now_ms())? {
        return Ok((NoteOutcome::Noted { reservation }, Some(seq)));
    }
    let is_met = match request.record(store)? {
        Some(record) => holds(std::panic::AssertUnwindSafe(|| when(&record, body)))?,
        None => false,
    };
    if !is_met {
        return Ok((NoteOutcome::Unmet { reservation }, None));
    }
    let seq = core.ledger.note(&noting, core.now_ms(), &core.recorder())?;
    Ok((NoteOutcome::Noted { reservation }, Some(seq)))
}
