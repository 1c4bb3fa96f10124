//! Whether a user could exchange points for something at this moment: `checkExchangeEligibility` of
//! the mall's document. Nothing is taken, opened or changed, so an exchange that follows may find it
//! otherwise.

use super::check::check;
use super::chosen::Chosen;
use super::part::Part;
use super::parts::stock_of;
use super::quota::Need;
use super::{Exchange, Wanted};
use crate::base::error::{Error, Result};
use crate::base::{QUANTITY_MAX, TimeMs};
use crate::mall::{Failure, Lack, Mall, Short, Shortage, User};

/// What a user wants to know.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Eligible<'a> {
    /// Whether there are so many points.
    Points(u64),
    /// Whether there is enough for so many units of a product.
    Product(Wanted<'a>),
}

/// What stands in the way of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hindrance {
    OffShelf,
    /// Its sale begins then.
    SaleNotStarted(TimeMs),
    Short(Lack, Shortage),
}

/// How it stands with an exchange.
#[derive(Debug)]
pub(crate) struct Eligibility {
    pub(crate) level: u8,
    /// What it would cost.
    pub(crate) required: u64,
    /// What the user can spend.
    pub(crate) balance: i64,
    /// In the order in which an exchange would be refused for them.
    pub(crate) hindrances: Vec<Hindrance>,
}

impl Eligibility {
    /// How many points are lacking.
    pub(crate) fn shortage(&self) -> u64 {
        self.required.saturating_sub(u64::try_from(self.balance).unwrap_or(0))
    }
}

impl Mall {
    /// Whether a user could exchange points so at this moment.
    ///
    /// # Errors
    /// `ProductNotFound` where there is no such product, for sale or not.
    pub(crate) async fn eligibility(
        &self,
        user: &User,
        asked: Eligible<'_>,
    ) -> Result<Eligibility, Failure> {
        let balance = self.balance_anywhere(user).await?.available;
        self.eligibility_with(user, balance, asked)
    }

    /// As [`Mall::eligibility`], of a user who can spend so much.
    pub(in crate::mall) fn eligibility_with(
        &self,
        user: &User,
        balance: i64,
        asked: Eligible<'_>,
    ) -> Result<Eligibility, Failure> {
        let shelf = self.shelf();
        let terms = self.terms(user, &shelf);
        let mut found =
            Eligibility { level: terms.level()?, required: 0, balance, hindrances: vec![] };
        match asked {
            Eligible::Points(points) => {
                if points > QUANTITY_MAX {
                    return Err(
                        Error::invalid(format!("points must be 0 to {QUANTITY_MAX}")).into()
                    );
                }
                found.required = points;
                found.look_at_points();
            }
            Eligible::Product(wanted) => {
                let items = [wanted];
                let request = Exchange::of(&items);
                check(&request)?;
                let item = shelf.any_item(wanted.product_id).ok_or(Failure::ProductNotFound)?;
                let chosen = [Chosen::of(&terms, item, wanted.quantity)?];
                found.required = chosen[0].points_cost;
                if !item.product.active {
                    found.hindrances.push(Hindrance::OffShelf);
                }
                let begins_later = item.product.begins_later(|| self.now_ms());
                found.hindrances.extend(begins_later.map(Hindrance::SaleNotStarted));
                found.look_at_points();
                let points_here = match self.takes_elsewhere(found.required) {
                    true => 0,
                    false => found.required,
                };
                for need in self.needs(user, &chosen, &request, points_here)? {
                    let available = self.left_of(&need)?;
                    found.look_at(&request, need.part, need.quantity, available);
                }
                let short = self.short(&request, &chosen, stock_of(&chosen))?;
                found.hindrances.extend(short.into_iter().map(Hindrance::from));
            }
        }
        Ok(found)
    }

    /// What a quota has under the rule that holds now, which its account may not have yet.
    fn left_of(&self, need: &Need) -> Result<u64> {
        match need.account {
            Some(account) => self.engine().takeable_under(account, need.policy),
            None => Ok(need.policy.limit),
        }
    }
}

impl Eligibility {
    fn look_at_points(&mut self) {
        if self.shortage() > 0 {
            let available = u64::try_from(self.balance).unwrap_or(0);
            let shortage = Shortage::of(self.required, available, None);
            self.hindrances.push(Hindrance::Short(Lack::Points, shortage));
        }
    }

    fn look_at(&mut self, request: &Exchange<'_>, part: Part, required: u64, available: u64) {
        if available < required {
            let shortage = Shortage::of(required, available, None);
            self.hindrances.push(Short::of(request, part, shortage).into());
        }
    }
}

impl From<Short> for Hindrance {
    fn from(Short { lack, product_id: _, shortage }: Short) -> Self {
        Self::Short(lack, shortage)
    }
}
