//! The engine: the only module that sees the ledger, the journal and the store. It opens, executes,
//! expires, checkpoints and follows.

mod accounts;
mod background;
mod belonging;
pub(crate) mod builder;
pub(crate) mod checkpoint;
pub(crate) mod claim;
mod closing;
mod core;
mod expiry;
mod follower;
mod history;
pub(crate) mod loss;
mod memory;
#[cfg(feature = "bin")]
mod mend;
mod refund;
mod space;
mod status;
#[cfg(any(test, feature = "bin"))]
mod stepped;
mod subscription;
#[cfg(all(test, not(stockhold_loom)))]
mod tests;
mod ticket;
mod time;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use self::closing::Closing;
use self::core::Core;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::{AccountId, AccountKey, IdempotencyKey, ReservationId, Seq, TimeMs};
use crate::event::Policy;
use crate::ledger::{Command, Level, Outcome, Pending, Reserve};
use crate::vfs::directory::Identity;

pub(crate) use crate::ledger::Terms;
pub use accounts::{AccountPages, PendingPages};
pub use background::{ClosingDown, Opening};
pub use builder::EngineBuilder;
pub use claim::Claim;
pub use history::{CatchUp, History};
#[cfg(feature = "bin")]
pub(crate) use loss::Accepted;
#[cfg(feature = "bin")]
pub(crate) use mend::{Mended, mend_clock};
pub use refund::RefundTicket;
pub use status::Status;
pub use subscription::Subscription;
pub use ticket::{BatchTicket, CommitTicket};

/// A handle on an open ledger. Clones share it; the last one dropped closes it.
///
/// Every method is synchronous and needs no runtime. Commands answer with a [`CommitTicket`]: the
/// outcome is decided, and the ticket resolves when it is durable.
///
/// # What blocks
/// | call | waits for |
/// |---|---|
/// | whatever returns a ticket, [`catch_up`](Self::catch_up), and whatever looks at the ledger in memory | nothing but short holds of locks |
/// | `wait` of a ticket | the sync of the journal; of a refund, history as well |
/// | [`CatchUp::wait`], [`Subscription::next_event`] | history, or the next event |
/// | [`history`](Self::history), [`Subscription::try_next`], [`subscribe`](Self::subscribe) | reads of the disk |
/// | [`claim`](Self::claim), [`checkpoint`](Self::checkpoint) | writes to the disk |
/// | [`expire_due`](Self::expire_due) | nothing, unless the journal's queue is full |
/// | [`close`](Self::close), and dropping the last handle | everything that was decided, and the engine's threads |
#[derive(Clone)]
pub struct Engine(Arc<Running>);

struct Running {
    core: Arc<Core>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closing: Arc<Closing>,
    /// How long a close waits for the disk; `None` in an engine without threads.
    close_limit: Option<Duration>,
}

impl Engine {
    /// Prepares to open the ledger in `dir`.
    pub fn builder(dir: impl AsRef<Path>) -> EngineBuilder {
        EngineBuilder::new(dir.as_ref())
    }

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

    /// The account with this key, if it is open.
    pub fn account(&self, key: &AccountKey) -> Option<AccountId> {
        self.0.core.ledger.account(key)
    }

    /// Gives an account other rules. They hold at once, and for what was taken before: of what was
    /// consumed counts what would count had they always held. While more is out than they grant,
    /// nothing can be taken, and what comes back is made up for that first.
    ///
    /// # Errors
    /// `Invalid` for a policy out of bounds, `NotFound` when there is no such account, `Poisoned`,
    /// `Closed`.
    pub fn set_policy(&self, account: AccountId, policy: Policy) -> Result<CommitTicket> {
        let core = self.core()?;
        let seq = core.ledger.set_policy(account, policy, core.now_ms(), &core.recorder())?;
        Ok(core.ticket((Outcome::Recorded, seq)))
    }

