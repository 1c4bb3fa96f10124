//! Deciding what of a confirmed reservation goes back.

use super::existing;
use crate::base::error::{Error, Result};
use crate::base::{ReservationId, TimeMs};
use crate::event::{EventLine, EventLines};
use crate::ledger::Line;
use crate::ledger::shard::LockedShards;

/// What a confirmed reservation consumed, as history tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used<'a> {
    pub(crate) reservation: ReservationId,
    pub(crate) lines: &'a [Line],
    /// When it was confirmed.
    pub(crate) consumed_at: TimeMs,
}

/// The return of what a confirmed reservation consumed. Of each line: how much of it counted and
/// goes back, and how much had stopped to count before.
///
/// # Errors
/// `Conflict` when the reservation cannot have consumed that.
pub(in crate::ledger) fn give_back_consumed(
    locked: &LockedShards<'_>,
    used: &Used<'_>,
    now: TimeMs,
) -> Result<EventLines> {
    check_confirmed(locked, used, now)?;
    let mut returned = EventLines::new();
    for line in used.lines {
        let account = existing(locked, line.account)?;
        let same = returned.iter().filter(|earlier| earlier.account == line.account.number());
        let (back, past) =
            same.fold((0, 0), |sum, line| (sum.0 + line.quantity, sum.1 + line.consumed));
        let (there, counting) = match account.used_at(used.consumed_at) {
            Some(found) => {
                (found.quantity, account.consumed.saturating_sub(found.newer).min(found.quantity))
            }
            None => (account.consumed, account.consumed),
        };
        let left = there.saturating_sub(back + past);
        let quantity = if account.may_have_forgotten(used.consumed_at) {
            line.quantity.min(left)
        } else {
            line.quantity
        };
        if quantity > left {
            let why = format!("{} does not have these units consumed at that time", account.key);
            return Err(Error::conflict(why));
        }
        let counts = quantity.min(counting.saturating_sub(back));
        let available = account.available_after(back + counts);
        if quantity > 0 {
            let (account, consumed) = (line.account.number(), quantity - counts);
            returned.push(EventLine { account, quantity: counts, consumed, available });
        }
    }
    Ok(returned)
}

/// What a number tells: who is pending has consumed nothing, and neither has who was never made, or
/// lives elsewhere.
fn check_confirmed(locked: &LockedShards<'_>, used: &Used<'_>, now: TimeMs) -> Result<()> {
    let id = used.reservation;
    let reservations = &locked.shard(id.shard()).reservations;
    if reservations.get(id).is_some() {
        return Err(Error::conflict(format!(
            "reservation {id} is pending: nothing of it is consumed"
        )));
    }
    let is_elsewhere = used.lines.iter().any(|line| line.account.shard() < id.shard());
    if id.count() >= reservations.numbered() || is_elsewhere || used.consumed_at > now {
        return Err(Error::conflict(format!("reservation {id} was not made in this ledger")));
    }
    Ok(())
}
