//! Opening accounts, giving them other rules, and closing them.

use super::commit::commit;
use super::decide::{change_policy, close};
use super::idempotency::of_policy;
use super::shard::{LockedShards, bit};
use super::{CloseOutcome, Executed, Ledger, SetPolicy};
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountId, AccountKey, SHARD_COUNT, Seq, ShardIndex, TimeMs};
use crate::event::{Event, Fact, Policy, Recorder};

impl Ledger {
    /// Opens an account, or finds the one with this key and policy.
    ///
    /// # Errors
    /// `Invalid` for a policy out of bounds, `Conflict` when it is open with another one,
    /// `Overloaded` when the shard is full.
    pub(crate) fn open_account(
        &self,
        key: &AccountKey,
        policy: Policy,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(AccountId, Option<Seq>)> {
        policy.check()?;
        let shard = shard_of(key);
        let mut locked = LockedShards::lock(&self.shards, bit(shard));
        // Accounts are opened only under their shard's lock, so this look is final.
        if let Some(account) = self.account(key) {
            let is = locked.account(account).map(|account| account.policy);
            if is != Some(policy) {
                return Err(Error::conflict(format!("{key} is open with another policy: {is:?}")));
            }
            // The caller that opened it has recorded its event.
            return Ok((account, None));
        }
        recorder.admit()?;
        let index = locked.shard(shard).accounts.len();
        if index >= self.limits.accounts_per_shard_max.min(AccountId::INDEX_MAX) {
            return Err(Error::overloaded("too many accounts are open"));
        }
        let account = AccountId::new(shard, index);
        let fact = Fact::AccountOpened { account, key: key.clone(), policy };
        let seq = commit(&mut locked, &Event { at: now, request: None, fact }, recorder);
        self.directory.pin().insert(key.clone(), account);
        Ok((account, Some(seq)))
    }

    /// Closes an account where nothing is left. Its key is free then, and its number is used up.
    ///
    /// # Errors
    /// `NotFound` when there is no such account, and what the recorder says.
    pub(crate) fn close_account(
        &self,
        id: AccountId,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<CloseOutcome>> {
        self.check_account(id)?;
        let mut locked = LockedShards::lock(&self.shards, bit(id.shard()));
        recorder.admit()?;
        let (outcome, fact) = close(&locked, id, now)?;
        let Some(fact) = fact else {
            return Ok((outcome, None));
        };
        let event = Event { at: now, request: None, fact };
        let seq = commit(&mut locked, &event, recorder);
        if let Fact::AccountClosed { account, key } = &event.fact {
            // Still under the lock, as in opening: whoever opens the key anew comes after.
            self.forget_key(key, *account);
        }
        Ok((outcome, Some(seq)))
    }

    /// Frees the key, unless it is another account's by now.
    pub(super) fn forget_key(&self, key: &AccountKey, account: AccountId) {
        let directory = self.directory.pin();
        if directory.get(key) == Some(&account) {
            directory.remove(key);
        }
    }

    /// Gives an account other rules, which hold at once and for what was taken before.
    ///
    /// # Errors
    /// `Invalid` for a policy out of bounds, `Conflict` when the key was used for another request.
    pub(crate) fn set_policy(
        &self,
        set: &SetPolicy,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Option<Seq>> {
        let SetPolicy { account: id, policy, .. } = *set;
        policy.check()?;
        self.check_account(id)?;
        let keyed = of_policy(set, &self.limits.keys, now);
        let key_shard = keyed
            .as_ref()
            .map_or(0, |keyed| bit(self.key_space.shard_of(keyed.request.key.number())));
        let mut locked = LockedShards::lock(&self.shards, bit(id.shard()) | key_shard);
        recorder.admit()?;
        if let Some(keyed) = &keyed
            && !flaw::is_made(Flaw::RecordsTwice)
            && let Some(first) = self.first_locked(&locked, keyed, now)?
        {
            first.answer.to_policy(id)?;
            return Ok(Some(first.seq));
        }
        let Some(fact) = change_policy(&locked, id, policy, now)? else {
            return Ok(None);
        };
        let request = self.admit(keyed, 1, now)?;
        Ok(Some(commit(&mut locked, &Event { at: now, request, fact }, recorder)))
    }
}

/// The shard of an account: a user's points and quotas share one, so that an exchange locks two.
pub(super) fn shard_of(key: &AccountKey) -> ShardIndex {
    shard_of_owner(key.owner())
}

pub(super) fn shard_of_owner(owner: &str) -> ShardIndex {
    let mut hasher = blake3::Hasher::new();
    hasher.update(owner.as_bytes());
    crate::base::halves(&hasher)[0] as usize & (SHARD_COUNT - 1)
}