    /// Adds units to an account.
    ///
    /// # Errors
    /// As [`Engine::execute`].
    pub fn receive(
        &self,
        account: AccountId,
        quantity: u64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<CommitTicket> {
        self.execute(&Command::Receive { account, quantity, note, key })
    }

    /// Corrects an account after a count.
    ///
    /// # Errors
    /// As [`Engine::execute`].
    pub fn adjust(
        &self,
        account: AccountId,
        delta: i64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<CommitTicket> {
        self.execute(&Command::Adjust { account, delta, note, key })
    }

    /// Takes units out for good.
    ///
    /// # Errors
    /// As [`Engine::execute`].
    pub fn write_off(
        &self,
        account: AccountId,
        quantity: u64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<CommitTicket> {
        self.execute(&Command::WriteOff { account, quantity, note, key })
    }

    /// Takes units of several accounts, all or none.
    ///
    /// # Errors
    /// As [`Engine::execute`]. Too little is not an error but [`Outcome::Refused`].
    pub fn reserve(&self, reserve: &Reserve<'_>) -> Result<CommitTicket> {
        self.execute(&Command::Reserve(*reserve))
    }

    /// Makes a whole reservation final.
    ///
    /// # Errors
    /// As [`Engine::execute`]. Too late is not an error but [`Outcome::Late`] or
    /// [`Outcome::NotPending`].
    pub fn confirm(&self, reservation: ReservationId) -> Result<CommitTicket> {
        self.execute(&Command::Confirm { reservation, owner: None, quantities: None, key: None })
    }

    /// Makes a part of a reservation final, line by line; the rest goes back.
    ///
    /// # Errors
    /// As [`Engine::execute`], and `Invalid` when a line's part is more than it reserved.
    pub fn confirm_part(
        &self,
        reservation: ReservationId,
        quantities: &[u64],
    ) -> Result<CommitTicket> {
        self.execute(&Command::Confirm {
            reservation,
            owner: None,
            quantities: Some(quantities),
            key: None,
        })
    }

    /// Gives a reservation's units back.
    ///
    /// # Errors
    /// As [`Engine::execute`].
    pub fn release(&self, reservation: ReservationId) -> Result<CommitTicket> {
        self.execute(&Command::Release { reservation, owner: None, key: None })
    }

    /// Executes one command.
    ///
    /// # Errors
    /// `Invalid` for a malformed command, whatever the ledger would say to a sound one; `NotFound`
    /// for an account that does not exist; `Conflict` for an idempotency key with another request;
    /// `Throttled` when the key's owner has its share of them; `Overloaded` when a bound is
    /// reached; `Stalled` while the disk hangs; `LowSpace` for a reserve or a receive while there
    /// is little room; `Poisoned` after a disk failure; `Closed`. Nothing was changed then.
    pub fn execute(&self, command: &Command<'_>) -> Result<CommitTicket> {
        let core = self.core()?;
        Ok(core.ticket(core.execute(command)?))
    }

    /// The first answer to a keyed request, while it is remembered; what a retry must hear,
    /// whatever has changed since.
    ///
    /// # Errors
    /// `Conflict` when the key has a body ([`IdempotencyKey::with_body`]) and was used with another
    /// one.
    pub fn recall(&self, key: IdempotencyKey) -> Result<Option<CommitTicket>> {
        Ok(self.recall_whole(key)?.map(|(ticket, _)| ticket))
    }

    /// As [`Engine::recall`], with what was promised then; `None` where that is not known.
    pub(crate) fn recall_whole(
        &self,
        key: IdempotencyKey,
    ) -> Result<Option<(CommitTicket, Option<Terms>)>> {
        let core = self.core()?;
        let first = core.ledger.recall(key, core.now_ms())?;
        Ok(first.map(|first| (core.ticket((first.outcome, Some(first.seq))), first.terms)))
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

    /// An account as it stands, including what is not durable yet.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub fn level(&self, account: AccountId) -> Result<Level> {
        self.core()?.ledger.level(account)
    }

    /// Every account as it stands, all at once in memory; see [`Engine::level_pages`]. Not one
    /// moment's picture while commands run.
    pub fn levels(&self) -> Vec<Level> {
        self.0.core.ledger.levels()
    }

    /// How many units can be taken now: from one atomic read, backorder allowance included.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub fn takeable(&self, account: AccountId) -> Result<u64> {
        let core = self.core()?;
        core.ledger.takeable(account, core.now_ms()).map(|(takeable, _)| takeable)
    }

    /// A pending reservation, from memory. Ended ones are in [`Engine::history`].
    pub fn pending(&self, reservation: ReservationId) -> Option<Pending> {
        self.0.core.ledger.pending(reservation)
    }

    /// How many reservations are pending.
    pub fn pending_count(&self) -> usize {
        self.0.core.ledger.pending_count()
    }

    /// Asks for the return of what a confirmed reservation consumed, once. Decided when history
    /// shows how the reservation ended; this call does not wait for that, the ticket does.
    ///
    /// The outcome is [`Outcome::Returned`], or [`Outcome::NotPending`] when there is no such
    /// confirmed reservation (any more) on behalf of `owner`. The ticket's errors are `Conflict`
    /// when the ledger cannot see that these units were consumed then, and those of
    /// [`Engine::execute`].
    ///
    /// # Errors
    /// `Invalid` when the note is too long, `Overloaded` when too many refunds wait or the
    /// journal's queue is full, `Unavailable` when history is off or has failed, and `Closed`.
    pub fn refund(
        &self,
        reservation: ReservationId,
        owner: Option<AccountId>,
        note: &str,
    ) -> Result<RefundTicket> {
        refund::Refunds::ask(self.core()?, reservation, owner, note, None)
    }

    /// As [`Engine::refund`], once for this key. A retry hears the first answer, also where that
    /// was a release: whoever gives up an order need not know whether it was confirmed. `Conflict`
    /// for a key with another request.
    ///
    /// # Errors
    /// As [`Engine::refund`].
    pub fn refund_keyed(
        &self,
        reservation: ReservationId,
        owner: Option<AccountId>,
        note: &str,
        key: IdempotencyKey,
    ) -> Result<RefundTicket> {
        refund::Refunds::ask(self.core()?, reservation, owner, note, Some(key))
    }

    /// Keeps a note with a reservation in history.
    ///
    /// # Errors
    /// `Invalid` when the note is too long, and those of [`Engine::execute`].
    pub fn note(&self, reservation: ReservationId, body: &[u8]) -> Result<CommitTicket> {
        let core = self.core()?;
        core::check_body(body)?;
        let seq = core.ledger.note(reservation, body, core.now_ms(), &core.recorder())?;
        Ok(core.ticket((Outcome::Recorded, Some(seq))))
    }

    /// Writes a document beside the ledger, or removes it when `body` is `None`.
    ///
    /// # Errors
    /// `Invalid` when it is too long, `Overloaded` when there are too many, and those of
    /// [`Engine::execute`].
    pub fn put_document(
        &self,
        collection: &str,
        key: &str,
        body: Option<&[u8]>,
    ) -> Result<CommitTicket> {
        let core = self.core()?;
        core::check_name(collection)?;
        core::check_name(key)?;
        core::check_body(body.unwrap_or_default())?;
        if body.is_some() {
            self.0.core.space.check()?;
        }
        let seq =
            core.ledger.put_document(collection, key, body, core.now_ms(), &core.recorder())?;
        Ok(core.ticket((Outcome::Recorded, Some(seq))))
    }

    /// The documents of a collection, by key.
    pub fn documents(&self, collection: &str) -> Vec<(String, Vec<u8>)> {
        self.0.core.ledger.documents(collection)
    }

    /// Expires what is due now; returns how many reservations that were. The engine does this by
    /// itself, unless its clock does not [run by itself](crate::Clock::is_running): then call it
    /// after moving the clock. Blocks only while the journal's queue is full.
    ///
    /// # Errors
    /// Those of [`Engine::execute`].
    pub fn expire_due(&self) -> Result<usize> {
        expiry::expire_due(self.core()?)
    }

    /// After how long a disk that does not answer counts as one that hangs.
    #[cfg(feature = "server")]
    pub(crate) fn sync_limit(&self) -> Duration {
        self.0.core.sync_limit
    }

    /// Resolves when everything decided before this call is durable.
    #[cfg(feature = "server")]
    pub(crate) fn decided(&self) -> CommitTicket {
        self.0.core.ticket((Outcome::Recorded, Some(self.0.core.journal.last_seq())))
    }

    /// Resolves when [`Engine::history`] shows everything acknowledged before this call.
    pub fn catch_up(&self) -> CatchUp {
        CatchUp::new(&self.0.core)
    }

    /// Ended reservations and change records. Reads never wait; see [`Engine::catch_up`].
    pub fn history(&self) -> History<'_> {
        History::new(&self.0.core)
    }

    /// The events from `from_seq` on, as they become durable.
    ///
    /// # Errors
    /// `NotFound` naming the oldest event there is, when `from_seq` is older.
    pub fn subscribe(&self, from_seq: Seq) -> Result<Subscription> {
        Subscription::new(self.core()?, from_seq)
    }

    /// The claim of the follower `name`, made when it is new. It holds nothing until it says from
    /// where on; see [`Claim::hold_from`].
    ///
    /// # Errors
    /// `Invalid` for a name that is not 1 to 32 of `a-z 0-9 -`, `Overloaded` when there are too
    /// many, `Unavailable` when the disk fails.
    pub fn claim(&self, name: &str) -> Result<Claim> {
        Claim::new(self.core()?, name)
    }

    /// The names of the followers that have a claim.
    pub fn claims(&self) -> Vec<String> {
        self.0.core.claims.lock().keys().cloned().collect()
    }

    /// Everything up to this event is durable.
    pub fn durable_seq(&self) -> Seq {
        self.0.core.journal.durable_seq()
    }

    /// The time as the engine sees it: what its clock shows, unless that jumped. It never goes
    /// backwards.
    pub fn now_ms(&self) -> TimeMs {
        self.0.core.now_ms()
    }

    /// What the clock shows, right or wrong.
    pub fn clock_ms(&self) -> TimeMs {
        self.0.core.time.wall_ms()
    }

    /// Follows a clock that jumped forwards at once: somebody has looked, and it is right. What is
    /// due by then expires. Returns the engine's time.
    pub fn confirm_clock(&self) -> TimeMs {
        self.0.core.time.confirm()
    }

    /// The state of the files behind the engine, for operators.
    pub fn status(&self) -> Status {
        Status::of(&self.0.core)
    }

    /// Whether commands are accepted.
    ///
    /// # Errors
    /// `Poisoned` after a disk failure, `Closed`, `Overloaded` when the journal's queue is full,
    /// `Stalled` while the disk hangs.
    pub fn check_ready(&self) -> Result<()> {
        self.core()?.journal.admit()
    }

    /// Writes a checkpoint now. Returns the event up to which it is complete.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails; the last checkpoint then still holds.
    pub fn checkpoint(&self) -> Result<Seq> {
        checkpoint::write(self.core()?)
    }

    /// Which data directory this is, and which of its openings: for whoever writes elsewhere on
    /// behalf of this ledger, and must not do so beside the engine of a copy.
    pub fn identity(&self) -> Identity {
        self.0.core.directory.identity()
    }

    /// Makes everything durable, writes a checkpoint and closes. Later calls get `Closed`, and
    /// nothing is written into the directory any more. A second close waits for the first, and goes
    /// as that went.
    ///
    /// # Errors
    /// `Poisoned` when the journal failed, `Unavailable` when another file did, in a fork, which
    /// has nothing to close, and when the disk did not answer within
    /// [`EngineBuilder::close_limit`]; the message says what was left.
    pub fn close(&self) -> Result<()> {
        self.0.close(true)
    }

    /// What every call goes through that can be refused.
    ///
    /// # Errors
    /// `Closed`, or `Unavailable` in a fork of the process that opened the engine.
    fn core(&self) -> Result<&Arc<Core>> {
        self.0.core.check_open()?;
        Ok(&self.0.core)
    }
}

impl Running {
    fn new(core: &Arc<Core>, close_limit: Option<Duration>) -> Self {
        Self {
            core: Arc::clone(core),
            threads: Mutex::new(Vec::new()),
            closing: Arc::default(),
            close_limit,
        }
    }

    fn close(&self, with_checkpoint: bool) -> Result<()> {
        // Before any lock: in a fork those that hold one may not be there.
        self.core.directory.check_process()?;
        let threads = std::mem::take(&mut *self.threads.lock());
        match (self.core.stop(), self.close_limit) {
            (false, limit) => self.closing.begin(&self.core, threads, with_checkpoint, limit),
            (true, Some(limit)) => self.closing.wait(limit),
            (true, None) => self.closing.outcome(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.core.directory.check_process().is_err() {
            // A fork has copies of everything and threads for none of it. What a drop would write,
            // end or wait for is the parent's: all of it stays in memory until the fork ends.
            std::mem::forget(Arc::clone(&self.core));
            std::mem::forget(
                self.threads.try_lock().map(|mut threads| std::mem::take(&mut *threads)),
            );
            return;
        }
        if self.core.is_stopped() {
            return;
        }
        // Who wants to know how the close went has called it. Without a checkpoint: the journal has
        // everything.
        if let Err(error) = self.close(false) {
            tracing::warn!(%error, "closing the engine");
        }
    }
}
