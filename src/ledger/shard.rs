//! One shard: accounts, reservations, idempotency keys and a wheel behind one lock, and a set of
//! locked shards.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use smallvec::SmallVec;

use super::account::Account;
use super::counts::{Became, Counts, Verb};
use super::ended::Ended;
use super::gauge::Gauge;
use super::idempotency::KeyTable;
use super::reservations::{Reservation, Reservations, held_lines};
use super::{Line, NotPending};
use crate::base::error::{Error, Result};
use crate::base::sync::{Mutex, MutexGuard};
use crate::base::{AccountId, ReservationId, ShardIndex, TimeMs};
use crate::event::EventLine;
use crate::ledger::wheel::Wheel;

#[derive(Debug)]
pub(crate) struct Shard {
    pub(super) accounts: Vec<Account>,
    pub(super) reservations: Reservations,
    pub(super) keys: KeyTable,
    pub(super) wheel: Wheel,
    pub(super) counts: Counts,
    pub(super) ended: Ended,
    /// How many wait for units of its accounts.
    pub(super) waiting: usize,
    gauges: Arc<boxcar::Vec<Gauge>>,
}

impl Shard {
    pub(super) fn new(keys: KeyTable, gauges: Arc<boxcar::Vec<Gauge>>, now: TimeMs) -> Self {
        Self {
            accounts: Vec::new(),
            reservations: Reservations::default(),
            keys,
            wheel: Wheel::new(now),
            counts: Counts::default(),
            ended: Ended::default(),
            waiting: 0,
            gauges,
        }
    }

    pub(super) fn account(&self, account: AccountId) -> Option<&Account> {
        self.accounts.get(account.index())
    }

    /// The pending reservation with this number, on behalf of `owner` where one is named.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn pending(
        &self,
        id: ReservationId,
        owner: Option<AccountId>,
    ) -> std::result::Result<&Reservation, NotPending> {
        match self.reservations.get(id) {
            Some(pending) if owner.is_none() || owner == pending.owner => Ok(pending),
            Some(_) => Err(NotPending::Anothers),
            None if id.count() >= self.reservations.numbered() => Err(NotPending::NeverMade),
            None => Err(self.ended.find(id, owner).unwrap_or(NotPending::Unknown)),
        }
    }

    pub(super) fn open_account(&mut self, account: Account) {
        self.gauges.push(Gauge::new());
        self.accounts.push(account);
        self.publish(self.accounts.len() - 1);
    }

    /// Changes an account, and checks invariant 1. What can be taken now is published when the
    /// whole event is applied.
    pub(super) fn change(
        &mut self,
        id: AccountId,
        change: impl FnOnce(&mut Account) -> Result<()>,
    ) -> Result<()> {
        let account = self.accounts.get_mut(id.index());
        let account = account
            .ok_or_else(|| Error::corrupt("an event names an account that was never opened"))?;
        change(account)?;
        if !account.is_conserved() {
            return Err(Error::corrupt(format!("the units of {} do not add up", account.key)));
        }
        Ok(())
    }

    /// Publishes what can be taken of an account now.
    pub(super) fn publish(&self, index: usize) {
        let account = &self.accounts[index];
        let takeable = match account {
            Account { is_closed: true, .. } => Gauge::CLOSED,
            account if account.depends_on_time() => Gauge::UNKNOWN,
            account => account.takeable(0),
        };
        // As far as it is known without the time; readers have one.
        self.gauges[index].publish(takeable, account.next_release_at(0), account.has_line());
    }

    /// Holds a reservation until its deadline.
    pub(super) fn hold(
        &mut self,
        id: ReservationId,
        owner: Option<AccountId>,
        expires_at: TimeMs,
        lines: &[EventLine],
    ) {
        let timer = self.wheel.insert(expires_at, self.reservations.next_slot());
        self.reservations.insert(Reservation {
            id,
            expires_at,
            timer,
            owner,
            lines: held_lines(lines),
        });
    }

    /// Holds a reservation until another deadline.
    pub(super) fn extend(&mut self, id: ReservationId, expires_at: TimeMs) -> Result<()> {
        let (slot, pending) = self.reservations.get_mut(id).ok_or_else(|| {
            Error::corrupt(format!("reservation {id} is extended but is not pending"))
        })?;
        self.wheel.cancel(pending.timer);
        (pending.expires_at, pending.timer) = (expires_at, self.wheel.insert(expires_at, slot));
        Ok(())
    }

    /// Lets go of a reservation that ended, and remembers for a while how.
    pub(super) fn let_go(&mut self, id: ReservationId, how: NotPending) -> Result<()> {
        let gone = self.reservations.remove(id);
        let gone = gone
            .ok_or_else(|| Error::corrupt(format!("reservation {id} ends but is not pending")))?;
        // False when the wheel itself ended it.
        self.wheel.cancel(gone.timer);
        self.ended.add(id, gone.owner, how);
        Ok(())
    }
}

