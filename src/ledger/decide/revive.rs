//! Deciding whether a reservation that expired can have its lines again: all of them, or none.

use std::collections::BTreeMap;

use super::refund::check_ended;
use super::reserve::{renewals, take};
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountId, AccountKind, TimeMs};
use crate::event::{EventLines, Fact};
use crate::ledger::shard::LockedShards;
use crate::ledger::{Held, Line, NotPending, Refusal};

/// What a wish to revive a reservation comes to.
pub(in crate::ledger) enum Reviving {
    /// It takes these lines, after what windows give back.
    Takes { renewals: Vec<Fact<'static>>, lines: EventLines },
    /// Nothing happens.
    Refused(Refusal),
}

/// Decides on what an expired reservation takes again: its lines are taken and consumed at once, as
/// those of a reservation that is made and confirmed in one step.
///
/// # Errors
/// `Conflict` when the reservation cannot have expired with these lines, or is known to have ended
/// otherwise; `Invalid` when what it takes cannot stand for what it held.
pub(in crate::ledger) fn take_again(
    locked: &LockedShards<'_>,
    held: &Held<'_>,
    now: TimeMs,
) -> Result<Reviving> {
    check_expired(locked, held)?;
    if totals(locked, held.takes) != totals(locked, held.lines)
        && !flaw::is_made(Flaw::RevivesWithForeignPoints)
    {
        return Err(Error::invalid("what is taken cannot stand for what was held"));
    }
    if let Some(refusal) = closed(locked, held) {
        return Ok(Reviving::Refused(refusal));
    }
    let lines = match held.takes {
        takes if flaw::is_made(Flaw::RevivesBeyondLimits) => &takes[takes.len() - 1..],
        _ if flaw::is_made(Flaw::RevivesWithFormerPoints) => held.lines,
        takes => takes,
    };
    Ok(match take(locked, lines, true, now, None)? {
        Ok(taken) => Reviving::Takes { renewals: renewals(locked, lines, now), lines: taken },
        Err(refusal) => Reviving::Refused(refusal),
    })
}

/// What a line takes from.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Source<'l> {
    /// The points of this user, whichever of them.
    PointsOf(&'l str),
    Account(AccountId),
}

/// How much is taken of what.
fn totals<'l>(locked: &'l LockedShards<'_>, lines: &[Line]) -> BTreeMap<Source<'l>, u128> {
    let mut totals = BTreeMap::new();
    for Line { account, quantity } in lines {
        let source = match locked.account(*account).map(|account| &account.key) {
            Some(key) if key.kind() == AccountKind::Points => Source::PointsOf(key.owner()),
            Some(_) | None => Source::Account(*account),
        };
        *totals.entry(source).or_default() += u128::from(*quantity);
    }
    totals
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
    let line = held.takes.iter().position(|line| !is_open(line.account))?;
    let account = held.takes[line].account;
    Some(Refusal { line, account, available: 0, next_release_at: None, has_line: false })
}
