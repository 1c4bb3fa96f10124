//! How much the ledger's tables may hold.

use super::idempotency::KeyLimits;

/// The bounds of the ledger's tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Pending reservations of one shard.
    pub(crate) reservations_per_shard_max: usize,
    /// Accounts of one shard.
    pub(crate) accounts_per_shard_max: usize,
    /// Places in lines for units of one shard's accounts.
    pub(crate) places_per_shard_max: usize,
    /// The idempotency window.
    pub(crate) keys: KeyLimits,
    /// Documents in all.
    pub(crate) documents_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reservations_per_shard_max: 16 << 20,
            accounts_per_shard_max: 1 << 20,
            places_per_shard_max: 4096,
            keys: KeyLimits::default(),
            documents_max: 250_000,
        }
    }
}
