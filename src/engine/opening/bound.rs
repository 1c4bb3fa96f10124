//! How much memory an engine takes at most, known before it is opened.

use crate::base::{BODY_BYTES_MAX, LINES_MAX};
use crate::engine::EngineBuilder;
use crate::history::record::ReservationRecord;

/// The largest that an engine's tables and queues get, in bytes: see
/// [`EngineBuilder::memory_bound`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryBound {
    /// Accounts, with their names. Set by [`EngineBuilder::accounts_per_shard_max`].
    pub accounts: u64,
    /// When quotas, and other accounts with a window, were used: some 50 KB each when they were used
    /// a thousand times. Nothing for others. Set by the same.
    pub uses: u64,
    /// Pending reservations, as if each had the most lines there may be, with long waits. Set by
    /// [`EngineBuilder::reservations_per_shard_max`].
    pub reservations: u64,
    /// Answers to keyed requests. Set by [`EngineBuilder::idempotency_keys`].
    pub idempotency_keys: u64,
    /// Documents, as if each were of the largest size. Set by [`EngineBuilder::documents_max`].
    pub documents: u64,
    /// Places of those who wait for units. Set by [`EngineBuilder::places_per_shard_max`].
    pub places: u64,
    /// What waits to be written, and what is being written. Set by
    /// [`EngineBuilder::queue_bytes_max`].
    pub journal: u64,
    /// History on its way to the disk; 0 without history. Set by
    /// [`EngineBuilder::history_memory_max`].
    pub history: u64,
}

impl MemoryBound {
    /// All of it.
    pub fn total(&self) -> u64 {
        let Self { accounts, uses, reservations, idempotency_keys, documents, .. } = *self;
        let Self { places, journal, history, .. } = *self;
        [accounts, uses, reservations, idempotency_keys, documents, places, journal, history]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// The longest row of history that one event makes anew: a reservation with all its notes.
const ROW_BYTES_MAX: u64 =
    ((1 + ReservationRecord::NOTES_MAX) * BODY_BYTES_MAX + LINES_MAX * 256 + 4096) as u64;

impl EngineBuilder {
    /// The most memory that the engine's tables and queues take with these settings, when all of
    /// them are as full as they may be and everything in them is as large as it may be. When a table
    /// is full, what would add to it is [`Overloaded`](crate::ErrorKind::Overloaded).
    ///
    /// With the default settings this is far more than any machine has, since hardly anybody has 67
    /// million accounts; lower what you know to be less. Not in it: the stacks of some ten threads;
    /// what callers hold, such as tickets, subscriptions (64 KiB of events each) and pages; sled's
    /// own cache; a checkpoint while it is written (one shard at a time) or read; the files of an
    /// engine [in memory](crate::Engine::in_memory); and the old place of a table while it moves to
    /// a larger one.
    ///
    /// ```
    /// # use stockhold::Engine;
    /// // Two thousand accounts, eight thousand reservations, no history.
    /// let builder = Engine::in_memory()
    ///     .accounts_per_shard_max(32)
    ///     .reservations_per_shard_max(128)
    ///     .idempotency_keys(10_000)
    ///     .documents_max(100)
    ///     .queue_bytes_max(1 << 20);
    /// assert!(builder.memory_bound().total() < 512 << 20);
    /// ```
    pub fn memory_bound(&self) -> MemoryBound {
        let tables = self.limits.bytes_max();
        // Two buffers that grow by doubling, and what callers add that were admitted at one moment.
        let queue = (self.journal.queue_bytes_max as u64).saturating_add(4 << 20);
        let history = self.history_memory_max.saturating_add(ROW_BYTES_MAX);
        MemoryBound {
            accounts: tables.accounts,
            uses: tables.uses,
            reservations: tables.reservations,
            idempotency_keys: tables.keys,
            documents: tables.documents,
            places: tables.places,
            journal: queue.saturating_mul(4),
            history: if self.history { history } else { 0 },
        }
    }

    /// Refuses to keep more documents than this; default 250,000, of at most
    /// [`BODY_BYTES_MAX`] bytes each.
    pub fn documents_max(mut self, count: usize) -> Self {
        self.limits.documents_max = count;
        self
    }

    /// Lets this many wait for units of the accounts of each shard, of which there are 64; default
    /// 4,096.
    pub fn places_per_shard_max(mut self, count: usize) -> Self {
        self.limits.places_per_shard_max = count;
        self
    }

    /// Lets history have this many bytes in memory before it is on disk; default 1 GiB. Beyond
    /// that, carrying events into history waits for sled: nothing is refused, and reads of the
    /// newest are late.
    pub fn history_memory_max(mut self, bytes: u64) -> Self {
        self.history_memory_max = bytes.max(1);
        self
    }
}
