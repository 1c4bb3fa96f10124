//! Deciding what of a confirmed reservation goes back: all that is left, or a part.

use super::existing;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountId, ReservationId, TimeMs};
use crate::event::{EventLine, EventLines, Part, PartLine};
use crate::ledger::account::Account;
use crate::ledger::shard::LockedShards;
use crate::ledger::{Line, RefundOutcome, Return, Used};

/// What a return comes to.
pub(in crate::ledger) enum Returning {
    /// These units go back, of everything or of this part.
    Fact { lines: EventLines, part: Option<Part> },
    /// Nothing happens.
    Refused(RefundOutcome),
}

/// Decides on a return. Of each line: how much of it counted and goes back, and how much had
/// stopped to count before.
///
/// # Errors
/// `Conflict` when the reservation cannot have consumed that; `Invalid` when units are to be written
/// off that cannot be, or that do not go back; `NotFound` when an account is closed.
pub(in crate::ledger) fn give_back_consumed(
    locked: &LockedShards<'_>,
    used: &Used<'_>,
    asked: &Return<'_>,
) -> Result<Returning> {
    check_ended(locked, used.reservation, used.lines.iter().map(|line| line.account))?;
    let left: Vec<Line> = used.lines.iter().map(left_of).collect();
    let lines = asked.part.unwrap_or(&left);
    if let Some(refused) = too_much(used.reservation, lines, &left) {
        return Ok(Returning::Refused(refused));
    }
    check_written_off(locked, asked.written_off, lines)?;
    let after = after(used.lines, lines);
    let is_whole = asked.written_off.is_empty()
        && used.lines.iter().all(|line| line.returned == 0)
        && after.iter().all(|line| line.left() == 0);
    let part = (!is_whole).then(|| Part { lines: after, written_off: asked.written_off.to_vec() });
    Ok(Returning::Fact { lines: give_back(locked, used, lines, asked.written_off)?, part })
}

fn left_of(line: &PartLine) -> Line {
    Line { account: line.account, quantity: line.left() }
}

/// The refusal of a return of more than is left.
fn too_much(reservation: ReservationId, lines: &[Line], left: &[Line]) -> Option<RefundOutcome> {
    let sum = |of: &[Line], account| {
        let same = of.iter().filter(|line| line.account == account);
        same.fold(0_u64, |sum, line| sum.saturating_add(line.quantity))
    };
    let short = |line: &&Line| {
        let is_short = sum(lines, line.account) > sum(left, line.account);
        is_short && !flaw::is_made(Flaw::ReturnsTooMuch)
    };
    lines.iter().find(short).map(|line| {
        let account = line.account;
        RefundOutcome::TooMuch { reservation, account, left: sum(left, account) }
    })
}

/// What a rule grants is no unit that could break: it counts or it does not.
fn check_written_off(
    locked: &LockedShards<'_>,
    written_off: &[AccountId],
    lines: &[Line],
) -> Result<()> {
    for id in written_off {
        if lines.iter().all(|line| line.account != *id) {
            let number = id.number();
            return Err(Error::invalid(format!("nothing of account {number} is returned")));
        }
        let account = existing(locked, *id)?;
        if account.is_granted() {
            let why = format!("{} is a quota: its units cannot be written off", account.key);
            return Err(Error::invalid(why));
        }
    }
    Ok(())
}

/// How a reservation stands after these units went back: of several lines of one account, those
/// that come first.
fn after(used: &[PartLine], lines: &[Line]) -> Vec<PartLine> {
    let mut after = used.to_vec();
    for line in lines {
        let mut quantity = line.quantity;
        for used in after.iter_mut().filter(|used| used.account == line.account) {
            let back = quantity.min(used.left());
            used.returned += back;
            quantity -= back;
        }
    }
    after
}

fn give_back(
    locked: &LockedShards<'_>,
    used: &Used<'_>,
    lines: &[Line],
    written_off: &[AccountId],
) -> Result<EventLines> {
    let mut returned = EventLines::new();
    for line in lines {
        let account = existing(locked, line.account)?;
        let same = returned.iter().filter(|earlier| earlier.account == line.account.number());
        let (back, past) =
            same.fold((0, 0), |sum, line| (sum.0 + line.quantity, sum.1 + line.consumed));
        let (quantity, counts) = found(account, used.consumed_at, line.quantity, back, past)?;
        let available = match written_off.contains(&line.account) {
            true => account.available,
            false => account.available_after(back + counts),
        };
        if quantity > 0 {
            let (account, consumed) = (line.account.number(), quantity - counts);
            returned.push(EventLine { account, quantity: counts, consumed, available });
        }
    }
    Ok(returned)
}

/// How many of these units the account shows consumed at that time, and how many of them count,
/// after `back` and `past` that earlier lines took.
///
/// # Errors
/// `Conflict` when they are fewer, and none can have been forgotten.
fn found(
    account: &Account,
    consumed_at: TimeMs,
    quantity: u64,
    back: u64,
    past: u64,
) -> Result<(u64, u64)> {
    let (there, counting) = match account.used_at(consumed_at) {
        Some(found) => {
            (found.quantity, account.consumed.saturating_sub(found.newer).min(found.quantity))
        }
        None => (account.consumed, account.consumed),
    };
    let left = there.saturating_sub(back + past);
    let quantity = if account.may_have_forgotten(consumed_at) || flaw::is_made(Flaw::ReturnsTooMuch)
    {
        quantity.min(left)
    } else {
        quantity
    };
    if quantity > left {
        let why = format!("{} does not have these units consumed at that time", account.key);
        return Err(Error::conflict(why));
    }
    Ok((quantity, quantity.min(counting.saturating_sub(back))))
}

/// What a number tells: who is pending has not ended, and neither has who was never made, or lives
/// elsewhere than these accounts tell. That it ended later than now tells nothing: time may have
/// been set back.
pub(super) fn check_ended(
    locked: &LockedShards<'_>,
    id: ReservationId,
    mut accounts: impl Iterator<Item = AccountId>,
) -> Result<()> {
    let reservations = &locked.shard(id.shard()).reservations;
    if reservations.get(id).is_some() {
        return Err(Error::conflict(format!("reservation {id} is pending: it has not ended")));
    }
    let is_elsewhere = accounts.any(|account| account.shard() < id.shard());
    if id.count() >= reservations.numbered() || is_elsewhere {
        return Err(Error::conflict(format!("reservation {id} was not made in this ledger")));
    }
    Ok(())
}
