//! An engine that leaves nothing behind.

use std::path::Path;

use crate::engine::{Engine, EngineBuilder, MemoryDisk};

/// Where the files of an engine in memory are, on its own disk.
const DIR: &str = "/ledger";
/// The size of its journal segments, in bytes.
const SEGMENT_BYTES: u64 = 1 << 20;
/// After how many events it writes a checkpoint, so that it can let go of its journal.
const CHECKPOINT_EVENTS: u64 = 100_000;
/// Below which part of its disk nothing new is taken.
const LOW_SPACE_PART: u64 = 16;

impl Engine {
    /// Prepares to open an empty ledger in memory: for tests, and for what need not outlive the
    /// process. Nothing is read from or written to any disk, and nothing is left once it is closed
    /// and its handles are dropped; see [`Engine::in_memory_on`] for one that can be opened again.
    ///
    /// It is the whole engine: journal, checkpoints, expiry, subscriptions and claims work as ever,
    /// and "durable" means written to that disk. Two things differ:
    ///
    /// - There is no history ([`History`](crate::engine::History), [`Engine::refund`] and
    ///   [`Engine::catch_up`] are `Unavailable`): ended reservations are in the journal alone.
    ///   [`EngineBuilder::history`] makes the opening `Invalid`.
    /// - No archive is kept, so a subscription can start from about the last 200,000 events.
    ///   [`EngineBuilder::archive_bytes_max`] keeps more.
    ///
    /// # Memory
    /// Its files take at most [`MemoryDisk::BYTES_MAX`]: a few times what the ledger's tables take,
    /// since two checkpoints are kept, and a journal of some 200,000 events. While less than a
    /// sixteenth of it is left, what is new is refused
    /// ([`LowSpace`](crate::ErrorKind::LowSpace)). The tables themselves come on top; see
    /// [`EngineBuilder::memory_bound`].
    pub fn in_memory() -> EngineBuilder {
        Self::in_memory_on(&MemoryDisk::default())
    }

    /// As [`Engine::in_memory`], on a disk that the caller has: what one engine left when it was
    /// closed or dropped, the next one finds, as after a restart. One at a time may be open on it;
    /// another is [`AlreadyOpen`](crate::ErrorKind::AlreadyOpen).
    pub fn in_memory_on(disk: &MemoryDisk) -> EngineBuilder {
        Self::builder(Path::new(DIR))
            .vfs(disk.clone())
            .history(false)
            .archive_bytes_max(None)
            .segment_bytes(SEGMENT_BYTES)
            .checkpoint_events(CHECKPOINT_EVENTS)
            .low_space_mark(disk.bytes_max() / LOW_SPACE_PART)
    }
}
