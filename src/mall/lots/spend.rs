//! Which points are spent: those that end first, and last those that are good for ever.

use smallvec::SmallVec;

use super::LotsOfUser;
use crate::base::AccountId;
use crate::base::error::Result;
use crate::engine::Engine;
use crate::ledger::{Level, Line};
use crate::mall::{Mall, User};

/// The points that are to be spent.
#[derive(Debug)]
pub(in crate::mall) struct Spending {
    /// What is taken of each account. Of what is there too little of, the rest is of the account of
    /// the points that are good for ever: so the ledger refuses it.
    pub(in crate::mall) lines: SmallVec<[Line; 1]>,
    /// What could be spent at that moment; `None` where one account has all of the user's points.
    pub(in crate::mall) spendable: Option<u64>,
}

impl Mall {
    /// Chooses the points of a user that an order is to take, from how they stand at this moment.
    pub(in crate::mall) fn spending(
        &self,
        user: &User,
        forever: AccountId,
        points: u64,
    ) -> Result<Spending> {
        let good = self.good_lots(user);
        if good.is_empty() {
            let line = Line { account: forever, quantity: points };
            let lines = std::iter::once(line).filter(|line| line.quantity > 0).collect();
            return Ok(Spending { lines, spendable: None });
        }
        Ok(spend(&levels(self.engine(), &good, forever)?, points))
    }

    /// How many points a user can spend at this moment, backorder allowance included.
    pub(in crate::mall) fn spendable(&self, user: &User, forever: AccountId) -> Result<u64> {
        match self.spending(user, forever, 0)?.spendable {
            Some(spendable) => Ok(spendable),
            None => self.engine().takeable(forever),
        }
    }

    /// The lots of a user that have not ended.
    fn good_lots(&self, user: &User) -> LotsOfUser {
        let mut lots = self.shared.lots.of(user.id());
        if !lots.is_empty() {
            let now = self.now_ms();
            lots.retain(|lot| lot.until > now);
        }
        lots
    }
}

/// Lots and the account of the points that are good for ever, which is the last, at one moment.
fn levels(engine: &Engine, good: &LotsOfUser, forever: AccountId) -> Result<Vec<Level>> {
    // A grace may have given somebody more lots than may be asked for: then the latest are not.
    let good = good.iter().take(Engine::LEVELS_OF_MAX - 1).map(|lot| lot.account);
    engine.levels_of(&good.chain([forever]).collect::<Vec<_>>())
}

fn spend(levels: &[Level], points: u64) -> Spending {
    let (mut lines, mut left, mut spendable) = (SmallVec::new(), points, 0_u64);
    for (at, level) in levels.iter().enumerate() {
        let is_last = at + 1 == levels.len();
        let there = i128::from(level.available) + i128::from(level.policy.backorder);
        let there = u64::try_from(there).unwrap_or(0);
        spendable = spendable.saturating_add(there);
        let quantity = if is_last { left } else { left.min(there) };
        if quantity > 0 {
            lines.push(Line { account: level.account, quantity });
            left -= quantity;
        }
    }
    Spending { lines, spendable: Some(spendable) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::AccountKey;
    use crate::event::Policy;

    fn level(number: u32, available: i64) -> Level {
        Level {
            account: AccountId::from_number(number),
            key: AccountKey::points("ann").expect("a valid name"),
            policy: Policy::strict(),
            available,
            reserved: 0,
            consumed: 0,
            received: 0,
            written_off: 0,
            waiting: 0,
            closed: false,
        }
    }

    #[test]
    fn what_ends_first_is_spent_first_and_what_is_lacking_is_of_the_last() {
        let levels = [level(1, 5), level(2, 0), level(3, 7), level(9, 10)];
        for (points, want) in [
            (0, &[][..]),
            (3, &[(1, 3)]),
            (5, &[(1, 5)]),
            (6, &[(1, 5), (3, 1)]),
            (20, &[(1, 5), (3, 7), (9, 8)]),
            (30, &[(1, 5), (3, 7), (9, 18)]),
        ] {
            let spending = spend(&levels, points);
            let lines = spending.lines.iter().map(|line| (line.account.number(), line.quantity));
            assert_eq!(lines.collect::<Vec<_>>(), want, "{points}");
            assert_eq!(spending.spendable, Some(22));
        }
    }
}
