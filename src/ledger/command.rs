//! Requests as the ledger takes them. Requests are never journaled; their results are.
//!
//! Each begins with what it cannot do without, and is told the rest by methods named for it.

use serde::{Deserialize, Serialize};

use crate::base::{AccountId, IdempotencyKey, ReservationId, TimeMs};
#[cfg(doc)]
use crate::base::{BODY_BYTES_MAX, LINES_MAX, QUANTITY_MAX, TTL_MS_MAX};
use crate::event::Policy;

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
    /// For so many milliseconds from when it is made: 1 to [`TTL_MS_MAX`].
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

    /// With this idempotency key.
    pub fn key(mut self, key: impl Into<Option<IdempotencyKey>>) -> Self {
        self.key = key.into();
        self
    }
}

/// Adds units to an account.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Receive<'a> {
    /// The account.
    pub account: AccountId,
    /// How many units, 1 to [`QUANTITY_MAX`].
    pub quantity: u64,
    /// Why, for history.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Receive<'a> {
    /// Adds `quantity` units to `account`.
    pub fn new(account: AccountId, quantity: u64) -> Self {
        Self { account, quantity, note: "", key: None }
    }

    /// Why, for history: at most [`BODY_BYTES_MAX`] bytes.
    pub fn note(mut self, note: &'a str) -> Self {
        self.note = note;
        self
    }

    /// With this idempotency key.
    pub fn key(mut self, key: impl Into<Option<IdempotencyKey>>) -> Self {
        self.key = key.into();
        self
    }
}

/// Corrects an account after a count: up or down, never below what is reserved.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Adjust<'a> {
    /// The account.
    pub account: AccountId,
    /// By how many units; not 0.
    pub delta: i64,
    /// Why, for history.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Adjust<'a> {
    /// Changes what `account` has available by `delta` units.
    pub fn new(account: AccountId, delta: i64) -> Self {
        Self { account, delta, note: "", key: None }
    }

    /// Why, for history: at most [`BODY_BYTES_MAX`] bytes.
    pub fn note(mut self, note: &'a str) -> Self {
        self.note = note;
        self
    }

    /// With this idempotency key.
    pub fn key(mut self, key: impl Into<Option<IdempotencyKey>>) -> Self {
        self.key = key.into();
        self
    }
}

/// Takes units out for good: broken, stolen, past their date.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct WriteOff<'a> {
    /// The account.
    pub account: AccountId,
    /// How many units, 1 to [`QUANTITY_MAX`].
    pub quantity: u64,
    /// Why, for history.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> WriteOff<'a> {
    /// Takes `quantity` units out of `account`.
    pub fn new(account: AccountId, quantity: u64) -> Self {
        Self { account, quantity, note: "", key: None }
    }

    /// Why, for history: at most [`BODY_BYTES_MAX`] bytes.
    pub fn note(mut self, note: &'a str) -> Self {
        self.note = note;
        self
    }

    /// With this idempotency key.
    pub fn key(mut self, key: impl Into<Option<IdempotencyKey>>) -> Self {
        self.key = key.into();
        self
    }
}

/// Moves units that one account has available to another of the same kind, in one step.
///
/// They count as written off where they were and as received where they are. Quotas have no units
/// of their own that could be moved.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Transfer<'a> {
    /// Where the units are.
    pub from: AccountId,
    /// Where they go: another account of the same kind, and for kinds of your own of the same name.
    pub to: AccountId,
    /// How many units, 1 to [`QUANTITY_MAX`].
    pub quantity: u64,
    /// Why, for the history of both accounts.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Transfer<'a> {
    /// Moves `quantity` units from `from` to `to`.
    pub fn new(from: AccountId, to: AccountId, quantity: u64) -> Self {
        Self { from, to, quantity, note: "", key: None }
    }

    /// Why, for the history of both accounts: at most [`BODY_BYTES_MAX`] bytes.
    pub fn note(mut self, note: &'a str) -> Self {
        self.note = note;
        self
    }

    /// With this idempotency key.
    pub fn key(mut self, key: impl Into<Option<IdempotencyKey>>) -> Self {
        self.key = key.into();
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

/// Returns what a confirmed reservation consumed, once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Refund<'a> {
    /// The reservation.
    pub reservation: ReservationId,
    /// When given, the reservation must be on behalf of this account.
    pub owner: Option<AccountId>,
    /// Why, for history.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Refund<'a> {
    /// Returns what `reservation` consumed.
    pub fn new(reservation: ReservationId) -> Self {
        Self { reservation, owner: None, note: "", key: None }
    }

    /// Why, for history: at most [`BODY_BYTES_MAX`] bytes.
    pub fn note(mut self, note: &'a str) -> Self {
        self.note = note;
        self
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

impl From<ReservationId> for Refund<'_> {
    fn from(reservation: ReservationId) -> Self {
        Self::new(reservation)
    }
}

/// Keeps a note with a reservation in history; no account changes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Note<'a> {
    /// The reservation.
    pub reservation: ReservationId,
    /// Opaque; at most [`BODY_BYTES_MAX`] bytes.
    pub body: &'a [u8],
}

