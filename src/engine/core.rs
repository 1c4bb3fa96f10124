//! What the engine's handles and threads share.

use std::sync::Arc;
use std::time::Duration;

use crate::base::TimeMs;
use crate::base::error::Result;
use crate::base::sync::Mutex;
use crate::engine::Ticket;
use crate::engine::files::Files;
use crate::engine::files::claims::Claims;
use crate::engine::files::generations::Checkpoints;
use crate::engine::following::Following;
use crate::engine::life::Life;
use crate::engine::recorder::JournalRecorder;
use crate::engine::time::EngineTime;
use crate::engine::upkeep::space::{self, Space};
use crate::journal::Journal;
use crate::ledger::{Command, Executed, Ledger};

pub(super) struct Core {
    pub(super) ledger: Ledger,
    pub(super) journal: Arc<Journal>,
    pub(super) time: EngineTime,
    pub(super) files: Files,
    pub(super) history: Following,
    pub(super) checkpoints: Checkpoints,
    /// Held while a claim's file is written: one writer at a time, and never on the way of a
    /// command.
    pub(super) claims: Mutex<Claims>,
    pub(super) space: Space,
    pub(super) life: Life,
    /// After how long a group that is not durable counts as a disk that hangs.
    pub(super) sync_limit: Duration,
}

impl Core {
    pub(super) fn now_ms(&self) -> TimeMs {
        self.time.now_ms()
    }

    /// Whether calls are answered. Asked at the start of each, and before a lock is taken: in a
    /// fork, locks can be held by threads that are not there.
    ///
    /// # Errors
    /// `Closed`, or `Unavailable` in a fork.
    pub(super) fn check_open(&self) -> Result<()> {
        self.life.check(&self.files.directory, self.time.wall_ms())
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.life.is_stopped()
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
        let validated = self.ledger.validate(command)?;
        if self.space.is_low() && space::is_new(command) {
            let known = command.key().map(|key| self.ledger.first_execution(key, self.now_ms()));
            if matches!(known, None | Some(Ok(None))) {
                self.space.check()?;
            }
        }
        self.ledger.execute_validated(validated, self.now_ms(), &self.recorder())
    }
}
