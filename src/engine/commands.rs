//! Commands: what changes the ledger.

use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey, IdempotencyKey};
use crate::engine::deferred::decide;
use crate::engine::deferred::look_back;
use crate::engine::deferred::note::NoteWhen;
use crate::engine::lengths::{check_body, check_name};
use crate::engine::{BatchTicket, Engine, NoteTicket, RefundTicket, Ticket};
use crate::event::Policy;
use crate::history::record::ReservationRecord;
#[cfg(doc)]
use crate::ledger::RefundOutcome;
use crate::ledger::{
    Adjust, ChangeOutcome, Changed, CloseOutcome, Command, Confirm, ConfirmOutcome, Extend,
    ExtendOutcome, FirstAnswer, Note, Noting, Outcome, PutDocument, Receive, Refund, Release,
    ReleaseOutcome, Reserve, ReserveOutcome, SetPolicy, Terms, Transfer, TransferOutcome, WriteOff,
};

impl Engine {
    /// Opens an account, or finds the one with this key and policy. Durable no later than any
    /// command that names it.
    ///
    /// # Errors
    /// `Invalid` for a policy out of bounds, `Conflict` when the account is open with another
    /// policy (see [`Engine::account`] and [`Engine::set_policy`]), `Overloaded` when there are too
    /// many accounts, `Poisoned`, `Closed`.
    pub fn open_account(&self, key: &AccountKey, policy: Policy) -> Result<AccountId> {
        let core = self.core()?;
        if core.space.is_low() && core.ledger.account(key).is_none() {
            core.space.check()?;
        }
        let (account, seq) =
            core.ledger.open_account(key, policy, core.now_ms(), &core.recorder())?;
        if seq.is_some() {
            core.journal.kick();
        }
        Ok(account)
    }

    /// Gives an account other rules. They hold at once, and for what was taken before: of what was
    /// consumed counts what would count had they always held. While more is out than they grant,
    /// nothing can be taken, and what comes back is made up for that first.
    ///
    /// # Errors
    /// `Invalid` for a policy out of bounds, `NotFound` when there is no such account, `Poisoned`,
    /// `Closed`.
    pub fn set_policy(&self, set: SetPolicy) -> Result<Ticket<()>> {
        let core = self.core()?;
        let seq = core.ledger.set_policy(&set, core.now_ms(), &core.recorder())?;
        Ok(core.ticket(((), seq)))
    }

    /// Closes an account for good where nothing is left: nothing available and nothing reserved; of a
    /// quota, whose units are granted, nothing reserved, owed, or consumed that counts now.
    ///
    /// Its number is never used again, and whatever is asked of it from then on is `NotFound` and
    /// says that it is closed: a refund of what was consumed there, too. Its key is free for a new
    /// account, with new books. What it was stays in history and in [`Engine::level`]. The number
    /// counts among the accounts that there may be. Closing it again is answered alike, so that a
    /// retry needs no key.
    ///
    /// ```
    /// # use stockhold::{AccountKey, Engine, Policy, Receive, command::WriteOff, outcome::CloseOutcome};
    /// # fn main() -> stockhold::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary directory");
    /// # let engine = Engine::builder(dir.path()).open()?;
    /// let key = AccountKey::points("ann")?;
    /// let ann = engine.open_account(&key, Policy::strict())?;
    /// engine.receive(Receive::new(ann, 7))?.wait()?;
    ///
    /// let CloseOutcome::NotEmpty { available: 7, .. } = engine.close_account(ann)?.wait()? else {
    ///     panic!("there are points in it")
    /// };
    /// engine.write_off(WriteOff::new(ann, 7).note("ann left"))?.wait()?;
    /// assert_eq!(engine.close_account(ann)?.wait()?, CloseOutcome::Closed { account: ann });
    /// assert_eq!(engine.account(&key), None);
    /// # engine.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound` when there is no such account, and those of [`Engine::execute`]. What is left in
    /// it is not an error but [`CloseOutcome::NotEmpty`].
    pub fn close_account(&self, account: AccountId) -> Result<Ticket<CloseOutcome>> {
        let core = self.core()?;
        Ok(core.ticket(core.ledger.close_account(account, core.now_ms(), &core.recorder())?))
    }

