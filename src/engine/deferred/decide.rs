//! What is asked about reservations that ended: refunds, revivals, and notes with a condition. Anybody asks
//! without waiting; the thread that carries history decides, one after another. It alone knows how a
//! reservation ended and what was noted on it, and when it knows.

use std::panic::catch_unwind;
use std::sync::Arc;

use super::look_back;
use super::note::{NoteOutcome, NoteWhen};
use super::{
    Answer, DeferredTicket, NoteTicket, ReacquireTicket, RefundTicket, Refused, Request, Unseen,
    Wish,
};
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::engine::core::Core;
use crate::engine::lengths::check_body;
use crate::event::PartLine;
use crate::history::Store;
use crate::history::record::{RecordLine, ReservationRecord};
use crate::ledger::{
    Executed, Held, Line, NotPending, Noting, Reacquire, ReacquireOutcome, Refund, RefundOutcome,
    Return, Used,
};

/// How many are decided before history is carried on.
const DECIDED_AT_ONCE: usize = 256;

/// Asks for a refund.
///
/// # Errors
/// `Invalid`, `Overloaded` when too many wait, `Unavailable` when history is off or has failed,
/// `Closed`.
pub(in crate::engine) fn ask_refund(
    core: &Core,
    refund: &Refund<'_>,
    when: Option<fn(&ReservationRecord) -> bool>,
) -> Result<RefundTicket> {
    let Refund { reservation, part, written_off, owner, note, key } = *refund;
    Return { part, written_off, ..Return::default() }.check()?;
    let (note, answer) = (Box::from(note), Answer::new());
    let (part, written_off) = (part.map(Box::from), Box::from(written_off));
    let wish = Wish::Refund { part, written_off, note, when, answer: Arc::clone(&answer) };
    ask(core, Request { reservation, owner, key, after: 0, wish })?;
    Ok(DeferredTicket::new(answer, &core.journal))
}

/// Asks for a note.
///
/// # Errors
/// As [`ask_refund`].
pub(in crate::engine) fn ask_note(core: &Core, note: &NoteWhen<'_>) -> Result<NoteTicket> {
    let NoteWhen { reservation, owner, body, key, when } = *note;
    let (body, answer) = (Box::from(body), Answer::new());
    let wish = Wish::Note { body, when, answer: Arc::clone(&answer) };
    ask(core, Request { reservation, owner, key, after: 0, wish })?;
    Ok(DeferredTicket::new(answer, &core.journal))
}

/// Asks for an expired reservation to be revived.
///
/// # Errors
/// As [`ask_refund`].
pub(super) fn ask_reacquire(
    core: &Core,
    asked: &Reacquire,
    takes: Option<&[Line]>,
) -> Result<ReacquireTicket> {
    let (Reacquire { reservation, owner, key }, answer) = (*asked, Answer::new());
    Return { part: takes, ..Return::default() }.check()?;
    let wish = Wish::Reacquire { takes: takes.map(Box::from), answer: Arc::clone(&answer) };
    ask(core, Request { reservation, owner, key, after: 0, wish })?;
    Ok(DeferredTicket::new(answer, &core.journal))
}

fn ask(core: &Core, mut request: Request) -> Result<()> {
    if core.history.store.is_off() {
        return Err(Error::unavailable("how reservations ended is asked of history, which is off"));
    }
    check_body(match &request.wish {
        Wish::Refund { note, .. } => note.as_bytes(),
        Wish::Note { body, .. } => body,
        Wish::Reacquire { .. } => &[],
    })?;
    core.journal.admit()?;
    request.after = core.journal.last_seq();
    core.history.deferred.put(request).map_err(|refused| match refused {
        Refused::Ended => over(core),
        Refused::Full => Error::overloaded("too many requests wait for history to catch up"),
    })?;
    core.history.progress.hurry();
    Ok(())
}

/// Decides those for which history shows enough; returns how many. Only the thread that carries
/// history calls this.
pub(in crate::engine) fn decide(core: &Core, store: &Store, unseen: &mut Unseen) -> usize {
    let projected = core.history.progress.projected();
    unseen.forget_until(projected);
    let calls = core.journal.calls();
    let mut count = 0;
    while count < DECIDED_AT_ONCE
        && let Some(request) = core.history.deferred.next(projected, unseen)
    {
        let Deciding { request, .. } = &Deciding { core, request };
        if flaw::is_made(Flaw::DiesDeciding) {
            panic!("a mistake made on purpose");
        }
        let seq = match &request.wish {
            Wish::Refund { part, written_off, note, when, answer } => {
                let Request { owner, key, .. } = *request;
                let part = part.as_deref();
                let asked = Return { part, written_off, note, expires_at: 0, owner, key };
                answer.give(calls, refund(core, store, request, &asked, *when))
            }
            Wish::Reacquire { takes, answer } => {
                answer.give(calls, reacquire(core, store, request, takes.as_deref()))
            }
            Wish::Note { body, when, answer } => {
                answer.give(calls, note(core, store, request, body, *when))
            }
        };
        if let Some(seq) = seq {
            unseen.note(request.reservation, seq);
            core.journal.kick();
        }
        count += 1;
    }
    count
}

