//! Confirming what has expired, where its units can be had again.

use super::{ReacquireTicket, decide};
use crate::base::error::Result;
use crate::engine::Engine;
#[cfg(feature = "server")]
use crate::ledger::Line;
use crate::ledger::Reacquire;

impl Engine {
    /// Asks for a reservation that has expired to take everything again that it held, and to be
    /// confirmed under its own number: all of it, or nothing. It is for a payment that came after
    /// the deadline; whoever holds it learns for good whether to give it back. Decided as a refund
    /// is, when history shows how the reservation ended; this call does not wait for that, the ticket
    /// does.
    ///
    /// The outcome is [`ReacquireOutcome::Revived`] once for each reservation, whoever asks how
    /// often, [`ReacquireOutcome::Refused`] when a line of it is not to be had, and
    /// [`ReacquireOutcome::NotExpired`] when it did not expire or is confirmed by now. One that waits
    /// still, though its deadline may have passed, is [`ReacquireOutcome::StillPending`]: confirm it,
    /// or let it [expire](Engine::expire_due) first. With an idempotency key, a retry hears the first
    /// answer; also where that was a confirm, since both ask for the same. The ticket's errors are
    /// `Conflict` when the ledger knows that the reservation ended otherwise, or for a key with
    /// another request, and those of [`Engine::execute`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use stockhold::{AccountKey, Engine, Line, Policy, Receive, Reserve, clock::ManualClock};
    /// # use stockhold::{Reacquire, ReacquireOutcome};
    /// # fn main() -> stockhold::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary directory");
    /// # let clock = Arc::new(ManualClock::new(1_000));
    /// # let engine = Engine::builder(dir.path()).clock(Arc::clone(&clock) as _).open()?;
    /// # let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    /// # engine.receive(Receive::new(tea, 9))?.wait()?;
    /// let lines = [Line { account: tea, quantity: 3 }];
    /// let waits = engine.reserve(Reserve::new(&lines, 60_000))?.wait()?;
    /// let order = waits.reserved().expect("there is enough").reservation;
    /// clock.advance(60_000);
    /// engine.expire_due()?;
    ///
    /// let revived = ReacquireOutcome::Revived { reservation: order };
    /// assert_eq!(engine.reacquire(Reacquire::new(order))?.wait()?, revived);
    /// let level = engine.level(tea)?;
    /// assert_eq!((level.available, level.consumed), (6, 3));
    /// # engine.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Overloaded` when too many such requests wait or the journal's queue is full, `Unavailable`
    /// when history is off or has failed, and `Closed`.
    ///
    /// [`ReacquireOutcome::Revived`]: crate::ReacquireOutcome::Revived
    /// [`ReacquireOutcome::Refused`]: crate::ReacquireOutcome::Refused
    /// [`ReacquireOutcome::NotExpired`]: crate::ReacquireOutcome::NotExpired
    /// [`ReacquireOutcome::StillPending`]: crate::ReacquireOutcome::StillPending
    pub fn reacquire(&self, asked: impl Into<Reacquire>) -> Result<ReacquireTicket> {
        decide::ask_reacquire(self.core()?, &asked.into(), None)
    }

    /// As [`Engine::reacquire`], but that points come from these lines, which stand for all that it
    /// held: those of a user may be of other accounts of that user.
    ///
    /// # Errors
    /// `Invalid` for no lines, too many, or a quantity that is none; the ticket's is `Invalid` where
    /// they cannot stand for what it held.
    #[cfg(feature = "server")]
    pub(crate) fn reacquire_with(
        &self,
        asked: Reacquire,
        takes: &[Line],
    ) -> Result<ReacquireTicket> {
        decide::ask_reacquire(self.core()?, &asked, Some(takes))
    }
}
