//! The exchange: points, limit and stock move in one reservation.

mod check;
mod chosen;
mod eligibility;
mod part;
mod parts;
mod quota;
mod short;

use serde_json::{Map, Value};
use smallvec::SmallVec;

use self::check::check;
use self::chosen::{Chosen, add_cost, details};
use self::short::told;
use super::model::OrderStatus;
use super::orders::Receipt;
use super::{Failure, Item, Mall, User};
use crate::base::error::{Error, Result};
use crate::base::spans;
use crate::base::{AccountId, IdempotencyKey, LINES_MAX};
use crate::engine::Ticket;
use crate::ledger::{FirstAnswer, Line, Reserve, ReserveOutcome, Reserved};

pub(crate) use eligibility::{Eligible, Hindrance};

pub(super) use check::check_delivery;
pub(super) use part::Part;
pub(super) use parts::Asked;

/// The most units of one order.
pub(crate) const ORDER_QUANTITY_MAX: u64 = 10_000;
/// The most bytes of an order's details, encoded.
pub(crate) const DETAILS_BYTES_MAX: usize = 16 * 1024;

/// How often the points of an order are chosen anew, since another request of the user was faster.
const CHOSEN_ANEW_MAX: usize = 32;

/// How often an exchange is tried anew under one key whose orders came to nothing, for their points
/// could not be had elsewhere.
const TRIED_ANEW_MAX: usize = 32;

/// The most products of one order.
pub(crate) const ITEMS_MAX: usize = 50;

/// A product that is wanted, and how many units of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) product_id: &'a str,
    pub(crate) quantity: u64,
}

/// A request to exchange points for products.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) items: &'a [Wanted<'a>],
    /// Whether it was asked for as a basket, though it may have one product alone.
    pub(crate) is_basket: bool,
    pub(crate) delivery_info: Option<&'a Map<String, Value>>,
    /// Confirm in the same step.
    pub(crate) confirm: bool,
    pub(crate) key: Option<IdempotencyKey>,
}

impl<'a> Exchange<'a> {
    /// Asks for these products and says nothing else: it waits for its confirmation, and has no key.
    pub(crate) fn of(items: &'a [Wanted<'a>]) -> Self {
        Self { items, is_basket: false, delivery_info: None, confirm: false, key: None }
    }
}

/// How a request was decided.
enum Decided {
    /// By this try.
    First {
        ticket: Ticket<ReserveOutcome>,
        points_cost: u64,
    },
    /// By an earlier try with the same key; the cost where it is known without history.
    Before {
        ticket: Ticket<FirstAnswer>,
        points_cost: Option<u64>,
    },
    Refused(Failure),
}

impl Mall {
    /// Takes points, limit and stock in one step, or nothing. The answer is durable; a retry gets
    /// the first one, though the price has changed since or the product is gone.
    pub(crate) async fn exchange(
        &self,
        user: &User,
        request: &Exchange<'_>,
    ) -> Result<Receipt, Failure> {
        if !self.has_points_elsewhere() {
            return Ok(self.reserve_order(user, request).await?.0);
        }
        let _place = self.place_elsewhere()?;
        let mut key = request.key;
        for _ in 0..=TRIED_ANEW_MAX {
            let request = Exchange { key, ..*request };
            let (made, was_before) = self.reserve_order(user, &request).await?;
            if made.status != OrderStatus::Pending || made.points_cost == 0 {
                return Ok(made);
            }
            if let Some(paid) = self.pay_exchange(user, &request, made, was_before).await? {
                return Ok(paid);
            }
            key = key.map(IdempotencyKey::next_try);
        }
        Err(Failure::PointsUnavailable)
    }

    /// Makes the order of an exchange, and whether an earlier try has made it.
    async fn reserve_order(
        &self,
        user: &User,
        request: &Exchange<'_>,
    ) -> Result<(Receipt, bool), Failure> {
        let late = self.patient_until();
        let decided = self.decide_patiently(late, || self.decide(user, request)).await?;
        let was_before = matches!(decided, Decided::Before { .. });
        let (reserved, known_cost) = match decided {
            Decided::First { ticket, points_cost } => {
                let outcome = self.durable_patiently(late, ticket).await?;
                (outcome.reserved().ok(), Some(points_cost))
            }
            Decided::Before { ticket, points_cost } => {
                match self.durable_patiently(late, ticket).await? {
                    FirstAnswer::Reserved(reserved) => (Some(reserved), points_cost),
                    _ => (None, points_cost),
                }
            }
            Decided::Refused(failure) => return Err(failure),
        };
        let Some(Reserved { reservation, expires_at, confirmed }) = reserved else {
            return Err(
                Error::unavailable("the engine answered an exchange with another outcome").into()
            );
        };
        let points_cost = match known_cost {
            Some(points_cost) => points_cost,
            // The first try was made by a release that did not keep it, or may have cost nothing.
            None => self.order(user, reservation).await?.details.points_cost,
        };
        let status = if confirmed { OrderStatus::Confirmed } else { OrderStatus::Pending };
        let is_kept = true;
        Ok((Receipt { reservation, status, points_cost, expires_at, is_kept }, was_before))
    }

