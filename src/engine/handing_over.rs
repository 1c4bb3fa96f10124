//! Giving a data directory to another process that has been following it, which goes on with it at
//! once. What the successor does is in `opening/warm`.

use super::Engine;
use super::upkeep::checkpoint;
use crate::base::Seq;
use crate::base::error::Result;
use crate::event::branch::Mark;

/// The pin of a successor that reads the journal.
const PIN: &str = "successor";

/// What an engine left when it gave its directory up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// The last event in the files.
    pub(crate) last_seq: Seq,
    /// What tells that event from others with its number; `None` where it is no longer in a segment.
    pub(crate) mark: Option<Mark>,
    /// What tells the ledger from any other; `None` where it shows more than the files do.
    pub(crate) digest: Option<[u8; 32]>,
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
        let digest = core.ledger.digest();
        let last_seq = core.journal.durable_seq();
        // A decision that was admitted before the journal closed, and came after, is in the ledger and
        // nowhere else. Its number was given under the ledger's locks: who saw it there sees it here.
        let digest = (core.journal.last_seq() == last_seq).then_some(digest);
        let mut mark = None;
        if last_seq > 0 {
            let mut reader = core.journal.reader(last_seq)?;
            reader.next_batch(1, &mut |_, _, _| Ok(()))?;
            mark = reader.marked().map(|(_, mark)| mark);
        }
        Ok(Left { last_seq, mark, digest })
    }

    /// What tells the ledger from any other. Nothing may change meanwhile.
    #[cfg(test)]
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.0.core.ledger.digest()
    }
}
