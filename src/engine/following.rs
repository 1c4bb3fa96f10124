//! What an engine has of its history.

use super::deferred::Deferred;
use super::progress::Progress;
use crate::history::Store;
use crate::journal::Journal;

/// Where history is carried to, how far it is, and the requests that wait for it.
pub(super) struct Following {
    /// `None` when history is off.
    pub(super) store: Option<Store>,
    pub(super) progress: Progress,
    pub(super) deferred: Deferred,
    /// Once this many rows are in memory, they are moved to sled however busy the journal is.
    pub(super) flush_rows: usize,
    /// How many bytes may be in memory before carrying waits for sled.
    pub(super) memory_max: u64,
}

impl Following {
    pub(super) fn new(
        store: Option<Store>,
        journal: &Journal,
        flush_rows: usize,
        memory_max: u64,
    ) -> Self {
        let projected = store.as_ref().map_or(0, |store| store.projected());
        let progress = Progress::new(projected, journal.calls());
        Self { store, progress, deferred: Deferred::default(), flush_rows, memory_max }
    }

    /// Whether somebody waits for what history shows.
    pub(super) fn is_awaited(&self) -> bool {
        self.progress.is_awaited() || !self.deferred.is_empty()
    }
}