impl<'a> Note<'a> {
    /// Keeps `body` with `reservation`.
    pub fn new(reservation: ReservationId, body: &'a [u8]) -> Self {
        Self { reservation, body }
    }
}

/// Writes a document beside the ledger, or removes it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct PutDocument<'a> {
    /// Its collection, such as `product`: 1 to 128 bytes.
    pub collection: &'a str,
    /// Its name in the collection: 1 to 128 bytes.
    pub name: &'a str,
    /// Its content, at most [`BODY_BYTES_MAX`] bytes; `None` removes it.
    pub body: Option<&'a [u8]>,
}

impl<'a> PutDocument<'a> {
    /// Writes `body` as the document `name` of `collection`.
    pub fn new(collection: &'a str, name: &'a str, body: &'a [u8]) -> Self {
        Self { collection, name, body: Some(body) }
    }

    /// Removes the document `name` of `collection`.
    pub fn remove(collection: &'a str, name: &'a str) -> Self {
        Self { collection, name, body: None }
    }
}

/// Gives an account other rules.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct SetPolicy {
    /// The account.
    pub account: AccountId,
    /// Its rules from now on.
    pub policy: Policy,
}

impl SetPolicy {
    /// Gives `account` the rules of `policy`.
    pub fn new(account: AccountId, policy: Policy) -> Self {
        Self { account, policy }
    }
}

/// A request that the ledger decides at once, alone or in a batch.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Command<'a> {
    /// See [`Receive`].
    Receive(Receive<'a>),
    /// See [`Adjust`].
    Adjust(Adjust<'a>),
    /// See [`WriteOff`].
    WriteOff(WriteOff<'a>),
    /// See [`Reserve`].
    Reserve(Reserve<'a>),
    /// See [`Confirm`].
    Confirm(Confirm<'a>),
    /// See [`Release`].
    Release(Release),
    /// See [`Transfer`].
    Transfer(Transfer<'a>),
    /// See [`Extend`].
    Extend(Extend),
}

impl Command<'_> {
    /// The request's name, where it has one.
    pub fn key(&self) -> Option<IdempotencyKey> {
        match self {
            Self::Receive(receive) => receive.key,
            Self::Adjust(adjust) => adjust.key,
            Self::WriteOff(write_off) => write_off.key,
            Self::Reserve(reserve) => reserve.key,
            Self::Confirm(confirm) => confirm.key,
            Self::Release(release) => release.key,
            Self::Transfer(transfer) => transfer.key,
            Self::Extend(extend) => extend.key,
        }
    }
}

/// A command is made from the request that it is.
macro_rules! commands {
    ($($name:ident: $request:ty),*) => {$(
        impl<'a> From<$request> for Command<'a> {
            fn from(request: $request) -> Self {
                Self::$name(request)
            }
        }
    )*};
}

commands!(
    Receive: Receive<'a>,
    Adjust: Adjust<'a>,
    WriteOff: WriteOff<'a>,
    Reserve: Reserve<'a>,
    Confirm: Confirm<'a>,
    Release: Release,
    Transfer: Transfer<'a>,
    Extend: Extend
);
