//! Points that are good until a moment. Those with one end are a lot, which is an account of its
//! own in the ledger: `points/USER/UNTIL` beside `points/USER`, whose points are good for ever. So
//! what an order took of a lot returns to it, by the lines of its reservation, and the ledger gives
//! nothing of a lot that has ended.

mod balance;
mod days;
mod due;
mod expire;
mod index;
mod spend;
#[cfg(all(test, feature = "audit"))]
mod tests;

pub(crate) use balance::Expiring;

pub(super) use balance::PointsLevel;
pub(super) use due::Due;
pub(super) use index::Lots;
pub(super) use spend::Spending;

use smallvec::SmallVec;

use super::{Failure, Mall, User, account};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey, TimeMs};

/// How many lots of one user may be good at one time.
pub(crate) const LOTS_MAX: usize = 250;
/// How far away the end of a lot may be.
const LOT_MS_MAX: u64 = 100 * 366 * 86_400_000;

/// Points of a user that are good until one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lot {
    pub(super) until: TimeMs,
    pub(super) account: AccountId,
}

/// Lots of one user, the first to end first.
pub(super) type LotsOfUser = SmallVec<[Lot; 4]>;

/// Whether a user whose lots end then may have one that ends at `until`.
pub(super) fn may_have_lot(until: TimeMs, good: &[TimeMs]) -> bool {
    good.contains(&until) || good.len() < LOTS_MAX
}

pub(super) fn too_many_lots() -> String {
    format!("points of a user are good until {LOTS_MAX} different days at most")
}

impl Mall {
    /// The lot for points of a user that are to be good until `expires_at` at least: they are good
    /// until the end of that day. Where the user has no points at all, the account is opened that
    /// stands for the user in orders.
    ///
    /// # Errors
    /// `Invalid` when that has passed or is too far away, `TooManyLots`.
    pub(super) fn lot(&self, user: &User, expires_at: TimeMs) -> Result<Lot, Failure> {
        let until = self.end_of_lot(expires_at)?;
        match may_have_lot(until, &self.lots_that_are_good(user)) {
            true => Ok(self.open_lot(user, until)?),
            false => Err(Failure::TooManyLots(too_many_lots())),
        }
    }

    /// The end of the lot for points that are to be good until `expires_at` at least, which is still
    /// to come.
    ///
    /// # Errors
    /// `Invalid` when that has passed or is too far away; the message begins with the field.
    pub(crate) fn end_of_lot(&self, expires_at: TimeMs) -> Result<TimeMs> {
        let now = self.now_ms();
        if expires_at <= now {
            return Err(Error::invalid(format!("expiresAt has passed: it is {now}")));
        }
        let until = self.good_until(expires_at)?;
        match until.saturating_sub(now) {
            0..=LOT_MS_MAX => Ok(until),
            _ => Err(Error::invalid("expiresAt is more than 100 years away")),
        }
    }

    /// When the lots of a user end that have not.
    pub(super) fn lots_that_are_good(&self, user: &User) -> Vec<TimeMs> {
        let now = self.now_ms();
        let of_user = self.shared.lots.of(user.id());
        of_user.iter().map(|lot| lot.until).filter(|until| *until > now).collect()
    }

    /// Until when points are good that are to be good until `expires_at` at least.
    ///
    /// # Errors
    /// `Invalid` beyond what time can be counted.
    pub(super) fn good_until(&self, expires_at: TimeMs) -> Result<TimeMs> {
        days::end_of_day(expires_at, self.config().points_day_offset_min)
            .ok_or_else(|| Error::invalid("expiresAt is further away than time can be counted"))
    }

    fn open_lot(&self, user: &User, until: TimeMs) -> Result<Lot> {
        account(self.engine(), &user.points_key)?;
        let key = AccountKey::points_until(user.id(), until)?;
        let lot = Lot { until, account: account(self.engine(), &key)? };
        self.shared.lots.add(user.id(), lot);
        Ok(lot)
    }

    /// Whether the user has, or ever had, points with an end.
    pub(super) fn has_lots(&self, user: &User) -> bool {
        !self.shared.lots.of(user.id()).is_empty()
    }

    /// The accounts of a user's points: that of those which are good for ever, and all lots, also
    /// those that have ended.
    pub(super) fn points_accounts(
        &self,
        user: &User,
        forever: AccountId,
    ) -> SmallVec<[AccountId; 4]> {
        let lots = self.shared.lots.of(user.id());
        std::iter::once(forever).chain(lots.iter().map(|lot| lot.account)).collect()
    }
}
