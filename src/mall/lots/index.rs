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
    /// Those that have not been found to have ended, the first to end first.
    coming: Mutex<BTreeSet<Lot>>,
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
            self.coming.lock().insert(lot);
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

    /// Whether any has ended that was not told of as such.
    pub(super) fn has_ended(&self, now: TimeMs) -> bool {
        self.coming.lock().first().is_some_and(|first| first.until <= now)
    }

    /// Those that have ended since this was asked last.
    pub(super) fn newly_ended(&self, now: TimeMs) -> Vec<AccountId> {
        let mut coming = self.coming.lock();
        let mut ended = Vec::new();
        while let Some(lot) = coming.first().copied().filter(|lot| lot.until <= now) {
            coming.remove(&lot);
            ended.push(lot.account);
        }
        ended
    }

    /// Nobody was told of any that has ended.
    pub(super) fn begin_anew(&self) {
        let users = self.users.read();
        self.coming.lock().extend(users.values().flatten().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_end_in_their_order_and_are_told_of_once() {
        let lots = Lots::default();
        let account = AccountId::from_number;
        assert!(lots.of("ann").is_empty());
        for (user, until, number) in [("ann", 30, 1), ("bob", 10, 2), ("ann", 20, 3)] {
            lots.add(user, Lot { until, account: account(number) });
            lots.add(user, Lot { until, account: account(number) });
        }
        let ends = |user| lots.of(user).iter().map(|lot| lot.until).collect::<Vec<_>>();
        assert_eq!((ends("ann"), ends("bob"), ends("eve")), (vec![20, 30], vec![10], vec![]));
        assert!(!lots.has_ended(9));
        assert_eq!(lots.newly_ended(9), []);
        assert!(lots.has_ended(10));
        assert_eq!(lots.newly_ended(20), [account(2), account(3)]);
        assert_eq!(lots.newly_ended(20), [], "each is told of once");
        lots.begin_anew();
        assert_eq!(lots.newly_ended(30), [account(2), account(3), account(1)]);
    }
}
