//! What an exchange takes: the lines of its reservation, and what each stands for.

use smallvec::SmallVec;

use super::Exchange;
use super::chosen::Chosen;
use super::quota::limit_policy;
use crate::base::error::Result;
use crate::base::{AccountId, AccountKey, QUANTITY_MAX};
use crate::event::{Policy, Window};
use crate::ledger::Line;
use crate::mall::lots::Spending;
use crate::mall::{Failure, Mall, Short, Shortage, User, account};

/// What a line of the reservation stands for, in the order the lines are taken. A number is the place
/// of a product among those that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mall) enum Part {
    /// Points with one end, or those that are good for ever: all such lines are one to the user.
    Points,
    /// In place of points that are none: it says whose order it is.
    Free,
    ProductQuota(usize),
    UserQuota,
    Stock(usize),
}

pub(in crate::mall) type Parts = SmallVec<[(Part, Line); 4]>;

/// The lines of an order, the owner of its reservation, and what is known of the user's points.
pub(in crate::mall) struct Asked {
    pub(super) owner: AccountId,
    pub(in crate::mall) parts: Parts,
    pub(super) points_cost: u64,
    /// What the user could spend as the points were chosen, where they are in several accounts.
    pub(super) spendable: Option<u64>,
}

/// A quota the exchange needs, which may have no account yet.
pub(super) struct Need {
    pub(super) part: Part,
    pub(super) key: AccountKey,
    pub(super) policy: Policy,
    pub(super) quantity: u64,
    pub(super) account: Option<AccountId>,
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

    pub(super) fn needs(
        &self,
        user: &User,
        chosen: &[Chosen<'_>],
        request: &Exchange<'_>,
        points_cost: u64,
    ) -> Result<SmallVec<[Need; 2]>> {
        let mut needs = SmallVec::new();
        let mut need = |part, key, policy, quantity| {
            let account = self.engine().account(&key);
            needs.push(Need { part, key, policy, quantity, account });
        };
        if points_cost == 0 {
            let policy = Policy::quota(QUANTITY_MAX, Window::Outstanding);
            need(Part::Free, user.free_orders()?, policy, 1);
        }
        for (at, Chosen { item, quantity, limit, .. }) in chosen.iter().enumerate() {
            let key = AccountKey::quota(user.id(), &item.product.id)?;
            // Who bought under a limit once is counted on without one, for the next limit.
            if limit.is_some() || self.engine().account(&key).is_some() {
                need(Part::ProductQuota(at), key, limit_policy(*limit), *quantity);
            }
        }
        // What is confirmed at once never waits.
        if let Some(cap) = self.config().outstanding_max.filter(|_| !request.confirm) {
            let key = AccountKey::quota_of_user(user.id())?;
            need(Part::UserQuota, key, Policy::quota(cap, Window::Outstanding), 1);
        }
        Ok(needs)
    }
}

/// The lines of the products that are wanted.
pub(super) fn stock_of<'c>(chosen: &'c [Chosen<'_>]) -> impl Iterator<Item = (Part, Line)> + 'c {
    chosen
        .iter()
        .enumerate()
        .map(|(at, it)| (Part::Stock(at), Line { account: it.item.stock, quantity: it.quantity }))
}
