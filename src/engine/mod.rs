//! The engine: the only module that sees the ledger, the journal and the store.
//!
//! | where | what |
//! |---|---|
//! | this file, `commands`, `atomic`, `accounts`, `history`, `status`, `metrics` | what callers ask of it |
//! | `opening`, `closing`, `handing_over`, `life` | how it begins and ends, or goes on in another process; what it may cost; a lost end, a clock that was wrong |
//! | `files`, `kept` | what is on disk beside journal and history: snapshots, claims, what followers keep |
//! | `upkeep`, `time` | what it does by itself: expire, checkpoint, look for room |
//! | `following` | how history and subscribers follow the journal |
//! | `deferred` | what is asked about reservations that ended, and decided where history is read |

mod accounts;
mod atomic;
mod closing;
mod commands;
mod core;
mod deferred;
pub(crate) mod files;
mod following;
#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
mod handing_over;
mod history;
#[cfg(feature = "server")]
mod kept;
mod lengths;
mod life;
mod metrics;
pub(crate) mod opening;
mod queue;
mod recorder;
mod status;
#[cfg(all(test, not(stockhold_loom)))]
mod tests;
mod ticket;
mod time;
mod upkeep;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use self::closing::{Closing, How};
use self::core::Core;
use self::upkeep::{checkpoint, expire};
use crate::base::error::Result;
use crate::base::sync::Mutex;
use crate::base::{AccountId, AccountKey, ReservationId, Seq, TimeMs, handle};
use crate::ledger::{Level, Pending};

#[cfg(feature = "server")]
pub(crate) use crate::ledger::Terms;
pub use crate::vfs::directory::Identity;
pub use crate::vfs::memory::MemoryDisk;
pub use accounts::{AccountPages, PendingPages};
pub use deferred::note::{NoteOutcome, NoteWhen};
pub use deferred::{DeferredTicket, NoteTicket, ReacquireTicket, RefundTicket};
#[cfg(feature = "bin")]
pub(crate) use files::newer::versioned;
pub use following::claim::Claim;
pub use following::subscription::Subscription;
#[cfg(feature = "bin")]
pub(crate) use handing_over::Left;
pub use history::{CatchUp, History};
pub use metrics::{Metric, MetricKind, Sample};
pub use opening::background::{ClosingDown, Opening};
pub use opening::bound::MemoryBound;
pub use opening::builder::EngineBuilder;
#[cfg(feature = "bin")]
pub(crate) use opening::loss::Accepted;
#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
pub(crate) use opening::mend::{Mended, mend_clock};
#[cfg(feature = "bin")]
pub(crate) use opening::warm::Warm;
pub use status::Status;
pub use ticket::{BatchTicket, Ticket};

/// A handle on an open ledger. Clones share it; the last one dropped closes it.
///
/// Every method is synchronous and needs no runtime. Commands answer with a [`Ticket`]: the
/// outcome is decided, and the ticket resolves when it is durable.
///
/// # What blocks
/// | call | waits for |
/// |---|---|
/// | whatever returns a ticket, [`catch_up`](Self::catch_up), and whatever looks at the ledger in memory | nothing but short holds of locks |
/// | `wait` of a ticket | the sync of the journal; of a refund or a revival, history as well |
/// | [`CatchUp::wait`], [`Subscription::next_event`] | history, or the next event |
/// | [`history`](Self::history), [`Subscription::try_next`], [`subscribe`](Self::subscribe) | reads of the disk |
/// | [`confirm`](Self::confirm) and [`release`](Self::release) of a reservation that ended so long ago that memory does not know how | a read of history; not with [`execute`](Self::execute) |
/// | [`claim`](Self::claim), [`checkpoint`](Self::checkpoint) | writes to the disk |
/// | [`expire_due`](Self::expire_due) | nothing, unless the journal's queue is full |
/// | [`close`](Self::close), and dropping the last handle | everything that was decided, and the engine's threads |
#[derive(Clone)]
pub struct Engine(Arc<Running>);

