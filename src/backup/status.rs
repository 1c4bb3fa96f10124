//! What a server tells of its backups. Without the feature `bin` nobody fills it in.

use std::sync::Arc;

use crate::base::sync::Mutex;
use crate::base::{Seq, TimeMs};

/// The backups of a server at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BackupStatus {
    /// The last event that the backup has; 0 until the first run ended.
    pub(crate) last_seq: Seq,
    /// When the last run began that came to its end: whatever happened before is in the backup.
    pub(crate) complete_at: Option<TimeMs>,
    /// How many runs in a row failed since then.
    pub(crate) failures: u64,
    /// Why the last one did.
    pub(crate) error: Option<String>,
}

impl BackupStatus {
    /// Whether what is new is copied.
    pub(crate) fn is_well(&self) -> bool {
        self.failures == 0
    }

    /// How far back what would be lost with the machine goes, in milliseconds: 0 while the backup
    /// has every event up to `last_seq`, `None` before the first run ended.
    pub(crate) fn exposed_ms(&self, now: TimeMs, last_seq: Seq) -> Option<u64> {
        let complete_at = self.complete_at?;
        Some(if self.last_seq >= last_seq { 0 } else { now.saturating_sub(complete_at) })
    }
}

/// Shows how the backups of a server stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct BackupView(Arc<Mutex<BackupStatus>>);

impl BackupView {
    pub(crate) fn status(&self) -> BackupStatus {
        self.0.lock().clone()
    }

    /// A run that began at `begun` copied everything up to `last_seq`.
    #[cfg(feature = "bin")]
    pub(crate) fn completed(&self, begun: TimeMs, last_seq: Seq) {
        let complete_at = Some(begun);
        *self.0.lock() = BackupStatus { last_seq, complete_at, ..BackupStatus::default() };
    }

    /// A run failed.
    #[cfg(feature = "bin")]
    pub(crate) fn failed(&self, error: &crate::base::error::Error) {
        let mut status = self.0.lock();
        status.failures += 1;
        status.error = Some(error.to_string());
    }
}

#[cfg(all(test, feature = "bin"))]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_lost_goes_back_to_the_last_run_that_ended() {
        let view = BackupView::default();
        assert_eq!(view.status().exposed_ms(5_000, 9), None, "nothing was copied yet");
        view.completed(4_000, 9);
        assert_eq!(view.status().exposed_ms(5_000, 9), Some(0), "nothing is new");
        assert_eq!(view.status().exposed_ms(5_000, 10), Some(1_000));
        view.failed(&crate::base::error::Error::unavailable("the disk is full"));
        view.failed(&crate::base::error::Error::unavailable("the disk is full"));
        let status = view.status();
        assert_eq!((status.failures, status.is_well(), status.last_seq), (2, false, 9));
        assert_eq!(status.exposed_ms(9_000, 10), Some(5_000));
        view.completed(8_000, 10);
        assert!(view.status().is_well() && view.status().error.is_none());
    }
}
