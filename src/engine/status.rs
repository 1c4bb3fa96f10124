//! What operators ask first.

use crate::base::Seq;
use crate::engine::core::Core;

/// The state of an engine at one moment. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The last event decided.
    pub last_seq: Seq,
    /// The last event that survives a crash.
    pub durable_seq: Seq,
    /// The last event that the newest checkpoint shows.
    pub checkpoint_seq: Seq,
    /// How many checkpoints failed since the last one that did not. While it is not 0 the journal
    /// grows; they are tried again by themselves.
    pub checkpoint_failures: u32,
    /// The last event that history shows, and the last one that sled has on disk; `None` when
    /// history is off.
    pub history_seq: Option<(Seq, Seq)>,
    /// The oldest event that a subscription can start from.
    pub oldest_seq: Seq,
    /// Journal segments in use, and spare ones.
    pub segments: usize,
    /// Spare segments, ready for reuse.
    pub spares: usize,
    /// The size of the segments in use.
    pub segment_bytes: u64,
    /// The size of the archive.
    pub archive_bytes: u64,
    /// Syncs since the engine was opened: one for each group of events.
    pub syncs: u64,
    /// Whether a write or a sync has failed; nothing more is accepted then.
    pub poisoned: bool,
    /// How long the disk has been at the group of events that it writes, in milliseconds; `None`
    /// while it writes none.
    pub sync_age_ms: Option<u64>,
    /// Whether that is longer than [`EngineBuilder::sync_limit`](crate::EngineBuilder::sync_limit):
    /// nothing more is accepted until the disk answers.
    pub stalled: bool,
    /// How many bytes can still be written, as last seen; `None` where the file system does not
    /// say.
    pub free_bytes: Option<u64>,
    /// The size of history's files, as last seen.
    pub history_bytes: u64,
    /// Whether there is too little room to reserve, receive or open anything; see
    /// [`EngineBuilder::low_space_mark`](crate::EngineBuilder::low_space_mark).
    pub low_space: bool,
    /// Whether history failed: reads that need it do until the next opening, and all else goes on.
    pub history_failed: bool,
    /// A thread of the engine, history's apart, that died of a panic: only a restart brings back
    /// what it did.
    pub dead_thread: Option<&'static str>,
    /// How far the engine's time is ahead of the machine's clock, in milliseconds; negative when it
    /// is behind, because the clock jumped forwards and is not followed yet. 0 while they agree.
    pub clock_ahead_ms: i64,
}

impl Status {
    pub(super) fn of(core: &Core) -> Self {
        let journal = core.journal.status();
        Self {
            last_seq: journal.last_seq,
            durable_seq: journal.durable_seq,
            checkpoint_seq: core.checkpoints.seq(),
            checkpoint_failures: core.checkpoints.failures(),
            history_seq: core
                .history
                .store
                .get()
                .map(|store| (store.projected(), store.watermark())),
            oldest_seq: journal.oldest_seq,
            segments: journal.segments,
            spares: journal.spares,
            segment_bytes: journal.segment_bytes,
            archive_bytes: journal.archive_bytes,
            syncs: journal.syncs,
            poisoned: journal.poisoned,
            sync_age_ms: journal
                .sync_age
                .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            stalled: journal.sync_age.is_some_and(|age| age >= core.sync_limit),
            free_bytes: core.space.free_bytes(),
            history_bytes: core.space.history_bytes(),
            low_space: core.space.is_low(),
            // A thread that died outside of what it follows has told nobody.
            history_failed: core.history.progress.has_failed()
                || core.life.dead_history.name().is_some(),
            dead_thread: core.life.dead_thread.name().or(journal.dead_thread),
            clock_ahead_ms: core.time.ahead_ms(),
        }
    }
}