/// Where events are applied: shards by their index, without those that need no change.
pub(crate) trait Shards {
    /// The shard, or `None` when it already shows the event (replay onto a snapshot).
    fn shard_mut(&mut self, index: ShardIndex) -> Option<&mut Shard>;

    /// The table that this key is in. In which shard that is follows from no file, so it hears of
    /// every event, and knows which records it has.
    fn keys_mut(&mut self, number: u128) -> &mut KeyTable;
}

pub(super) type ShardLocks = [CachePadded<Mutex<Shard>>];

/// Locked shards. Locks are taken in ascending order of the index, always: that is the lock order
/// of the ledger, and the journal's queue comes after all of them.
pub(crate) struct LockedShards<'a> {
    locks: &'a ShardLocks,
    /// One bit a shard.
    mask: u64,
    guards: SmallVec<[MutexGuard<'a, Shard>; 4]>,
}

/// The bit of a shard in a mask.
pub(super) fn bit(shard: ShardIndex) -> u64 {
    1 << shard
}

/// The shards of the accounts that lines take from.
pub(super) fn mask_of(lines: &[Line]) -> u64 {
    lines.iter().fold(0, |mask, line| mask | bit(line.account.shard()))
}

impl<'a> LockedShards<'a> {
    pub(super) fn lock(locks: &'a ShardLocks, mask: u64) -> Self {
        let mut locked = Self { locks, mask: 0, guards: SmallVec::new() };
        locked.lock_above(mask);
        locked
    }

    /// Locks what is missing. Gives up everything and starts over when a missing shard comes before
    /// a held one; the state may then have changed, which is what `false` says.
    pub(super) fn extend(&mut self, mask: u64) -> bool {
        let missing = mask & !self.mask;
        if missing == 0 {
            return true;
        }
        if missing.trailing_zeros() >= u64::BITS - self.mask.leading_zeros() {
            self.lock_above(missing);
            return true;
        }
        let all = mask | self.mask;
        self.guards.clear();
        self.mask = 0;
        self.lock_above(all);
        false
    }

    fn lock_above(&mut self, mask: u64) {
        let mut rest = mask;
        while rest != 0 {
            let index = rest.trailing_zeros() as usize;
            self.guards.push(self.locks[index].lock());
            rest &= rest - 1;
        }
        self.mask |= mask;
    }

    pub(super) fn shard(&self, index: ShardIndex) -> &Shard {
        &self.guards[self.guard_of(index)]
    }

    /// Where what happens under these locks is counted: in any of the shards, since they are only
    /// ever looked at together.
    pub(super) fn counts(&mut self) -> &mut Counts {
        &mut self.guards[0].counts
    }

    /// Counts what became of a command.
    pub(super) fn count<T>(&mut self, verb: Verb, became: Result<(T, Became)>) -> Result<T> {
        let told = became.as_ref().map_or(Became::Failed, |(_, became)| *became);
        self.counts().add(verb, told);
        became.map(|(outcome, _)| outcome)
    }

    fn guard_of(&self, index: ShardIndex) -> usize {
        assert!(self.mask & bit(index) != 0, "shard {index} is used without its lock");
        (self.mask & (bit(index) - 1)).count_ones() as usize
    }

    /// The account, if it exists. Its shard must be held.
    pub(super) fn account(&self, account: AccountId) -> Option<&Account> {
        self.shard(account.shard()).account(account)
    }
}

impl Shards for LockedShards<'_> {
    fn shard_mut(&mut self, index: ShardIndex) -> Option<&mut Shard> {
        let guard = self.guard_of(index);
        Some(&mut self.guards[guard])
    }

    fn keys_mut(&mut self, number: u128) -> &mut KeyTable {
        // Every shard can tell.
        let shard = self.guards[0].keys.shard_of(number);
        let guard = self.guard_of(shard);
        &mut self.guards[guard].keys
    }
}
