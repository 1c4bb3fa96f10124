//! Requests about reservations.

use serde::{Deserialize, Serialize};

use super::builders;
use crate::base::{AccountId, IdempotencyKey, ReservationId, TimeMs};
#[cfg(doc)]
use crate::base::{BODY_BYTES_MAX, LINES_MAX, QUANTITY_MAX, TTL_MS_MAX};

/// One take of a reservation: so many units of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Line {
    /// The account to take from.
    pub account: AccountId,
    /// How many units, 1 to [`QUANTITY_MAX`].
    pub quantity: u64,
}

/// How long a reservation holds its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deadline {
    /// For this many milliseconds from when it is made: 1 to [`TTL_MS_MAX`].
    After(u64),
    /// Until this time: later than the engine's, by at most [`TTL_MS_MAX`] milliseconds.
    At(TimeMs),
}

/// A take on one or more accounts: all lines or none.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Reserve<'a> {
    /// What to take: 1 to [`LINES_MAX`] lines. Two lines of one account count together.
    pub lines: &'a [Line],
    /// How long the units are held.
    pub deadline: Deadline,
    /// Confirm in the same step: nothing is ever pending.
    pub confirm: bool,
    /// The account on whose behalf this is; history finds reservations by it.
    pub owner: Option<AccountId>,
    /// Opaque details that history keeps, at most [`BODY_BYTES_MAX`] bytes.
    pub details: &'a [u8],
    /// The request's name, so that a retry gets this request's answer.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Reserve<'a> {
    /// Takes `lines` and holds them for `ttl_ms` milliseconds.
    pub fn new(lines: &'a [Line], ttl_ms: u64) -> Self {
        Self::by(lines, Deadline::After(ttl_ms))
    }

    /// Takes `lines` and holds them until `expires_at`, Unix time in milliseconds by the engine's
    /// clock.
    pub fn until(lines: &'a [Line], expires_at: TimeMs) -> Self {
        Self::by(lines, Deadline::At(expires_at))
    }

    fn by(lines: &'a [Line], deadline: Deadline) -> Self {
        Self { lines, deadline, confirm: false, owner: None, details: &[], key: None }
    }

    /// Confirms in the same step.
    pub fn confirmed(mut self) -> Self {
        self.confirm = true;
        self
    }

    /// On behalf of this account.
    pub fn owner(mut self, owner: impl Into<Option<AccountId>>) -> Self {
        self.owner = owner.into();
        self
    }

    /// With these details for history.
    pub fn details(mut self, details: &'a [u8]) -> Self {
        self.details = details;
        self
    }
}

/// Makes a reservation final.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Confirm<'a> {
    /// The reservation.
    pub reservation: ReservationId,
    /// When given, the reservation must be on behalf of this account.
    pub owner: Option<AccountId>,
    /// How much of each line, in the reservation's order; what is left out goes back. `None` is
    /// everything.
    pub quantities: Option<&'a [u64]>,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Confirm<'a> {
    /// Makes all of `reservation` final.
    pub fn new(reservation: ReservationId) -> Self {
        Self { reservation, owner: None, quantities: None, key: None }
    }

    /// Only so much of each line, in the reservation's order; the rest goes back.
    pub fn part(mut self, quantities: &'a [u64]) -> Self {
        self.quantities = Some(quantities);
        self
    }
}

impl From<ReservationId> for Confirm<'_> {
    fn from(reservation: ReservationId) -> Self {
        Self::new(reservation)
    }
}

/// Gives a reservation's units back.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Release {
    /// The reservation.
    pub reservation: ReservationId,
    /// When given, the reservation must be on behalf of this account.
    pub owner: Option<AccountId>,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl Release {
    /// Gives back what `reservation` holds.
    pub fn new(reservation: ReservationId) -> Self {
        Self { reservation, owner: None, key: None }
    }
}

impl From<ReservationId> for Release {
    fn from(reservation: ReservationId) -> Self {
        Self::new(reservation)
    }
}

/// Gives a pending reservation another deadline, later or earlier.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Extend {
    /// The reservation.
    pub reservation: ReservationId,
    /// Until when it holds its units: counted from now, whatever the deadline was.
    pub deadline: Deadline,
    /// When given, the reservation must be on behalf of this account.
    pub owner: Option<AccountId>,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl Extend {
    /// Lets `reservation` hold its units for `ttl_ms` milliseconds from now.
    pub fn new(reservation: ReservationId, ttl_ms: u64) -> Self {
        Self::by(reservation, Deadline::After(ttl_ms))
    }

    /// Lets `reservation` hold its units until `expires_at`, Unix time in milliseconds by the
    /// engine's clock.
    pub fn until(reservation: ReservationId, expires_at: TimeMs) -> Self {
        Self::by(reservation, Deadline::At(expires_at))
    }

    fn by(reservation: ReservationId, deadline: Deadline) -> Self {
        Self { reservation, deadline, owner: None, key: None }
    }
}

/// Takes everything again that a reservation held which has expired, and confirms it under its own
/// number: all of it, or nothing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Reacquire {
    /// The reservation.
    pub reservation: ReservationId,
    /// When given, the reservation must be on behalf of this account.
    pub owner: Option<AccountId>,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl Reacquire {
    /// Takes again what `reservation` held, and confirms it.
    pub fn new(reservation: ReservationId) -> Self {
        Self { reservation, owner: None, key: None }
    }
}

impl From<ReservationId> for Reacquire {
    fn from(reservation: ReservationId) -> Self {
        Self::new(reservation)
    }
}

/// Returns what a confirmed reservation consumed: all that is left of it, or a part. Each unit is
/// returned once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Refund<'a> {
    /// The reservation.
    pub reservation: ReservationId,
    /// So many units of these accounts, 1 to [`LINES_MAX`] lines; `None` is everything that is left.
    pub part: Option<&'a [Line]>,
    /// The accounts whose units are written off instead of being available again.
    pub written_off: &'a [AccountId],
    /// When given, the reservation must be on behalf of this account.
    pub owner: Option<AccountId>,
    /// Why, for history.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Refund<'a> {
    /// Returns what `reservation` consumed, or what is left of it.
    pub fn new(reservation: ReservationId) -> Self {
        Self { reservation, part: None, written_off: &[], owner: None, note: "", key: None }
    }

    /// Only so many units of these accounts: 1 to [`LINES_MAX`] lines, each of at most what is left.
    /// Two lines of one account count together.
    pub fn part(mut self, lines: &'a [Line]) -> Self {
        self.part = Some(lines);
        self
    }

    /// Of these accounts, what is returned came back broken: it is written off instead of being
    /// available again. Not of quotas, and only of accounts of which units are returned.
    pub fn written_off(mut self, accounts: &'a [AccountId]) -> Self {
        self.written_off = accounts;
        self
    }
}

impl From<ReservationId> for Refund<'_> {
    fn from(reservation: ReservationId) -> Self {
        Self::new(reservation)
    }
}

builders!(['a] Reserve<'a> { key });
builders!(['a] Confirm<'a> { only_of, key });
builders!([] Release { only_of, key });
builders!([] Extend { only_of, key });
builders!([] Reacquire { only_of, key });
builders!(['a] Refund<'a> { note, only_of, key });
