//! Looking at the ledger: several accounts at one moment, and pages of accounts and of pending
//! reservations. Nothing here changes anything, and no lock is held for longer than a page.

use super::accounts::shard_of_owner;
use super::counts::Counts;
use super::reservations::Reservation;
use super::shard::{LockedShards, Shard, bit};
use super::{Ledger, Level, Pending};
#[cfg(feature = "server")]
use crate::base::Seq;
use crate::base::error::Result;
use crate::base::{AccountId, AccountKey, ReservationId, SHARD_COUNT, ShardIndex};
#[cfg(feature = "server")]
use crate::event::Recorder;

/// How many accounts are looked at under one hold of a shard's lock.
const LEVELS_AT_ONCE: usize = 256;

/// How many places of reservations are looked at under one hold of a shard's lock: what a reserve
/// waits at most, some 50 us.
const PLACES_AT_ONCE: usize = 1024;

/// Where a walk over the pending reservations goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PendingCursor {
    shard: ShardIndex,
    place: usize,
}

/// Which accounts a walk is after, and where it goes on.
#[derive(Clone, Debug)]
pub(crate) struct AccountCursor {
    prefix: Box<str>,
    /// The one shard that has all of them; `None` when every shard may.
    only: Option<ShardIndex>,
    /// The next to look at; `None` at the end.
    next: Option<AccountId>,
}

impl AccountCursor {
    /// All accounts whose key begins with `prefix`.
    pub(crate) fn new(prefix: &str) -> Self {
        let only = owner_in(prefix).map(shard_of_owner);
        Self { prefix: prefix.into(), only, next: Some(AccountId::new(only.unwrap_or(0), 0)) }
    }

    /// The same, from after the account `after` on.
    #[cfg(feature = "server")]
    pub(crate) fn after(prefix: &str, after: Option<AccountId>) -> Self {
        let mut cursor = Self::new(prefix);
        if let Some(last) = after {
            let shard = last.shard();
            cursor.go_on_at(match last.index() {
                AccountId::INDEX_MAX.. => {
                    (shard + 1 < SHARD_COUNT).then(|| AccountId::new(shard + 1, 0))
                }
                index => Some(AccountId::new(shard, index + 1)),
            });
        }
        cursor
    }

    fn go_on_at(&mut self, next: Option<AccountId>) {
        self.next = next.filter(|next| self.only.is_none_or(|only| only == next.shard()));
    }
}

/// The owner that every key with this prefix has; `None` when they may have several.
fn owner_in(prefix: &str) -> Option<&str> {
    let mut parts = prefix.split('/');
    let (_, owner, rest) = (parts.next()?, parts.next()?, parts.next());
    // Only what is followed by a `/` is whole.
    rest.map(|_| owner)
}

/// What the ledger's tables hold, and what was asked of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    pub(crate) accounts: usize,
    pub(crate) pending: usize,
    /// Records of keyed requests.
    pub(crate) keys: usize,
    pub(crate) documents: usize,
}

impl Ledger {
    /// Counts everything. Not one moment's: each shard is locked in turn, for a few additions.
    pub(crate) fn tally(&self) -> Tally {
        let documents = self.documents.lock().len();
        let mut tally = Tally { keys: self.key_space.count(), documents, ..Tally::default() };
        for shard in &self.shards {
            let shard = shard.lock();
            tally.counts.include(&shard.counts);
            tally.accounts += shard.accounts.len();
            tally.pending += shard.reservations.len();
        }
        self.unlocked.add_to(&mut tally.counts);
        tally
    }

    /// Every account, shard by shard. Not one moment's.
    pub(crate) fn levels(&self) -> Vec<Level> {
        let mut cursor = AccountCursor::new("");
        std::iter::from_fn(|| self.accounts_page(&mut cursor)).flatten().collect()
    }

    /// An account as it stands.
    ///
    /// # Errors
    /// `NotFound` when it does not exist.
    pub(crate) fn level(&self, account: AccountId) -> Result<Level> {
        self.check_account(account)?;
        let locked = LockedShards::lock(&self.shards, bit(account.shard()));
        Ok(locked.account(account).expect("an account with a gauge exists").level(account))
    }

    /// An account as it stands, and the last event that it shows: nothing of a later one, and all of
    /// those before.
    ///
    /// # Errors
    /// `NotFound` when it does not exist.
    #[cfg(feature = "server")]
    pub(crate) fn level_as_of(
        &self,
        account: AccountId,
        recorder: &impl Recorder,
    ) -> Result<(Level, Seq)> {
        self.check_account(account)?;
        let locked = LockedShards::lock(&self.shards, bit(account.shard()));
        let level = locked.account(account).expect("an account with a gauge exists").level(account);
        // Still under the lock: what changes the account is recorded under it.
        Ok((level, recorder.last_seq()))
    }

