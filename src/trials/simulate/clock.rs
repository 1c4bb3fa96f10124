//! A machine's clock, which people set, and the clock of one process on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::TimeMs;
use crate::base::clock::{Clock, Latest};

/// The machine's clock. It goes on from process to process, and may be set backwards.
#[derive(Clone, Debug)]
pub(super) struct MachineClock(Arc<AtomicU64>);

impl MachineClock {
    pub(super) fn new(now_ms: TimeMs) -> Self {
        Self(Arc::new(AtomicU64::new(now_ms)))
    }

    pub(super) fn advance(&self, by_ms: u64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }

    pub(super) fn set_back(&self, by_ms: u64) {
        let now_ms = self.0.load(Ordering::SeqCst);
        self.0.store(now_ms.saturating_sub(by_ms).max(1), Ordering::SeqCst);
    }

    pub(super) fn now_ms(&self) -> TimeMs {
        self.0.load(Ordering::SeqCst)
    }

    /// The clock of a process that starts now, held back as the system's clock is.
    pub(super) fn of_process(&self) -> Arc<dyn Clock> {
        Arc::new(ProcessClock { machine: self.clone(), latest: Latest::default() })
    }
}

#[derive(Debug)]
struct ProcessClock {
    machine: MachineClock,
    latest: Latest,
}

impl Clock for ProcessClock {
    fn now_ms(&self) -> TimeMs {
        self.latest.hold(self.machine.0.load(Ordering::SeqCst))
    }
}
