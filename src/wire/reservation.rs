//! Reservations.

use serde::{Deserialize, Serialize};

use super::account::AccountRef;
use super::decimal::{list, maybe, whole};
use crate::base::{AccountId, AccountKey, ReservationId, TimeMs};
use crate::ledger;

/// A reservation's number as a text.
pub(super) mod number {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::base::ReservationId;

    pub(in crate::wire) fn serialize<S: Serializer>(
        reservation: &ReservationId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(reservation)
    }

    pub(in crate::wire) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ReservationId, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        super::read_number(&text)
            .ok_or_else(|| D::Error::custom("a reservation is named by its number, as a text"))
    }
}

/// A reservation's number as a text, or null.
pub(super) mod maybe_number {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::base::ReservationId;

    pub(in crate::wire) fn serialize<S: Serializer>(
        reservation: &Option<ReservationId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match reservation {
            Some(reservation) => serializer.collect_str(reservation),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::wire) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<ReservationId>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = |text: String| {
            super::read_number(&text)
                .ok_or_else(|| D::Error::custom("a reservation is named by its number, as a text"))
        };
        text.map(read).transpose()
    }
}

/// The reservation with this number.
pub(crate) fn read_number(text: &str) -> Option<ReservationId> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_plain);
    number.map(ReservationId::from_number)
}

/// One take of a reservation: so many units of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TakenLine {
    /// The account.
    pub account: AccountRef,
    /// How many units.
    #[serde(deserialize_with = "whole")]
    pub quantity: u64,
}

/// A reservation to make. Exactly one of the two deadlines is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewReservation {
    /// What to take: all of it or nothing.
    pub lines: Vec<TakenLine>,
    /// For how many milliseconds from now the units are held.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// Until when they are held: milliseconds since 1970.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<TimeMs>,
    /// Whether it is confirmed in the same step; not when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<bool>,
    /// The account on whose behalf it is; the caller's own when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountRef>,
    /// What history keeps of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// A reservation that is to be confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfirmRequest {
    /// How much of each line, in the reservation's order; what is left out goes back. Everything when
    /// it is absent.
    #[serde(default, deserialize_with = "list", skip_serializing_if = "Option::is_none")]
    pub quantities: Option<Vec<u64>>,
    /// The account on whose behalf it was made; the caller's own when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountRef>,
}

/// A reservation that is to be released, or reacquired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnerRequest {
    /// The account on whose behalf it was made; the caller's own when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountRef>,
}

/// A reservation that is to have another deadline. Exactly one of the two is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtendRequest {
    /// For how many milliseconds from now the units are held.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// Until when they are held: milliseconds since 1970.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<TimeMs>,
    /// The account on whose behalf it was made; the caller's own when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountRef>,
}

/// What is to be returned of a confirmed reservation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefundRequest {
    /// So many units of these accounts; everything that is left when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<TakenLine>>,
    /// Of these accounts, what is returned is written off instead of being available again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_off: Option<Vec<AccountRef>>,
    /// Why, for history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The account on whose behalf it was made; the caller's own when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountRef>,
}

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ReservationStatus {
    /// It holds its units until its deadline.
    Pending,
    /// Its units are consumed.
    Confirmed,
    /// It was given up.
    Released,
    /// Its deadline passed.
    Expired,
    /// It was confirmed, and all its units were returned.
    Returned,
    /// It ended, and how can no longer be told.
    Unknown,
}

/// A reservation was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reserved {
    /// Its number.
    #[serde(with = "number")]
    pub reservation: ReservationId,
    /// Pending, or confirmed in the same step.
    pub status: ReservationStatus,
    /// Its deadline, milliseconds since 1970.
    pub expires_at: TimeMs,
}

impl From<ledger::Reserved> for Reserved {
    fn from(made: ledger::Reserved) -> Self {
        let status = match made.confirmed {
            true => ReservationStatus::Confirmed,
            false => ReservationStatus::Pending,
        };
        Self { reservation: made.reservation, status, expires_at: made.expires_at }
    }
}

/// What became of a reservation by a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settled {
    /// Its number.
    #[serde(with = "number")]
    pub reservation: ReservationId,
    /// What it is by this request. Of a refund in part, confirmed still.
    pub status: ReservationStatus,
}

/// One line of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationLine {
    /// The account's number.
    pub account: AccountId,
    /// Its key.
    pub key: AccountKey,
    /// How many units were taken.
    pub quantity: u64,
    /// How many of them were consumed.
    pub consumed: u64,
    /// How many of those were returned.
    pub returned: u64,
}

/// A reservation with its whole life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Its number.
    #[serde(with = "number")]
    pub reservation: ReservationId,
    /// Where it stands.
    pub status: ReservationStatus,
    /// The key of the account on whose behalf it is.
    pub owner: Option<AccountKey>,
    /// What it took.
    pub lines: Vec<ReservationLine>,
    /// When it was made, milliseconds since 1970.
    pub created_at: TimeMs,
    /// Its deadline.
    pub expires_at: TimeMs,
    /// When it was confirmed, released or expired.
    pub ended_at: Option<TimeMs>,
    /// When the last of its consumed units were returned.
    pub returned_at: Option<TimeMs>,
    /// What it was made with, where that is a text.
    pub details: Option<String>,
}

/// Why and where a request found too little: the `data` of `INSUFFICIENT_UNITS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The index of the first line that could not be taken.
    pub line: u64,
    /// That line's account.
    pub account: AccountId,
    /// What could be taken at that moment, in units; a backorder allowance counts.
    pub available: u64,
    /// When units may come back, milliseconds since 1970, where that is known.
    pub next_release_at: Option<TimeMs>,
}

/// Where a reservation stood that was asked for something else: the `data` of `RESERVATION_STATE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusFound {
    /// Where it stands.
    pub status: ReservationStatus,
    /// Of a refund of too much: of which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// How many units are left to return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}
