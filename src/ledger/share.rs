//! What all shards' answers have in common: where each is kept, how many there are, and how many
//! are each owner's.
//!
//! Locked after the shards, and before nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use super::bound::spread;
use crate::base::error::{Error, Result};
use crate::base::sizes::{ALLOCATION_BYTES, hash_table_bytes, times};
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::base::{SHARD_COUNT, ShardIndex, TimeMs};

/// The bounds of the window of answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyLimits {
    /// For how long an answer is kept.
    pub(crate) window_ms: u64,
    /// Answers in all.
    pub(crate) answers_max: usize,
    /// Answers of one owner.
    pub(crate) per_owner_max: usize,
    /// Places answers where no outsider can aim. It is this process's alone: no file depends on it.
    pub(crate) salt: u64,
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self { window_ms: 24 * 3600 * 1000, answers_max: 4 << 20, per_owner_max: 1 << 20, salt: 0 }
    }
}

/// The answers of one owner, by when they may be forgotten.
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

/// Those alone who have answers.
type Owners = HashMap<u64, Owned, foldhash::fast::RandomState>;

#[derive(Debug)]
pub(super) struct Share {
    pub(super) limits: KeyLimits,
    held: AtomicUsize,
    /// By shard: when its oldest answer may be forgotten; `u64::MAX` when it has none.
    first_until: Box<[AtomicU64]>,
    /// By owner.
    owners: Box<[Mutex<Owners>]>,
}

impl Share {
    pub(super) fn new(limits: KeyLimits) -> Self {
        Self {
            limits,
            held: AtomicUsize::new(0),
            first_until: (0..SHARD_COUNT).map(|_| AtomicU64::new(u64::MAX)).collect(),
            owners: (0..SHARD_COUNT).map(|_| Mutex::new(Owners::default())).collect(),
        }
    }

    /// The shard in which the answer to this key is kept.
    pub(super) fn place(&self, number: u128) -> ShardIndex {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.limits.salt.to_le_bytes());
        hasher.update(&number.to_le_bytes());
        usize::from(hasher.finalize().as_bytes()[0]) & (SHARD_COUNT - 1)
    }

    fn owners(&self, owner: u64) -> &Mutex<Owners> {
        &self.owners[owner as usize & (SHARD_COUNT - 1)]
    }

    /// Counts an answer that is kept from now on.
    pub(super) fn keep(&self, owner: u64, until: TimeMs) {
        self.held.fetch_add(1, Ordering::Relaxed);
        if owner != 0 {
            self.owners(owner).lock().entry(owner).or_default().0.push(Reverse(until));
        }
    }

    /// Counts an answer that was forgotten because its time was over, and all of its owner's that
    /// are as old.
    pub(super) fn forget_old(&self, owner: u64, until: TimeMs) {
        self.forget(owner, |owned| owned.forget(until));
    }

    /// Counts an answer that another one replaced, before its time was over.
    pub(super) fn forget_one(&self, owner: u64, until: TimeMs) {
        self.forget(owner, |owned| {
            let mut found = false;
            owned.0.retain(|Reverse(other)| {
                let is_it = !found && *other == until;
                found |= is_it;
                !is_it
            });
        });
    }

    fn forget(&self, owner: u64, forget: impl FnOnce(&mut Owned)) {
        self.held.fetch_sub(1, Ordering::Relaxed);
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

    /// What it takes at most for so many answers, with as many owners.
    pub(super) fn bytes_for(answers: u64) -> u64 {
        // Four places are the fewest that a heap has, and four times what it needs the most.
        let heap = 4 * size_of::<TimeMs>() as u64 + ALLOCATION_BYTES;
        let owners = hash_table_bytes::<(u64, Owned)>(spread(answers));
        times(answers, heap).saturating_add(times(SHARD_COUNT as u64, owners))
    }

    /// What it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        let of = |owners: &Mutex<Owners>| {
            let owners = owners.lock();
            let heaps = owners.values().map(|owned| owned.0.capacity() * size_of::<TimeMs>());
            heaps.sum::<usize>() + owners.allocation_size()
        };
        self.owners.iter().map(of).sum::<usize>() as u64
    }

    /// Tells when the oldest answer of a shard may be forgotten. Called under that shard's lock.
    pub(super) fn tell_first(&self, shard: ShardIndex, until: TimeMs) {
        self.first_until[shard].store(until, Ordering::Relaxed);
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether one more answer of this owner can be kept. What is young is never forgotten for it.
    /// Callers at the same moment may each find the last room.
    ///
    /// # Errors
    /// `Throttled` when the owner has its share, `Overloaded` when there is no room for anybody.
    pub(super) fn admit(&self, owner: u64, now: TimeMs) -> Result<()> {
        let KeyLimits { answers_max, per_owner_max, .. } = self.limits;
        if owner != 0
            && let Some(owned) = self.owners(owner).lock().get_mut(&owner)
        {
            owned.forget(now);
            if owned.0.len() >= per_owner_max {
                let until = owned.0.peek().map_or(now, |Reverse(until)| *until);
                let message =
                    format!("{per_owner_max} idempotency keys of this caller are kept already");
                return Err(Error::throttled(message, until.saturating_sub(now)));
            }
        }
        if self.held() < answers_max {
            return Ok(());
        }
        // The event that follows lets go of what is old in its own shard, and each shard has its
        // turn.
        match self.first_until.iter().any(|until| until.load(Ordering::Relaxed) <= now) {
            true => Ok(()),
            false => Err(Error::overloaded(format!(
                "{answers_max} answers to keyed requests are kept already"
            ))),
        }
    }
}
