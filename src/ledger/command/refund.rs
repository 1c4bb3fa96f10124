//! What is asked about reservations that ended, as the engine puts it to the ledger: with what
//! history tells of them.

use super::Line;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, IdempotencyKey, LINES_MAX, QUANTITY_MAX, ReservationId, TimeMs};
use crate::event::PartLine;

/// What a confirmed reservation consumed, as history tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used<'a> {
    pub(crate) reservation: ReservationId,
    /// What it consumed, and how much of that is back.
    pub(crate) lines: &'a [PartLine],
    /// When it was confirmed.
    pub(crate) consumed_at: TimeMs,
}

/// What a reservation held that expired, as history tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    pub(crate) reservation: ReservationId,
    /// On whose behalf it was.
    pub(crate) owner: Option<AccountId>,
    pub(crate) lines: &'a [Line],
    /// What it takes now: the same, but that a user's points may be of other accounts of that user.
    pub(crate) takes: &'a [Line],
    /// The deadline it had.
    pub(crate) expires_at: TimeMs,
}

/// Who asks for the return of what a confirmed reservation consumed, of how much, and why.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Return<'a> {
    /// `None` is everything that is left.
    pub(crate) part: Option<&'a [Line]>,
    /// The accounts whose units are written off instead of being available again.
    pub(crate) written_off: &'a [AccountId],
    pub(crate) note: &'a str,
    /// The deadline it had; 0 when that is not known.
    pub(crate) expires_at: TimeMs,
    /// On whose behalf it is asked for.
    pub(crate) owner: Option<AccountId>,
    pub(crate) key: Option<IdempotencyKey>,
}

impl Return<'_> {
    /// Rejects what no state could make right.
    ///
    /// # Errors
    /// `Invalid`, naming the bound.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(part) = self.part else {
            return Ok(());
        };
        if !(1..=LINES_MAX).contains(&part.len()) {
            return Err(Error::invalid(format!("a return in part names 1 to {LINES_MAX} lines")));
        }
        match part.iter().all(|line| (1..=QUANTITY_MAX).contains(&line.quantity)) {
            true => Ok(()),
            false => Err(Error::invalid(format!("a quantity is 1 to {QUANTITY_MAX} units"))),
        }
    }
}
