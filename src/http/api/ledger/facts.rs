//! Events as they are written.

use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::event::{End, Event, EventLine, Fact};
use crate::mall::{Note, is_like_order};
use crate::wire::{FactLine, LedgerEvent, LedgerFact};

/// About how long an event is when it is written, in bytes.
const EVENT_BYTES: usize = 256;

pub(super) fn written(seq: Seq, event: &Event<'_>) -> Result<Vec<u8>> {
    serde_json::to_vec(&told(seq, event))
        .map_err(|cause| Error::unavailable("an event cannot be written").with_source(cause))
}

pub(super) fn told(seq: Seq, event: &Event<'_>) -> LedgerEvent {
    LedgerEvent { seq, at: event.at, facts: event.facts().iter().filter_map(fact).collect() }
}

/// How much an event counts in a page.
pub(super) fn size(event: &Event<'_>) -> usize {
    let of_fact = |fact: &Fact<'_>| match fact {
        Fact::Reserved { details, .. } => details.len(),
        _ => 0,
    };
    EVENT_BYTES + event.facts().iter().map(of_fact).sum::<usize>()
}

fn lines(lines: &[EventLine]) -> Vec<FactLine> {
    let line = |line: &EventLine| FactLine {
        account: line.account(),
        quantity: line.quantity,
        consumed: line.consumed,
        available: line.available,
    };
    lines.iter().map(line).collect()
}

/// Who gave a note, and what it says.
fn note(text: &str) -> (Option<String>, String) {
    let Note { operator, reason } = Note::read(text);
    (operator.map(str::to_owned), reason.to_owned())
}

/// What was kept with a reservation, where that is a caller's text.
pub(super) fn details(details: &[u8]) -> Option<String> {
    let is_text = !details.is_empty() && !is_like_order(details);
    is_text.then(|| std::str::from_utf8(details).ok().map(str::to_owned)).flatten()
}

fn fact(fact: &Fact<'_>) -> Option<LedgerFact> {
    Some(match fact {
        Fact::AccountOpened { account, key, policy } => LedgerFact::AccountOpened {
            account: *account,
            key: key.clone(),
            policy: (*policy).into(),
        },
        Fact::PolicyChanged { account, policy, available, consumed: _ } => {
            let policy = (*policy).into();
            LedgerFact::PolicyChanged { account: *account, policy, available: *available }
        }
        Fact::AccountClosed { account, key } => {
            LedgerFact::AccountClosed { account: *account, key: key.clone() }
        }
        Fact::Received { account, quantity, available, note: text } => {
            let (account, quantity, available) = (*account, *quantity, *available);
            let (by, note) = note(text);
            LedgerFact::Received { account, quantity, available, by, note }
        }
        Fact::Adjusted { account, delta, available, note: text } => {
            let (account, delta, available) = (*account, *delta, *available);
            let (by, note) = note(text);
            LedgerFact::Adjusted { account, delta, available, by, note }
        }
        Fact::WrittenOff { account, quantity, available, note: text } => {
            let (account, quantity, available) = (*account, *quantity, *available);
            let (by, note) = note(text);
            LedgerFact::WrittenOff { account, quantity, available, by, note }
        }
        Fact::Transferred { from, to, quantity, from_available, to_available, note: text } => {
            let (by, note) = note(text);
            LedgerFact::Transferred {
                from: *from,
                to: *to,
                quantity: *quantity,
                from_available: *from_available,
                to_available: *to_available,
                by,
                note,
            }
        }
        Fact::Renewed { account, quantity, available, kept: _ } => {
            let (account, quantity, available) = (*account, *quantity, *available);
            LedgerFact::Renewed { account, quantity, available }
        }
        Fact::Reserved {
            reservation,
            owner,
            expires_at,
            confirmed,
            lines: taken,
            details: kept,
        } => LedgerFact::Reserved {
            reservation: *reservation,
            owner: *owner,
            expires_at: *expires_at,
            confirmed: *confirmed,
            lines: lines(taken),
            details: details(kept),
        },
        Fact::Extended { reservation, was, expires_at, lines: held } => LedgerFact::Extended {
            reservation: *reservation,
            was: *was,
            expires_at: *expires_at,
            lines: lines(held),
        },
        Fact::Confirmed(End { reservation, expires_at: _, lines: held }) => {
            LedgerFact::Confirmed { reservation: *reservation, lines: lines(held) }
        }
        Fact::Released(End { reservation, expires_at: _, lines: held }) => {
            LedgerFact::Released { reservation: *reservation, lines: lines(held) }
        }
        Fact::Expired(End { reservation, expires_at: _, lines: held }) => {
            LedgerFact::Expired { reservation: *reservation, lines: lines(held) }
        }
        Fact::Revived { reservation, owner, expires_at: _, lines: taken } => {
            LedgerFact::Revived { reservation: *reservation, owner: *owner, lines: lines(taken) }
        }
        Fact::Returned { reservation, lines: back, note: text, .. } => {
            let (by, note) = note(text);
            LedgerFact::Returned { reservation: *reservation, lines: lines(back), by, note }
        }
        Fact::Noted { reservation, body: _ } => LedgerFact::Noted { reservation: *reservation },
        Fact::Document { collection, key, body } => LedgerFact::Document {
            collection: collection.to_string(),
            key: key.to_string(),
            removed: body.is_none(),
        },
        Fact::ClockMended { from } => LedgerFact::ClockMended { from: *from },
        Fact::Queued { account, place, owner, body: _ } => {
            LedgerFact::Queued { account: *account, place: *place, owner: *owner }
        }
        Fact::Dequeued { account, place, owner, reservation, note: _ } => LedgerFact::Dequeued {
            account: *account,
            place: *place,
            owner: *owner,
            reservation: *reservation,
        },
        // The answer to a request is between the caller and the ledger; of commands that happened
        // together, the facts were taken apart.
        Fact::Answered { .. } | Fact::Atomic(_) => return None,
    })
}
