//! The exchange: points, limit and stock move in one reservation.

mod eligibility;

use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::facts::{Details, OrderItem, Snapshot};
use super::levels::Terms;
use super::lots::Spending;
use super::model::OrderStatus;
use super::orders::Receipt;
use super::{Failure, Item, Lack, Mall, PurchaseLimit, Short, Shortage, User};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::{AccountId, AccountKey, IdempotencyKey, LINES_MAX, QUANTITY_MAX, TimeMs};
use crate::engine::Ticket;
use crate::event::{Policy, Window};
use crate::ledger::{FirstAnswer, Line, Refusal, Reserve, ReserveOutcome, Reserved, SetPolicy};

pub(crate) use eligibility::{Eligible, Hindrance};

/// The most units of one order.
pub(crate) const ORDER_QUANTITY_MAX: u64 = 10_000;
/// The most bytes of an order's details, encoded.
pub(crate) const DETAILS_BYTES_MAX: usize = 16 * 1024;
/// The deepest nesting of a delivery's details: they are read back by code that recurses.
const DELIVERY_DEPTH_MAX: usize = 16;

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

/// What a line of the reservation stands for, in the order the lines are taken. A number is the place
/// of a product among those that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Points with one end, or those that are good for ever: all such lines are one to the user.
    Points,
    /// In place of points that are none: it says whose order it is.
    Free,
    ProductQuota(usize),
    UserQuota,
    Stock(usize),
}

pub(super) type Parts = SmallVec<[(Part, Line); 4]>;

/// The lines of an order, the owner of its reservation, and what is known of the user's points.
pub(super) struct Asked {
    owner: AccountId,
    pub(super) parts: Parts,
    points_cost: u64,
    /// What the user could spend as the points were chosen, where they are in several accounts.
    spendable: Option<u64>,
}

/// A product that is wanted, as it is on the shelf.
struct Chosen<'a> {
    item: &'a Item,
    quantity: u64,
    /// What one unit costs this user.
    price: u64,
    /// How many this user may take.
    limit: Option<PurchaseLimit>,
    points_cost: u64,
}

/// A quota the exchange needs, which may have no account yet.
struct Need {
    part: Part,
    key: AccountKey,
    policy: Policy,
    quantity: u64,
    account: Option<AccountId>,
}

impl Asked {
    /// Whether there were points enough when they were chosen, and another request of the user took
    /// some of them since; or their time has passed.
    pub(super) fn was_overtaken(&self, refusal: &Refusal) -> bool {
        let is_points = self.parts.get(refusal.line).is_some_and(|(part, _)| *part == Part::Points);
        is_points && self.spendable.is_some_and(|spendable| spendable >= self.points_cost)
    }

