//! What history tells beside the events of a period. It never changes: what an order keeps is written
//! once, and who exchanged before a moment that is over has done so.

use super::tally::Past;
use crate::base::error::Result;
use crate::base::{AccountKey, ReservationId, TimeMs};
use crate::engine::Engine;
use crate::history::record::{ReservationRecord, ReservationState};
use crate::ledger::first_made_at;
use crate::mall::facts::OrderDetails;

/// How many orders of a user are read at once.
const PIECE: usize = 16;

pub(super) struct OfHistory<'e> {
    pub(super) engine: &'e Engine,
}

impl Past for OfHistory<'_> {
    fn details(&self, reservation: ReservationId) -> Result<Option<OrderDetails>> {
        let record = self.engine.history().reservation(reservation)?;
        Ok(record.and_then(|record| OrderDetails::read(&record.details)))
    }

    fn exchanged_before(&self, user: &str, at: TimeMs) -> Result<bool> {
        let Some(owner) = self.engine.account(&AccountKey::points(user)?) else {
            return Ok(false);
        };
        // What was exchanged by then was made by then, whatever became of the clock meanwhile.
        let mut before = Some(first_made_at(at.saturating_add(super::SET_BACK_MS)));
        loop {
            let page = self.engine.history().reservations_of(owner, before, PIECE)?;
            if page.iter().any(|record| was_exchanged(record, at)) {
                return Ok(true);
            }
            if page.len() < PIECE {
                return Ok(false);
            }
            before = page.last().map(|record| record.reservation);
        }
    }
}

fn was_exchanged(record: &ReservationRecord, before: TimeMs) -> bool {
    let is_exchange = match record.state {
        ReservationState::Confirmed | ReservationState::Returned => true,
        ReservationState::Pending | ReservationState::Released | ReservationState::Expired => false,
    };
    is_exchange
        && record.ended_at.is_some_and(|ended_at| ended_at < before)
        && OrderDetails::read(&record.details).is_some()
}
