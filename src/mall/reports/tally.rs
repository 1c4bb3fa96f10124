//! Figures, added up from the changes of the mall, one event after the other.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use smallvec::SmallVec;

use super::figures::{
    OrderFigures, PRODUCTS_MAX, PointFigures, ProductFigures, RevenueFigures, SlotFigures,
    TurnoverFigures, UnitFigures, UserFigures, ratio,
};
use super::period::Period;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{ReservationId, TimeMs};
use crate::event::ChangeKind;
use crate::ledger::made_at_ms;
use crate::mall::facts::{OrderDetails, Snapshot};
use crate::mall::views::{Change, Changes, Movement, OrderChange, OrderEnd, OrderStep};

/// How many users are told apart in one report: some 100 MB of memory.
const USERS_MAX: usize = 2_000_000;

/// What is known of orders and users besides the events at hand.
pub(super) trait Past {
    /// What an order keeps of what it is about; `None` when that is not known.
    fn details(&self, reservation: ReservationId) -> Result<Option<OrderDetails>>;
    /// Whether a user exchanged something before a moment.
    fn exchanged_before(&self, user: &str, at: TimeMs) -> Result<bool>;
}

/// The figures so far.
pub(super) struct Tally<'p> {
    period: &'p Period,
    pub(super) orders: OrderFigures,
    pub(super) units: UnitFigures,
    pub(super) points: PointFigures,
    pub(super) revenue: RevenueFigures,
    course: Vec<SlotFigures>,
    products: BTreeMap<Arc<str>, Product>,
    users: HashSet<Arc<str>>,
    users_before: HashSet<Arc<str>>,
    users_new: u64,
}

/// The figures of a product.
#[derive(Default)]
struct Product {
    name: Option<String>,
    exchanges: u64,
    units: u64,
    points: u64,
    units_returned: u64,
    stock: Option<(i64, i64)>,
}

/// The orders of one event, with what they keep.
type Orders = SmallVec<[(ReservationId, Option<OrderDetails>); 1]>;

impl<'p> Tally<'p> {
    pub(super) fn new(period: &'p Period) -> Self {
        let slots = period.slots.iter().map(|(from, name)| SlotFigures {
            from: *from,
            name: name.clone(),
            ..SlotFigures::default()
        });
        Self {
            period,
            orders: OrderFigures::default(),
            units: UnitFigures::default(),
            points: PointFigures::default(),
            revenue: RevenueFigures::default(),
            course: slots.collect(),
            products: BTreeMap::new(),
            users: HashSet::new(),
            users_before: HashSet::new(),
            users_new: 0,
        }
    }

    /// Adds what one event changed.
    ///
    /// # Errors
    /// `Overloaded` when more users exchanged than are told apart; those of `past`.
    pub(super) fn add(&mut self, at: TimeMs, changes: Changes<'_>, past: &impl Past) -> Result<()> {
        let at = counted_at(at, &changes);
        if self.period.follows(at) {
            return self.add_before(&changes);
        }
        if !self.period.has(at) {
            return Ok(());
        }
        let mut orders = Orders::new();
        for change in changes {
            match change {
                Change::Order(order) => self.order(at, *order, &mut orders, past)?,
                Change::Stock(movement) if movement.location.is_none() => {
                    self.stock(at, &movement, &orders);
                }
                Change::Points(movement) => self.moved_points(at, &movement, &orders),
                // What is elsewhere is not for sale.
                Change::Stock(_)
                | Change::Category(_)
                | Change::Product(_)
                | Change::Line(_)
                | Change::Alert(_)
                | Change::Levels(_)
                | Change::Earned { .. }
                | Change::Preferences(_)
                | Change::Browsed(_) => {}
            }
        }
        Ok(())
    }

