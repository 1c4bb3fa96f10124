//! Requests as the ledger takes them, and what it answers. Requests are never journaled; their
//! results are.

use serde::{Deserialize, Serialize};

use crate::base::{AccountId, AccountKey, IdempotencyKey, ReservationId, TimeMs};
use crate::event::Policy;

/// One take of a reservation: so many units of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Line {
    /// The account to take from.
    pub account: AccountId,
    /// How many units, 1 to [`QUANTITY_MAX`].
    pub quantity: u64,
}

/// A take on one or more accounts: all lines or none.
#[derive(Clone, Copy, Debug)]
pub struct Reserve<'a> {
    /// What to take: 1 to [`LINES_MAX`] lines. Two lines of one account count together.
    pub lines: &'a [Line],
    /// How long the units are held, 1 to [`TTL_MS_MAX`] milliseconds.
    pub ttl_ms: u64,
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
        Self { lines, ttl_ms, confirm: false, owner: None, details: &[], key: None }
    }

    /// Confirms in the same step.
    pub fn confirmed(mut self) -> Self {
        self.confirm = true;
        self
    }

    /// On behalf of this account.
    pub fn owner(mut self, owner: AccountId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// With these details for history.
    pub fn details(mut self, details: &'a [u8]) -> Self {
        self.details = details;
        self
    }

    /// With this idempotency key.
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }
}

/// A request to the ledger.
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    /// Adds units to an account.
    Receive {
        /// The account.
        account: AccountId,
        /// How many units, at least 1.
        quantity: u64,
        /// Why, for history.
        note: &'a str,
        /// The request's name.
        key: Option<IdempotencyKey>,
    },
    /// Corrects an account after a count: up or down, never below what is reserved.
    Adjust {
        /// The account.
        account: AccountId,
        /// By how many units; not 0.
        delta: i64,
        /// Why, for history.
        note: &'a str,
        /// The request's name.
        key: Option<IdempotencyKey>,
    },
    /// Takes units out for good: broken, stolen, expired.
    WriteOff {
        /// The account.
        account: AccountId,
        /// How many units, at least 1.
        quantity: u64,
        /// Why, for history.
        note: &'a str,
        /// The request's name.
        key: Option<IdempotencyKey>,
    },
    /// Takes units of several accounts, all or none.
    Reserve(Reserve<'a>),
    /// Makes a reservation final.
    Confirm {
        /// The reservation.
        reservation: ReservationId,
        /// When given, the reservation must be on behalf of this account.
        owner: Option<AccountId>,
        /// How much of each line, in the reservation's order; what is left out goes back. `None` is
        /// everything.
        quantities: Option<&'a [u64]>,
        /// The request's name.
        key: Option<IdempotencyKey>,
    },
    /// Gives a reservation's units back.
    Release {
        /// The reservation.
        reservation: ReservationId,
        /// When given, the reservation must be on behalf of this account.
        owner: Option<AccountId>,
        /// The request's name.
        key: Option<IdempotencyKey>,
    },
}

impl Command<'_> {
    /// The request's name, where it has one.
    pub fn key(&self) -> Option<IdempotencyKey> {
        match self {
            Self::Receive { key, .. }
            | Self::Adjust { key, .. }
            | Self::WriteOff { key, .. }
            | Self::Confirm { key, .. }
            | Self::Release { key, .. } => *key,
            Self::Reserve(reserve) => reserve.key,
        }
    }
}

/// Why and where a request found too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The index of the first line that could not be taken.
    pub line: usize,
    /// That line's account.
    pub account: AccountId,
    /// What could be taken at that moment, in units; a backorder allowance counts.
    pub available: u64,
    /// When units may come back: the earliest deadline of a reservation that holds some, or a
    /// quota's renewal.
    pub next_release_at: Option<TimeMs>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An account was changed by a receipt, an adjustment or a write-off.
    Changed {
        /// The account.
        account: AccountId,
        /// What is available after it.
        available: i64,
    },
    /// Everything was taken.
    Reserved {
        /// The reservation's number.
        reservation: ReservationId,
        /// The deadline.
        expires_at: TimeMs,
        /// Whether it was confirmed in the same step.
        confirmed: bool,
    },
    /// Nothing was taken.
    Refused(Refusal),
    /// The reservation is now confirmed.
    Confirmed {
        /// The reservation.
        reservation: ReservationId,
    },
    /// The reservation is now released.
    Released {
        /// The reservation.
        reservation: ReservationId,
    },
    /// The confirmed reservation's units were returned.
    Returned {
        /// The reservation.
        reservation: ReservationId,
    },
    /// The fact is recorded; no account changed.
    Recorded,
    /// Too late: the deadline has passed. Nothing was changed by this request, and nothing is
    /// written for it: call [`Engine::expire_due`](crate::Engine::expire_due) before telling
    /// somebody who must never hear otherwise, though the process dies and the machine's clock is
    /// set back.
    Late {
        /// The reservation.
        reservation: ReservationId,
        /// The deadline that passed.
        expires_at: TimeMs,
    },
    /// The reservation is not pending: it ended before, was never made, or is on another's behalf.
    NotPending {
        /// The reservation.
        reservation: ReservationId,
    },
}

/// An account as it stands: `received = available + reserved + consumed + written_off`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The account's number.
    pub account: AccountId,
    /// The account's name.
    pub key: AccountKey,
    /// The account's rules.
    pub policy: Policy,
    /// Units that can be taken; below 0 only by the backorder allowance.
    pub available: i64,
    /// Units held by pending reservations.
    pub reserved: u64,
    /// Units of confirmed reservations, as far as they have not come back.
    pub consumed: u64,
    /// Units ever received: of a quota what its rule grants, and what is out beyond that since a
    /// rule changed.
    pub received: u64,
    /// Units written off.
    pub written_off: u64,
}

/// A pending reservation as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The reservation's number.
    pub reservation: ReservationId,
    /// On whose behalf.
    pub owner: Option<AccountId>,
    /// What it holds.
    pub lines: Vec<Line>,
    /// The deadline.
    pub expires_at: TimeMs,
}
