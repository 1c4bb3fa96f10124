//! How an engine is opened: its settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(doc)]
use crate::base::IdempotencyKey;
use crate::base::clock::{Clock, SystemClock};
use crate::base::error::{Error, Result};
use crate::base::{
    ATOMIC_COMMANDS_MAX, ATOMIC_LINES_MAX, BODY_BYTES_MAX, LINES_MAX, TTL_MS_MAX, handle,
};
#[cfg(doc)]
use crate::engine::Engine;
use crate::history;
use crate::journal::JournalConfig;
use crate::ledger::Limits;
use crate::vfs::{RealVfs, Vfs};

/// What the longest event takes: a body, and the lines, the commands that happened together, or a
/// document's names.
const EVENT_BYTES_MAX: usize =
    BODY_BYTES_MAX + LINES_MAX * 32 + (ATOMIC_COMMANDS_MAX + ATOMIC_LINES_MAX) * 64 + 4096;

/// How an engine is opened. Every setting has a default fit for a shop.
#[derive(Clone)]
#[must_use = "nothing is opened before `open`"]
pub struct EngineBuilder {
    pub(in crate::engine) dir: PathBuf,
    pub(in crate::engine) vfs: Arc<dyn Vfs>,
    pub(in crate::engine) clock: Arc<dyn Clock>,
    /// Whether the clock runs by itself, so that what lapses does too.
    pub(in crate::engine) running: bool,
    pub(in crate::engine) clock_trust_ms: u64,
    pub(in crate::engine) limits: Limits,
    pub(in crate::engine) journal: JournalConfig,
    pub(in crate::engine) history: bool,
    pub(in crate::engine) history_flush_rows: usize,
    pub(in crate::engine) history_memory_max: u64,
    pub(in crate::engine) checkpoint_events: u64,
    pub(in crate::engine) accept_loss: bool,
    pub(in crate::engine) close_limit: Duration,
    pub(in crate::engine) low_space_mark: u64,
    pub(in crate::engine) history_bytes_max: u64,
}

handle!(EngineBuilder, this { dir: this.dir });

