//! What commands that happen together would leave: copies of the accounts that they change, over
//! shards that are only read. So whatever becomes of the last of them, nothing has happened yet.

use std::collections::BTreeMap;

use super::NotPending;
use super::account::Account;
use super::apply::{Accounts, change_accounts};
use super::reservations::Reservation;
use super::shard::LockedShards;
use super::view::View;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, ReservationId, ShardIndex, TimeMs};
use crate::event::{End, Fact};

/// The state after facts that did not happen yet.
pub(super) struct Draft<'l, 'g, 'a> {
    locked: &'l LockedShards<'g>,
    /// Those that the facts changed.
    accounts: BTreeMap<AccountId, Account>,
    /// The deadlines that the facts may take out of accounts.
    deadlines: Vec<TimeMs>,
    /// By shard: the last reservation that the facts made.
    made: BTreeMap<ShardIndex, ReservationId>,
    /// By shard: how many more reservations are pending.
    pending: BTreeMap<ShardIndex, isize>,
    facts: Vec<Fact<'a>>,
}

impl<'l, 'g, 'a> Draft<'l, 'g, 'a> {
    /// A draft in which nothing happened; `named` are the reservations that commands may end or
    /// extend in it, each once.
    pub(super) fn new(
        locked: &'l LockedShards<'g>,
        named: impl Iterator<Item = ReservationId>,
    ) -> Self {
        let pending = named.filter_map(|id| locked.pending(id, None).ok());
        Self {
            locked,
            accounts: BTreeMap::new(),
            deadlines: pending.map(|pending| pending.expires_at).collect(),
            made: BTreeMap::new(),
            pending: BTreeMap::new(),
            facts: Vec::new(),
        }
    }

    /// Lets a fact happen that was decided on this draft.
    pub(super) fn add(&mut self, fact: Fact<'a>, now: TimeMs) {
        change_accounts(self, &fact, now).expect("a fact applies to the draft it was decided on");
        match &fact {
            Fact::Reserved { reservation, confirmed, .. } => {
                self.made.insert(reservation.shard(), *reservation);
                *self.pending.entry(reservation.shard()).or_default() += isize::from(!confirmed);
            }
            Fact::Confirmed(End { reservation, .. }) | Fact::Released(End { reservation, .. }) => {
                *self.pending.entry(reservation.shard()).or_default() -= 1;
            }
            Fact::Received { .. }
            | Fact::Adjusted { .. }
            | Fact::WrittenOff { .. }
            | Fact::Renewed { .. }
            | Fact::Transferred { .. }
            | Fact::Extended { .. } => {}
            Fact::AccountOpened { .. }
            | Fact::PolicyChanged { .. }
            | Fact::Expired(_)
            | Fact::Returned { .. }
            | Fact::Revived { .. }
            | Fact::Noted { .. }
            | Fact::Document { .. }
            | Fact::ClockMended { .. }
            | Fact::AccountClosed { .. }
            | Fact::Queued { .. }
            | Fact::Dequeued { .. }
            | Fact::Answered { .. }
            | Fact::Atomic(_) => unreachable!("no command comes to this"),
        }
        self.facts.push(fact);
    }

    /// The facts, in the order in which they were added.
    pub(super) fn into_facts(self) -> Vec<Fact<'a>> {
        self.facts
    }
}

impl View for Draft<'_, '_, '_> {
    fn account(&self, account: AccountId) -> Option<&Account> {
        self.accounts.get(&account).or_else(|| self.locked.account(account))
    }

    /// What the facts made is pending for nobody yet, and what they ended nobody else names.
    fn pending(
        &self,
        id: ReservationId,
        owner: Option<AccountId>,
    ) -> std::result::Result<&Reservation, NotPending> {
        self.locked.pending(id, owner)
    }

    fn pending_count(&self, shard: ShardIndex) -> usize {
        let more = self.pending.get(&shard).copied().unwrap_or_default();
        self.locked.pending_count(shard).saturating_add_signed(more)
    }

    fn next_reservation(&self, shard: ShardIndex, now: TimeMs) -> ReservationId {
        let next = self.locked.next_reservation(shard, now);
        match self.made.get(&shard) {
            Some(last) => next.max(ReservationId::new(shard, last.count() + 1)),
            None => next,
        }
    }
}

impl Accounts for Draft<'_, '_, '_> {
    fn change(
        &mut self,
        id: AccountId,
        change: impl FnOnce(&mut Account) -> Result<()>,
    ) -> Result<()> {
        if !self.accounts.contains_key(&id) {
            let there = self.locked.account(id);
            let there = there.ok_or_else(|| Error::corrupt("an account was never opened"))?;
            self.accounts.insert(id, there.sketch(&self.deadlines));
        }
        let account = self.accounts.get_mut(&id).expect("it was inserted");
        change(account)?;
        match account.is_conserved() {
            true => Ok(()),
            false => Err(Error::corrupt(format!("the units of {} do not add up", account.key))),
        }
    }
}
