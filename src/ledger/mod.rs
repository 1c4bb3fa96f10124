//! The ledger: accounts and reservations in memory, sharded. It decides and applies; it reads no
//! clock, touches no file, and knows the journal only as a [`Recorder`](crate::event::Recorder).
//!
//! A command is validated, decided under the locks of the shards that it touches, recorded, and
//! applied before they are let go: `validate`, `execute`, `decide`, `commit`, `apply`.
//!
//! Lock order: shards in ascending index, then the documents, then whatever the recorder locks.

mod account;
mod accounts;
mod answers;
mod apply;
mod atomic;
mod bound;
mod command;
mod commit;
mod counts;
mod decide;
mod documents;
mod draft;
mod ended;
mod execute;
mod expire;
mod fast_path;
mod first_answer;
mod gauge;
mod idempotency;
mod lapses;
mod level;
mod limits;
mod look;
mod notes;
mod outcome;
mod queue;
mod queue_outcome;
mod queueing;
mod reservations;
mod returns;
mod revive;
mod shard;
mod snapshot;
mod uses;
mod validate;
mod view;
mod wheel;

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use self::counts::Unlocked;
use self::documents::Documents;
use self::gauge::Gauge;
use self::idempotency::{KeySpace, KeyTable};
use self::shard::Shard;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::{AccountId, AccountKey, SHARD_COUNT, Seq, ShardIndex, TimeMs};

pub use command::{
    Adjust, Atomic, Command, Confirm, Deadline, Extend, Grant, Join, Leave, Line, Note,
    PutDocument, Reacquire, Receive, Refund, Release, Reserve, SetPolicy, Transfer, WriteOff,
};
pub(crate) use command::{Held, Noting, Return, Used};
pub(crate) use counts::{Became, Verb};
pub(crate) use documents::NAME_BYTES_MAX;
pub use first_answer::FirstAnswer;
pub(crate) use idempotency::Terms;
pub use level::{Level, Pending};
pub(crate) use limits::Limits;
pub(crate) use look::{AccountCursor, PendingCursor, Tally};
pub use outcome::{
    AtomicOutcome, ChangeOutcome, Changed, CloseOutcome, ConfirmOutcome, ExtendOutcome, NotPending,
    Outcome, ReacquireOutcome, RefundOutcome, Refusal, ReleaseOutcome, ReserveOutcome, Reserved,
    TransferOutcome, Transferred,
};
pub use queue::Waiting;
pub use queue_outcome::{GrantOutcome, JoinOutcome, LeaveOutcome};
#[cfg(feature = "server")]
pub(crate) use reservations::first_made_at;
#[cfg(any(test, feature = "server"))]
pub(crate) use reservations::made_at_ms;
pub(crate) use snapshot::{LAYOUT_VERSION, Layout, PART_COUNT, Replay, Shown};

/// What a command did, and the event that must be durable before anybody hears of it; `None` when
/// there is none.
pub(crate) type Executed<T = Outcome> = (T, Option<Seq>);

pub(crate) struct Ledger {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    /// By shard; readable without its lock.
    gauges: Box<[Arc<boxcar::Vec<Gauge>>]>,
    directory: papaya::HashMap<AccountKey, AccountId, foldhash::fast::RandomState>,
    documents: Mutex<Documents>,
    key_space: Arc<KeySpace>,
    limits: Limits,
    /// Commands that were answered without a lock; each shard counts the others.
    unlocked: Unlocked,
}

impl Ledger {
    /// An empty ledger whose wheels start at `now`.
    pub(crate) fn new(limits: Limits, now: TimeMs) -> Self {
        let gauges: Box<[_]> = (0..SHARD_COUNT).map(|_| Arc::new(boxcar::Vec::new())).collect();
        let key_space = Arc::new(KeySpace::new(limits.keys));
        let shard = |(index, gauges): (ShardIndex, &Arc<_>)| {
            let keys = KeyTable::new(index, Arc::clone(&key_space));
            CachePadded::new(Mutex::new(Shard::new(keys, Arc::clone(gauges), now)))
        };
        Self {
            shards: gauges.iter().enumerate().map(shard).collect(),
            gauges,
            directory: papaya::HashMap::with_hasher(foldhash::fast::RandomState::default()),
            documents: Mutex::new(Documents::default()),
            key_space,
            limits,
            unlocked: Unlocked::default(),
        }
    }

    /// The account with this key.
    pub(crate) fn account(&self, key: &AccountKey) -> Option<AccountId> {
        self.directory.pin().get(key).copied()
    }

    fn gauge(&self, account: AccountId) -> Option<&Gauge> {
        self.gauges[account.shard()].get(account.index())
    }

    fn check_account(&self, account: AccountId) -> Result<()> {
        match self.gauge(account) {
            Some(_) => Ok(()),
            None => {
                Err(Error::not_found(format!("there is no account number {}", account.number())))
            }
        }
    }
}

#[cfg(test)]
mod tests;
