//! Opening: lock, newest snapshot, the journal's tail, then the threads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_utils::sync::Parker;

use super::core::{Core, Parts};
use super::{Engine, Running, checkpoint, claim, expiry, follower};
use crate::clock::{Clock, SystemClock};
use crate::command::{BODY_BYTES_MAX, LINES_MAX};
use crate::error::{Error, Result};
use crate::event;
use crate::journal::{Journal, JournalConfig};
use crate::ledger::{Ledger, Limits, Replay};
use crate::store::{Store, StoreConfig};
use crate::sync::Mutex;
use crate::types::{AccountKind, SHARD_COUNT, TimeMs};
use crate::vfs::{self, RealVfs, Vfs, VfsLock};

/// What the longest event takes: a body, and the lines or a document's names.
const EVENT_BYTES_MAX: usize = BODY_BYTES_MAX + LINES_MAX * 32 + 4096;

/// How an engine is opened. Every setting has a default fit for a shop.
#[must_use = "nothing is opened before `open`"]
pub struct EngineBuilder {
    dir: PathBuf,
    vfs: Arc<dyn Vfs>,
    clock: Arc<dyn Clock>,
    /// Whether the clock runs by itself, so that what lapses does too.
    running: bool,
    limits: Limits,
    journal: JournalConfig,
    history: bool,
    history_flush_rows: usize,
    checkpoint_events: u64,
}

impl EngineBuilder {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            vfs: Arc::new(RealVfs),
            clock: Arc::new(SystemClock::default()),
            running: true,
            limits: Limits::default(),
            journal: JournalConfig::default(),
            history: true,
            history_flush_rows: 200_000,
            checkpoint_events: 2_000_000,
        }
    }

    /// Takes the time from this clock. Nothing expires by itself then: call
    /// [`Engine::expire_due`](crate::Engine::expire_due) after moving it.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        (self.clock, self.running) = (clock, false);
        self
    }

    /// Takes the time from this clock, which runs by itself: what is due expires by itself as well.
    #[cfg(feature = "server")]
    pub(crate) fn running_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        (self.clock, self.running) = (clock, true);
        self
    }

    /// Keeps its files there; history, which sled keeps in files of its own, must be off.
    #[cfg(any(test, feature = "server"))]
    pub(crate) fn vfs(mut self, vfs: impl Vfs) -> Self {
        self.vfs = Arc::new(vfs);
        self
    }

    /// Opens an engine without threads, for whoever wants to know what happens in which order: see
    /// [`Engine::write_queued`] and its neighbours. The salts of the journal follow from `seed`, which must be another at
    /// each opening.
    #[cfg(any(test, feature = "server"))]
    pub(crate) fn stepped(mut self, seed: u64) -> Self {
        self.journal.stepped = Some(seed);
        self
    }

    /// Keeps history in sled (the default), or not: then ended reservations are known to the journal only.
    pub fn history(mut self, history: bool) -> Self {
        self.history = history;
        self
    }

    /// Moves history to sled once so many of its rows wait in memory, however busy the journal is; default 200,000.
    /// While the journal rests, half a second passes at most.
    pub fn history_flush_rows(mut self, count: usize) -> Self {
        self.history_flush_rows = count.max(1);
        self
    }

    /// Keeps the answers to at least this many keyed requests; default 1,048,576, some 64 bytes of memory each. The
    /// window is by count: an answer leaves it when its shard (a 64th) is full of newer ones.
    pub fn idempotency_keys(mut self, count: usize) -> Self {
        self.limits.answers_per_shard_max = count.div_ceil(SHARD_COUNT).max(1);
        self
    }

    /// Refuses to hold more pending reservations than this in any 64th of the ledger; default 16,777,216.
    pub fn reservations_per_shard_max(mut self, count: usize) -> Self {
        self.limits.reservations_per_shard_max = count;
        self
    }

    /// Refuses to open more accounts than this in any 64th of the ledger; default 1,048,576.
    pub fn accounts_per_shard_max(mut self, count: usize) -> Self {
        self.limits.accounts_per_shard_max = count;
        self
    }

    /// The size of a journal segment in bytes: a multiple of 4,096 from 128 KiB to 1 GiB; default 64 MiB.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.journal.segment_bytes = bytes;
        self
    }

    /// How much may wait to be written, in bytes, before commands are `Overloaded`; default 64 MiB. With 0 every command
    /// is: a ledger to look at.
    pub fn queue_bytes_max(mut self, bytes: usize) -> Self {
        self.journal.queue_bytes_max = bytes;
        self
    }

    /// How much of the past the archive keeps, in bytes of compressed journal; `None` keeps none. Default 10 GiB.
    pub fn archive_bytes_max(mut self, bytes: Option<u64>) -> Self {
        self.journal.archive_bytes_max = bytes;
        self
    }

    /// Writes a checkpoint after so many events; default 2,000,000. Recovery replays little more than this.
    pub fn checkpoint_events(mut self, count: u64) -> Self {
        self.checkpoint_events = count.max(1);
        self
    }

    /// Opens the ledger, creating the directory when it is missing.
    ///
    /// # Errors
    /// `AlreadyOpen` when somebody has the directory, `Unavailable` when the disk fails, `Corrupt` naming file and offset when
    /// the files hold what no crash explains, `Invalid` for a setting out of bounds.
    pub fn open(self) -> Result<Engine> {
        if self.journal.payload_bytes_max() < EVENT_BYTES_MAX {
            return Err(Error::invalid("a journal segment has at least 128 KiB: the largest event must fit"));
        }
        let dir = self.dir.clone();
        vfs::create_dir_all(&*self.vfs, &dir)
            .map_err(|error| Error::io(format_args!("creating {}", dir.display()), error))?;
        let directory_lock = lock(&*self.vfs, &dir)?;
        let (stepped, clock) = (self.journal.stepped.is_some(), self.clock);
        let (snapshot, generations) = checkpoint::read_newest(&*self.vfs, &dir)?;
        let ledger = Ledger::new(self.limits, clock.now_ms());
        let mut floor_ms: TimeMs = 0;
        let journal = {
            let mut replay = Replay::new(&ledger);
            let mut last_seq = 0;
            if let Some(snapshot) = &snapshot {
                snapshot.load(&mut replay)?;
                floor_ms = snapshot.at;
                last_seq = snapshot.last_seq;
            }
            let from_seq = snapshot.as_ref().map_or(1, |snapshot| snapshot.from_seq);
            let mut apply = |seq, kind, payload: &[u8]| {
                let event = event::decode(kind, payload)?;
                floor_ms = floor_ms.max(event.at);
                replay.apply(seq, &event).map_err(|error| Error::corrupt(format!("record {seq}: {error}")))
            };
            let journal = Journal::open(Arc::clone(&self.vfs), &dir, self.journal, from_seq, &mut apply)?;
            if journal.last_seq() < last_seq {
                return Err(Error::corrupt(format!(
                    "the journal in {} ends at record {}, but the checkpoint shows record {last_seq}: acknowledged \
                     records are missing. Restore the directory from a backup",
                    dir.display(),
                    journal.last_seq()
                )));
            }
            journal
        };
        drop(snapshot);
        // The journal lets go of what is below every pin. Until each follower has set its own, this one keeps all.
        journal.set_pin("opening", 1);
        let store = if self.history { Some(open_store(&dir, &journal, &ledger)?) } else { None };
        let claims = claim::restore(&*self.vfs, &dir, &journal)?;
        journal.set_pin("checkpoint", generations.needed_from());
        journal.clear_pin("opening");
        let (checkpoint_events, history_flush_rows) = (self.checkpoint_events, self.history_flush_rows);
        let parts = Parts {
            ledger,
            journal,
            store,
            vfs: self.vfs,
            dir,
            generations,
            claims,
            checkpoint_events,
            history_flush_rows,
            clock,
            floor_ms,
            directory_lock,
        };
        let core = Arc::new(Core::new(parts));
        let running = Running { core: Arc::clone(&core), threads: Mutex::new(Vec::new()) };
        if !stepped {
            start(&running, follower::HISTORY_THREAD, follower::run)?;
            start(&running, "stockhold-checkpoint", checkpoint::run)?;
        }
        if self.running && !stepped {
            start(&running, "stockhold-expiry", expiry::run)?;
        }
        Ok(Engine(Arc::new(running)))
    }
}

