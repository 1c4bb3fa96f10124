//! Deciding whether a reservation that expired can have its lines again: all of them, or none.

use super::refund::check_ended;
use super::reserve::{renewals, take};
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::event::{EventLines, Fact};
use crate::ledger::shard::LockedShards;
use crate::ledger::{Held, NotPending, Refusal};

/// What a wish to revive a reservation comes to.
pub(in crate::ledger) enum Reviving {
    /// It takes these lines, after what windows give back.
    Takes { renewals: Vec<Fact<'static>>, lines: EventLines },
    /// Nothing happens.
    Refused(Refusal),
}

/// Decides on the lines that an expired reservation held: they are taken and consumed at once, as
/// those of a reservation that is made and confirmed in one step.
///
/// # Errors
/// `Conflict` when the reservation cannot have expired with these lines, or is known to have ended
/// otherwise.
pub(in crate::ledger) fn take_again(
    locked: &LockedShards<'_>,
    held: &Held<'_>,
    now: TimeMs,
) -> Result<Reviving> {
    check_expired(locked, held)?;
    if let Some(refusal) = closed(locked, held) {
        return Ok(Reviving::Refused(refusal));
    }
    let lines = match flaw::is_made(Flaw::RevivesBeyondLimits) {
        true => &held.lines[held.lines.len() - 1..],
        false => held.lines,
    };
    Ok(match take(locked, lines, true, now, None)? {
        Ok(taken) => Reviving::Takes { renewals: renewals(locked, lines, now), lines: taken },
        Err(refusal) => Reviving::Refused(refusal),
    })
}

/// What memory tells: whoever has been revived is confirmed, and is not revived once more.
fn check_expired(locked: &LockedShards<'_>, held: &Held<'_>) -> Result<()> {
    let id = held.reservation;
    check_ended(locked, id, held.lines.iter().map(|line| line.account))?;
    match locked.shard(id.shard()).ended.find(id, None) {
        None | Some(NotPending::Expired) => Ok(()),
        Some(_) if flaw::is_made(Flaw::RevivesTwice) => Ok(()),
        Some(how) => Err(Error::conflict(format!("reservation {id} has not expired: {how:?}"))),
    }
}

/// Of an account that is closed nothing can be had, now or later.
fn closed(locked: &LockedShards<'_>, held: &Held<'_>) -> Option<Refusal> {
    let is_open = |account| locked.account(account).is_some_and(|account| !account.is_closed);
    let line = held.lines.iter().position(|line| !is_open(line.account))?;
    let account = held.lines[line].account;
    Some(Refusal { line, account, available: 0, next_release_at: None, has_line: false })
}
