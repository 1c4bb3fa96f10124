//! An engine without threads (`EngineBuilder::stepped`): its
//! caller does what they would do, when it likes. Everything else is as ever, so what happens in
//! which order is a function of the calls, the clock and the files.

use crate::base::Seq;
use crate::base::error::Result;
use crate::engine::deferred::decide;
use crate::engine::upkeep::checkpoint;
use crate::engine::{Engine, NoteOutcome, Ticket};
use crate::ledger::{Held, Noting, Reacquire, ReacquireOutcome, RefundOutcome, Return, Used};

impl Engine {
    /// What the journal's writer does when it is woken: writes what is queued.
    pub(crate) fn write_queued(&self) {
        self.0.core.journal.write_queued();
    }

    /// What the journal's recycler does when there is an errand: makes a spare, archives and recycles
    /// segments.
    pub(crate) fn run_errand(&self) {
        self.0.core.journal.run_errand();
    }

    /// Writes a checkpoint, and calls `between` before each of its parts is captured.
    ///
    /// # Errors
    /// As [`Engine::checkpoint`].
    pub(crate) fn checkpoint_with(&self, between: &mut dyn FnMut(usize)) -> Result<Seq> {
        checkpoint::write_with(&self.0.core, between)
    }

    /// Returns what a reservation consumed, or a part of it; the caller knows what that is, as
    /// history would.
    ///
    /// # Errors
    /// As [`Engine::refund`].
    pub(crate) fn give_back(
        &self,
        used: &Used<'_>,
        asked: &Return<'_>,
    ) -> Result<Ticket<RefundOutcome>> {
        let core = &self.0.core;
        Ok(core.ticket(core.ledger.return_used(used, asked, core.now_ms(), &core.recorder())?))
    }

    /// Revives a reservation that expired; the caller knows what it held, as history would.
    ///
    /// # Errors
    /// As [`Engine::reacquire`].
    pub(crate) fn revive(
        &self,
        held: &Held<'_>,
        asked: &Reacquire,
    ) -> Result<Ticket<ReacquireOutcome>> {
        let core = &self.0.core;
        Ok(core.ticket(core.ledger.revive(held, asked, core.now_ms(), &core.recorder())?))
    }

    /// Keeps a note with a reservation when a condition is met; the caller knows whether it is, as
    /// history would.
    ///
    /// # Errors
    /// As [`Engine::note_when`].
    pub(crate) fn note_if(&self, note: &Noting<'_>, is_met: bool) -> Result<Ticket<NoteOutcome>> {
        let core = &self.0.core;
        Ok(core.ticket(decide::note_if(core, note, || Ok(is_met))?))
    }
}
