//! What the key tables of all shards have in common: in which of them each key is, how many records
//! there are, and how many of them each owner has.
//!
//! Locked after the shards, and before nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use crate::base::error::{Error, Result};
use crate::base::sizes::{ALLOCATION_BYTES, hash_table_bytes, times};
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::base::{SHARD_COUNT, ShardIndex, TimeMs};

/// The bounds of the idempotency window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyLimits {
    /// For how long a record is kept.
    pub(crate) window_ms: u64,
    /// Records in all.
    pub(crate) records_max: usize,
    /// Records of one owner.
    pub(crate) per_owner_max: usize,
    /// Spreads keys over the shards where no outsider can aim. It is this process's alone: no file depends on it.
    pub(crate) salt: u64,
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self { window_ms: 24 * 3600 * 1000, records_max: 4 << 20, per_owner_max: 1 << 20, salt: 0 }
    }
}

/// The records of one owner, by when they may be forgotten.
#[derive(Debug, Default)]
struct Owned(BinaryHeap<Reverse<TimeMs>>);

impl Owned {
    /// Forgets what is kept until `now` at most.
    fn forget(&mut self, now: TimeMs) {
        while self.0.peek().is_some_and(|Reverse(until)| *until <= now) {
            self.0.pop();
        }
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(2 * self.0.len());
        }
    }
}

/// Only those who have records.
type Owners = HashMap<u64, Owned, foldhash::fast::RandomState>;

#[derive(Debug)]
pub(in crate::ledger) struct KeySpace {
    pub(in crate::ledger) limits: KeyLimits,
    count: AtomicUsize,
    /// By shard: when its oldest record may be forgotten; `u64::MAX` when it has none.
    first_until: Box<[AtomicU64]>,
    /// By owner.
    owners: Box<[Mutex<Owners>]>,
}

impl KeySpace {
    pub(in crate::ledger) fn new(limits: KeyLimits) -> Self {
        Self {
            limits,
            count: AtomicUsize::new(0),
            first_until: (0..SHARD_COUNT).map(|_| AtomicU64::new(u64::MAX)).collect(),
            owners: (0..SHARD_COUNT).map(|_| Mutex::new(Owners::default())).collect(),
        }
    }

    /// The shard in which the record of this key is kept.
    pub(in crate::ledger) fn shard_of(&self, number: u128) -> ShardIndex {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.limits.salt.to_le_bytes());
        hasher.update(&number.to_le_bytes());
        usize::from(hasher.finalize().as_bytes()[0]) & (SHARD_COUNT - 1)
    }

    fn owners(&self, owner: u64) -> &Mutex<Owners> {
        &self.owners[owner as usize & (SHARD_COUNT - 1)]
    }

    /// Counts a record that is kept from now on, and counts as `weight` of them.
    pub(in crate::ledger) fn keep(&self, owner: u64, until: TimeMs, weight: usize) {
        self.count.fetch_add(weight, Ordering::Relaxed);
        if owner != 0 {
            let mut owners = self.owners(owner).lock();
            let owned = &mut owners.entry(owner).or_default().0;
            owned.extend(std::iter::repeat_n(Reverse(until), weight));
        }
    }

    /// Counts a record that was forgotten because its time was over, and all of its owner's that
    /// are as old.
    pub(in crate::ledger) fn forget_old(&self, owner: u64, until: TimeMs, weight: usize) {
        self.forget(owner, weight, |owned| owned.forget(until));
    }

    /// Counts a record that another one replaced, before its time was over.
    pub(in crate::ledger) fn forget_early(&self, owner: u64, until: TimeMs, weight: usize) {
        self.forget(owner, weight, |owned| {
            let mut left = weight;
            owned.0.retain(|Reverse(other)| {
                let is_of_it = left > 0 && *other == until;
                left -= usize::from(is_of_it);
                !is_of_it
            });
        });
    }

    fn forget(&self, owner: u64, weight: usize, forget: impl FnOnce(&mut Owned)) {
        self.count.fetch_sub(weight, Ordering::Relaxed);
        if owner == 0 {
            return;
        }
        let mut owners = self.owners(owner).lock();
        if let Some(owned) = owners.get_mut(&owner) {
            forget(owned);
            if owned.0.is_empty() {
                owners.remove(&owner);
            }
        }
    }

    /// What it takes at most for this many records, with as many owners.
    pub(in crate::ledger) fn bytes_for(records: u64) -> u64 {
        // Four places are the fewest that a heap has, and four times what it needs the most.
        let heap = 4 * size_of::<TimeMs>() as u64 + ALLOCATION_BYTES;
        let owners = hash_table_bytes::<(u64, Owned)>(busiest_shard(records));
        times(records, heap).saturating_add(times(SHARD_COUNT as u64, owners))
    }

    /// What it takes.
    #[cfg(test)]
    pub(in crate::ledger) fn bytes(&self) -> u64 {
        let of = |owners: &Mutex<Owners>| {
            let owners = owners.lock();
            let heaps = owners.values().map(|owned| owned.0.capacity() * size_of::<TimeMs>());
            heaps.sum::<usize>() + owners.allocation_size()
        };
        self.owners.iter().map(of).sum::<usize>() as u64
    }

    /// Tells when the oldest record of a shard may be forgotten. Called under that shard's lock.
    pub(in crate::ledger) fn tell_first(&self, shard: ShardIndex, until: TimeMs) {
        self.first_until[shard].store(until, Ordering::Relaxed);
    }

    pub(in crate::ledger) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether one more record of this owner can be kept, which counts as `weight` of them. What is
    /// young is never forgotten for it. Callers at the same moment may each find the last room.
    ///
    /// # Errors
    /// `Throttled` when the owner has as many as it may, `Overloaded` when there is no room for anybody.
    pub(in crate::ledger) fn admit(&self, owner: u64, weight: usize, now: TimeMs) -> Result<()> {
        let KeyLimits { records_max, per_owner_max, .. } = self.limits;
        if owner != 0
            && let Some(owned) = self.owners(owner).lock().get_mut(&owner)
        {
            owned.forget(now);
            if owned.0.len() + weight > per_owner_max {
                let until = owned.0.peek().map_or(now, |Reverse(until)| *until);
                let message =
                    format!("{per_owner_max} idempotency keys of this caller are kept already");
                return Err(Error::throttled(message, until.saturating_sub(now)));
            }
        }
        if self.count() + weight <= records_max {
            return Ok(());
        }
        // The event that follows lets go of what is old in its own shard, and each shard has its
        // turn. What takes more than one place waits until there are so many.
        let some_are_old =
            || self.first_until.iter().any(|until| until.load(Ordering::Relaxed) <= now);
        match weight == 1 && some_are_old() {
            true => Ok(()),
            false => Err(Error::overloaded(format!(
                "{records_max} answers to keyed requests are kept already"
            ))),
        }
    }
}

/// The most of `count` keys that any one shard has. A hash spreads them that nobody outside knows:
/// eight times the usual deviation is never seen.
pub(in crate::ledger) fn busiest_shard(count: u64) -> u64 {
    let mean = count / SHARD_COUNT as u64;
    mean.saturating_add(8 * mean.isqrt() + 16).min(count)
}
