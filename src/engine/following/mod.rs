//! What an engine has of its history.

pub(in crate::engine) mod claim;
pub(in crate::engine) mod follower;
pub(in crate::engine) mod place;
pub(in crate::engine) mod progress;
mod shortage;
pub(in crate::engine) mod subscription;
pub(in crate::engine) mod writer;

use self::place::StorePlace;
use self::progress::Progress;
use self::writer::Writer;
use crate::engine::deferred::Deferred;
use crate::history::Store;
use crate::journal::Journal;

/// Where history is carried to, how far it is, and the requests that wait for it.
pub(in crate::engine) struct Following {
    pub(in crate::engine) store: StorePlace,
    pub(in crate::engine) progress: Progress,
    pub(in crate::engine) deferred: Deferred,
    pub(in crate::engine) writer: Writer,
    /// Once this many rows are in memory, they are moved to sled however busy the journal is.
    pub(in crate::engine) flush_rows: usize,
    /// How many bytes may be in memory before carrying waits for sled.
    pub(in crate::engine) memory_max: u64,
}

impl Following {
    pub(in crate::engine) fn new(
        store: StorePlace,
        journal: &Journal,
        flush_rows: usize,
        memory_max: u64,
    ) -> Self {
        let projected = store.get().map_or(0, |store| store.projected());
        let progress = Progress::new(projected, journal.calls());
        let (deferred, writer) = (Deferred::default(), Writer::default());
        Self { store, progress, deferred, writer, flush_rows, memory_max }
    }

    /// Whether so much is in memory that it is moved to sled however busy the journal is.
    fn is_much(&self, store: &Store) -> bool {
        store.memtable_len() >= self.flush_rows || self.is_full(store)
    }

    /// Whether as much is in memory as may be.
    fn is_full(&self, store: &Store) -> bool {
        store.memtable_bytes() >= self.memory_max
    }

    /// Whether somebody waits for what history shows.
    pub(in crate::engine) fn is_awaited(&self) -> bool {
        self.progress.is_awaited() || !self.deferred.is_empty()
    }
}
