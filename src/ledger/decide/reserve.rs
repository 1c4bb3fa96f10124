//! Deciding a reserve: all of its lines, or none.

use std::borrow::Cow;

use super::{Decision, existing};
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountId, TTL_MS_MAX, TimeMs};
use crate::event::{Event, EventLine, EventLines, Fact};
use crate::ledger::account::Account;
use crate::ledger::view::View;
use crate::ledger::{Deadline, Line, Outcome, Refusal, Reserve, ReserveOutcome, Reserved};

pub(super) fn reserve<'a>(
    locked: &impl View,
    request: &Reserve<'a>,
    now: TimeMs,
    reservations_max: usize,
) -> Result<Decision<'a>> {
    decide(locked, request, now, reservations_max, None)
}

/// As [`reserve`], past the line of those who wait for units of one account.
pub(in crate::ledger) fn reserve_past<'a>(
    locked: &impl View,
    request: &Reserve<'a>,
    now: TimeMs,
    reservations_max: usize,
    past: AccountId,
) -> Result<Decision<'a>> {
    decide(locked, request, now, reservations_max, Some(past))
}

#[inline]
fn decide<'a>(
    locked: &impl View,
    request: &Reserve<'a>,
    now: TimeMs,
    reservations_max: usize,
    past: Option<AccountId>,
) -> Result<Decision<'a>> {
    let expires_at = deadline(request.deadline, now)?;
    let lines = match take(locked, request.lines, request.confirm, now, past)? {
        Ok(lines) => lines,
        Err(refusal) => {
            return Ok(Decision::Nothing(Outcome::Reserve(ReserveOutcome::Refused(refusal))));
        }
    };
    let home = home(request.lines);
    if !request.confirm && locked.pending_count(home) >= reservations_max {
        return Err(Error::overloaded("too many reservations are pending"));
    }
    let reservation = locked.next_reservation(home, now);
    let fact = Fact::Reserved {
        reservation,
        owner: request.owner,
        expires_at,
        confirmed: request.confirm,
        lines,
        details: Cow::Borrowed(request.details),
    };
    let reserved = Reserved { reservation, expires_at, confirmed: request.confirm };
    let outcome = Outcome::Reserve(ReserveOutcome::Reserved(reserved));
    let event = Event { at: now, request: None, fact };
    Ok(Decision::Facts { renewals: renewals(locked, request.lines, now), event, outcome })
}

/// What these lines take; consumed at once with `confirm`. Who is first in the line of the account
/// `past` is past it.
///
/// Every line is looked at before any is taken: a take that fails half-way would show others a
/// stock that is lower than it was, and their refusal would be false.
///
/// # Errors
/// `NotFound` when an account is closed; within, the refusal.
pub(super) fn take(
    locked: &impl View,
    wanted: &[Line],
    confirm: bool,
    now: TimeMs,
    past: Option<AccountId>,
) -> Result<std::result::Result<EventLines, Refusal>> {
    let mut lines = EventLines::new();
    for (index, line) in wanted.iter().enumerate() {
        let account = existing(locked, line.account)?;
        if confirm && account.is_cap() {
            // Confirmed at once, it is never outstanding; another rule may count it one day.
            let (number, quantity, available) =
                (line.account.number(), line.quantity, account.available);
            lines.push(EventLine { account: number, quantity, consumed: quantity, available });
            continue;
        }
        let before = taken(&lines, line.account);
        let left = match past == Some(line.account) {
            true => account.takeable_in_line(now),
            false => account.takeable(now),
        };
        let left = left.saturating_sub(before);
        if let Some(refusal) = refuse(account, (index, line), left, now) {
            return Ok(Err(refusal));
        }
        let available =
            account.available_after(account.renewable(now)) - (before + line.quantity) as i64;
        let consumed = u64::from(confirm) * line.quantity;
        lines.push(EventLine {
            account: line.account.number(),
            quantity: line.quantity,
            consumed,
            available,
        });
    }
    Ok(Ok(lines))
}

/// The refusal of a line for which too little is left after what earlier lines take.
fn refuse(
    account: &Account,
    (index, line): (usize, &Line),
    available: u64,
    now: TimeMs,
) -> Option<Refusal> {
    (!enough(available, line.quantity)).then(|| {
        let next_release_at = account.next_release_at(now);
        let has_line = account.has_line();
        Refusal { line: index, account: line.account, available, next_release_at, has_line }
    })
}

/// Whether `quantity` units can be taken where `available` can: the decision that nothing is
/// oversold. The flaw, which only tests can make, is what the checkers must find.
fn enough(available: u64, quantity: u64) -> bool {
    available + u64::from(flaw::is_made(Flaw::Oversells)) >= quantity
}

/// The time until which a reservation holds what it takes.
///
/// # Errors
/// `Invalid` when that has passed, or is further away than anything may be held.
pub(in crate::ledger) fn deadline(deadline: Deadline, now: TimeMs) -> Result<TimeMs> {
    match deadline {
        Deadline::After(ttl_ms) => now
            .checked_add(ttl_ms)
            .ok_or_else(|| Error::invalid("the deadline is later than time can be counted")),
        Deadline::At(expires_at) if expires_at <= now => {
            Err(Error::invalid(format!("the deadline has passed: it is {now}")))
        }
        Deadline::At(expires_at) if expires_at - now > TTL_MS_MAX => Err(Error::invalid(format!(
            "a deadline is at most {TTL_MS_MAX} milliseconds away: it is {now}"
        ))),
        Deadline::At(expires_at) => Ok(expires_at),
    }
}

/// A reservation lives in the lowest shard that it touches: looking it up then only ever locks
/// upwards.
fn home(lines: &[Line]) -> usize {
    lines.iter().map(|line| line.account.shard()).min().expect("a reservation has a line")
}

fn taken(lines: &[EventLine], account: AccountId) -> u64 {
    lines.iter().filter(|line| line.account == account.number()).map(|line| line.quantity).sum()
}

/// What windows give back before the lines are taken.
pub(super) fn renewals(locked: &impl View, lines: &[Line], now: TimeMs) -> Vec<Fact<'static>> {
    let mut facts: Vec<Fact<'static>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(account) = locked.account(line.account) else {
            continue;
        };
        let quantity = account.renewable(now);
        let first = lines[..index].iter().all(|earlier| earlier.account != line.account);
        if quantity > 0 && first {
            let available = account.available_after(quantity);
            facts.push(Fact::Renewed { account: line.account, quantity, available, kept: true });
        }
    }
    facts
}
