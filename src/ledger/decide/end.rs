//! Deciding how a pending reservation ends, or that it ends later.

use super::Decision;
use super::reserve::deadline;
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::event::{End, EventLine, EventLines, Fact};
use crate::ledger::reservations::Reservation;
use crate::ledger::view::View;
use crate::ledger::{
    Confirm, ConfirmOutcome, Extend, ExtendOutcome, Outcome, Release, ReleaseOutcome,
};

pub(super) fn confirm<'a>(
    locked: &impl View,
    request: &Confirm<'a>,
    now: TimeMs,
) -> Result<Decision<'a>> {
    let Confirm { reservation, owner, quantities, .. } = *request;
    let outcome = match locked.pending(reservation, owner) {
        Err(why) => ConfirmOutcome::NotPending { reservation, why },
        Ok(pending) if now >= pending.expires_at && !flaw::is_made(Flaw::ConfirmsLate) => {
            ConfirmOutcome::Late { reservation, expires_at: pending.expires_at }
        }
        Ok(pending) => {
            let fact = Fact::Confirmed(consume(locked, pending, quantities)?);
            let outcome = ConfirmOutcome::Confirmed { reservation };
            return Ok(Decision::fact(now, fact, Outcome::Confirm(outcome)));
        }
    };
    Ok(Decision::Nothing(Outcome::Confirm(outcome)))
}

pub(super) fn release(locked: &impl View, request: &Release, now: TimeMs) -> Decision<'static> {
    let Release { reservation, owner, .. } = *request;
    let outcome = match locked.pending(reservation, owner) {
        Err(why) => ReleaseOutcome::NotPending { reservation, why },
        Ok(pending) if now >= pending.expires_at && !flaw::is_made(Flaw::ReleasesLate) => {
            ReleaseOutcome::Late { reservation, expires_at: pending.expires_at }
        }
        Ok(pending) => {
            let fact = Fact::Released(give_back(locked, pending));
            let outcome = ReleaseOutcome::Released { reservation };
            return Decision::fact(now, fact, Outcome::Release(outcome));
        }
    };
    Decision::Nothing(Outcome::Release(outcome))
}

pub(super) fn extend(
    locked: &impl View,
    request: &Extend,
    now: TimeMs,
) -> Result<Decision<'static>> {
    let Extend { reservation, deadline, owner, .. } = *request;
    let expires_at = self::deadline(deadline, now)?;
    let outcome = match locked.pending(reservation, owner) {
        Err(why) => ExtendOutcome::NotPending { reservation, why },
        Ok(pending) if now >= pending.expires_at => {
            ExtendOutcome::Late { reservation, expires_at: pending.expires_at }
        }
        Ok(pending) => {
            let (was, lines) = (pending.expires_at, held_lines(locked, pending));
            let fact = Fact::Extended { reservation, was, expires_at, lines };
            let outcome = ExtendOutcome::Extended { reservation, expires_at };
            return Ok(Decision::fact(now, fact, Outcome::Extend(outcome)));
        }
    };
    Ok(Decision::Nothing(Outcome::Extend(outcome)))
}

/// What a reservation holds, with what its accounts have beside it.
fn held_lines(locked: &impl View, pending: &Reservation) -> EventLines {
    let lines = pending.lines.iter().map(|line| {
        let account =
            locked.account(line.account).expect("a reservation holds accounts that exist");
        let (number, available) = (line.account.number(), account.available);
        EventLine { account: number, quantity: line.quantity, consumed: 0, available }
    });
    lines.collect()
}

/// The end of a reservation that consumes all, or a part of each line.
fn consume(locked: &impl View, pending: &Reservation, quantities: Option<&[u64]>) -> Result<End> {
    if let Some(quantities) = quantities {
        let within =
            quantities.iter().zip(&pending.lines).all(|(part, line)| *part <= line.quantity);
        if quantities.len() != pending.lines.len() || !within {
            return Err(Error::invalid(
                "a confirm in part names at most the reserved quantity of every line",
            ));
        }
    }
    Ok(end(locked, pending, |index, quantity| quantities.map_or(quantity, |parts| parts[index])))
}

/// The end of a reservation that consumes nothing.
pub(in crate::ledger) fn give_back(locked: &impl View, pending: &Reservation) -> End {
    end(locked, pending, |_, _| 0)
}

fn end(locked: &impl View, pending: &Reservation, consumed: impl Fn(usize, u64) -> u64) -> End {
    let mut lines = EventLines::new();
    for (index, line) in pending.lines.iter().enumerate() {
        let account =
            locked.account(line.account).expect("a reservation holds accounts that exist");
        let consumed = consumed(index, line.quantity);
        let back = |quantity, consumed| {
            if account.is_cap() { quantity } else { quantity - consumed }
        };
        let same = lines.iter().filter(|earlier| earlier.account == line.account.number());
        let before: u64 = same.map(|earlier| back(earlier.quantity, earlier.consumed)).sum();
        let available = account.available_after(before + back(line.quantity, consumed));
        lines.push(EventLine {
            account: line.account.number(),
            quantity: line.quantity,
            consumed,
            available,
        });
    }
    End { reservation: pending.id, expires_at: pending.expires_at, lines }
}