    /// Of the period before, only who exchanged is asked.
    fn add_before(&mut self, changes: &[Change<'_>]) -> Result<()> {
        for change in changes {
            let Change::Order(order) = change else { continue };
            if let Some(user) = exchanged(order) {
                remember(&mut self.users_before, user)?;
            }
        }
        Ok(())
    }

    fn order(
        &mut self,
        at: TimeMs,
        order: OrderChange,
        orders: &mut Orders,
        past: &impl Past,
    ) -> Result<()> {
        if let Some(user) = exchanged(&order) {
            self.orders.exchanged += 1;
            if let Some(slot) = self.slot(at) {
                slot.exchanges += 1;
            }
            if remember(&mut self.users, user)?
                && !self.users_before.contains(user)
                && !past.exchanged_before(user, self.period.from)?
            {
                self.users_new += 1;
            }
        }
        let OrderChange { reservation, step } = order;
        let figures = &mut self.orders;
        let details = match step {
            OrderStep::Made { details, .. } => {
                figures.made += 1;
                details.map(|details| *details)
            }
            OrderStep::Ended { how: OrderEnd::Cancelled, .. } => {
                figures.cancelled += 1;
                return Ok(());
            }
            OrderStep::Ended { how: OrderEnd::Expired, .. } => {
                figures.expired += 1;
                return Ok(());
            }
            OrderStep::Ended { how: OrderEnd::Confirmed, .. } => past.details(reservation)?,
            OrderStep::Ended { how: OrderEnd::Returned, .. }
            | OrderStep::ReturnedInPart { is_over: true, .. } => {
                figures.refunds += 1;
                figures.refunded_whole += 1;
                past.details(reservation)?
            }
            OrderStep::ReturnedInPart { is_over: false, .. } => {
                figures.refunds += 1;
                past.details(reservation)?
            }
            OrderStep::Extended { .. } | OrderStep::Noted(_) => return Ok(()),
        };
        orders.push((reservation, details));
        Ok(())
    }

    fn stock(&mut self, at: TimeMs, movement: &Movement<'_>, orders: &Orders) {
        let change = &movement.change;
        let product = self.products.entry(Arc::clone(&movement.owner)).or_default();
        let begin = change.available.saturating_sub(change.delta);
        product.stock = Some((product.stock.map_or(begin, |(begin, _)| begin), change.available));
        let Some(details) = of(orders, change.reservation) else { return };
        let snapshot = details.and_then(|details| snapshot(details, &movement.owner));
        if product.name.is_none() {
            product.name = snapshot.map(|it| it.name.clone());
        }
        let units = change.quantity;
        let points = snapshot.map_or(0, |it| it.points_price).saturating_mul(units);
        // No line of such an order has taken points.
        let is_elsewhere = details.is_some_and(|details| details.elsewhere);
        let cents = snapshot.and_then(|it| it.original_price_cents);
        let cents = cents.map(|cents| cents.saturating_mul(units));
        match change.kind {
            ChangeKind::Bought | ChangeKind::Confirmed => {
                self.units.exchanged += units;
                self.revenue.exchanged_cents += cents.unwrap_or(0);
                product.exchanges += 1;
                product.units += units;
                product.points = product.points.saturating_add(points);
                if is_elsewhere {
                    self.consumed(at, points);
                }
            }
            ChangeKind::Returned | ChangeKind::Discarded => {
                self.units.returned += units;
                self.revenue.returned_cents += cents.unwrap_or(0);
                product.units_returned += units;
                if is_elsewhere {
                    self.points.returned += points;
                }
            }
            // What waits, and what never was exchanged, costs nothing yet.
            ChangeKind::Reserved
            | ChangeKind::Released
            | ChangeKind::Expired
            | ChangeKind::Received
            | ChangeKind::Adjusted
            | ChangeKind::WrittenOff
            | ChangeKind::TransferredOut
            | ChangeKind::TransferredIn => return,
        }
        if cents.is_none() {
            self.revenue.units_without_price += units;
        }
    }

    fn moved_points(&mut self, at: TimeMs, movement: &Movement<'_>, orders: &Orders) {
        let change = &movement.change;
        if of(orders, change.reservation).is_none() {
            return;
        }
        match change.kind {
            ChangeKind::Bought | ChangeKind::Confirmed => self.consumed(at, change.quantity),
            ChangeKind::Returned => self.points.returned += change.quantity,
            ChangeKind::Reserved
            | ChangeKind::Released
            | ChangeKind::Expired
            | ChangeKind::Discarded
            | ChangeKind::Received
            | ChangeKind::Adjusted
            | ChangeKind::WrittenOff
            | ChangeKind::TransferredOut
            | ChangeKind::TransferredIn => {}
        }
    }

    fn consumed(&mut self, at: TimeMs, points: u64) {
        self.points.consumed = self.points.consumed.saturating_add(points);
        if let Some(slot) = self.slot(at) {
            slot.points_consumed = slot.points_consumed.saturating_add(points);
        }
    }

    fn slot(&mut self, at: TimeMs) -> Option<&mut SlotFigures> {
        self.course.get_mut(self.period.slot_of(at)?)
    }

    /// The users; `knows_all` says whether every exchange that ever was is known, and `knows_before`
    /// whether those of the period before are.
    pub(super) fn users(&self, knows_all: bool, knows_before: bool) -> UserFigures {
        let exchanging = self.users.len() as u64;
        let before = self.users_before.len() as u64;
        let retained = self.users_before.intersection(&self.users).count() as u64;
        let new = knows_all.then_some(self.users_new);
        UserFigures {
            exchanging,
            new,
            returning: new.map(|new| exchanging.saturating_sub(new)),
            before: knows_before.then_some(before),
            retained: knows_before.then_some(retained),
            retention: ratio(retained, before).filter(|_| knows_before),
            exchanges_per_user: ratio(self.orders.exchanged, exchanging),
        }
    }

    /// The revenue, with what is left of it.
    pub(super) fn revenue(&self) -> RevenueFigures {
        let signed = |cents: u64| i64::try_from(cents).unwrap_or(i64::MAX);
        let RevenueFigures { exchanged_cents, returned_cents, .. } = self.revenue;
        let net_cents = signed(exchanged_cents).saturating_sub(signed(returned_cents));
        RevenueFigures { net_cents, ..self.revenue.clone() }
    }

    /// Of all products whose stock changed.
    pub(super) fn turnover(&self) -> TurnoverFigures {
        let stocks = self.products.values().filter_map(|product| product.stock);
        let (begin, end) = stocks.fold((0_i64, 0_i64), |sum, stock| {
            (sum.0.saturating_add(stock.0), sum.1.saturating_add(stock.1))
        });
        TurnoverFigures::of(self.units.exchanged, begin, end)
    }

    /// How many products were exchanged or came back, and those that were exchanged most.
    pub(super) fn products(&self) -> (u64, Vec<ProductFigures>) {
        let mut moved: Vec<_> = self
            .products
            .iter()
            .filter(|(_, product)| product.exchanges > 0 || product.units_returned > 0)
            .collect();
        let count = moved.len() as u64;
        // Those that are alike stay in the order of their ids.
        moved.sort_by_key(|(_, it)| std::cmp::Reverse((it.units, it.exchanges)));
        moved.truncate(PRODUCTS_MAX);
        let figures = moved.into_iter().map(|(id, product)| {
            let (begin, end) = product.stock.unwrap_or_default();
            ProductFigures {
                id: id.to_string(),
                name: product.name.clone(),
                exchanges: product.exchanges,
                units: product.units,
                points: product.points,
                units_returned: product.units_returned,
                turnover: TurnoverFigures::of(product.units, begin, end),
                views: None,
                exchanges_per_view: None,
            }
        });
        (count, figures.collect())
    }

    pub(super) fn course(self) -> Vec<SlotFigures> {
        self.course
    }
}

/// Of which moment the figures of an event are: that at which it happened.
fn counted_at(at: TimeMs, changes: &Changes<'_>) -> TimeMs {
    let returned = changes.iter().find_map(|change| match change {
        Change::Order(order) => match order.step {
            OrderStep::Ended { how: OrderEnd::Returned, .. } | OrderStep::ReturnedInPart { .. } => {
                Some(order.reservation)
            }
            OrderStep::Made { .. }
            | OrderStep::Ended { .. }
            | OrderStep::Extended { .. }
            | OrderStep::Noted(_) => None,
        },
        Change::Stock(_)
        | Change::Points(_)
        | Change::Category(_)
        | Change::Product(_)
        | Change::Line(_)
        | Change::Alert(_)
        | Change::Levels(_)
        | Change::Earned { .. }
        | Change::Preferences(_)
        | Change::Browsed(_) => None,
    });
    match returned {
        Some(order) if flaw::is_made(Flaw::RefundsEarly) => made_at_ms(order),
        Some(_) | None => at,
    }
}

/// Who exchanged something, if that is what happened to an order.
fn exchanged(order: &OrderChange) -> Option<&Arc<str>> {
    order.standing().filter(|(_, by)| *by > 0).map(|(user, _)| user)
}

/// Whether the user is seen for the first time.
fn remember(users: &mut HashSet<Arc<str>>, user: &Arc<str>) -> Result<bool> {
    if users.contains(user) {
        return Ok(false);
    }
    if users.len() >= USERS_MAX {
        let what = format!(
            "more than {USERS_MAX} users exchanged something: a report tells no more apart"
        );
        return Err(Error::overloaded(what));
    }
    Ok(users.insert(Arc::clone(user)))
}

/// What an order of this event keeps; `None` when the reservation is no order's.
fn of(orders: &Orders, reservation: Option<ReservationId>) -> Option<Option<&OrderDetails>> {
    let reservation = reservation?;
    let found = orders.iter().find(|(order, _)| *order == reservation);
    found.map(|(_, details)| details.as_ref())
}

/// The product as an order has it.
fn snapshot<'d>(details: &'d OrderDetails, product: &str) -> Option<&'d Snapshot<String>> {
    let items = details.items.iter().map(|item| &item.product);
    items.chain([&details.product]).find(|it| it.id == product)
}

#[cfg(test)]
mod tests;