impl EngineBuilder {
    pub(in crate::engine) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            vfs: Arc::new(RealVfs),
            clock: Arc::new(SystemClock::default()),
            running: true,
            clock_trust_ms: 15 * 60 * 1000,
            limits: Limits::default(),
            journal: JournalConfig::default(),
            history: history::IS_BUILT,
            history_flush_rows: 200_000,
            history_memory_max: 1 << 30,
            checkpoint_events: 2_000_000,
            accept_loss: false,
            close_limit: Duration::from_secs(60),
            low_space_mark: 64 << 20,
            history_bytes_max: u64::MAX,
        }
    }

    /// Takes the time from this clock; default is the machine's. What is due expires by itself when
    /// the clock [runs by itself](Clock::is_running).
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        (self.running, self.clock) = (clock.is_running(), clock);
        self
    }

    /// How long a clock that jumped forwards must keep what it jumped to before the engine follows
    /// it; until then, no deadline moves. Default 15 minutes. See
    /// [`Engine::confirm_clock`](crate::Engine::confirm_clock).
    pub fn clock_trust_after(mut self, time: Duration) -> Self {
        self.clock_trust_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Lets nothing expire by itself, whatever the clock.
    #[cfg(any(test, feature = "bin"))]
    pub(in crate::engine) fn without_expiry(mut self) -> Self {
        self.running = false;
        self
    }

    /// Keeps its files there; history, which sled keeps in files of its own, must be off.
    pub(crate) fn vfs(mut self, vfs: impl Vfs) -> Self {
        self.vfs = Arc::new(vfs);
        self
    }

    /// Opens an engine without threads, for whoever wants to know what happens in which order: see
    /// [`Engine::write_queued`] and its neighbours. The salts of the journal follow from `seed`,
    /// which must be another at each opening.
    #[cfg(any(test, feature = "bin"))]
    pub(crate) fn stepped(mut self, seed: u64) -> Self {
        self.journal.stepped = Some(seed);
        self
    }

    /// Keeps history in sled (the default with the feature `history`), or not: then ended
    /// reservations are known to the journal only. A build without the feature does not open when
    /// it is asked for history.
    pub fn history(mut self, history: bool) -> Self {
        self.history = history;
        self
    }

    /// Moves history to sled once this many of its rows wait in memory, however busy the journal
    /// is; default 200,000. While the journal rests, half a second passes at most.
    pub fn history_flush_rows(mut self, count: usize) -> Self {
        self.history_flush_rows = count.max(1);
        self
    }

    /// Keeps the answer to a keyed request for this long at least, in milliseconds; default 24
    /// hours. It is promised in the request's own event, so another setting later changes no
    /// promise. At most 366 days.
    pub fn idempotency_window_ms(mut self, window_ms: u64) -> Self {
        self.limits.keys.window_ms = window_ms;
        self
    }

    /// Has room for the answers to this many keyed requests; default 4,194,304, some 150 bytes of
    /// memory each. No answer makes room for another before its time: when all are young, requests
    /// with a new key are `Overloaded`.
    pub fn idempotency_keys(mut self, count: usize) -> Self {
        self.limits.keys.records_max = count.max(1);
        self
    }

    /// Keeps the answers to this many keyed requests of one owner ([`IdempotencyKey::owned_by`]);
    /// default 1,048,576. When all are young, the owner's requests with a new key are `Throttled`.
    pub fn idempotency_keys_per_owner(mut self, count: usize) -> Self {
        self.limits.keys.per_owner_max = count.max(1);
        self
    }

    /// Refuses to hold more pending reservations than this in any 64th of the ledger; default
    /// 16,777,216.
    pub fn reservations_per_shard_max(mut self, count: usize) -> Self {
        self.limits.reservations_per_shard_max = count;
        self
    }

    /// Refuses to open more accounts than this in any 64th of the ledger; default 1,048,576.
    pub fn accounts_per_shard_max(mut self, count: usize) -> Self {
        self.limits.accounts_per_shard_max = count;
        self
    }

    /// The size of a journal segment in bytes: a multiple of 4,096 from 128 KiB to 1 GiB; default
    /// 64 MiB.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.journal.segment_bytes = bytes;
        self
    }

    /// How much may wait to be written, in bytes, before commands are `Overloaded`; default 64 MiB.
    /// With 0 every command is: a ledger to look at.
    pub fn queue_bytes_max(mut self, bytes: usize) -> Self {
        self.journal.queue_bytes_max = bytes;
        self
    }

    /// How much of the past the archive keeps, in bytes of compressed journal; `None` keeps none.
    /// Default 10 GiB.
    pub fn archive_bytes_max(mut self, bytes: Option<u64>) -> Self {
        self.journal.archive_bytes_max = bytes;
        self
    }

    /// Writes a checkpoint after this many events; default 2,000,000. Recovery replays little more
    /// than this.
    pub fn checkpoint_events(mut self, count: u64) -> Self {
        self.checkpoint_events = count.max(1);
        self
    }

    /// Goes on although acknowledged events are missing from the end of the journal. Without this,
    /// the default, opening is refused when a checkpoint, history or a claim shows events that the
    /// journal does not have. With it, what shows them is set aside, and the ledger goes on from
    /// what is left: numbers of events that were told before then come again for others. So claims
    /// are given up, and [`Engine::identity`] is another.
    pub fn accept_loss(mut self, accept: bool) -> Self {
        self.accept_loss = accept;
        self
    }

    /// After how long a disk that does not answer counts as one that hangs; default 5 s. Commands
    /// are [`Stalled`](crate::ErrorKind::Stalled) then, until it answers: those that wait already
    /// go on waiting.
    pub fn sync_limit(mut self, limit: Duration) -> Self {
        self.journal.sync_limit = limit;
        self
    }

    /// How long [`Engine::close`] and the drop of the last handle wait for a disk that does not
    /// answer; default 60 s. What is left then goes on in a thread of its own, for as long as the
    /// process lives.
    pub fn close_limit(mut self, limit: Duration) -> Self {
        self.close_limit = limit;
        self
    }

    /// With fewer free bytes than this, nothing new is reserved, received or opened: that is
    /// [`LowSpace`](crate::ErrorKind::LowSpace), until there is a quarter more. What was reserved
    /// is still confirmed, released and expires. Default 64 MiB, looked at every second.
    pub fn low_space_mark(mut self, bytes: u64) -> Self {
        self.low_space_mark = bytes;
        self
    }

    /// With more bytes of history than this, nothing new is reserved, received or opened, as with
    /// little free space. Default no bound but the disk. History is measured every half minute.
    pub fn history_bytes_max(mut self, bytes: u64) -> Self {
        self.history_bytes_max = bytes;
        self
    }

    /// Whether every setting is within its bounds.
    ///
    /// # Errors
    /// `Invalid` when one is not.
    pub(in crate::engine) fn check(&self) -> Result<()> {
        if self.journal.payload_bytes_max() < EVENT_BYTES_MAX {
            return Err(Error::invalid(
                "a journal segment has at least 128 KiB: the largest event must fit",
            ));
        }
        if !(1..=TTL_MS_MAX).contains(&self.limits.keys.window_ms) {
            return Err(Error::invalid(format!(
                "an idempotency window is 1 to {TTL_MS_MAX} milliseconds"
            )));
        }
        if self.history && !self.vfs.is_on_disk() {
            return Err(Error::invalid("a ledger in memory keeps no history"));
        }
        Ok(())
    }
}
