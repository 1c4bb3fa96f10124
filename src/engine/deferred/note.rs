//! Notes with a condition.

use crate::base::{AccountId, IdempotencyKey, ReservationId};
use crate::history::record::ReservationRecord;

/// Keeps a note with a reservation when a condition is met.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct NoteWhen<'a> {
    /// The reservation.
    pub reservation: ReservationId,
    /// When given, the reservation must be on behalf of this account.
    pub owner: Option<AccountId>,
    /// Opaque; at most [`BODY_BYTES_MAX`](crate::limits::BODY_BYTES_MAX) bytes.
    pub body: &'a [u8],
    /// The request's name.
    pub key: Option<IdempotencyKey>,
    /// What must hold of the reservation, as history shows it, for this body.
    pub when: fn(&ReservationRecord, &[u8]) -> bool,
}

impl<'a> NoteWhen<'a> {
    /// Keeps `body` with `reservation` when `when` holds of both. It is called on the thread that
    /// carries history, and must be quick.
    pub fn new(
        reservation: ReservationId,
        body: &'a [u8],
        when: fn(&ReservationRecord, &[u8]) -> bool,
    ) -> Self {
        Self { reservation, owner: None, body, key: None, when }
    }

    /// Only when the reservation is on behalf of this account.
    pub fn owner(mut self, owner: impl Into<Option<AccountId>>) -> Self {
        self.owner = owner.into();
        self
    }

    /// With this idempotency key.
    pub fn key(mut self, key: impl Into<Option<IdempotencyKey>>) -> Self {
        self.key = key.into();
        self
    }
}

/// What became of a note with a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteOutcome {
    /// It is kept with the reservation.
    Noted {
        /// The reservation.
        reservation: ReservationId,
    },
    /// The condition is not met, there is no such reservation in history, or it is on another's
    /// behalf. Nothing is remembered of the request.
    Unmet {
        /// The reservation.
        reservation: ReservationId,
    },
}
