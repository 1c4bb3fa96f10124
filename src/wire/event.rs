//! Events.

use serde::{Deserialize, Serialize};

use super::account::AccountPolicy;
use super::reservation::{maybe_number, number};
use crate::base::{AccountId, AccountKey, ReservationId, Seq, TimeMs};

/// Some events, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    /// The events.
    pub events: Vec<LedgerEvent>,
    /// Where the next page begins.
    pub next: Seq,
}

/// What happened in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEvent {
    /// Its number: one more than that of the event before.
    pub seq: Seq,
    /// When, milliseconds since 1970.
    pub at: TimeMs,
    /// What happened, in this order: several facts of commands that happened together, otherwise one.
    pub facts: Vec<LedgerFact>,
}

/// What an event did to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FactLine {
    /// The account.
    pub account: AccountId,
    /// How many units it is about.
    pub quantity: u64,
    /// How many of them are consumed.
    pub consumed: u64,
    /// What the account has available after it.
    pub available: i64,
}

/// One thing that happened. What is kept beside (notes of the mall, documents, details that are no
/// text) is not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of `event::Fact`")]
#[non_exhaustive]
pub enum LedgerFact {
    /// An account exists from now on.
    AccountOpened { account: AccountId, key: AccountKey, policy: AccountPolicy },
    /// An account has other rules.
    PolicyChanged { account: AccountId, policy: AccountPolicy, available: i64 },
    /// An account is closed for good.
    AccountClosed { account: AccountId, key: AccountKey },
    /// Units came in. `by` is who said so, where that is known.
    Received { account: AccountId, quantity: u64, available: i64, by: Option<String>, note: String },
    /// A count corrected the account.
    Adjusted { account: AccountId, delta: i64, available: i64, by: Option<String>, note: String },
    /// Units left for good.
    WrittenOff {
        account: AccountId,
        quantity: u64,
        available: i64,
        by: Option<String>,
        note: String,
    },
    /// Units went from one account to another.
    Transferred {
        from: AccountId,
        to: AccountId,
        quantity: u64,
        from_available: i64,
        to_available: i64,
        by: Option<String>,
        note: String,
    },
    /// A quota's window gave consumed units back.
    Renewed { account: AccountId, quantity: u64, available: i64 },
    /// A reservation took its lines.
    Reserved {
        #[serde(with = "number")]
        reservation: ReservationId,
        owner: Option<AccountId>,
        expires_at: TimeMs,
        confirmed: bool,
        lines: Vec<FactLine>,
        details: Option<String>,
    },
    /// A reservation has another deadline.
    Extended {
        #[serde(with = "number")]
        reservation: ReservationId,
        was: TimeMs,
        expires_at: TimeMs,
        lines: Vec<FactLine>,
    },
    /// A reservation became final.
    Confirmed {
        #[serde(with = "number")]
        reservation: ReservationId,
        lines: Vec<FactLine>,
    },
    /// A reservation was given up.
    Released {
        #[serde(with = "number")]
        reservation: ReservationId,
        lines: Vec<FactLine>,
    },
    /// A reservation's deadline passed.
    Expired {
        #[serde(with = "number")]
        reservation: ReservationId,
        lines: Vec<FactLine>,
    },
    /// An expired reservation took its lines once more, and is confirmed.
    Revived {
        #[serde(with = "number")]
        reservation: ReservationId,
        owner: Option<AccountId>,
        lines: Vec<FactLine>,
    },
    /// Consumed units of a confirmed reservation went back.
    Returned {
        #[serde(with = "number")]
        reservation: ReservationId,
        lines: Vec<FactLine>,
        by: Option<String>,
        note: String,
    },
    /// Something was noted on a reservation.
    Noted {
        #[serde(with = "number")]
        reservation: ReservationId,
    },
    /// A document beside the ledger was written, or removed.
    Document { collection: String, key: String, removed: bool },
    /// The engine's time was set back.
    ClockMended { from: TimeMs },
    /// Somebody waits for units of an account.
    Queued { account: AccountId, place: u64, owner: AccountId },
    /// Somebody waits no longer.
    Dequeued {
        account: AccountId,
        place: u64,
        owner: AccountId,
        #[serde(with = "maybe_number")]
        reservation: Option<ReservationId>,
    },
    /// Something that this release does not know.
    #[serde(other)]
    Unknown,
}

/// Why a stream of events ends: the `data` of its event `end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamEnd {
    /// `SLOW_READER`, `EVENTS_GONE`, or `UNAVAILABLE`.
    pub code: String,
    /// For people.
    pub message: String,
}
