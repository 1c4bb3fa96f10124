//! Accounts and reservations as the ledger shows them.

use serde::{Deserialize, Serialize};

use super::Line;
use crate::base::{AccountId, AccountKey, ReservationId, TimeMs};
use crate::event::Policy;

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
    /// Units written off: also those that were transferred to other accounts.
    pub written_off: u64,
    /// How many wait for its units; while anybody does, nobody else takes any.
    #[serde(default)]
    pub waiting: usize,
    /// Whether it was closed: nothing happens with it any more, and its key may be that of another.
    #[serde(default)]
    pub closed: bool,
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
