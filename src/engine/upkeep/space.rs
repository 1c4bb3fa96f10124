//! How much room there is. While there is little, nothing new is sold: what was sold already must
//! be confirmed, given back or expire, and the journal has to have room for that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::base::error::{Error, Result};
use crate::ledger::Command;

/// What the directory has room for.
#[derive(Debug)]
pub(in crate::engine) struct Space {
    /// With fewer free bytes than this nothing is sold.
    low_mark: u64,
    /// The most bytes of history.
    history_bytes_max: u64,
    free_bytes: AtomicU64,
    history_bytes: AtomicU64,
    is_low: AtomicBool,
}

impl Space {
    pub(in crate::engine) fn new(low_mark: u64, history_bytes_max: u64) -> Self {
        Self {
            low_mark,
            history_bytes_max,
            free_bytes: AtomicU64::new(u64::MAX),
            history_bytes: AtomicU64::new(0),
            is_low: AtomicBool::new(false),
        }
    }

    /// Free bytes as they were last seen; `None` where the file system does not say.
    pub(in crate::engine) fn free_bytes(&self) -> Option<u64> {
        // Relaxed, here and below: each number is the whole message.
        Some(self.free_bytes.load(Ordering::Relaxed)).filter(|&free| free != u64::MAX)
    }

    /// The bytes of history's files as they were last seen.
    pub(in crate::engine) fn history_bytes(&self) -> u64 {
        self.history_bytes.load(Ordering::Relaxed)
    }

    /// Whether there is too little room to sell.
    pub(in crate::engine) fn is_low(&self) -> bool {
        self.is_low.load(Ordering::Relaxed)
    }

    /// Notes what was seen. Room counts as enough again only when there is a quarter more than the
    /// mark: a disk at the mark does not open and close the shop every second.
    pub(in crate::engine) fn note(&self, free_bytes: u64) {
        let needed = if self.is_low() {
            self.low_mark.saturating_add(self.low_mark / 4)
        } else {
            self.low_mark
        };
        let is_low = free_bytes < needed || self.history_is_full();
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        if self.is_low.swap(is_low, Ordering::Relaxed) != is_low {
            let history_bytes = self.history_bytes();
            if is_low {
                tracing::error!(
                    free_bytes,
                    history_bytes,
                    "there is little room: nothing is sold until there is more"
                );
            } else {
                tracing::warn!(free_bytes, history_bytes, "there is room again: sales go on");
            }
        }
    }

    /// Notes how many bytes history's files were seen to take.
    pub(in crate::engine) fn note_history(&self, bytes: u64) {
        self.history_bytes.store(bytes, Ordering::Relaxed);
    }

    fn history_is_full(&self) -> bool {
        self.history_bytes() > self.history_bytes_max
    }

    /// Whether something new may be sold, received or opened.
    ///
    /// # Errors
    /// `LowSpace` while there is too little room.
    pub(in crate::engine) fn check(&self) -> Result<()> {
        match (self.is_low(), self.history_is_full()) {
            (false, _) => Ok(()),
            (true, false) => {
                Err(Error::low_space("the disk has too little room to sell anything new"))
            }
            (true, true) => {
                Err(Error::low_space("history has reached its bound: nothing new is sold"))
            }
        }
    }
}

/// Whether a command asks for something new, which low space refuses. What ends or corrects
/// something goes on.
pub(in crate::engine) fn is_new(command: &Command<'_>) -> bool {
    matches!(command, Command::Reserve(_) | Command::Receive(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_low_below_the_mark_and_enough_a_quarter_above_it() {
        let space = Space::new(1000, u64::MAX);
        for (free, low) in
            [(1000, false), (999, true), (1249, true), (1250, false), (1100, false), (0, true)]
        {
            space.note(free);
            assert_eq!(
                (space.is_low(), space.check().is_err(), space.free_bytes()),
                (low, low, Some(free)),
                "{free}"
            );
        }
    }

    #[test]
    fn a_history_at_its_bound_is_low_space_too() {
        let space = Space::new(0, 100);
        for (bytes, low) in [(100, false), (101, true), (50, false)] {
            space.note_history(bytes);
            space.note(u64::MAX);
            assert_eq!((space.is_low(), space.check().is_err()), (low, low), "{bytes}");
        }
    }
}
