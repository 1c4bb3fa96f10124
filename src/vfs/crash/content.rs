//! The bytes of one file: those that programs see, and those that are durable.

use std::collections::BTreeSet;

use super::chance::Chance;

/// What is written or lost as a whole.
pub(super) const SECTOR: usize = 512;

/// What a disk held where a file grew: nobody knows.
pub(super) const STALE: u8 = 0xa5;

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// The how manieth file this was: what no other file ever is.
    pub(super) born: u64,
    pub(super) seen: Vec<u8>,
    durable: Vec<u8>,
    /// The sectors that the next sync writes. In others the two may differ as well: a sync that
    /// failed forgets what it has not written.
    dirty: BTreeSet<usize>,
}

impl Content {
    pub(super) fn empty(born: u64) -> Self {
        Self { born, ..Self::default() }
    }

    pub(super) fn whole(bytes: Vec<u8>, born: u64) -> Self {
        Self { born, seen: bytes.clone(), durable: bytes, dirty: BTreeSet::new() }
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            copy_sector(&self.seen, &mut self.durable, sector);
        }
    }

    /// A sync that fails. Any sector may have been written, and none will be again: the kernel
    /// takes all of them for clean (P. Rebello et al., "Can Applications Recover from fsync
    /// Failures?", 2020). Programs go on seeing the new bytes, or the old ones where the page left
    /// memory.
    pub(super) fn fail_sync(&mut self, chance: &mut Chance) {
        self.durable.resize(self.seen.len(), 0);
        let evicted = chance.below(4) == 0;
        for sector in std::mem::take(&mut self.dirty) {
            match chance.below(2) {
                0 => copy_sector(&self.seen, &mut self.durable, sector),
                _ if evicted => copy_sector(&self.durable, &mut self.seen, sector),
                _ => {}
            }
        }
    }

    /// What is left of it when each unsynced sector has `odds` chances in four.
    pub(super) fn survive(&self, odds: usize, chance: &mut Chance) -> Self {
        let mut bytes = self.durable.clone();
        if bytes.len() < self.seen.len() {
            // The new length may be durable before the bytes: they read as zeros, or as what the
            // disk held there.
            let longer = self.seen.len() - bytes.len();
            let kept =
                if chance.below(4) < odds { longer } else { longer.min(chance.below(8) * SECTOR) };
            let filler = if chance.below(8) == 0 { STALE } else { 0 };
            bytes.resize(bytes.len() + kept, filler);
        }
        for sector in &self.dirty {
            if chance.below(4) < odds {
                copy_sector(&self.seen, &mut bytes, *sector);
            }
        }
        Self::whole(bytes, self.born)
    }
}

fn copy_sector(from: &[u8], to: &mut [u8], sector: usize) {
    let end = ((sector + 1) * SECTOR).min(from.len()).min(to.len());
    if let Some(range) = (sector * SECTOR < end).then(|| sector * SECTOR..end) {
        to[range.clone()].copy_from_slice(&from[range]);
    }
}
