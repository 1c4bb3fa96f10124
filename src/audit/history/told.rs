//! What a fact tells of the rows that it makes.

use crate::audit::books::Books;
use crate::base::{AccountId, TimeMs};
use crate::event::{EventLine, Fact, Part};
use crate::history::record::{ReservationRecord, ReservationState};

pub(super) fn is_quota(books: &Books, account: AccountId) -> bool {
    books.accounts.get(&account.number()).is_some_and(|account| account.key.starts_with("quota/"))
}

/// Whether a record tells of a return at `at`: so much of each line is back, and where that is all,
/// the reservation is over.
pub(super) fn is_returned(record: &ReservationRecord, part: Option<&Part>, at: TimeMs) -> bool {
    let used = || record.lines.iter().filter(|line| line.consumed > 0);
    let Some(part) = part else {
        return record.state == ReservationState::Returned
            && record.returned_at == Some(at)
            && used().all(|line| line.returned == line.consumed);
    };
    let shown = used().map(|line| (line.account, line.consumed, line.returned));
    let told = part.lines.iter().map(|line| (line.account, line.consumed, line.returned));
    let end = match part.is_last() {
        true => (ReservationState::Returned, Some(at)),
        false => (ReservationState::Confirmed, None),
    };
    shown.eq(told) && (record.state, record.returned_at) == end
}

/// The reservation that a fact is about.
pub(super) fn reservation_of(fact: &Fact<'_>) -> Option<u64> {
    match fact {
        Fact::Reserved { reservation, .. }
        | Fact::Revived { reservation, .. }
        | Fact::Extended { reservation, .. }
        | Fact::Returned { reservation, .. }
        | Fact::Noted { reservation, .. } => Some(reservation.number()),
        Fact::Confirmed(end) | Fact::Released(end) | Fact::Expired(end) => {
            Some(end.reservation.number())
        }
        Fact::AccountOpened { .. }
        | Fact::AccountClosed { .. }
        | Fact::PolicyChanged { .. }
        | Fact::Received { .. }
        | Fact::Adjusted { .. }
        | Fact::WrittenOff { .. }
        | Fact::Renewed { .. }
        | Fact::Transferred { .. }
        | Fact::Document { .. }
        | Fact::ClockMended { .. }
        | Fact::Queued { .. }
        | Fact::Dequeued { .. }
        | Fact::Answered { .. }
        // Its parts are looked at, and have none.
        | Fact::Atomic(_) => None,
    }
}

/// Whether a part of an event makes a row of a change of this account, which is no quota.
pub(super) fn changes_of(fact: &Fact<'_>, id: AccountId) -> bool {
    match fact {
        Fact::Received { account, .. }
        | Fact::Adjusted { account, .. }
        | Fact::WrittenOff { account, .. } => *account == id,
        Fact::Transferred { from, to, .. } => [*from, *to].contains(&id),
        Fact::Reserved { lines, .. } => lines.iter().any(|line| line.account() == id),
        Fact::Confirmed(end) | Fact::Released(end) => {
            end.lines.iter().any(|line| line.account() == id)
        }
        // A renewal moves no unit, an extension and a place in a line none either.
        Fact::Renewed { .. } | Fact::Extended { .. } | Fact::Dequeued { .. } => false,
        // None of these happens together with others.
        Fact::AccountOpened { .. }
        | Fact::PolicyChanged { .. }
        | Fact::Expired(_)
        | Fact::Returned { .. }
        | Fact::Revived { .. }
        | Fact::Noted { .. }
        | Fact::Document { .. }
        | Fact::ClockMended { .. }
        | Fact::AccountClosed { .. }
        | Fact::Queued { .. }
        | Fact::Answered { .. }
        | Fact::Atomic(_) => false,
    }
}

pub(super) fn same_lines(record: &ReservationRecord, lines: &[EventLine]) -> bool {
    let told = lines.iter().map(|line| (line.account(), line.quantity, line.consumed));
    record.lines.iter().map(|line| (line.account, line.quantity, line.consumed)).eq(told)
}

/// No event that the books let pass has more.
pub(super) fn signed(quantity: u64) -> i64 {
    i64::try_from(quantity).unwrap_or(i64::MAX)
}
