//! One receiver: its profile, its outbox, and what both are kept as.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::letter::Letter;
use super::outbox::{Outbox, Outcome};
use super::profile::{Off, Profile};
use crate::base::error::{Error, Result};
use crate::base::{Seq, TimeMs};
use crate::engine::Engine;

/// How many attempts are remembered, of this process.
const ATTEMPTS_MAX: usize = 100;

/// An attempt that is over.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) letter: Letter,
    pub(crate) at: TimeMs,
    /// `None` when it was delivered.
    pub(crate) error: Option<String>,
}

pub(super) struct Receiver {
    pub(super) id: String,
    pub(super) profile: Mutex<Profile>,
    pub(super) outbox: Mutex<Outbox>,
    pub(super) attempts: Mutex<VecDeque<Attempt>>,
    /// Something is otherwise than it was when its task looked last.
    pub(super) wake: Notify,
    /// Whether a task sends to it.
    pub(super) is_served: AtomicBool,
    /// It was deleted: nothing of it may be kept any more.
    is_deleted: AtomicBool,
    /// Held while its files are written.
    writing: Mutex<()>,
    /// The event up to which what was read is on the disk.
    kept_through: AtomicU64,
}

impl Receiver {
    pub(super) fn new(id: String, profile: Profile, outbox: Outbox) -> Self {
        let kept_through = AtomicU64::new(outbox.read_through());
        Self {
            id,
            profile: Mutex::new(profile),
            outbox: Mutex::new(outbox),
            attempts: Mutex::default(),
            wake: Notify::new(),
            is_served: AtomicBool::new(false),
            is_deleted: AtomicBool::new(false),
            writing: Mutex::new(()),
            kept_through,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        !self.is_deleted.load(Ordering::Acquire) && self.profile.lock().off.is_none()
    }

    pub(super) fn kept_through(&self) -> Seq {
        self.kept_through.load(Ordering::Acquire)
    }

    /// Puts the profile that `change` makes on the disk, and then in force.
    pub(super) fn change<T>(
        &self,
        engine: &Engine,
        change: impl FnOnce(&mut Profile) -> Result<T>,
    ) -> Result<T> {
        let _writing = self.writing.lock();
        if self.is_deleted.load(Ordering::Acquire) {
            return Err(Error::not_found("the receiver was deleted"));
        }
        let mut profile = self.profile.lock().clone();
        let changed = change(&mut profile)?;
        engine.keep(&profile_name(&self.id), &profile.encode()?)?;
        *self.profile.lock() = profile;
        self.wake.notify_one();
        Ok(changed)
    }

    /// Sends it nothing any more, for this reason.
    pub(super) fn turn_off(&self, engine: &Engine, off: Off) {
        tracing::warn!(receiver = self.id, reason = off.name(), "a receiver of webhooks is off");
        let turned = self.change(engine, |profile| {
            profile.off.get_or_insert(off);
            Ok(())
        });
        if let Err(error) = turned {
            // It holds as long as the process.
            tracing::error!(%error, receiver = self.id, "that it is off was not written");
            self.profile.lock().off.get_or_insert(off);
        }
    }

    /// Puts the outbox on the disk as it is. It blocks.
    pub(super) fn keep(&self, engine: &Engine) -> Result<()> {
        let _writing = self.writing.lock();
        if self.is_deleted.load(Ordering::Acquire) {
            return Ok(());
        }
        let snapshot = self.outbox.lock().snapshot();
        let body = serde_json::to_vec(&snapshot)
            .map_err(|cause| Error::invalid("an outbox cannot be written").with_source(cause))?;
        engine.keep(&outbox_name(&self.id), &body)?;
        self.kept_through.store(snapshot.read_through, Ordering::Release);
        Ok(())
    }

    /// Removes what is kept of it.
    pub(super) fn delete(&self, engine: &Engine) -> Result<()> {
        let _writing = self.writing.lock();
        engine.drop_kept(&profile_name(&self.id))?;
        self.is_deleted.store(true, Ordering::Release);
        self.wake.notify_one();
        engine.drop_kept(&outbox_name(&self.id))
    }

    /// An attempt is over.
    pub(super) fn settle(
        &self,
        letter: Letter,
        outcome: Outcome,
        now: TimeMs,
        retry_for_ms: u64,
        random: u64,
    ) {
        let error = match &outcome {
            Outcome::Delivered => None,
            Outcome::Failed { error, .. } => Some(error.clone()),
            Outcome::Gone => Some("it is gone (410)".to_owned()),
        };
        self.outbox.lock().settle(&letter, outcome, now, retry_for_ms, random);
        let mut attempts = self.attempts.lock();
        if attempts.len() >= ATTEMPTS_MAX {
            attempts.pop_front();
        }
        attempts.push_back(Attempt { letter, at: now, error });
    }
}

pub(super) fn profile_name(id: &str) -> String {
    format!("receiver-{id}")
}

pub(super) fn outbox_name(id: &str) -> String {
    format!("outbox-{id}")
}