handle!(Engine, this { identity: this.0.core.files.directory.identity() });

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

    /// The account with this key, if it is open.
    pub fn account(&self, key: &AccountKey) -> Option<AccountId> {
        self.0.core.ledger.account(key)
    }

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

    /// How many units could be taken now under another rule, which the account need not have.
    ///
    /// # Errors
    /// As [`Engine::takeable`].
    #[cfg(feature = "server")]
    pub(crate) fn takeable_under(
        &self,
        account: AccountId,
        policy: crate::event::Policy,
    ) -> Result<u64> {
        let core = self.core()?;
        core.ledger.takeable_under(account, policy, core.now_ms())
    }

    /// A pending reservation, from memory. Ended ones are in [`Engine::history`].
    pub fn pending(&self, reservation: ReservationId) -> Option<Pending> {
        self.0.core.ledger.pending(reservation)
    }

    /// How many reservations are pending.
    pub fn pending_count(&self) -> usize {
        self.0.core.ledger.pending_count()
    }

    /// How many more documents there may be.
    #[cfg(feature = "server")]
    pub(crate) fn documents_room(&self) -> usize {
        self.0.core.ledger.documents_room()
    }

    /// One document of a collection, if there is one.
    pub fn document(&self, collection: &str, name: &str) -> Option<Vec<u8>> {
        self.0.core.ledger.document(collection, name)
    }

    /// How many documents a collection has.
    #[cfg(feature = "server")]
    pub(crate) fn documents_count(&self, collection: &str) -> usize {
        self.0.core.ledger.documents_count(collection)
    }

    /// The documents of a collection, by key.
    pub fn documents(&self, collection: &str) -> Vec<(String, Vec<u8>)> {
        self.0.core.ledger.documents(collection)
    }

    /// Expires what is due now; returns how many reservations that were. The engine does this by
    /// itself, unless its clock does not [run by itself](crate::clock::Clock::is_running): then call it
    /// after moving the clock. Blocks only while the journal's queue is full.
    ///
    /// # Errors
    /// Those of [`Engine::execute`].
    pub fn expire_due(&self) -> Result<usize> {
        expire::expire_due(self.core()?)
    }

    /// After how long a disk that does not answer counts as one that hangs.
    #[cfg(feature = "server")]
    pub(crate) fn sync_limit(&self) -> Duration {
        self.0.core.sync_limit
    }

    /// How long the disk was at each group of events since the opening.
    #[cfg(feature = "server")]
    pub(crate) fn sync_times(&self) -> crate::base::times::TimesSeen {
        self.0.core.journal.sync_times()
    }

    /// The last event so far, durable or not.
    #[cfg(feature = "server")]
    pub(crate) fn last_seq(&self) -> Seq {
        self.0.core.journal.last_seq()
    }

    /// Resolves when everything decided before this call is durable.
    #[cfg(feature = "server")]
    pub(crate) fn decided(&self) -> Ticket<()> {
        self.0.core.ticket(((), Some(self.0.core.journal.last_seq())))
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
        self.0.core.files.directory.identity()
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
        self.0.close(How::Whole)
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

    fn close(&self, how: How) -> Result<()> {
        // Before any lock: in a fork those that hold one may not be there.
        self.core.files.directory.check_process()?;
        let threads = std::mem::take(&mut *self.threads.lock());
        match (self.core.life.stop(), self.close_limit) {
            (false, limit) => self.closing.begin(&self.core, threads, how, limit),
            (true, Some(limit)) => self.closing.wait(limit),
            (true, None) => self.closing.outcome(),
        }
    }
}

#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
impl Running {
    /// Gives the directory up: see [`Engine::hand_over`].
    fn hand_over(&self) -> Result<()> {
        self.close(How::HandOver)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.core.files.directory.check_process().is_err() {
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
        // A caller that wants to know how the close went has called it. Without a checkpoint: the
        // journal has everything.
        if let Err(error) = self.close(How::WithoutCheckpoint) {
            tracing::warn!(%error, "closing the engine");
        }
    }
}
