//! Giving a data directory to another process that has been following it, which goes on with it at
//! once. What the successor does is in `opening/warm`.

use super::Engine;
#[cfg(feature = "bin")]
use super::files::{claims, snapshot};
use super::upkeep::checkpoint;
use crate::base::Seq;
use crate::base::error::Result;
use crate::event::branch::Mark;
#[cfg(feature = "bin")]
use crate::journal::SEGMENT;
#[cfg(feature = "bin")]
use crate::vfs::directory;
#[cfg(feature = "bin")]
use crate::vfs::version::Versioned;

/// The pin of a successor that reads the journal.
const PIN: &str = "successor";

/// How the files that an engine cannot do without are written. History is made anew where it cannot be
/// read.
#[cfg(feature = "bin")]
pub(crate) const FORMATS: [Versioned; 4] =
    [directory::VERSIONED, SEGMENT, snapshot::VERSIONED, claims::VERSIONED];

/// What an engine left when it gave its directory up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// The last event.
    pub(crate) last_seq: Seq,
    /// What tells that event from others with its number; `None` where it is no longer in a segment.
    pub(crate) mark: Option<Mark>,
    /// What tells the ledger from any other.
    pub(crate) digest: [u8; 32],
}

impl Engine {
    /// Keeps what a successor reads, from the oldest checkpoint on, and writes a checkpoint so that it
    /// has little to replay.
    ///
    /// # Errors
    /// As [`Engine::checkpoint`].
    pub(crate) fn expect_successor(&self) -> Result<()> {
        let core = self.core()?;
        let needed_from = core.checkpoints.generations.lock().needed_from();
        core.journal.set_pin(PIN, needed_from);
        checkpoint::write(core).map(drop)
    }

    /// Begins nothing any more that would have to be finished first, and waits for what is under way.
    /// Commands go on.
    pub(crate) fn settle(&self) {
        self.0.core.journal.hold_errands();
    }

    /// There will be no successor: everything is as before.
    pub(crate) fn expect_no_successor(&self) {
        self.0.core.journal.clear_pin(PIN);
        self.0.core.journal.resume_errands();
    }

    /// Makes everything durable, and gives the directory up. Later calls get `Closed`. History is still
    /// being closed then: [`Engine::close`] waits for that.
    ///
    /// # Errors
    /// As [`Engine::close`]; when it was closed already, that went as it went.
    pub(crate) fn hand_over(&self) -> Result<()> {
        self.0.hand_over()
    }

    /// What was left. Called after [`Engine::hand_over`]: nothing may change meanwhile.
    ///
    /// # Errors
    /// Those of reading the last event.
    pub(crate) fn left(&self) -> Result<Left> {
        let core = &self.0.core;
        let last_seq = core.journal.last_seq();
        let mut mark = None;
        if last_seq > 0 {
            let mut reader = core.journal.reader(last_seq)?;
            reader.next_batch(1, &mut |_, _, _| Ok(()))?;
            mark = reader.marked().map(|(_, mark)| mark);
        }
        Ok(Left { last_seq, mark, digest: core.ledger.digest() })
    }

    /// What tells the ledger from any other. Nothing may change meanwhile.
    #[cfg(test)]
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.0.core.ledger.digest()
    }
}
