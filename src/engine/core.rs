//! What the engine's handles and threads share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_utils::sync::Unparker;

use super::Ticket;
use super::checkpoint::Generations;
use super::claim::Claims;
use super::ended::Deferred;
use super::follower::Progress;
use super::space::{self, Space};
use super::time::EngineTime;
use crate::base::BODY_BYTES_MAX;
use crate::base::calls::DeadThread;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::{Seq, TimeMs};
use crate::event::{self, Event, Recorder};
use crate::history::Store;
use crate::journal::Journal;
use crate::ledger::Command;
use crate::ledger::{Executed, Ledger, NAME_BYTES_MAX};
use crate::vfs::Vfs;
use crate::vfs::directory::Directory;

pub(super) struct Core {
    pub(super) ledger: Ledger,
    pub(super) journal: Arc<Journal>,
    pub(super) store: Option<Store>,
    pub(super) progress: Progress,
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) directory: Arc<Directory>,
    pub(super) generations: Mutex<Generations>,
    /// Held while a claim's file is written: one writer at a time, and never on the way of a
    /// command.
    pub(super) claims: Mutex<Claims>,
    pub(super) checkpoint_events: u64,
    pub(super) history_flush_rows: usize,
    pub(super) history_memory_max: u64,
    pub(super) time: EngineTime,
    /// After how long a group that is not durable counts as a disk that hangs.
    pub(super) sync_limit: Duration,
    pub(super) space: Space,
    stopped: AtomicBool,
    pub(super) dead_thread: DeadThread,
    /// The time at which a call last asked whether the process is still the one that opened the
    /// directory.
    asked_ms: AtomicU64,
    sleepers: Mutex<Vec<Unparker>>,
    pub(super) deferred: Deferred,
    /// The last event up to which a checkpoint is complete.
    pub(super) checkpointed: AtomicU64,
    /// When that was written; before the first one, when the engine was opened.
    pub(super) checkpointed_at_ms: AtomicU64,
    /// How many checkpoints failed since the last one that did not.
    pub(super) checkpoint_failures: AtomicU32,
}

/// What a [`Core`] is made of.
pub(super) struct Parts {
    pub(super) ledger: Ledger,
    pub(super) journal: Arc<Journal>,
    pub(super) store: Option<Store>,
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) directory: Arc<Directory>,
    pub(super) generations: Generations,
    pub(super) claims: Claims,
    pub(super) checkpoint_events: u64,
    pub(super) history_flush_rows: usize,
    pub(super) history_memory_max: u64,
    pub(super) time: EngineTime,
    pub(super) sync_limit: Duration,
    pub(super) space: Space,
}

impl Core {
    pub(super) fn new(parts: Parts) -> Self {
        let projected = parts.store.as_ref().map_or(0, |store| store.projected());
        Self {
            checkpointed: AtomicU64::new(parts.generations.newest()),
            checkpointed_at_ms: AtomicU64::new(parts.time.now_ms()),
            checkpoint_failures: AtomicU32::new(0),
            ledger: parts.ledger,
            progress: Progress::new(projected, parts.journal.calls()),
            journal: parts.journal,
            store: parts.store,
            vfs: parts.vfs,
            directory: parts.directory,
            generations: Mutex::new(parts.generations),
            claims: Mutex::new(parts.claims),
            checkpoint_events: parts.checkpoint_events,
            history_flush_rows: parts.history_flush_rows,
            history_memory_max: parts.history_memory_max,
            time: parts.time,
            sync_limit: parts.sync_limit,
            space: parts.space,
            stopped: AtomicBool::new(false),
            dead_thread: DeadThread::default(),
            asked_ms: AtomicU64::new(TimeMs::MAX),
            sleepers: Mutex::new(Vec::new()),
            deferred: Deferred::default(),
        }
    }

    pub(super) fn now_ms(&self) -> TimeMs {
        self.time.now_ms()
    }

    /// Whether calls are answered. Asked at the start of each, and before a lock is taken: in a
    /// fork, locks can be held by threads that are not there.
    ///
    /// # Errors
    /// `Closed`, or `Unavailable` in a fork.
    pub(super) fn check_open(&self) -> Result<()> {
        if self.is_stopped() {
            return Err(Error::closed());
        }
        // Asking the system costs as much as half a command, so it is asked once in a millisecond.
        // What a fork decides in between stays in its memory: the journal asks before each write.
        // Relaxed: the value is the whole message.
        let now_ms = self.time.wall_ms();
        if self.asked_ms.load(Ordering::Relaxed) != now_ms {
            self.directory.check_process()?;
            self.asked_ms.store(now_ms, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn recorder(&self) -> JournalRecorder<'_> {
        JournalRecorder(&self.journal)
    }

    pub(super) fn ticket<T>(&self, executed: Executed<T>) -> Ticket<T> {
        Ticket::new(executed, &self.journal)
    }

    /// Executes a command, unless it asks for something new and there is no room for that. A retry
    /// hears its first answer all the same.
    pub(super) fn execute(&self, command: &Command<'_>) -> Result<Executed> {
        if self.space.is_low() && space::is_new(command) {
            let is_retry = command
                .key()
                .is_some_and(|key| !matches!(self.ledger.recall(key, self.now_ms()), Ok(None)));
            if !is_retry {
                self.ledger.check(command)?;
                self.space.check()?;
            }
        }
        self.ledger.execute(command, self.now_ms(), &self.recorder())
    }

    /// Registers a thread that sleeps between its rounds, so that stopping wakes it.
    pub(super) fn add_sleeper(&self, sleeper: Unparker) {
        self.sleepers.lock().push(sleeper);
    }

    /// Tells the threads to end, and refuses every call from here on. True when that was done
    /// before.
    pub(super) fn stop(&self) -> bool {
        let before = self.stopped.swap(true, Ordering::SeqCst);
        self.sleepers.lock().iter().for_each(Unparker::unpark);
        before
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Whether somebody waits for what history shows.
    pub(super) fn is_awaited(&self) -> bool {
        self.progress.is_awaited() || !self.deferred.is_empty()
    }
}

pub(super) fn check_body(body: &[u8]) -> Result<()> {
    match body.len() {
        0..=BODY_BYTES_MAX => Ok(()),
        _ => {
            Err(Error::invalid(format!("a note or a document has at most {BODY_BYTES_MAX} bytes")))
        }
    }
}

pub(super) fn check_name(name: &str) -> Result<()> {
    match name.len() {
        1..=NAME_BYTES_MAX => Ok(()),
        _ => Err(Error::invalid(format!(
            "a document's collection and key have 1 to {NAME_BYTES_MAX} bytes"
        ))),
    }
}

/// The journal as the ledger sees it.
pub(super) struct JournalRecorder<'a>(&'a Journal);

impl Recorder for JournalRecorder<'_> {
    fn admit(&self) -> Result<()> {
        self.0.admit()
    }

    fn record(&self, event: &Event<'_>) -> Seq {
        self.0.append(event::kind_of(event), |buffer| event::encode(event, buffer))
    }

    fn last_seq(&self) -> Seq {
        self.0.last_seq()
    }
}