    /// A reservation, while it is pending.
    pub(crate) fn pending(&self, id: ReservationId) -> Option<Pending> {
        let locked = LockedShards::lock(&self.shards, bit(id.shard()));
        locked.shard(id.shard()).reservations.get(id).map(|reservation| reservation.pending())
    }

    /// How many reservations are pending. Not one moment's: shards are counted in turn.
    pub(crate) fn pending_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().reservations.len()).sum()
    }

    /// Every pending reservation, by number. Not one moment's: shards are read in turn.
    pub(crate) fn all_pending(&self) -> Vec<Pending> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().reservations.iter().map(|reservation| reservation.pending()));
        }
        all.sort_unstable_by_key(|pending| pending.reservation);
        all
    }

    /// Several accounts as they stand at one moment, in the order of `accounts`.
    ///
    /// # Errors
    /// `NotFound` when one of them does not exist.
    pub(crate) fn levels_of(&self, accounts: &[AccountId]) -> Result<Vec<Level>> {
        let mut mask = 0;
        for account in accounts {
            self.check_account(*account)?;
            mask |= bit(account.shard());
        }
        let mut levels = Vec::with_capacity(accounts.len());
        let locked = LockedShards::lock(&self.shards, mask);
        levels.extend(accounts.iter().map(|account| {
            locked.account(*account).expect("an account with a gauge exists").level(*account)
        }));
        Ok(levels)
    }

    /// The key of an account, if there is such an account.
    pub(crate) fn key_of(&self, account: AccountId) -> Option<AccountKey> {
        let shard = self.shards[account.shard()].lock();
        shard.account(account).map(|account| account.key.clone())
    }

    /// The next accounts that `cursor` is after; `None` at the end. One shard's lock is held while
    /// [`LEVELS_AT_ONCE`] of them are looked at, so a page may be empty.
    pub(crate) fn accounts_page(&self, cursor: &mut AccountCursor) -> Option<Vec<Level>> {
        let from = cursor.next?;
        let (index, first) = (from.shard(), from.index());
        let mut page = Vec::new();
        let looked_at = {
            let shard = self.shards[index].lock();
            let accounts = shard.accounts.iter().enumerate().skip(first).take(LEVELS_AT_ONCE);
            let wanted =
                accounts.filter(|(_, account)| account.key.as_str().starts_with(&*cursor.prefix));
            page.extend(wanted.map(|(at, account)| account.level(AccountId::new(index, at))));
            (first + LEVELS_AT_ONCE).min(shard.accounts.len())
        };
        let next = match looked_at == first + LEVELS_AT_ONCE {
            true => Some(AccountId::new(index, looked_at)),
            false => (index + 1 < SHARD_COUNT).then(|| AccountId::new(index + 1, 0)),
        };
        cursor.go_on_at(next);
        Some(page)
    }

    /// The next pending reservations on behalf of `owner`, or of anybody, and where to go on.
    ///
    /// A reservation keeps its place for as long as it is pending. So one that is pending from the
    /// first page to the last is met once; one that comes or ends meanwhile may be, or not.
    pub(crate) fn pending_page(
        &self,
        owner: Option<AccountId>,
        from: PendingCursor,
    ) -> (Vec<Pending>, Option<PendingCursor>) {
        let PendingCursor { shard: index, place } = from;
        let is_wanted = |held: &&Reservation| owner.is_none() || held.owner == owner;
        let mut page = Vec::new();
        let rest = {
            let shard = self.shards[index].lock();
            let places = place..place.saturating_add(PLACES_AT_ONCE);
            page.extend(pending_in(&shard, places).filter(is_wanted).map(Reservation::pending));
            shard.reservations.places() > place.saturating_add(PLACES_AT_ONCE)
        };
        let next = match rest {
            true => Some(PendingCursor { shard: index, place: place + PLACES_AT_ONCE }),
            false => {
                (index + 1 < SHARD_COUNT).then(|| PendingCursor { shard: index + 1, place: 0 })
            }
        };
        (page, next)
    }
}

fn pending_in(shard: &Shard, places: std::ops::Range<usize>) -> impl Iterator<Item = &Reservation> {
    let end = places.end.min(shard.reservations.places());
    (places.start..end).filter_map(|place| shard.reservations.at(u32::try_from(place).ok()?))
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_with_a_whole_first_part_leads_to_one_shard() {
        for (prefix, owner) in [
            ("", None),
            ("quota", None),
            ("quota/", None),
            ("quota/ann", None),
            ("quota/ann/", Some("ann")),
            ("quota/ann/te", Some("ann")),
            ("seat/hall-1/12/", Some("hall-1")),
        ] {
            assert_eq!(owner_in(prefix), owner, "{prefix:?}");
        }
    }
}
