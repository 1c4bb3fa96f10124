//! The level of a user, by what it earned: what products cost and how many there may be, for whom.

use std::cell::OnceCell;
use std::hash::BuildHasher;

use parking_lot::{Mutex, MutexGuard};

use super::model::{MallLevels, Product, PurchaseLimit};
use super::points::not_earned;
use super::{Mall, Shelf, User};
use crate::base::error::Result;

/// How many users' limits can be brought to their levels at once.
const TURNS: usize = 64;

/// Who brings a user's limits to its level: one after another for each user, so that a level that
/// was read earlier never replaces one that was read later.
pub(super) struct Turns([Mutex<()>; TURNS]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Turns {
    /// Taken before the catalogue's lock and the ledger's, and never held across an `await`.
    pub(super) fn of(&self, user: &User) -> MutexGuard<'_, ()> {
        let hash = foldhash::fast::FixedState::default().hash_one(user.id());
        self.0[hash as usize % TURNS].lock()
    }
}

/// A user's terms, of which the level is looked up once, and only for products that ask for it.
pub(crate) struct Terms<'a> {
    mall: &'a Mall,
    user: &'a User,
    levels: &'a MallLevels,
    level: OnceCell<u8>,
}

impl Mall {
    /// The terms of a user, with the levels of this shelf.
    pub(crate) fn terms<'a>(&'a self, user: &'a User, shelf: &'a Shelf) -> Terms<'a> {
        Terms { mall: self, user, levels: &shelf.levels.content, level: OnceCell::new() }
    }

    /// What a user has earned, by which levels go.
    fn earned(&self, user: &User) -> Result<u64> {
        let engine = self.engine();
        let Some(points) = user.points(engine) else {
            return Ok(0);
        };
        let level = self.points_level(user, points, engine.account(&not_earned(user)?))?;
        Ok(level.received.saturating_sub(level.beside))
    }
}

impl Terms<'_> {
    pub(crate) fn level(&self) -> Result<u8> {
        if let Some(level) = self.level.get() {
            return Ok(*level);
        }
        let (level, _) = self.levels.of(self.mall.earned(self.user)?);
        Ok(*self.level.get_or_init(|| level))
    }

    /// What one unit costs, in points.
    pub(crate) fn price(&self, product: &Product) -> Result<u64> {
        match product.by_level.is_empty() {
            true => Ok(product.points_price),
            false => Ok(product.price_at(self.level()?)),
        }
    }

    pub(crate) fn limit(&self, product: &Product) -> Result<Option<PurchaseLimit>> {
        match product.by_level.is_empty() {
            true => Ok(product.limit_per_user),
            false => Ok(product.limit_at(self.level()?)),
        }
    }
}