    /// Adds units to an account.
    ///
    /// # Errors
    /// As [`Engine::execute`].
    pub fn receive(&self, receive: Receive<'_>) -> Result<Ticket<Changed>> {
        self.run(receive)
    }

    /// Corrects an account after a count.
    ///
    /// # Errors
    /// As [`Engine::execute`]. Too little is not an error but [`ChangeOutcome::Refused`].
    pub fn adjust(&self, adjust: Adjust<'_>) -> Result<Ticket<ChangeOutcome>> {
        self.run(adjust)
    }

    /// Takes units out for good.
    ///
    /// # Errors
    /// As [`Engine::execute`]. Too little is not an error but [`ChangeOutcome::Refused`].
    pub fn write_off(&self, write_off: WriteOff<'_>) -> Result<Ticket<ChangeOutcome>> {
        self.run(write_off)
    }

    /// Moves units that one account has available to another of the same kind, in one step: no
    /// crash and no reader finds them in both or in neither. They count as written off where they
    /// were and as received where they are.
    ///
    /// ```
    /// # use stockhold::{AccountKey, Engine, Policy, Receive};
    /// # use stockhold::{command::Transfer, outcome::TransferOutcome};
    /// # fn main() -> stockhold::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary directory");
    /// # let engine = Engine::builder(dir.path()).open()?;
    /// let [ann, bob] = ["ann", "bob"].map(|user| AccountKey::points(user).expect("a valid name"));
    /// let ann = engine.open_account(&ann, Policy::strict())?;
    /// let bob = engine.open_account(&bob, Policy::strict())?;
    /// engine.receive(Receive::new(ann, 100))?.wait()?;
    ///
    /// let gift = Transfer::new(ann, bob, 30).note("a gift");
    /// let TransferOutcome::Transferred(moved) = engine.transfer(gift)?.wait()? else {
    ///     panic!("ann has enough");
    /// };
    /// assert_eq!((moved.from.available, moved.to.available), (70, 30));
    /// # engine.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Engine::execute`], and `Invalid` when the accounts are one and the same or of different
    /// kinds, when one of them is a quota, and when `to` would have received more than
    /// [`RECEIVED_MAX`](crate::limits::RECEIVED_MAX) in all. Too little is not an error but
    /// [`TransferOutcome::Refused`].
    pub fn transfer(&self, transfer: Transfer<'_>) -> Result<Ticket<TransferOutcome>> {
        self.run(transfer)
    }

    /// Takes units of several accounts, all or none.
    ///
    /// # Errors
    /// As [`Engine::execute`]. Too little is not an error but [`ReserveOutcome::Refused`].
    pub fn reserve(&self, reserve: Reserve<'_>) -> Result<Ticket<ReserveOutcome>> {
        self.run(reserve)
    }

