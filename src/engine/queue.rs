//! Those who wait for units of an account.

use super::{Engine, Ticket};
use crate::base::error::Result;
use crate::base::{AccountId, TimeMs};
use crate::ledger::{Grant, GrantOutcome, Join, JoinOutcome, Leave, LeaveOutcome, Waiting};

impl Engine {
    /// Puts somebody at the end of the line for units of an account, which has none left. While
    /// anybody waits, nobody else takes any of its units, however many there are: what comes back
    /// is for who is first, in the step in which it comes back. Operators' corrections, write-offs
    /// and transfers are no takes, and go on.
    ///
    /// Each owner has one place in a line, so that a retry needs no key. Quotas, and what else
    /// grants units by a rule, have no line.
    ///
    /// ```
    /// # use stockhold::{AccountKey, Engine, Line, Policy, Receive, Reserve};
    /// # use stockhold::command::{Grant, Join};
    /// # use stockhold::outcome::{GrantOutcome, JoinOutcome};
    /// # fn main() -> stockhold::Result<()> {
    /// let engine = Engine::in_memory().open()?;
    /// let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    /// let ann = engine.open_account(&AccountKey::points("ann")?, Policy::strict())?;
    /// let JoinOutcome::Waiting { place, ahead: 0 } = engine.join(Join::new(tea, ann, 100))?.wait()?
    /// else {
    ///     panic!("there is no tea, and nobody waits for it")
    /// };
    ///
    /// engine.receive(Receive::new(tea, 1))?.wait()?;
    /// let lines = [Line { account: tea, quantity: 1 }];
    /// let refused = engine.reserve(Reserve::new(&lines, 60_000))?.wait()?;
    /// assert!(refused.reserved().expect_err("ann was first").has_line);
    ///
    /// let hers = Reserve::new(&lines, 60_000).owner(ann);
    /// let granted = engine.grant(Grant::new(tea, place, hers))?.wait()?;
    /// assert!(matches!(granted, GrantOutcome::Granted(_)));
    /// # engine.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for an account that grants units, and for bounds; `Overloaded` when the ledger has
    /// as many places as it may have; `LowSpace`; and those of [`Engine::execute`].
    pub fn join(&self, join: Join<'_>) -> Result<Ticket<JoinOutcome>> {
        let core = self.core()?;
        core.space.check()?;
        Ok(core.ticket(core.ledger.join(&join, core.now_ms(), &core.recorder())?))
    }

    /// Gives up a place in a line. With the last of them, the units are anybody's, in the same step.
    ///
    /// # Errors
    /// Those of [`Engine::execute`]. That there is no such place is not an error but
    /// [`LeaveOutcome::NotWaiting`].
    pub fn leave(&self, leave: Leave<'_>) -> Result<Ticket<LeaveOutcome>> {
        let core = self.core()?;
        Ok(core.ticket(core.ledger.leave(&leave, core.now_ms(), &core.recorder())?))
    }

    /// Reserves for who is first in a line, past it, and gives up the place: one event, so that
    /// nobody gets two, whatever crashes.
    ///
    /// # Errors
    /// `Invalid` when no line of the reservation is of the account, or it has a key; `LowSpace`;
    /// and those of [`Engine::execute`].
    pub fn grant(&self, grant: Grant<'_>) -> Result<Ticket<GrantOutcome>> {
        let core = self.core()?;
        core.space.check()?;
        Ok(core.ticket(core.ledger.grant(&grant, core.now_ms(), &core.recorder())?))
    }

    /// Whether others wait for units of an account, so that nobody else may take any. It takes no lock.
    ///
    /// # Errors
    /// `NotFound` when there is no such account, `Closed`.
    pub fn has_line(&self, account: AccountId) -> Result<bool> {
        self.core()?.ledger.has_line(account)
    }

    /// Those who wait for units of an account, the first first.
    ///
    /// # Errors
    /// `NotFound` when there is no such account, `Closed`.
    pub fn waiting(&self, account: AccountId) -> Result<Vec<Waiting>> {
        self.core()?.ledger.waiting(account)
    }

    /// When those were served in the line of an account who were last, 16 at most, the oldest first:
    /// Unix time in milliseconds. It is the same after a restart.
    ///
    /// # Errors
    /// `NotFound` when there is no such account, `Closed`.
    pub fn served(&self, account: AccountId) -> Result<Vec<TimeMs>> {
        self.core()?.ledger.served(account)
    }

    /// Where somebody stands in the line of an account: how many are ahead, and the place.
    ///
    /// # Errors
    /// `NotFound` when there is no such account, `Closed`.
    pub fn place_of(
        &self,
        account: AccountId,
        owner: AccountId,
    ) -> Result<Option<(usize, Waiting)>> {
        self.core()?.ledger.place_of(account, owner)
    }

    /// Who is first in the line of an account, and how many units there are for them.
    ///
    /// # Errors
    /// `NotFound` when there is no such account, `Closed`.
    pub fn next_waiting(&self, account: AccountId) -> Result<Option<(Waiting, u64)>> {
        let core = self.core()?;
        core.ledger.next_waiting(account, core.now_ms())
    }
}
