//! Identifiers and times.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many shards the ledger has. A power of two, and at most 64 so that a set of shards is one
/// `u64`.
pub(crate) const SHARD_COUNT: usize = if cfg!(stockhold_loom) { 2 } else { 64 };
const SHARD_BITS: u32 = SHARD_COUNT.trailing_zeros();

/// Unix time in milliseconds.
pub type TimeMs = u64;

/// The place of an event in the journal. The first event is 1; 0 means "before everything".
pub type Seq = u64;

/// The index of a shard, below [`SHARD_COUNT`].
pub(crate) type ShardIndex = usize;

/// The number of an account in the ledger: dense, never reused, valid for the life of the data
/// directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountId(u32);

impl AccountId {
    /// How many accounts one shard can hold.
    pub(crate) const INDEX_MAX: usize = (u32::MAX >> SHARD_BITS) as usize;

    pub(crate) fn new(shard: ShardIndex, index: usize) -> Self {
        debug_assert!(shard < SHARD_COUNT && index <= Self::INDEX_MAX);
        Self((index as u32) << SHARD_BITS | shard as u32)
    }

    /// The number as it stands in events and snapshots.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The account with this number, as read from an event.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub(crate) fn shard(self) -> ShardIndex {
        self.0 as usize & (SHARD_COUNT - 1)
    }

    pub(crate) fn index(self) -> usize {
        (self.0 >> SHARD_BITS) as usize
    }
}

/// The number of a reservation: never reused, higher for later ones (but for those of one
/// millisecond in two shards), and it names the shard the reservation lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReservationId(u64);

impl ReservationId {
    pub(crate) fn new(shard: ShardIndex, count: u64) -> Self {
        Self(count << SHARD_BITS | shard as u64)
    }

    /// The number as it stands in events and snapshots.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The reservation with this number, as read from an event or given by a caller.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub(crate) fn shard(self) -> ShardIndex {
        self.0 as usize & (SHARD_COUNT - 1)
    }

    /// Its number without the shard: it grows with time, in every shard.
    pub(crate) fn count(self) -> u64 {
        self.0 >> SHARD_BITS
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