    /// Makes a reservation final, or a part of it: a reservation's number confirms all of it, a
    /// [`Confirm`] says more.
    ///
    /// # Errors
    /// As [`Engine::execute`], and `Invalid` when a line's part is more than it reserved. Too late
    /// is not an error but [`ConfirmOutcome::Late`] or [`ConfirmOutcome::NotPending`].
    pub fn confirm<'a>(&self, confirm: impl Into<Confirm<'a>>) -> Result<Ticket<ConfirmOutcome>> {
        let confirm = confirm.into();
        let ticket = self.run(confirm)?;
        Ok(ticket.map(|outcome| match outcome {
            ConfirmOutcome::NotPending { reservation, why } => {
                let why = look_back::not_pending(&self.0.core, reservation, confirm.owner, why);
                ConfirmOutcome::NotPending { reservation, why }
            }
            told => told,
        }))
    }

    /// Gives a reservation's units back: that of this number, or as a [`Release`] says.
    ///
    /// # Errors
    /// As [`Engine::execute`]. Too late is not an error but [`ReleaseOutcome::Late`] or
    /// [`ReleaseOutcome::NotPending`].
    pub fn release(&self, release: impl Into<Release>) -> Result<Ticket<ReleaseOutcome>> {
        let release = release.into();
        let ticket = self.run(release)?;
        Ok(ticket.map(|outcome| match outcome {
            ReleaseOutcome::NotPending { reservation, why } => {
                let why = look_back::not_pending(&self.0.core, reservation, release.owner, why);
                ReleaseOutcome::NotPending { reservation, why }
            }
            told => told,
        }))
    }

    /// Gives a pending reservation another deadline: it keeps its number and what it holds. The new
    /// deadline counts from now and not from the old one, and may be earlier than that.
    ///
    /// ```
    /// # use stockhold::{AccountKey, Engine, Line, Policy, Receive, Reserve};
    /// # use stockhold::{command::Extend, outcome::ExtendOutcome};
    /// # fn main() -> stockhold::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary directory");
    /// # let engine = Engine::builder(dir.path()).open()?;
    /// # let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    /// # engine.receive(Receive::new(tea, 1))?.wait()?;
    /// let lines = [Line { account: tea, quantity: 1 }];
    /// let taken = engine.reserve(Reserve::new(&lines, 60_000))?.wait()?;
    /// let order = taken.reserved().expect("there was one").reservation;
    ///
    /// // The payment takes longer than a minute: a quarter of an hour from now.
    /// let extended = engine.extend(Extend::new(order, 15 * 60_000))?.wait()?;
    /// let ExtendOutcome::Extended { expires_at, .. } = extended else { panic!("it is pending") };
    /// assert_eq!(engine.pending(order).map(|pending| pending.expires_at), Some(expires_at));
    /// # engine.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Engine::execute`], and `Invalid` when the new deadline has passed or is more than
    /// [`TTL_MS_MAX`](crate::limits::TTL_MS_MAX) away. Too late is not an error but
    /// [`ExtendOutcome::Late`] or [`ExtendOutcome::NotPending`].
    pub fn extend(&self, extend: Extend) -> Result<Ticket<ExtendOutcome>> {
        let ticket = self.run(extend)?;
        Ok(ticket.map(|outcome| match outcome {
            ExtendOutcome::NotPending { reservation, why } => {
                let why = look_back::not_pending(&self.0.core, reservation, extend.owner, why);
                ExtendOutcome::NotPending { reservation, why }
            }
            told => told,
        }))
    }

    /// Executes one command; its outcome is in the arm of the command's kind. The methods named for
    /// the kinds answer with that kind's outcome alone.
    ///
    /// # Errors
    /// `Invalid` for a malformed command, whatever the ledger would say to a sound one; `NotFound`
    /// for an account that does not exist; `Conflict` for an idempotency key with another request;
    /// `Throttled` when the key's owner has its share of them; `Overloaded` when a bound is
    /// reached; `Stalled` while the disk hangs; `LowSpace` for a reserve or a receive while there
    /// is little room; `Poisoned` after a disk failure; `Closed`. Nothing was changed then.
    pub fn execute(&self, command: &Command<'_>) -> Result<Ticket<Outcome>> {
        let core = self.core()?;
        Ok(core.ticket(core.execute(command)?))
    }

    /// Executes a request, and answers with its kind's outcome. It never reads the disk.
    pub(crate) fn run<'a, T>(&self, request: impl Into<Command<'a>>) -> Result<Ticket<T>>
    where
        T: TryFrom<Outcome, Error = Error>,
    {
        let core = self.core()?;
        let (outcome, seq) = core.execute(&request.into())?;
        Ok(core.ticket((outcome.try_into()?, seq)))
    }

    /// The first answer to a keyed request, while it is remembered; what a retry must hear,
    /// whatever has changed since.
    ///
    /// # Errors
    /// `Conflict` when the key has a body ([`IdempotencyKey::with_body`]) and was used with another
    /// one.
    pub fn first_answer(&self, key: IdempotencyKey) -> Result<Option<Ticket<FirstAnswer>>> {
        Ok(self.first_execution(key)?.map(|(ticket, _)| ticket))
    }

    /// As [`Engine::first_answer`], with what was promised then; `None` where that is not known.
    pub(crate) fn first_execution(
        &self,
        key: IdempotencyKey,
    ) -> Result<Option<(Ticket<FirstAnswer>, Option<Terms>)>> {
        let core = self.core()?;
        let first = core.ledger.first_execution(key, core.now_ms())?;
        Ok(first.map(|first| (core.ticket((first.answer, Some(first.seq))), first.terms)))
    }

    /// Keeps what a request with this key is told, where whoever embeds the engine answers it: the
    /// first answer stays, and is returned to whoever gives another one. It counts against the
    /// bounds of keys as one record, and one more for each 128 bytes.
    ///
    /// ```
    /// # use stockhold::{Engine, IdempotencyKey};
    /// # fn main() -> stockhold::Result<()> {
    /// let engine = Engine::in_memory().open()?;
    /// let key = IdempotencyKey::new("ann", "k1")?;
    /// assert_eq!(*engine.keep_answer(key, b"yes")?.wait()?, *b"yes");
    /// assert_eq!(*engine.keep_answer(key, b"no")?.wait()?, *b"yes");
    /// # engine.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` when it is longer than [`BODY_BYTES_MAX`](crate::limits::BODY_BYTES_MAX) bytes,
    /// `Conflict` when the key was used for something else, `Throttled` when its owner has too many
    /// keys, and those of [`Engine::execute`].
    pub fn keep_answer(&self, key: IdempotencyKey, answer: &[u8]) -> Result<Ticket<Box<[u8]>>> {
        let core = self.core()?;
        let (kept, seq) = core.ledger.keep_answer(key, answer, core.now_ms(), &core.recorder())?;
        Ok(core.ticket((kept, Some(seq))))
    }

    /// Executes many commands in their order, each for itself, with one round of locks and one
    /// ticket.
    ///
    /// # Errors
    /// `Invalid` when there are more than [`Engine::BATCH_MAX`]. What becomes of each command is in
    /// its own result.
    pub fn batch(&self, commands: &[Command<'_>]) -> Result<BatchTicket> {
        if commands.len() > Self::BATCH_MAX {
            return Err(Error::invalid(format!(
                "a batch has at most {} commands",
                Self::BATCH_MAX
            )));
        }
        let core = self.core()?;
        let executed = match core.space.is_low() {
            false => core.ledger.execute_batch(commands, core.now_ms(), &core.recorder()),
            true => commands.iter().map(|command| core.execute(command)).collect(),
        };
        Ok(BatchTicket::new(executed, &core.journal))
    }

    /// The most commands of one batch.
    pub const BATCH_MAX: usize = 10_000;

    /// Asks for the return of what a confirmed reservation consumed: everything that is left of it, or
    /// a part. Each unit is returned once. Decided when history shows how the reservation ended and
    /// what was returned before; this call does not wait for that, the ticket does.
    ///
    /// The outcome is [`RefundOutcome::Returned`] when nothing is left,
    /// [`RefundOutcome::ReturnedInPart`] while something is, [`RefundOutcome::TooMuch`] when more was
    /// asked for than is left, or [`RefundOutcome::NotConfirmed`] when there is no such confirmed
    /// reservation (any more) on behalf of its owner. With an idempotency key, a retry hears the
    /// first answer; of a refund of everything also where that was a release: whoever gives up an
    /// order need not know whether it was confirmed. The ticket's errors are `Conflict` when the
    /// ledger cannot see that these units were consumed then, or for a key with another request,
    /// `Invalid` for units to be written off of a quota or of what is not returned, and those of
    /// [`Engine::execute`].
    ///
    /// ```
    /// # use stockhold::{AccountKey, Engine, Line, Policy, Receive, Refund, RefundOutcome, Reserve};
    /// # fn main() -> stockhold::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary directory");
    /// # let engine = Engine::builder(dir.path()).open()?;
    /// # let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    /// # engine.receive(Receive::new(tea, 9))?.wait()?;
    /// let lines = [Line { account: tea, quantity: 3 }];
    /// let bought = engine.reserve(Reserve::new(&lines, 60_000).confirmed())?.wait()?;
    /// let order = bought.reserved().expect("there is enough").reservation;
    ///
    /// let one = [Line { account: tea, quantity: 1 }];
    /// let in_part = RefundOutcome::ReturnedInPart { reservation: order };
    /// assert_eq!(engine.refund(Refund::new(order).part(&one))?.wait()?, in_part);
    /// // The second one came back broken.
    /// let written_off = [tea];
    /// let broken = Refund::new(order).part(&one).written_off(&written_off).note("broken");
    /// assert_eq!(engine.refund(broken)?.wait()?, in_part);
    /// // Whatever is left: the third.
    /// let all = RefundOutcome::Returned { reservation: order };
    /// assert_eq!(engine.refund(order)?.wait()?, all);
    /// let level = engine.level(tea)?;
    /// assert_eq!((level.available, level.consumed, level.written_off), (8, 0, 1));
    /// # engine.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` when the note is too long or a part is out of bounds, `Overloaded` when too many
    /// refunds wait or the journal's queue is full, `Unavailable` when history is off or has failed,
    /// and `Closed`.
    pub fn refund<'a>(&self, refund: impl Into<Refund<'a>>) -> Result<RefundTicket> {
        decide::ask_refund(self.core()?, &refund.into(), None)
    }

    /// As [`Engine::refund`], when `when` holds of the confirmed reservation as history shows it. It
    /// is called on the thread that carries history, and must be quick.
    ///
    /// # Errors
    /// As [`Engine::refund`].
    pub fn refund_when<'a>(
        &self,
        refund: impl Into<Refund<'a>>,
        when: fn(&ReservationRecord) -> bool,
    ) -> Result<RefundTicket> {
        decide::ask_refund(self.core()?, &refund.into(), Some(when))
    }

    /// Keeps a note with a reservation when a condition on it is met: on how it ended, say, and on
    /// what was noted before. Decided as a refund is, and one after another: of two notes that
    /// exclude each other, one is refused. With an idempotency key, a retry hears the first answer,
    /// whatever has become of the reservation since; a note that was refused may be tried again.
    ///
    /// # Errors
    /// As [`Engine::refund`].
    pub fn note_when(&self, note: NoteWhen<'_>) -> Result<NoteTicket> {
        decide::ask_note(self.core()?, &note)
    }

    /// Keeps a note with a reservation in history.
    ///
    /// # Errors
    /// `Invalid` when the note is too long, and those of [`Engine::execute`].
    pub fn note(&self, note: Note<'_>) -> Result<Ticket<()>> {
        let core = self.core()?;
        let Note { reservation, body } = note;
        check_body(body)?;
        let noting = Noting { reservation, body, owner: None, key: None };
        let seq = core.ledger.note(&noting, core.now_ms(), &core.recorder())?;
        Ok(core.ticket(((), Some(seq))))
    }

    /// Writes a document beside the ledger, or removes it.
    ///
    /// # Errors
    /// `Invalid` when it is too long, `Overloaded` when there are too many, `LowSpace` for a
    /// document to keep while there is little room, and those of [`Engine::execute`].
    pub fn put_document(&self, put: PutDocument<'_>) -> Result<Ticket<()>> {
        let core = self.core()?;
        let PutDocument { collection, name, body, .. } = put;
        check_name(collection)?;
        check_name(name)?;
        check_body(body.unwrap_or_default())?;
        if body.is_some() {
            core.space.check()?;
        }
        self.put_promised(put)
    }

    /// As [`Engine::put_document`], though there be little room: what was promised while there was
    /// more.
    ///
    /// # Errors
    /// As [`Engine::put_document`].
    pub(crate) fn put_promised(&self, put: PutDocument<'_>) -> Result<Ticket<()>> {
        let core = self.core()?;
        let seq = core.ledger.put_document(&put, core.now_ms(), &core.recorder())?;
        Ok(core.ticket(((), Some(seq))))
    }
}
