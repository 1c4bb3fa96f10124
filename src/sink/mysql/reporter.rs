//! Where the mirror says how it fares.

use std::sync::Arc;

use tokio::sync::watch;

use crate::base::{Seq, TimeMs};
use crate::sink::status::{MirrorStatus, State};

/// The sending end of the status: what follows and what keeps the backlog both have it.
#[derive(Clone)]
pub(super) struct StatusReporter {
    status: Arc<watch::Sender<MirrorStatus>>,
}

impl StatusReporter {
    pub(super) fn new(status: watch::Sender<MirrorStatus>) -> Self {
        Self { status: Arc::new(status) }
    }

    pub(super) fn status(&self) -> MirrorStatus {
        self.status.borrow().clone()
    }

    /// Says how much the journal keeps for the mirror, and whether that is too much.
    pub(super) fn backlog(&self, held_bytes: u64, full: bool) {
        self.status.send_if_modified(|status| {
            let changed = (status.held_bytes, status.backlog_full) != (held_bytes, full);
            (status.held_bytes, status.backlog_full) = (held_bytes, full);
            changed
        });
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut MirrorStatus)) {
        self.status.send_modify(change);
    }

    pub(super) fn state(&self, state: State) {
        self.change(|status| status.state = state);
    }

    pub(super) fn watermark(&self) -> Seq {
        self.status.borrow().watermark
    }

    /// The tables do not follow, and why.
    pub(super) fn fails(&self, state: State, message: String, now_ms: TimeMs) {
        self.change(|status| {
            status.state = state;
            (status.last_error, status.last_error_at) = (Some(message), Some(now_ms));
        });
    }

    /// Whether this is not what was told last.
    pub(super) fn is_news(&self, state: State, message: &str) -> bool {
        let status = self.status.borrow();
        status.state != state || status.last_error.as_deref() != Some(message)
    }
}
