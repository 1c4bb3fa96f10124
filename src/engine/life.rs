//! Whether an engine answers, and what ends its threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_utils::sync::Unparker;

use crate::base::TimeMs;
use crate::base::calls::DeadThread;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::vfs::directory::Directory;

/// From the opening of an engine to its end.
pub(super) struct Life {
    stopped: AtomicBool,
    sleepers: Mutex<Vec<Unparker>>,
    /// The first thread that died, history's apart, and whether that did: neither hides the other.
    pub(super) dead_thread: DeadThread,
    pub(super) dead_history: DeadThread,
    /// The time at which a call last asked whether the process is still the one that opened the
    /// directory.
    asked_ms: AtomicU64,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            stopped: AtomicBool::new(false),
            sleepers: Mutex::new(Vec::new()),
            dead_thread: DeadThread::default(),
            dead_history: DeadThread::default(),
            asked_ms: AtomicU64::new(TimeMs::MAX),
        }
    }
}

impl Life {
    /// Whether calls are answered at this time.
    ///
    /// # Errors
    /// `Closed`, or `Unavailable` in a fork.
    pub(super) fn check(&self, directory: &Directory, now_ms: TimeMs) -> Result<()> {
        if self.is_stopped() {
            return Err(Error::closed());
        }
        // Asking the system costs as much as half a command, so it is asked once in a millisecond.
        // What a fork decides in between stays in its memory: the journal asks before each write.
        // Relaxed: the value is the whole message.
        if self.asked_ms.load(Ordering::Relaxed) != now_ms {
            directory.check_process()?;
            self.asked_ms.store(now_ms, Ordering::Relaxed);
        }
        Ok(())
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
}
