//! What an exchange takes: the lines of its reservation.

use super::Exchange;
use super::chosen::Chosen;
use super::part::{Part, Parts};
use super::quota::Need;
use crate::base::AccountId;
use crate::base::error::Result;
use crate::ledger::Line;
use crate::mall::lots::Spending;
use crate::mall::{Failure, Mall, Short, Shortage, User, account};

/// The lines of an order, the owner of its reservation, and what is known of the user's points.
pub(in crate::mall) struct Asked {
    pub(super) owner: AccountId,
    pub(in crate::mall) parts: Parts,
    pub(super) points_cost: u64,
    /// What the user could spend as the points were chosen, where they are in several accounts.
    pub(super) spendable: Option<u64>,
}

impl Mall {
    /// The order's owner, which is the account of the user's points, and the lines of the
    /// reservation, points first; or what is short. A request that would be refused opens no account:
    /// a crowd at a sold-out product leaves nothing behind.
    pub(super) fn parts(
        &self,
        user: &User,
        chosen: &[Chosen<'_>],
        request: &Exchange<'_>,
        points_cost: u64,
    ) -> Result<Result<Asked, Vec<Short>>, Failure> {
        let Some(owner) = user.points(self.engine()) else {
            // Sold out goes before having no points, as it would for a user who has some.
            let mut short = self.short(request, chosen, stock_of(chosen))?;
            if short.is_empty() && points_cost == 0 {
                account(self.engine(), &user.points_key)?;
                return self.parts(user, chosen, request, points_cost);
            }
            if points_cost > 0 {
                let shortage = Shortage::of(points_cost, 0, None);
                short.push(Short::of(request, Part::Points, shortage));
            }
            return Ok(Err(short));
        };
        let needs = self.needs(user, chosen, request, points_cost)?;
        if needs.iter().any(|need| need.account.is_none()) {
            let mut short = self.short(request, chosen, stock_of(chosen))?;
            short.extend(self.points_short(user, owner, request, points_cost)?);
            if !short.is_empty() {
                return Ok(Err(short));
            }
        }
        Ok(Ok(self.all_parts(user, owner, chosen, &needs, points_cost)?))
    }

    /// All lines of the reservation, points first.
    pub(super) fn all_parts(
        &self,
        user: &User,
        owner: AccountId,
        chosen: &[Chosen<'_>],
        needs: &[Need],
        points_cost: u64,
    ) -> Result<Asked, Failure> {
        let Spending { lines, spendable } = self.spending(user, owner, points_cost)?;
        let mut parts: Parts = lines.into_iter().map(|line| (Part::Points, line)).collect();
        for need in needs {
            let account = self.quota_account(need)?;
            parts.push((need.part, Line { account, quantity: need.quantity }));
        }
        parts.extend(stock_of(chosen));
        Ok(Asked { owner, parts, points_cost, spendable })
    }
}

/// The lines of the products that are wanted.
pub(super) fn stock_of<'c>(chosen: &'c [Chosen<'_>]) -> impl Iterator<Item = (Part, Line)> + 'c {
    chosen
        .iter()
        .enumerate()
        .map(|(at, it)| (Part::Stock(at), Line { account: it.item.stock, quantity: it.quantity }))
}
