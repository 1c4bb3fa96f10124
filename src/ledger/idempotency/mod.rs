//! Exactly once: what tells a retry from another request, and what a retry is told.

mod fingerprint;
mod key_space;
mod record;
mod table;

use super::Ledger;
use super::shard::{LockedShards, bit};
use crate::base::error::Result;
use crate::base::{IdempotencyKey, TimeMs};

pub(super) use fingerprint::{
    Keyed, of_answer, of_atomic, of_command, of_document, of_join, of_leave, of_note, of_policy,
    of_reacquire, of_return,
};
pub(crate) use key_space::KeyLimits;
pub(super) use key_space::{KeySpace, busiest_shard};
pub(super) use record::{Effect, KeyRecord, UNPROMISED_MS};
pub(crate) use record::{FirstExecution, Terms};
pub(super) use table::{KeyMatch, KeyTable};

impl Ledger {
    /// The first execution of a keyed request, while it is remembered.
    ///
    /// # Errors
    /// `Conflict` when the key has a body, and was used with another.
    pub(crate) fn first_execution(
        &self,
        key: IdempotencyKey,
        now: TimeMs,
    ) -> Result<Option<FirstExecution>> {
        let shard = self.key_space.shard_of(key.number());
        let locked = LockedShards::lock(&self.shards, bit(shard));
        let matching = key.body().map_or(KeyMatch::Any, |body| KeyMatch::Fingerprint(body, body));
        locked.shard(shard).keys.find(key.number(), matching, now)
    }

    /// As [`Ledger::first_execution`], in shards that are locked.
    pub(super) fn first_locked(
        &self,
        locked: &LockedShards<'_>,
        keyed: &Keyed,
        now: TimeMs,
    ) -> Result<Option<FirstExecution>> {
        let number = keyed.request.key.number();
        locked.shard(self.key_space.shard_of(number)).keys.find(number, keyed.matching, now)
    }
}