/// Takes the lock of a data directory.
///
/// # Errors
/// `AlreadyOpen` when somebody has it, `Unavailable` when it cannot be taken.
pub(super) fn lock(vfs: &dyn Vfs, dir: &Path) -> Result<Box<dyn VfsLock>> {
    let path = dir.join("lock");
    vfs.lock(&path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::already_open(format!(
            "the data directory {} is open already, in this process or another",
            dir.display()
        )),
        _ => Error::io(format_args!("locking {}", path.display()), error),
    })
}

/// Opens history and lets it go on where it ends. A history that is new, or was set aside, begins with the oldest event
/// that is still kept: everything, unless the archive has dropped some.
fn open_store(dir: &Path, journal: &Journal, ledger: &Ledger) -> Result<Store> {
    let config = StoreConfig { seq_max: journal.last_seq(), ..StoreConfig::default() };
    let store = Store::open(&dir.join("store"), config)?;
    if let Some(set_aside) = store.set_aside() {
        tracing::error!(?set_aside, "history cannot be used; it is made anew from the journal");
    }
    let oldest_seq = journal.status().oldest_seq;
    if store.projected() + 1 < oldest_seq {
        tracing::warn!(oldest_seq, "history begins late: older events are no longer kept");
        let quotas = ledger.levels().into_iter().filter(|level| level.key.kind() == AccountKind::Quota);
        store.begin_after(oldest_seq - 1, quotas.map(|level| level.account))?;
    }
    journal.set_pin("store", store.watermark() + 1);
    Ok(store)
}

/// Starts a background thread that sleeps between its rounds. Should it die, the status tells.
pub(super) fn start(running: &Running, name: &'static str, run: fn(&Arc<Core>, &Parker)) -> Result<()> {
    let parker = Parker::new();
    let core = Arc::clone(&running.core);
    core.add_sleeper(parker.unparker().clone());
    let builder = thread::Builder::new().name(name.to_owned());
    let thread: JoinHandle<()> = builder
        .spawn(move || core.dead_thread.watch(name, || run(&core, &parker)))
        .map_err(|error| Error::io(format_args!("starting the thread {name}"), error))?;
    running.threads.lock().push(thread);
    Ok(())
}
