//! The idempotency window of one shard: its records of keyed requests, by key.
//!
//! Each record is kept until a time that its own event names, and makes room only for an event of
//! that time or later. So what is kept is a function of the events, and nobody's request pushes out
//! another's record.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use super::key_space::KeySpace;
use super::record::{Effect, FirstExecution, KeyRecord};
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{ShardIndex, TimeMs};

/// What a request must have been for a retry with its key to be one.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) enum KeyMatch {
    /// Whatever was asked.
    Any,
    /// The same as by this fingerprint, or by that which 0.1.0 made of it.
    Fingerprint(u64, u64),
}

#[derive(Debug)]
pub(in crate::ledger) struct KeyTable {
    shard: ShardIndex,
    slots: Vec<KeyRecord>,
    free: Vec<u32>,
    index: HashTable<u32>,
    /// When each may be forgotten, with its slot.
    order: BTreeSet<(TimeMs, u32)>,
    hasher: foldhash::fast::RandomState,
    space: Arc<KeySpace>,
}

/// Whose a record was, and how many it counted as.
struct Gone {
    owner: u64,
    weight: usize,
}

impl KeyTable {
    pub(in crate::ledger) fn new(shard: ShardIndex, space: Arc<KeySpace>) -> Self {
        Self {
            shard,
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            order: BTreeSet::new(),
            hasher: foldhash::fast::RandomState::default(),
            space,
        }
    }

    /// The shard in which the record of this key is kept.
    pub(in crate::ledger) fn shard_of(&self, number: u128) -> ShardIndex {
        self.space.shard_of(number)
    }

    fn hash(&self, number: u128) -> u64 {
        // Outsiders choose keys, and could make them meet in a table whose places they know.
        self.hasher.hash_one(number)
    }

    fn slot(&self, number: u128) -> Option<u32> {
        self.index
            .find(self.hash(number), |slot| self.slots[*slot as usize].number == number)
            .copied()
    }

    /// The first execution of the request with this key.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub(in crate::ledger) fn find(
        &self,
        number: u128,
        matching: KeyMatch,
        now: TimeMs,
    ) -> Result<Option<FirstExecution>> {
        let found = self.slot(number).map(|slot| &self.slots[slot as usize]);
        let Some(record) = found.filter(|record| record.until > now) else {
            return Ok(None);
        };
        if let KeyMatch::Fingerprint(fingerprint, before) = matching
            && ![fingerprint, before].contains(&record.fingerprint)
        {
            return Err(Error::conflict("the idempotency key was used for another request"));
        }
        let KeyRecord { seq, effect, .. } = record;
        Ok(Some(FirstExecution { answer: effect.told(), seq: *seq, terms: effect.terms() }))
    }

    /// Keeps the record of an event of the time `at`, which lets go of what is old by then.
    pub(in crate::ledger) fn keep(&mut self, record: KeyRecord, at: TimeMs) {
        while let Some(&(until, slot)) = self.order.first()
            && (until <= at || flaw::is_made(Flaw::ForgetsYoungAnswers) && self.order.len() > 1)
        {
            let gone = self.let_go(until, slot);
            self.space.forget_old(gone.owner, until, gone.weight);
        }
        self.put(record);
    }

    /// Keeps a record, unless it is there already: a snapshot's part may show more than where
    /// replay begins.
    pub(in crate::ledger) fn put(&mut self, record: KeyRecord) {
        if let Some(slot) = self.slot(record.number) {
            let KeyRecord { seq, until, .. } = self.slots[slot as usize];
            if seq >= record.seq {
                return;
            }
            let gone = self.let_go(until, slot);
            self.space.forget_early(gone.owner, until, gone.weight);
        }
        let KeyRecord { number, owner, until, .. } = record;
        let weight = record.weight();
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = record;
                slot
            }
            None => {
                self.slots.push(record);
                u32::try_from(self.slots.len() - 1)
                    .expect("a window has less than u32::MAX records")
            }
        };
        let (hash, hasher, slots) = (self.hash(number), &self.hasher, &self.slots);
        let rehash = |slot: &u32| hasher.hash_one(slots[*slot as usize].number);
        self.index.insert_unique(hash, slot, rehash);
        self.order.insert((until, slot));
        self.space.keep(owner, until, weight);
        self.tell_first();
    }

    /// Lets go of a record; its slot keeps no memory beside itself.
    fn let_go(&mut self, until: TimeMs, slot: u32) -> Gone {
        let hash = self.hash(self.slots[slot as usize].number);
        let found = self.index.find_entry(hash, |other| *other == slot);
        found.expect("every record is in the index").remove();
        self.order.remove(&(until, slot));
        self.free.push(slot);
        self.tell_first();
        let record = &mut self.slots[slot as usize];
        let gone = Gone { owner: record.owner, weight: record.weight() };
        match &mut record.effect {
            Effect::Atomic(effects) => *effects = Box::default(),
            Effect::Answered(answer) => *answer = Box::default(),
            _ => {}
        }
        gone
    }

    fn tell_first(&self) {
        self.space
            .tell_first(self.shard, self.order.first().map_or(TimeMs::MAX, |(until, _)| *until));
    }

    /// The records, by when they may be forgotten.
    pub(in crate::ledger) fn iter(&self) -> impl Iterator<Item = &KeyRecord> {
        self.order.iter().map(|(_, slot)| &self.slots[*slot as usize])
    }

    /// What they take, without the key space.
    #[cfg(test)]
    pub(in crate::ledger) fn bytes(&self) -> u64 {
        let slots = self.free.capacity() * size_of::<u32>() + self.index.allocation_size();
        let order = self.order.len() * size_of::<(TimeMs, u32)>();
        let effects = self.slots.iter().map(|record| match &record.effect {
            Effect::Atomic(effects) => size_of_val(&**effects),
            Effect::Answered(answer) => answer.len(),
            _ => 0,
        });
        let records = self.slots.capacity() * size_of::<KeyRecord>() + effects.sum::<usize>();
        (records + slots + order) as u64
    }

    pub(in crate::ledger) fn len(&self) -> usize {
        self.order.len()
    }
}
