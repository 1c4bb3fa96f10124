//! Refunds: asked for by anybody without waiting, decided by the thread that carries history, one
//! after another. It alone knows how a reservation ended, and when it knows.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::core::{Core, check_body};
use super::ticket::Ticket;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::waiters::Waiter;
use crate::base::{AccountId, IdempotencyKey, ReservationId, Seq, handle};
use crate::history::Store;
use crate::history::record::ReservationState;
use crate::journal::park_until;
use crate::ledger::{Executed, Line, Refund, RefundOutcome, Return, Used};

/// How many refunds may wait to be decided.
const REFUNDS_MAX: usize = 4096;
/// How many are decided before history is carried on.
const DECIDED_AT_ONCE: usize = 256;

/// What becomes of a refund, once that is decided and durable. Dropping it undoes nothing: the
/// refund is decided all the same.
#[must_use = "nothing is known of the refund until the ticket resolves"]
pub struct RefundTicket {
    core: Arc<Core>,
    answer: Arc<Answer>,
    /// Once it is decided.
    decided: Option<Ticket<RefundOutcome>>,
}

handle!(RefundTicket, this { decided: this.decided });

impl RefundTicket {
    /// Blocks until it is decided and durable.
    ///
    /// # Errors
    /// As [`Engine::refund`](crate::Engine::refund). `Closed` when the engine was closed before the
    /// refund was decided, and `Unavailable` when history failed before: nothing was changed then.
    pub fn wait(mut self) -> Result<RefundOutcome> {
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

impl Future for RefundTicket {
    type Output = Result<RefundOutcome>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.decided.is_none() {
            let executed = ready!(self.answer.poll(|| Waiter::task(cx)))?;
            self.decided = Some(self.core.ticket(executed));
        }
        let decided = self.decided.as_mut().expect("it was just set");
        Pin::new(decided).poll(cx)
    }
}

impl Drop for RefundTicket {
    fn drop(&mut self) {
        self.answer.forget();
    }
}

/// Where the one who decides leaves the outcome for the one who asked.
struct Answer(Mutex<AnswerState>);

enum AnswerState {
    Awaited(Option<Waiter>),
    Decided(Result<Executed<RefundOutcome>>),
    Taken,
}

impl Answer {
    fn poll(&self, waiter: impl FnOnce() -> Waiter) -> Poll<Result<Executed<RefundOutcome>>> {
        let mut waiter = Some(waiter());
        // Wakers are dropped after the lock.
        let replaced = {
            let mut state = self.0.lock();
            match &mut *state {
                AnswerState::Awaited(waiting) => std::mem::replace(waiting, waiter.take()),
                _ => match std::mem::replace(&mut *state, AnswerState::Taken) {
                    AnswerState::Decided(outcome) => return Poll::Ready(outcome),
                    _ => return Poll::Ready(Err(Error::closed())),
                },
            }
        };
        drop(replaced);
        Poll::Pending
    }

    fn forget(&self) {
        let gone = match &mut *self.0.lock() {
            AnswerState::Awaited(waiting) => waiting.take(),
            _ => None,
        };
        drop(gone);
    }

    fn give(&self, outcome: Result<Executed<RefundOutcome>>) -> Option<Waiter> {
        match std::mem::replace(&mut *self.0.lock(), AnswerState::Decided(outcome)) {
            AnswerState::Awaited(waiting) => waiting,
            _ => None,
        }
    }
}

struct Request {
    reservation: ReservationId,
    owner: Option<AccountId>,
    note: Box<str>,
    key: Option<IdempotencyKey>,
    /// What history must show before it can be decided.
    after: Seq,
    answer: Arc<Answer>,
}

/// The refunds that wait to be decided.
#[derive(Default)]
pub(super) struct Refunds(Mutex<RefundQueue>);

#[derive(Default)]
struct RefundQueue {
    waiting: VecDeque<Request>,
    ended: bool,
}

/// What was returned by events that history does not show yet.
#[derive(Default)]
pub(super) struct Returned(HashMap<ReservationId, Seq>);

impl Refunds {
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().waiting.is_empty()
    }

