//! What commands are decided on.

use super::NotPending;
use super::account::Account;
use super::reservations::Reservation;
use super::shard::LockedShards;
use crate::base::{AccountId, ReservationId, ShardIndex, TimeMs};

/// Accounts and reservations as they are, or as the commands before would leave them.
pub(super) trait View {
    /// The account, if it exists.
    fn account(&self, account: AccountId) -> Option<&Account>;

    /// The pending reservation with this number, on behalf of `owner` where one is named.
    ///
    /// # Errors
    /// Why there is none.
    fn pending(
        &self,
        id: ReservationId,
        owner: Option<AccountId>,
    ) -> Result<&Reservation, NotPending>;

    /// How many reservations of a shard are pending.
    fn pending_count(&self, shard: ShardIndex) -> usize;

    /// The number that the next reservation of a shard has.
    fn next_reservation(&self, shard: ShardIndex, now: TimeMs) -> ReservationId;
}

/// The shards that are named must be held.
impl View for LockedShards<'_> {
    fn account(&self, account: AccountId) -> Option<&Account> {
        self.shard(account.shard()).account(account)
    }

    fn pending(
        &self,
        id: ReservationId,
        owner: Option<AccountId>,
    ) -> Result<&Reservation, NotPending> {
        self.shard(id.shard()).pending(id, owner)
    }

    fn pending_count(&self, shard: ShardIndex) -> usize {
        self.shard(shard).reservations.len()
    }

    fn next_reservation(&self, shard: ShardIndex, now: TimeMs) -> ReservationId {
        self.shard(shard).reservations.next_id(shard, now)
    }
}
