//! Several commands in one request.

use serde::{Deserialize, Serialize};

use super::account::{AccountRef, Changed, Transferred, UnitsLeft};
use super::decimal::{list, maybe, whole};
use super::reservation::{NewReservation, Refused, Reserved, Settled, StatusFound, number};
use crate::base::{ReservationId, TimeMs};

/// Commands to execute: each for itself, or all of them or none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// The commands, in their order.
    pub commands: Vec<BatchCommand>,
    /// Whether all of them happen or none; each for itself when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atomic: Option<bool>,
}

/// One of several commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are those of the same command by itself")]
pub enum BatchCommand {
    /// Adds units.
    Receive {
        account: AccountRef,
        #[serde(deserialize_with = "whole")]
        quantity: u64,
        note: Option<String>,
    },
    /// Corrects an account by so many units.
    Adjust {
        account: AccountRef,
        #[serde(deserialize_with = "whole")]
        delta: i64,
        note: Option<String>,
    },
    /// Corrects an account to what was counted.
    Count {
        account: AccountRef,
        #[serde(deserialize_with = "whole")]
        counted: u64,
        note: Option<String>,
    },
    /// Takes units out for good.
    WriteOff {
        account: AccountRef,
        #[serde(deserialize_with = "whole")]
        quantity: u64,
        note: Option<String>,
    },
    /// Moves units to another account.
    Transfer {
        from: AccountRef,
        to: AccountRef,
        #[serde(deserialize_with = "whole")]
        quantity: u64,
        note: Option<String>,
    },
    /// Takes units and holds them.
    Reserve(NewReservation),
    /// Makes a reservation final, or a part of it.
    Confirm {
        #[serde(with = "number")]
        reservation: ReservationId,
        #[serde(default, deserialize_with = "list")]
        quantities: Option<Vec<u64>>,
        owner: Option<AccountRef>,
    },
    /// Gives a reservation's units back.
    Release {
        #[serde(with = "number")]
        reservation: ReservationId,
        owner: Option<AccountRef>,
    },
    /// Gives a reservation another deadline.
    Extend {
        #[serde(with = "number")]
        reservation: ReservationId,
        #[serde(default, deserialize_with = "maybe")]
        ttl_ms: Option<u64>,
        #[serde(default, deserialize_with = "maybe")]
        expires_at: Option<TimeMs>,
        owner: Option<AccountRef>,
    },
}

/// What became of commands, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// Of each command what became of it.
    pub results: Vec<CommandResult>,
}

/// What became of one of several commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CommandResult {
    /// It happened.
    Done(CommandDone),
    /// It did not, and changed nothing unless its code says otherwise.
    Failed(CommandFailed),
}

/// What a command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CommandDone {
    /// It changed an account.
    Changed(Changed),
    /// It moved units.
    Transferred(Transferred),
    /// It made a reservation, or gave it another deadline.
    Reserved(Reserved),
    /// It ended a reservation.
    Settled(Settled),
}

/// Why a command did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandFailed {
    /// The code that the command by itself would be answered with.
    pub code: String,
    /// For people.
    pub message: String,
    /// What was found.
    pub data: Option<Found>,
}

/// What a request found that was not done: the `data` of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Found {
    /// Too few units.
    Units(Refused),
    /// A reservation that stands elsewhere.
    Status(StatusFound),
    /// An account that is not empty.
    Left(UnitsLeft),
    /// Events that are no longer kept.
    Oldest(OldestEvent),
}

/// The oldest event that is kept: the `data` of `EVENTS_GONE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OldestEvent {
    /// Its number.
    pub oldest: u64,
}
