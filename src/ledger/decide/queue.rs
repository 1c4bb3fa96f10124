//! Deciding who waits: a line begins when nothing is left to take.

use std::borrow::Cow;

use super::existing;
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::event::Fact;
use crate::ledger::shard::LockedShards;
use crate::ledger::{Join, JoinOutcome, Leave, LeaveOutcome};

/// A place in the line. Who has one keeps it.
///
/// # Errors
/// `Invalid` for an account of granted units, `NotFound`, `Overloaded` when the shard has as many
/// places as it may have.
pub(in crate::ledger) fn join<'a>(
    locked: &LockedShards<'_>,
    request: &Join<'a>,
    now: TimeMs,
    places_per_shard_max: usize,
) -> Result<(JoinOutcome, Option<Fact<'a>>)> {
    let Join { account: id, owner, places_max, body, .. } = *request;
    let account = existing(locked, id)?;
    if account.is_granted() {
        return Err(Error::invalid(format!("{} grants units: nobody waits for them", account.key)));
    }
    let (ahead, place) = match account.queue.as_deref() {
        Some(queue) => {
            if let Some((ahead, waiting)) = queue.find(owner) {
                return Ok((JoinOutcome::Waiting { place: waiting.place, ahead }, None));
            }
            (queue.places.len(), queue.given)
        }
        None => (0, 0),
    };
    let units = account.takeable_in_line(now);
    if ahead == 0 && units > 0 {
        return Ok((JoinOutcome::Available { units }, None));
    }
    if ahead >= places_max {
        return Ok((JoinOutcome::Full { places: ahead }, None));
    }
    if locked.shard(id.shard()).waiting >= places_per_shard_max {
        return Err(Error::overloaded("too many wait for units"));
    }
    let fact = Fact::Queued { account: id, place, owner, body: Cow::Borrowed(body) };
    Ok((JoinOutcome::Waiting { place, ahead }, Some(fact)))
}

/// A place that is given up.
///
/// # Errors
/// `NotFound` when there is no such account.
pub(in crate::ledger) fn leave<'a>(
    locked: &LockedShards<'_>,
    request: &Leave<'a>,
) -> Result<(LeaveOutcome, Option<Fact<'a>>)> {
    let Leave { account: id, owner, place: only, note, .. } = *request;
    let queue = existing(locked, id)?.queue.as_deref();
    let found = queue.and_then(|queue| queue.find(owner)).map(|(_, waiting)| waiting.place);
    let Some(place) = found.filter(|place| only.is_none_or(|only| only == *place)) else {
        return Ok((LeaveOutcome::NotWaiting, None));
    };
    let note = Cow::Borrowed(note);
    let fact = Fact::Dequeued { account: id, place, owner, reservation: None, note };
    Ok((LeaveOutcome::Left { place }, Some(fact)))
}
