//! Which lots there are. They are read from the ledger's accounts at the start; from then on whoever
//! opens one adds it here.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};

use super::{Lot, LotsOfUser};
use crate::base::{AccountId, TimeMs};
use crate::engine::Engine;

/// The lots of all users.
#[derive(Debug, Default)]
pub(in crate::mall) struct Lots {
    /// Whether there is any: most malls have none, and ask nothing else.
    any: AtomicBool,
    /// By user, those that have ended included.
    users: RwLock<HashMap<Box<str>, LotsOfUser>>,
    ends: Mutex<Ends>,
    /// Held while points expire: nothing may be looked at twice before it is changed.
    pub(super) sweeping: Mutex<()>,
}

/// Lots by whether they have ended.
#[derive(Debug, Default)]
struct Ends {
    coming: BTreeSet<Lot>,
    /// Those that have, and may get units back.
    ended: BTreeSet<AccountId>,
    /// What is looked at next.
    next: Option<AccountId>,
}

impl Lots {
    /// All lots among the accounts of an engine.
    pub(in crate::mall) fn load(engine: &Engine) -> Self {
        let lots = Self::default();
        for level in engine.accounts_of_kind("points").flatten().filter(|level| !level.closed) {
            if let Some(until) = level.key.until() {
                lots.add(level.key.owner(), Lot { until, account: level.account });
            }
        }
        lots
    }

    /// There is this lot, unless it is known already.
    pub(super) fn add(&self, user: &str, lot: Lot) {
        let mut users = self.users.write();
        let of_user = users.entry(user.into()).or_default();
        if let Err(at) = of_user.binary_search(&lot) {
            of_user.insert(at, lot);
            self.ends.lock().coming.insert(lot);
        }
        drop(users);
        // Pairs with the Acquire in `of`: who sees it set finds the lot.
        self.any.store(true, Ordering::Release);
    }

    /// The lots of a user, the first to end first.
    pub(super) fn of(&self, user: &str) -> LotsOfUser {
        if !self.any.load(Ordering::Acquire) {
            return LotsOfUser::new();
        }
        self.users.read().get(user).cloned().unwrap_or_default()
    }

    /// The next lots that have ended, at most `limit`, round and round; whether that was the last of
    /// a round.
    pub(super) fn next_ended(&self, now: TimeMs, limit: usize) -> (Vec<AccountId>, bool) {
        let mut guard = self.ends.lock();
        let ends = &mut *guard;
        while let Some(first) = ends.coming.first().copied().filter(|lot| lot.until <= now) {
            ends.coming.remove(&first);
            ends.ended.insert(first.account);
        }
        let from = ends.next.take().unwrap_or(AccountId::from_number(0));
        let mut of_round = ends.ended.range(from..).copied();
        let found: Vec<AccountId> = of_round.by_ref().take(limit).collect();
        ends.next = of_round.next();
        (found, ends.next.is_none())
    }

    /// Nothing can come back into these: they need not be looked at any more.
    pub(super) fn forget_ended(&self, accounts: &[AccountId]) {
        let mut ends = self.ends.lock();
        accounts.iter().for_each(|account| {
            ends.ended.remove(account);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_end_in_their_order_and_are_looked_at_round_and_round() {
        let lots = Lots::default();
        let account = AccountId::from_number;
        assert!(lots.of("ann").is_empty());
        for (user, until, number) in [("ann", 30, 1), ("bob", 10, 2), ("ann", 20, 3)] {
            lots.add(user, Lot { until, account: account(number) });
            lots.add(user, Lot { until, account: account(number) });
        }
        let ends = |user| lots.of(user).iter().map(|lot| lot.until).collect::<Vec<_>>();
        assert_eq!((ends("ann"), ends("bob"), ends("eve")), (vec![20, 30], vec![10], vec![]));
        assert_eq!(lots.next_ended(9, 9), (vec![], true));
        assert_eq!(lots.next_ended(20, 1), (vec![account(2)], false));
        assert_eq!(lots.next_ended(20, 1), (vec![account(3)], true));
        assert_eq!(lots.next_ended(30, 9), (vec![account(1), account(2), account(3)], true));
        lots.forget_ended(&[account(2)]);
        assert_eq!(lots.next_ended(30, 9), (vec![account(1), account(3)], true));
    }
}
