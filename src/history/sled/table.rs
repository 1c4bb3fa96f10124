//! The rows not yet in sled: those being gathered, and those being moved.

use std::collections::{BTreeMap, BTreeSet};

use super::key::{Key, KeyRange};
use super::value::Value;
use crate::base::Seq;
use crate::base::sizes::{ALLOCATION_BYTES, tree_entry_bytes};
use crate::event::branch::Branch;
use std::sync::Arc;

pub(super) type Rows = BTreeMap<Key, Value>;

/// A table on its way into sled; nothing is added to it any more.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) rows: Rows,
    /// The last event that is in it.
    pub(super) through: Seq,
    /// How many rows the store has with it.
    pub(super) row_count: u64,
    pub(super) branch: Branch,
}

/// What reads see above sled.
#[derive(Debug)]
pub(super) struct Tables {
    active: Rows,
    /// What the rows of `active` take, in bytes.
    active_bytes: u64,
    sealed: Option<Arc<Sealed>>,
    /// What those of `sealed` take, until all of them are in sled.
    sealed_bytes: u64,
    /// How many rows of `sealed` are not in sled yet.
    sealed_left: usize,
    pub(super) projected: Seq,
    pub(super) watermark: Seq,
    /// What was projected, as it stood in the journal.
    pub(super) branch: Branch,
}

/// What a row takes in a table, which holds its key and a pointer.
fn row_bytes(value: &Value) -> u64 {
    tree_entry_bytes::<Key, Value>() + ALLOCATION_BYTES + value.len() as u64
}

impl Tables {
    pub(super) fn new(watermark: Seq, branch: Branch) -> Self {
        Self {
            active: Rows::new(),
            active_bytes: 0,
            sealed: None,
            sealed_bytes: 0,
            sealed_left: 0,
            projected: watermark,
            watermark,
            branch,
        }
    }

    pub(super) fn insert(&mut self, rows: impl Iterator<Item = (Key, Value)>) {
        for (key, value) in rows {
            self.active_bytes += row_bytes(&value);
            if let Some(replaced) = self.active.insert(key, value) {
                self.active_bytes -= row_bytes(&replaced);
            }
        }
    }

    /// What all of them take, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.active_bytes + self.sealed_bytes
    }

    pub(super) fn len(&self) -> usize {
        self.active.len() + self.sealed_left
    }

    /// The newest value of `key` that is not in sled, or no longer only there.
    pub(super) fn get(&self, key: Key) -> Option<Value> {
        let sealed = || self.sealed.as_ref().and_then(|sealed| sealed.rows.get(&key));
        self.active.get(&key).or_else(sealed).cloned()
    }

    /// The first `limit` rows of a range, as they stand in both tables together.
    pub(super) fn range(&self, range: KeyRange, limit: usize) -> Rows {
        let bounds = range.first..=range.last;
        let active = self.active.range(bounds.clone()).take(limit);
        let mut found: Rows = active.map(|(key, value)| (*key, value.clone())).collect();
        for (key, value) in
            self.sealed.iter().flat_map(|sealed| sealed.rows.range(bounds.clone()).take(limit))
        {
            found.entry(*key).or_insert_with(|| value.clone());
        }
        found
    }

    /// The last `limit` keys of a range, of both tables together.
    pub(super) fn keys_back(&self, range: KeyRange, limit: usize) -> BTreeSet<Key> {
        let bounds = range.first..=range.last;
        let active = self.active.range(bounds.clone()).rev().take(limit);
        let sealed = self.sealed.iter();
        let sealed = sealed.flat_map(|it| it.rows.range(bounds.clone()).rev().take(limit));
        active.chain(sealed).map(|(key, _)| *key).collect()
    }

    /// The table on its way into sled.
    pub(super) fn sealed(&self) -> Option<Arc<Sealed>> {
        self.sealed.clone()
    }

    /// Starts to move what was gathered.
    pub(super) fn seal(&mut self, row_count: u64) -> Arc<Sealed> {
        debug_assert!(self.sealed.is_none(), "one table is moved at a time");
        let (rows, through, branch) =
            (std::mem::take(&mut self.active), self.projected, self.branch);
        let sealed = Arc::new(Sealed { rows, through, row_count, branch });
        self.sealed_left = sealed.rows.len();
        self.sealed_bytes = std::mem::take(&mut self.active_bytes);
        self.sealed = Some(sealed.clone());
        sealed
    }

    pub(super) fn moved(&mut self, keys: usize) {
        self.sealed_left -= keys;
    }

    /// Forgets the sealed table: it is durable in sled. The caller drops it, outside the lock.
    pub(super) fn unseal(&mut self, through: Seq) -> Option<Arc<Sealed>> {
        (self.sealed_left, self.sealed_bytes) = (0, 0);
        self.watermark = through;
        self.sealed.take()
    }
}