    /// Asks for a refund.
    ///
    /// # Errors
    /// `Invalid`, `Overloaded` when too many wait, `Unavailable` when history is off or has failed,
    /// `Closed`.
    pub(super) fn ask(core: &Arc<Core>, refund: &Refund<'_>) -> Result<RefundTicket> {
        let Refund { reservation, owner, note, key } = *refund;
        if core.store.is_none() {
            return Err(Error::unavailable("a refund needs history, which is off"));
        }
        check_body(note.as_bytes())?;
        core.journal.admit()?;
        let answer = Arc::new(Answer(Mutex::new(AnswerState::Awaited(None))));
        let after = core.journal.last_seq();
        let request = Request {
            reservation,
            owner,
            note: note.into(),
            key,
            after,
            answer: Arc::clone(&answer),
        };
        {
            let mut queue = core.refunds.0.lock();
            if queue.ended {
                return Err(ended(core));
            }
            if queue.waiting.len() >= REFUNDS_MAX {
                return Err(Error::overloaded("too many refunds wait for history to catch up"));
            }
            queue.waiting.push_back(request);
        }
        core.progress.hurry();
        Ok(RefundTicket { core: Arc::clone(core), answer, decided: None })
    }

    /// Decides those for which history shows enough; returns how many. Only the thread that carries
    /// history calls this.
    pub(super) fn decide(&self, core: &Core, store: &Store, returned: &mut Returned) -> usize {
        let projected = core.progress.projected();
        returned.0.retain(|_, seq| *seq > projected);
        let mut count = 0;
        while count < DECIDED_AT_ONCE
            && let Some(request) = self.next(projected, returned)
        {
            let outcome = decide(core, store, &request);
            if let Ok((_, Some(seq))) = &outcome {
                returned.0.insert(request.reservation, *seq);
                core.journal.kick();
            }
            answer(core, &request, outcome);
            count += 1;
        }
        count
    }

    /// The first request, if history shows all that it needs: what was decided before it was made,
    /// and what was returned of the same reservation.
    fn next(&self, projected: Seq, returned: &Returned) -> Option<Request> {
        let mut queue = self.0.lock();
        let first = queue.waiting.front()?;
        let ready = first.after <= projected && !returned.0.contains_key(&first.reservation);
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
            answer(core, &request, Err(ended(core)));
        }
    }
}

fn ended(core: &Core) -> Error {
    core.progress.end_error().filter(|_| !core.is_stopped()).unwrap_or_else(Error::closed)
}

fn answer(core: &Core, request: &Request, outcome: Result<Executed<RefundOutcome>>) {
    let waiter = request.answer.give(outcome);
    core.journal.calls().deliver(waiter.into_iter());
    core.journal.calls().after_locks();
}

fn decide(core: &Core, store: &Store, request: &Request) -> Result<Executed<RefundOutcome>> {
    let Request { reservation: id, owner, key, .. } = *request;
    if let Some(key) = key
        && let Some(first) = core.ledger.recall(key, core.now_ms())?
    {
        return Ok((first.answer.to_refund()?, Some(first.seq)));
    }
    let record = store.reservation(id)?;
    let confirmed = record.filter(|record| {
        record.state == ReservationState::Confirmed && (owner.is_none() || owner == record.owner)
    });
    let Some(record) = confirmed else {
        return Ok((RefundOutcome::NotConfirmed { reservation: id }, None));
    };
    let consumed = record.lines.iter().filter(|line| line.consumed > 0);
    let lines: Vec<Line> =
        consumed.map(|line| Line { account: line.account, quantity: line.consumed }).collect();
    let consumed_at = record.ended_at.unwrap_or(record.created_at);
    let used = Used { reservation: id, lines: &lines, consumed_at };
    let back = Return { note: &request.note, expires_at: record.expires_at, owner, key };
    core.ledger.return_used(&used, &back, core.now_ms(), &core.recorder())
}