/// Nothing will be decided any more: tells those who wait for it.
pub(in crate::engine) fn end(core: &Core) {
    for request in core.history.deferred.end() {
        request.fail(core, || over(core));
    }
}

/// A request that is being decided. Whoever waits for it hears of it, also where that panics.
struct Deciding<'a> {
    core: &'a Core,
    request: Request,
}

impl Drop for Deciding<'_> {
    fn drop(&mut self) {
        self.request.fail(self.core, || {
            Error::unavailable(
                "history's thread panicked while it decided this: nobody knows whether it was done",
            )
        });
    }
}

/// Why nothing is decided any more.
fn over(core: &Core) -> Error {
    let failed = core.history.progress.end_error().filter(|_| !core.is_stopped());
    failed.unwrap_or_else(Error::closed)
}

impl Request {
    /// Tells whoever waits for it that it is not decided, unless it is.
    fn fail(&self, core: &Core, why: impl FnOnce() -> Error) {
        let calls = core.journal.calls();
        match &self.wish {
            Wish::Refund { answer, .. } => answer.fail(calls, why),
            Wish::Reacquire { answer, .. } => answer.fail(calls, why),
            Wish::Note { answer, .. } => answer.fail(calls, why),
        }
    }

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
    asked: &Return<'_>,
    when: Option<fn(&ReservationRecord) -> bool>,
) -> Result<Executed<RefundOutcome>> {
    let Request { reservation: id, owner, .. } = *request;
    if let Some(first) = core.ledger.returned_before(id, asked, core.now_ms())? {
        return Ok(first);
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
    let lines: Vec<PartLine> = consumed.map(part_line).collect();
    let consumed_at = record.ended_at.unwrap_or(record.created_at);
    let used = Used { reservation: id, lines: &lines, consumed_at };
    let asked = Return { expires_at: record.expires_at, ..*asked };
    core.ledger.return_used(&used, &asked, core.now_ms(), &core.recorder())
}

fn part_line(line: &RecordLine) -> PartLine {
    let RecordLine { account, consumed, returned, .. } = *line;
    PartLine { account, consumed, returned }
}

fn reacquire(
    core: &Core,
    store: &Store,
    request: &Request,
    takes: Option<&[Line]>,
) -> Result<Executed<ReacquireOutcome>> {
    let Request { reservation: id, owner, key, .. } = *request;
    let asked = Reacquire::new(id).owner(owner).key(key);
    if let Some(first) = core.ledger.revived_before(&asked, core.now_ms())? {
        return Ok(first);
    }
    let refused = |why| Ok((ReacquireOutcome::NotExpired { reservation: id, why }, None));
    let Some(record) = store.reservation(id)? else {
        return refused(look_back::missing(store, request.after)?);
    };
    if owner.is_some() && owner != record.owner {
        return refused(NotPending::Anothers);
    }
    match look_back::ended(record.state) {
        None => return Ok((ReacquireOutcome::StillPending { reservation: id }, None)),
        Some(NotPending::Expired) => {}
        Some(why) => return refused(why),
    }
    let line = |line: &RecordLine| Line { account: line.account, quantity: line.quantity };
    let lines: Vec<Line> = record.lines.iter().map(line).collect();
    let ReservationRecord { owner, expires_at, .. } = record;
    let takes = takes.unwrap_or(&lines);
    let held = Held { reservation: id, owner, lines: &lines, takes, expires_at };
    core.ledger.revive(&held, &asked, core.now_ms(), &core.recorder())
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
    note_if(core, &noting, || {
        let record = request.record(store)?;
        record
            .map_or(Ok(false), |record| holds(std::panic::AssertUnwindSafe(|| when(&record, body))))
    })
}

/// Keeps a note when a condition is met.
///
/// # Errors
/// Those of the condition and of the ledger.
pub(in crate::engine) fn note_if(
    core: &Core,
    noting: &Noting<'_>,
    is_met: impl FnOnce() -> Result<bool>,
) -> Result<Executed<NoteOutcome>> {
    let reservation = noting.reservation;
    // The first answer, whatever has become of the reservation since.
    if let Some(seq) = core.ledger.noted_before(noting, core.now_ms())? {
        return Ok((NoteOutcome::Noted { reservation }, Some(seq)));
    }
    if !is_met()? {
        return Ok((NoteOutcome::Unmet { reservation }, None));
    }
    let seq = core.ledger.note(noting, core.now_ms(), &core.recorder())?;
    Ok((NoteOutcome::Noted { reservation }, Some(seq)))
}
