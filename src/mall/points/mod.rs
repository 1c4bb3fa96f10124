//! A user's points: what there is, how it is moved, and what is on record of it.

#[cfg(feature = "bin")]
mod batch;
mod decide;
mod entry;
mod lots;
mod merged;
mod moving;
mod records;

#[cfg(feature = "bin")]
pub(crate) use batch::{AGAIN_WITHIN_MS, BATCH_LINES_MAX, PointsApplied, PointsBatch};
pub(crate) use entry::{PointsEntry, REQUEST_LINES_MAX};
pub(crate) use moving::{MovePoints, Moved};
pub(crate) use records::{PointsFilter, PointsRecord};

use super::lots::{Expiring, PointsLevel};
use super::model::NOT_EARNED;
use super::{Mall, User};
use crate::base::AccountKey;
use crate::base::error::Result;

/// A user's points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    /// What the user can spend.
    pub(crate) available: i64,
    /// What waiting orders hold.
    pub(crate) reserved: u64,
    /// What confirmed orders cost.
    pub(crate) consumed: u64,
    /// What the user was ever given.
    pub(crate) received: u64,
    /// What was taken away again.
    pub(crate) written_off: u64,
    /// What ends next of what can be spent.
    pub(crate) expiring: Option<Expiring>,
    /// What the user has earned, by which levels go: spending it changes nothing.
    pub(crate) earned: u64,
}

/// A user's level, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rank {
    pub(crate) level: u8,
    pub(crate) name: String,
    /// What the next level takes; `None` on the highest.
    pub(crate) next_at: Option<u64>,
}

impl Mall {
    /// The user's points; 0 for a user who has never had any.
    pub(crate) fn balance(&self, user: &User) -> Result<Balance> {
        self.check_alive()?;
        let Some(account) = user.points(self.engine()) else {
            return Ok(Balance::default());
        };
        let not_earned = self.engine().account(&not_earned(user)?);
        let PointsLevel { available, reserved, consumed, received, written_off, expiring, beside } =
            self.points_level(user, account, not_earned)?;
        let earned = received.saturating_sub(beside);
        Ok(Balance { available, reserved, consumed, received, written_off, expiring, earned })
    }

    /// The level of who has earned so many points.
    pub(crate) fn rank(&self, earned: u64) -> Rank {
        let shelf = self.shelf();
        let levels = &shelf.levels.content;
        let (level, next) = levels.of(earned);
        let name = levels.get(level).map(|level| level.name.clone()).unwrap_or_default();
        Rank { level, name, next_at: next.map(|level| level.earned_points) }
    }
}

/// What counts the points of a user that are not earned.
pub(super) fn not_earned(user: &User) -> Result<AccountKey> {
    AccountKey::custom(NOT_EARNED, &[user.id()])
}