    /// What the ledger refused. Of points in several accounts, what was there is what it was when
    /// they were chosen.
    fn refused(&self, request: &Exchange<'_>, refusal: Refusal) -> Result<Short> {
        let Some(&(part, line)) = self.parts.get(refusal.line) else {
            return Err(Error::unavailable("the engine refused a line that was not asked for"));
        };
        let Refusal { available, next_release_at, .. } = refusal;
        let shortage = match self.spendable.filter(|_| part == Part::Points) {
            Some(available) => Shortage::of(self.points_cost, available, next_release_at),
            None => Shortage::of(line.quantity, available, next_release_at),
        };
        Ok(Short::of(request, part, shortage))
    }
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
        let decided = self.decide(user, request)?;
        let was_before = matches!(decided, Decided::Before { .. });
        let (reserved, known_cost) = match decided {
            Decided::First { ticket, points_cost } => {
                (self.durable(ticket).await?.reserved().ok(), Some(points_cost))
            }
            Decided::Before { ticket, points_cost } => match self.durable(ticket).await? {
                FirstAnswer::Reserved(reserved) => (Some(reserved), points_cost),
                _ => (None, points_cost),
            },
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

    /// The order's owner, which is the account of the user's points, and the lines of the
    /// reservation, points first; or what is short. A request that would be refused opens no account:
    /// a crowd at a sold-out product leaves nothing behind.
    fn parts(
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
                super::account(self.engine(), &user.points_key)?;
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
    fn all_parts(
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

    /// The order of a user who is next in line for a product: its details, and the lines of its
    /// reservation.
    pub(super) fn for_who_is_next(
        &self,
        user: &User,
        owner: AccountId,
        item: &Item,
    ) -> Result<(Vec<u8>, Asked), Failure> {
        let items = [Wanted { product_id: &item.product.id, quantity: 1 }];
        let request = Exchange {
            items: &items,
            is_basket: false,
            delivery_info: None,
            confirm: false,
            key: None,
        };
        let shelf = self.shelf();
        let chosen = [Chosen::of(&self.terms(user, &shelf), item, 1)?];
        let points_cost = chosen[0].points_cost;
        let elsewhere = self.takes_elsewhere(points_cost);
        let details = details(user, &chosen, &request, points_cost, elsewhere)?;
        let points_here = if elsewhere { 0 } else { points_cost };
        let needs = self.needs(user, &chosen, &request, points_here)?;
        Ok((details, self.all_parts(user, owner, &chosen, &needs, points_here)?))
    }

    fn needs(
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

    /// The account of a quota: opened when missing, and brought to the rule that holds now.
    fn quota_account(&self, need: &Need) -> Result<AccountId> {
        let account = match need.account {
            Some(account) => account,
            None => match self.engine().open_account(&need.key, need.policy) {
                // Another request was faster, under the limit before this one.
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.engine().account(&need.key).ok_or(error)?
                }
                opened => return opened,
            },
        };
        if self.engine().level(account)?.policy != need.policy {
            self.bring_to_rule(account, &need.key, need.policy)?;
        }
        Ok(account)
    }

    /// Brings a quota to the rule that holds now. That is the one on the shelf when it is set, and
    /// not one that was found there before: nobody sets back what an operator has changed meanwhile.
    /// So it is with the level of its user. A quota of no product has the rule `otherwise`.
    pub(super) fn bring_to_rule(
        &self,
        account: AccountId,
        key: &AccountKey,
        otherwise: Policy,
    ) -> Result<()> {
        let user = User::new(key.owner())?;
        let _in_turn = self.shared.turns.of(&user);
        self.shared.catalogue.with_shelf(|shelf| {
            let item = key.product().and_then(|id| shelf.any_item(id));
            let policy = match item {
                Some(item) => limit_policy(self.terms(&user, shelf).limit(&item.product)?),
                None => otherwise,
            };
            // Not awaited: the reservation that follows is behind it in the journal, and durable
            // only after it.
            self.engine().set_policy(SetPolicy::new(account, policy)).map(drop)
        })
    }

    /// What is short of these lines at this moment.
    fn short(
        &self,
        request: &Exchange<'_>,
        chosen: &[Chosen<'_>],
        parts: impl Iterator<Item = (Part, Line)>,
    ) -> Result<Vec<Short>> {
        let mut all = Vec::new();
        for (part, line) in parts {
            let available = self.engine().takeable(line.account)?;
            if available < line.quantity {
                let required = line.quantity;
                let shortage = Shortage::of(required, available, None);
                let shortage = self.with_line_of(chosen, part, shortage)?;
                all.push(Short::of(request, part, shortage));
            }
        }
        Ok(all)
    }

    /// What is short of the user's points at this moment.
    fn points_short(
        &self,
        user: &User,
        owner: AccountId,
        request: &Exchange<'_>,
        required: u64,
    ) -> Result<Option<Short>> {
        if required == 0 {
            return Ok(None);
        }
        let available = self.spendable(user, owner)?;
        let shortage = Shortage::of(required, available, None);
        Ok((available < required).then(|| Short::of(request, Part::Points, shortage)))
    }

    /// What the ledger refused, and whatever else of a basket is short by then.
    fn all_short(
        &self,
        user: &User,
        request: &Exchange<'_>,
        chosen: &[Chosen<'_>],
        asked: &Asked,
        refusal: Refusal,
    ) -> Result<Vec<Short>> {
        let mut first = asked.refused(request, refusal)?;
        if let Some(&(part, _)) = asked.parts.get(refusal.line) {
            first.shortage = self.with_line_of(chosen, part, first.shortage)?;
        }
        let is_points = first.lack == Lack::Points;
        let mut all = vec![first];
        if request.is_basket {
            if !is_points {
                all.extend(self.points_short(user, asked.owner, request, asked.points_cost)?);
            }
            let is_other = |at, part: Part| at != refusal.line && part != Part::Points;
            let others = asked.parts.iter().enumerate().filter(|(at, part)| is_other(*at, part.0));
            all.extend(self.short(request, chosen, others.map(|(_, part)| *part))?);
        }
        Ok(all)
    }

    /// Whether an order of this cost takes its points elsewhere.
    fn takes_elsewhere(&self, points_cost: u64) -> bool {
        points_cost > 0 && self.has_points_elsewhere()
    }

    /// That the user has too few points elsewhere.
    pub(super) fn points_lacking(
        &self,
        request: &Exchange<'_>,
        points: u64,
        balance: u64,
    ) -> Failure {
        let shortage = Shortage::of(points, balance, None);
        told(request, vec![Short::of(request, Part::Points, shortage)])
    }

    /// What is short, with the line that one can join for it.
    fn with_line_of(
        &self,
        chosen: &[Chosen<'_>],
        part: Part,
        shortage: Shortage,
    ) -> Result<Shortage> {
        match part {
            Part::Stock(at) => match chosen.get(at) {
                Some(it) => self.with_line(it.item, shortage),
                None => Ok(shortage),
            },
            Part::Points | Part::Free | Part::ProductQuota(_) | Part::UserQuota => Ok(shortage),
        }
    }
}

impl Shortage {
    pub(super) fn of(required: u64, available: u64, next_release_at: Option<TimeMs>) -> Self {
        Self { required, available, next_release_at, line: None }
    }
}

/// The lines of the products that are wanted.
fn stock_of<'c>(chosen: &'c [Chosen<'_>]) -> impl Iterator<Item = (Part, Line)> + 'c {
    chosen
        .iter()
        .enumerate()
        .map(|(at, it)| (Part::Stock(at), Line { account: it.item.stock, quantity: it.quantity }))
}

impl<'a> Chosen<'a> {
    fn of(terms: &Terms<'_>, item: &'a Item, quantity: u64) -> Result<Self> {
        let (price, limit) = (terms.price(&item.product)?, terms.limit(&item.product)?);
        Ok(Self { item, quantity, price, limit, points_cost: cost(price, quantity)? })
    }
}

impl Short {
    fn of(request: &Exchange<'_>, part: Part, shortage: Shortage) -> Self {
        let (lack, at) = match part {
            Part::Points => (Lack::Points, None),
            Part::Free | Part::UserQuota => (Lack::Limit, None),
            Part::ProductQuota(at) => (Lack::Limit, Some(at)),
            Part::Stock(at) => (Lack::Stock, Some(at)),
        };
        let product = at.and_then(|at| request.items.get(at));
        Self { lack, product_id: product.map(|it| it.product_id.to_owned()), shortage }
    }
}

/// The failure that tells what was short: of a basket each line, otherwise the first.
fn told(request: &Exchange<'_>, short: Vec<Short>) -> Failure {
    match short.first() {
        Some(Short { lack, shortage, .. }) if !request.is_basket => {
            let shortage = shortage.clone();
            match lack {
                Lack::Points => Failure::InsufficientPoints(shortage),
                Lack::Limit => Failure::LimitExceeded(shortage),
                Lack::Stock => Failure::OutOfStock(shortage),
            }
        }
        _ => Failure::BasketShort(short),
    }
}

/// The rule of a quota of a product. Without a limit it only counts.
fn limit_policy(limit: Option<PurchaseLimit>) -> Policy {
    limit.map_or(Policy::quota(QUANTITY_MAX, Window::Never), PurchaseLimit::policy)
}

/// Rejects what no product and no balance could make right.
fn check(request: &Exchange<'_>) -> Result<()> {
    if !(1..=ITEMS_MAX).contains(&request.items.len()) {
        return Err(Error::invalid(format!("items must be 1 to {ITEMS_MAX}")));
    }
    let mut sum: u64 = 0;
    for (at, wanted) in request.items.iter().enumerate() {
        let path = |field: &str| match request.is_basket {
            true => format!("items[{at}].{field}"),
            false => field.to_owned(),
        };
        sum = sum.saturating_add(wanted.quantity);
        if wanted.quantity == 0 || sum > ORDER_QUANTITY_MAX {
            let all = if at > 0 { ", with those before it" } else { "" };
            return Err(Error::invalid(format!(
                "{} must be 1 to {ORDER_QUANTITY_MAX}{all}",
                path("quantity")
            )));
        }
        if request.items[..at].iter().any(|before| before.product_id == wanted.product_id) {
            return Err(Error::invalid(format!(
                "{} names a product that is named before",
                path("productId")
            )));
        }
    }
    request.delivery_info.map_or(Ok(()), check_delivery)
}

/// Rejects details of a delivery that could not be read back.
pub(super) fn check_delivery(info: &Map<String, Value>) -> Result<()> {
    if info.values().any(|value| depth(value) >= DELIVERY_DEPTH_MAX) {
        return Err(Error::invalid(format!(
            "deliveryInfo may be nested {DELIVERY_DEPTH_MAX} levels deep at most"
        )));
    }
    Ok(())
}

fn cost(price: u64, quantity: u64) -> Result<u64> {
    let cost = price.checked_mul(quantity).filter(|&cost| cost <= QUANTITY_MAX);
    cost.ok_or_else(|| Error::invalid("the order costs more points than can be counted"))
}

fn add_cost(sum: u64, cost: u64) -> Result<u64> {
    let sum = sum.checked_add(cost).filter(|&sum| sum <= QUANTITY_MAX);
    sum.ok_or_else(|| Error::invalid("the order costs more points than can be counted"))
}

fn details(
    user: &User,
    chosen: &[Chosen<'_>],
    request: &Exchange<'_>,
    points_cost: u64,
    elsewhere: bool,
) -> Result<Vec<u8>> {
    let first = chosen.first().ok_or_else(|| Error::invalid("items must not be empty"))?;
    let items = chosen.iter().filter(|_| request.is_basket).map(|it| OrderItem {
        product: Snapshot::of(&it.item.product, it.price),
        quantity: it.quantity,
    });
    let details = Details {
        user: user.id(),
        quantity: chosen.iter().map(|it| it.quantity).sum(),
        points_cost,
        product: Snapshot::of(&first.item.product, first.price),
        delivery_info: request.delivery_info,
        service: user.service(),
        elsewhere,
    };
    let encoded = details.encode(&items.collect::<Vec<_>>())?;
    if encoded.len() > DETAILS_BYTES_MAX {
        return Err(Error::invalid(format!(
            "the order's details are longer than {DETAILS_BYTES_MAX} bytes"
        )));
    }
    Ok(encoded)
}

/// Levels of nesting. Recursion is bounded by the parsers, which refuse what is nested very deep.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_levels() {
        assert_eq!(depth(&serde_json::json!(1)), 0);
        assert_eq!(depth(&serde_json::json!({"a": [1, {"b": 2}]})), 3);
    }

    #[test]
    fn a_refusal_names_the_part_that_was_short() {
        let items = [Wanted { product_id: "tea", quantity: 2 }];
        let request = Exchange {
            items: &items,
            is_basket: false,
            delivery_info: None,
            confirm: false,
            key: None,
        };
        let line = |number| Line { account: AccountId::from_number(number), quantity: 2 };
        let parts: Parts =
            [(Part::Points, line(1)), (Part::ProductQuota(0), line(2)), (Part::Stock(0), line(3))]
                .into_iter()
                .collect();
        let owner = AccountId::from_number(1);
        let asked = |spendable| Asked { owner, parts: parts.clone(), points_cost: 2, spendable };
        let refusal = |line| Refusal {
            line,
            account: owner,
            available: 1,
            next_release_at: None,
            has_line: false,
        };
        let expected = Shortage::of(2, 1, None);
        for (line, want) in [
            (0, Failure::InsufficientPoints(expected.clone())),
            (1, Failure::LimitExceeded(expected.clone())),
            (2, Failure::OutOfStock(expected)),
        ] {
            let short = asked(None).refused(&request, refusal(line)).expect("a line of it");
            let told = told(&request, vec![short]);
            assert_eq!(format!("{told:?}"), format!("{want:?}"));
            assert!(!asked(Some(1)).was_overtaken(&refusal(line)), "there was too little");
            assert_eq!(asked(Some(2)).was_overtaken(&refusal(line)), line == 0);
        }
        let short = asked(Some(0)).refused(&request, refusal(0)).expect("a line of it");
        assert_eq!(short.shortage.available, 0, "of all the points there were none");
    }
}
