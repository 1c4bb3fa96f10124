//! What history keeps of reservations and accounts: the records of the store, as callers read them.

use serde::{Deserialize, Serialize};

use crate::base::{AccountId, ReservationId, Seq, TimeMs, every};
pub(crate) use crate::event::ChangeKind;

every! {
    /// Where a reservation stands. Each end happens exactly once; what expired may be confirmed later
    /// all the same, once.
    ///
    /// The place of a state in this list is its number in history's rows: a new one goes to the end.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum ReservationState {
        /// It holds its units until its deadline.
        Pending,
        /// Its units are consumed.
        Confirmed,
        /// It was given up.
        Released,
        /// Its deadline passed.
        Expired,
        /// It was confirmed, and all its units were returned later.
        Returned,
    }
}

/// Which of two indexes of events a change is found by. What is done by hand is rare beside what is
/// sold, and looked for by who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "history"), allow(dead_code, reason = "only history has indexes"))]
pub(crate) enum Course {
    /// Reservations are made, and end.
    Sales,
    /// Units come and go otherwise, or come back.
    Others,
}

#[cfg_attr(not(feature = "history"), allow(dead_code, reason = "only history has indexes"))]
impl Course {
    pub(crate) const BOTH: [Self; 2] = [Self::Sales, Self::Others];

    pub(crate) fn of(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Reserved
            | ChangeKind::Bought
            | ChangeKind::Confirmed
            | ChangeKind::Released
            | ChangeKind::Expired => Self::Sales,
            ChangeKind::Received
            | ChangeKind::Adjusted
            | ChangeKind::WrittenOff
            | ChangeKind::Returned
            | ChangeKind::TransferredOut
            | ChangeKind::TransferredIn
            | ChangeKind::Discarded => Self::Others,
        }
    }

    /// Its number in the keys of rows.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Sales => 0,
            Self::Others => 1,
        }
    }
}

/// Which accounts an event changed, and how: an entry of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "history"), allow(dead_code, reason = "only history has indexes"))]
pub(crate) struct Touched {
    pub(crate) seq: Seq,
    /// Each pair once.
    pub(crate) accounts: Vec<(AccountId, ChangeKind)>,
}

#[cfg(feature = "history")]
impl ReservationState {
    /// Its number in history's rows.
    pub(super) fn number(self) -> u8 {
        self as u8
    }

    /// The state with this number.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// One line of a reservation in history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLine {
    /// The account.
    pub account: AccountId,
    /// How many units were taken.
    pub quantity: u64,
    /// How many of them were consumed.
    pub consumed: u64,
    /// How many of those were returned.
    pub returned: u64,
}

/// A note on a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteRecord {
    /// When.
    pub at: TimeMs,
    /// Opaque.
    pub body: Vec<u8>,
}

/// A reservation with its whole life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRecord {
    /// Its number.
    pub reservation: ReservationId,
    /// On whose behalf.
    pub owner: Option<AccountId>,
    /// Where it stands.
    pub state: ReservationState,
    /// What it took.
    pub lines: Vec<RecordLine>,
    /// When it was made.
    pub created_at: TimeMs,
    /// Its deadline.
    pub expires_at: TimeMs,
    /// When it was confirmed, released or expired; of what expired and was confirmed later, when that
    /// was.
    pub ended_at: Option<TimeMs>,
    /// When the last of its consumed units were returned.
    pub returned_at: Option<TimeMs>,
    /// The opaque details it was made with.
    pub details: Vec<u8>,
    /// What was noted on it, oldest first; the newest [`ReservationRecord::NOTES_MAX`].
    pub notes: Vec<NoteRecord>,
    /// The events that moved units of it, oldest first: that made it, ended it, returned some of it,
    /// and so on. None where an
    /// earlier release kept it, and where there were more than [`ReservationRecord::EVENTS_MAX`].
    #[serde(default)]
    pub events: Vec<Seq>,
}

impl ReservationRecord {
    /// How many notes history keeps of one reservation.
    pub const NOTES_MAX: usize = 32;

    /// How many events history keeps of one reservation.
    pub const EVENTS_MAX: usize = 64;
}

/// One change of a stock or points account, in journal order. For each account the chain of
/// `available` is unbroken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// The event behind it.
    pub seq: Seq,
    /// The account.
    pub account: AccountId,
    /// What happened.
    pub kind: ChangeKind,
    /// By how much `available` changed; 0 for a confirm of what was reserved.
    pub delta: i64,
    /// What was available after it.
    pub available: i64,
    /// How many units the event is about: reserved, consumed, returned.
    pub quantity: u64,
    /// The reservation behind it.
    pub reservation: Option<ReservationId>,
    /// When.
    pub at: TimeMs,
    /// Why, as the caller said.
    pub note: String,
}
