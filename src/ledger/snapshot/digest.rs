//! What tells a ledger from any other, fast enough for one that nobody may change meanwhile.

use super::write::{put_bytes, put_u64, write_account, write_reservation};
use crate::ledger::Ledger;

/// How much is written before it is hashed, in bytes.
const CHUNK: usize = 64 << 10;

impl Ledger {
    /// BLAKE3 of the accounts by number, the pending reservations by number, and the documents: two
    /// ledgers that the same events made have the same, from whatever snapshot each began. The answers
    /// that are kept are not in it: where they are is each process's own. Nothing may change meanwhile.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hash = Hash { hasher: blake3::Hasher::new(), bytes: Vec::new() };
        for shard in &self.shards {
            let shard = shard.lock();
            hash.count(shard.accounts.len());
            shard.accounts.iter().for_each(|account| hash.add(|to| write_account(account, to)));
            // Where they are in memory depends on what was there before them.
            let mut pending: Vec<_> = shard.reservations.iter().collect();
            pending.sort_unstable_by_key(|reservation| reservation.id.number());
            hash.count(pending.len());
            pending.into_iter().for_each(|it| hash.add(|to| write_reservation(it, to)));
        }
        for (collection, key, body) in self.documents.lock().iter() {
            for field in [collection.as_bytes(), key.as_bytes(), body] {
                hash.add(|to| put_bytes(to, field));
            }
        }
        hash.end()
    }
}

struct Hash {
    hasher: blake3::Hasher,
    bytes: Vec<u8>,
}

impl Hash {
    fn count(&mut self, count: usize) {
        self.add(|to| put_u64(to, count as u64));
    }

    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        if self.bytes.len() >= CHUNK {
            self.hasher.update(&self.bytes);
            self.bytes.clear();
        }
    }

    fn end(mut self) -> [u8; 32] {
        self.hasher.update(&self.bytes);
        self.hasher.finalize().into()
    }
}
