//! A user's points over all lots.

use super::expire::moved;
use crate::base::error::Result;
use crate::base::{AccountId, TimeMs};
use crate::engine::Engine;
use crate::mall::{Mall, User};

/// Points that are good until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiring {
    pub(crate) at: TimeMs,
    /// How many of them can be spent.
    pub(crate) points: u64,
}

/// How a user's points stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::mall) struct PointsLevel {
    /// What can be spent: nothing of what has ended, though it is not written off yet.
    pub(in crate::mall) available: i64,
    pub(in crate::mall) reserved: u64,
    pub(in crate::mall) consumed: u64,
    /// What came in, and what went out for good; not what was moved from one lot to another.
    pub(in crate::mall) received: u64,
    pub(in crate::mall) written_off: u64,
    /// What ends next.
    pub(in crate::mall) expiring: Option<Expiring>,
    /// What another account that was asked about received, at the same moment where the user has no
    /// lots.
    pub(in crate::mall) beside: u64,
}

impl Mall {
    /// How a user's points stand, over all lots.
    pub(in crate::mall) fn points_level(
        &self,
        user: &User,
        forever: AccountId,
        beside: Option<AccountId>,
    ) -> Result<PointsLevel> {
        let mut accounts = self.points_accounts(user, forever);
        accounts.extend(beside);
        let now = self.now_ms();
        let mut sum = PointsLevel::default();
        for page in accounts.chunks(Engine::LEVELS_OF_MAX) {
            for level in self.engine().levels_of(page)? {
                if Some(level.account) == beside {
                    sum.beside = level.received;
                    continue;
                }
                sum.reserved = sum.reserved.saturating_add(level.reserved);
                sum.consumed = sum.consumed.saturating_add(level.consumed);
                sum.received = sum.received.saturating_add(level.received);
                sum.written_off = sum.written_off.saturating_add(level.written_off);
                let until = level.key.until();
                if until.is_some_and(|until| until <= now) {
                    continue;
                }
                sum.available = sum.available.saturating_add(level.available);
                let points = u64::try_from(level.available).unwrap_or(0);
                let expiring = until.filter(|_| points > 0).map(|at| Expiring { at, points });
                let first = [sum.expiring, expiring].into_iter().flatten();
                sum.expiring = first.min_by_key(|expiring| expiring.at);
            }
        }
        if self.has_lots(user)
            && let Some(moved) = self.engine().account(&moved(user)?)
        {
            let moved = self.engine().level(moved)?.received;
            sum.received = sum.received.saturating_sub(moved);
            sum.written_off = sum.written_off.saturating_sub(moved);
        }
        Ok(sum)
    }
}