    fn decide(&self, user: &User, request: &Exchange<'_>) -> Result<Decided, Failure> {
        let _step = spans::step("ledger.decide");
        let _one_try = request.key.map(|key| self.one_try(key));
        if let Some(key) = request.key
            && let Some((ticket, terms)) = self.engine().first_execution(key)?
        {
            let points_cost = self.cost_of(user, terms)?;
            return Ok(Decided::Before { ticket, points_cost });
        }
        check(request)?;
        let shelf = self.shelf();
        let terms = self.terms(user, &shelf);
        let choose = |wanted: &Wanted<'_>| {
            let item = shelf.item(wanted.product_id).ok_or(Failure::ProductNotFound)?;
            if let Some(starts_at) = item.product.begins_later(|| self.now_ms()) {
                return Err(Failure::SaleNotStarted(starts_at));
            }
            Ok(Chosen::of(&terms, item, wanted.quantity)?)
        };
        let chosen = request.items.iter().map(choose);
        let chosen = chosen.collect::<Result<SmallVec<[Chosen<'_>; 1]>, Failure>>()?;
        let points_cost = chosen.iter().try_fold(0, |sum, it| add_cost(sum, it.points_cost))?;
        // What is malformed is told before what is lacking.
        let elsewhere = self.takes_elsewhere(points_cost);
        let details = details(user, &chosen, request, points_cost, elsewhere)?;
        let points_here = if elsewhere { 0 } else { points_cost };
        for _ in 0..=CHOSEN_ANEW_MAX {
            let asked = match self.parts(user, &chosen, request, points_here)? {
                Ok(asked) => asked,
                Err(short) => return Ok(Decided::Refused(told(request, short))),
            };
            if asked.parts.len() > LINES_MAX {
                return Err(Failure::TooManyLots(format!(
                    "the order would take points that are good until too many different days: with \
                     what else it takes, {LINES_MAX} accounts at most"
                )));
            }
            let lines: SmallVec<[Line; 4]> = asked.parts.iter().map(|&(_, line)| line).collect();
            let mut reserve = Reserve::new(&lines, self.config().reservation_ttl_ms)
                .owner(asked.owner)
                .details(&details)
                .key(request.key);
            // Not before its points are taken.
            reserve.confirm = request.confirm && !elsewhere;
            let ticket = self.engine().reserve(reserve)?;
            // Nothing was recorded when it is refused, so there is nothing to wait for.
            let ReserveOutcome::Refused(refusal) = ticket.outcome() else {
                return Ok(Decided::First { ticket, points_cost });
            };
            if asked.was_overtaken(&refusal) {
                continue;
            }
            let short = self.all_short(user, request, &chosen, &asked, refusal)?;
            return Ok(Decided::Refused(told(request, short)));
        }
        Err(Error::overloaded("too many requests of this user at once").into())
    }

    /// The order of a user who is next in line for a product: its details, and the lines of its
    /// reservation.
    pub(super) fn for_who_is_next(
        &self,
        user: &User,
        owner: AccountId,
        item: &Item,
    ) -> Result<(Vec<u8>, Asked), Failure> {
        let items = [Wanted { product_id: &item.product.id, quantity: 1 }];
        let request = Exchange::of(&items);
        let shelf = self.shelf();
        let chosen = [Chosen::of(&self.terms(user, &shelf), item, 1)?];
        let points_cost = chosen[0].points_cost;
        let elsewhere = self.takes_elsewhere(points_cost);
        let details = details(user, &chosen, &request, points_cost, elsewhere)?;
        let points_here = if elsewhere { 0 } else { points_cost };
        let needs = self.needs(user, &chosen, &request, points_here)?;
        Ok((details, self.all_parts(user, owner, &chosen, &needs, points_here)?))
    }

    /// Whether an order of this cost takes its points elsewhere.
    fn takes_elsewhere(&self, points_cost: u64) -> bool {
        points_cost > 0 && self.has_points_elsewhere()
    }
}
