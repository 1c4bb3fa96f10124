//! Commands that happen together.

use crate::base::error::Result;
use crate::engine::upkeep::space;
use crate::engine::{Engine, Ticket};
use crate::ledger::{Atomic, AtomicOutcome};

impl Engine {
    /// Executes several commands together: all of them in their order, in one event, or none. No
    /// crash, no reader and no other command ever finds some of them done and others not.
    ///
    /// Each command is decided on what those before it would leave, so two may change one account.
    /// The first that is refused, or comes too late, leaves everything as it was, and the outcome
    /// says which one it is. One idempotency key stands for all of them; it counts as one more key
    /// than there are commands. A refund is none of them: whether something can be refunded is
    /// decided by history.
    ///
    /// ```
    /// # use stockhold::{AccountKey, Engine, Line, Policy, Receive, Reserve};
    /// # use stockhold::{command::{Atomic, WriteOff}, outcome::AtomicOutcome};
    /// # fn main() -> stockhold::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary directory");
    /// # let engine = Engine::builder(dir.path()).open()?;
    /// let [tea, cup, gift] = ["tea", "cup", "gift-set"].map(|name| {
    ///     let key = AccountKey::stock(name).expect("a valid name");
    ///     engine.open_account(&key, Policy::strict()).expect("there is room for accounts")
    /// });
    /// engine.receive(Receive::new(tea, 10))?.wait()?;
    /// engine.receive(Receive::new(cup, 3))?.wait()?;
    ///
    /// // Two gift sets are packed: their parts leave the shelf as the sets come in.
    /// let packed = |sets| {
    ///     [
    ///         WriteOff::new(tea, 2 * sets).note("packed").into(),
    ///         WriteOff::new(cup, sets).note("packed").into(),
    ///         Receive::new(gift, sets).note("packed").into(),
    ///     ]
    /// };
    /// let AtomicOutcome::Done(outcomes) = engine.atomic(&packed(2))?.wait()? else {
    ///     panic!("there is enough for two")
    /// };
    /// assert_eq!(outcomes.len(), 3);
    ///
    /// // There is one cup left, and so nothing happens.
    /// let refused = engine.atomic(Atomic::new(&packed(2)))?.wait()?.done();
    /// let (index, outcome) = refused.expect_err("there is too little for two more");
    /// assert_eq!((index, outcome.refusal().map(|refusal| refusal.available)), (1, Some(1)));
    /// assert_eq!(engine.level(tea)?.available, 6);
    /// # engine.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Engine::execute`]; [`Error::command`](crate::Error::command) is the command that
    /// one is about. `Invalid` also when there are too many commands, lines or bytes of text (see
    /// [`Atomic`]), when one of them has a key of its own, and when two name one reservation.
    /// Nothing was changed then.
    pub fn atomic<'a>(&self, atomic: impl Into<Atomic<'a>>) -> Result<Ticket<AtomicOutcome>> {
        let (core, atomic) = (self.core()?, atomic.into());
        if core.space.is_low() && atomic.commands.iter().any(space::is_new) {
            core.ledger.validate_atomic(&atomic)?;
            let known = atomic.key.map(|key| core.ledger.first_execution(key, core.now_ms()));
            if matches!(known, None | Some(Ok(None))) {
                core.space.check()?;
            }
        }
        let executed = core.ledger.execute_atomic(&atomic, core.now_ms(), &core.recorder())?;
        Ok(core.ticket(executed))
    }
}
