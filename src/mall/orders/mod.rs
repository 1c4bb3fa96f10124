//! Orders: reservations of the mall as a user reads them.

mod acts;
mod completion;
mod delivery;
mod extend;
mod fact;
mod find;
mod reacquire;
mod recall;
mod receipt;
mod refund;

use serde_json::{Map, Value};

use super::facts::{Fulfilment, OrderDetails, OrderFact};
use super::model::OrderStatus;
use super::{Failure, Mall, User};
use crate::base::error::{Error, Result};
use crate::base::{ReservationId, TimeMs};
use crate::history::record::{RecordLine, ReservationRecord, ReservationState};

pub(super) use completion::Sent;
pub(super) use fact::is_order;
pub(crate) use find::{OrderFilter, numbered};
pub(crate) use recall::Because;
pub(crate) use receipt::Receipt;
pub(crate) use refund::{GiveBack, GivenBack};

/// The most bytes of what one order keeps that anybody may send.
pub(crate) const ORDER_BYTES_MAX: usize =
    super::DETAILS_BYTES_MAX + fact::REDIRECTS_MAX * delivery::REDIRECT_BYTES_MAX;

/// An order with its whole life.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) reservation: ReservationId,
    pub(crate) status: OrderStatus,
    pub(crate) details: OrderDetails,
    pub(crate) fulfilment: Fulfilment,
    /// How many units of it went back after it was confirmed, and how many points.
    pub(crate) returned_quantity: u64,
    pub(crate) returned_points: u64,
    /// What is on record beside it, oldest first.
    pub(crate) facts: Vec<(TimeMs, OrderFact)>,
    pub(crate) created_at: TimeMs,
    pub(crate) expires_at: TimeMs,
    /// When it was confirmed, if it ever was.
    pub(crate) exchanged_at: Option<TimeMs>,
    /// When it was given up, returned or expired.
    pub(crate) cancelled_at: Option<TimeMs>,
}

impl Order {
    fn of(record: &ReservationRecord, now_ms: TimeMs) -> Result<Self> {
        let details = OrderDetails::read(&record.details).ok_or_else(|| {
            Error::corrupt(format!("the details of order {} are not readable", record.reservation))
        })?;
        let was_confirmed =
            matches!(record.state, ReservationState::Confirmed | ReservationState::Returned);
        let returned = |lines: &mut dyn Iterator<Item = &RecordLine>| -> u64 {
            lines.map(|line| line.returned).fold(0, u64::saturating_add)
        };
        let returned_quantity = returned(&mut stock_of(record, &details).iter());
        let returned_points = match details.elsewhere {
            true => returned_elsewhere(record, &details),
            false => returned(&mut points_of(record, &details).iter()),
        };
        let facts = facts_of(record).collect();
        let fulfilment = fulfilment_of(record);
        let status = status_of(record, now_ms);
        let expired_at = (status == OrderStatus::Expired).then_some(record.expires_at);
        let given_up_at = record.ended_at.filter(|_| !was_confirmed).or(expired_at);
        Ok(Self {
            reservation: record.reservation,
            status,
            details,
            fulfilment,
            returned_quantity,
            returned_points,
            facts,
            created_at: record.created_at,
            expires_at: record.expires_at,
            exchanged_at: record.ended_at.filter(|_| was_confirmed),
            cancelled_at: record.returned_at.or(given_up_at),
        })
    }

    /// Where it goes by now.
    pub(crate) fn delivery_info(&self) -> Option<&Map<String, Value>> {
        self.fulfilment.delivery_info.as_ref().or(self.details.delivery_info.as_ref())
    }

    fn receipt(&self) -> Receipt {
        Receipt {
            reservation: self.reservation,
            status: self.status,
            points_cost: self.details.points_cost,
            expires_at: self.expires_at,
            is_kept: false,
        }
    }
}

/// The lines of an order's stock, one for each product: an exchange takes them last.
fn stock_of<'r>(record: &'r ReservationRecord, details: &OrderDetails) -> &'r [RecordLine] {
    let first = record.lines.len().saturating_sub(details.items.len().max(1));
    &record.lines[first..]
}

/// What the units cost that went back, of an order whose points are kept elsewhere.
fn returned_elsewhere(record: &ReservationRecord, details: &OrderDetails) -> u64 {
    let items = details.items.iter().map(|it| &it.product);
    let products = items.chain(details.items.is_empty().then_some(&details.product));
    let costs = stock_of(record, details).iter().zip(products);
    let costs = costs.map(|(line, product)| product.points_price.saturating_mul(line.returned));
    costs.fold(0, u64::saturating_add)
}

/// An order as its record tells of it.
pub(super) fn order_of(record: &ReservationRecord, now_ms: TimeMs) -> Result<Order> {
    Order::of(record, now_ms)
}

/// The lines of an order's points: an exchange takes them first, and they come to what it cost. Of
/// points that are kept elsewhere there are none.
fn points_of<'r>(record: &'r ReservationRecord, details: &OrderDetails) -> &'r [RecordLine] {
    let mut left = if details.elsewhere { 0 } else { details.points_cost };
    let of_points = record.lines.iter().take_while(|line| {
        let is_points = left > 0;
        left = left.saturating_sub(line.quantity);
        is_points
    });
    let count = of_points.count();
    &record.lines[..count]
}

/// What is on record of an order, and when it was put there.
fn facts_of(record: &ReservationRecord) -> impl Iterator<Item = (TimeMs, OrderFact)> {
    record.notes.iter().filter_map(|note| Some((note.at, OrderFact::read(&note.body)?)))
}

/// What facts have made of the order, as its notes tell them.
fn fulfilment_of(record: &ReservationRecord) -> Fulfilment {
    let mut fulfilment = Fulfilment::default();
    for (at, fact) in facts_of(record) {
        fulfilment.add(&fact, at);
    }
    fulfilment
}

/// Where an order stands: what facts have made of it goes on from its confirmation.
fn status_of(record: &ReservationRecord, now_ms: TimeMs) -> OrderStatus {
    match OrderStatus::of(record, now_ms) {
        OrderStatus::Confirmed => fulfilment_of(record).status.unwrap_or(OrderStatus::Confirmed),
        status => status,
    }
}

impl Mall {
    /// An order of this user; it shows everything acknowledged before the call.
    pub(crate) async fn order(
        &self,
        user: &User,
        reservation: ReservationId,
    ) -> Result<Order, Failure> {
        let owner = user.points(self.engine()).ok_or(Failure::OrderNotFound)?;
        self.caught_up().await?;
        let engine = self.engine().clone();
        let record = self.read(move || engine.history().reservation(reservation)).await?;
        match record {
            Some(record) if record.owner == Some(owner) => Ok(Order::of(&record, self.now_ms())?),
            Some(_) | None => Err(Failure::OrderNotFound),
        }
    }

    /// Anybody's order; it shows everything acknowledged before the call.
    pub(crate) async fn any_order(&self, reservation: ReservationId) -> Result<Order, Failure> {
        let record = self.any_record(reservation).await?;
        Ok(Order::of(&record, self.now_ms())?)
    }

    async fn any_record(&self, reservation: ReservationId) -> Result<ReservationRecord, Failure> {
        self.caught_up().await?;
        let engine = self.engine().clone();
        let record = self.read(move || engine.history().reservation(reservation)).await?;
        record.filter(is_order).ok_or(Failure::OrderNotFound)
    }

    /// Resolves when [`Mall::find_orders`] shows everything as of this call.
    pub(crate) async fn show_orders(&self) -> Result<()> {
        self.caught_up().await
    }
}

/// Orders as history keeps them. Each is read out when it is needed: read out it may take many
/// times as much memory.
pub(crate) struct Orders {
    records: Vec<ReservationRecord>,
    /// What the next page is older than; `None` when there is none.
    next_before: Option<ReservationId>,
    now_ms: TimeMs,
}

impl Orders {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn next_before(&self) -> Option<ReservationId> {
        self.next_before
    }

    /// One after the other; `Corrupt` when the details of one cannot be read.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Order>> {
        self.records.iter().map(|record| Order::of(record, self.now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mall::facts::{Details, Snapshot};

    fn record(state: ReservationState) -> ReservationRecord {
        let details = Details {
            user: "ann",
            quantity: 2,
            points_cost: 10,
            product: Snapshot {
                id: "tea",
                name: "Tea",
                category_id: "food",
                points_price: 5,
                image: None,
                original_price_cents: None,
            },
            delivery_info: None,
            service: None,
            elsewhere: false,
        };
        ReservationRecord {
            reservation: ReservationId::from_number(0x41),
            owner: None,
            state,
            lines: Vec::new(),
            created_at: 1_000,
            expires_at: 2_000,
            ended_at: None,
            returned_at: None,
            details: details.encode(&[]).expect("the details can be written"),
            notes: Vec::new(),
            events: Vec::new(),
        }
    }

    #[test]
    fn an_order_is_read_with_its_details() {
        let order =
            Order::of(&record(ReservationState::Confirmed), 1_500).expect("a readable order");
        let OrderDetails { product, quantity, points_cost, .. } = &order.details;
        assert_eq!((product.id.as_str(), *quantity, *points_cost), ("tea", 2, 10));
        assert_eq!(order.status, OrderStatus::Confirmed);
        let unreadable =
            ReservationRecord { details: vec![7], ..record(ReservationState::Confirmed) };
        assert!(Order::of(&unreadable, 1_500).is_err(), "these are no details");
    }

    #[test]
    fn an_order_tells_when_it_was_confirmed_and_when_it_was_over() {
        use ReservationState::{Confirmed, Expired, Pending, Released, Returned};
        for (state, ended_at, returned_at, exchanged_at, cancelled_at) in [
            (Pending, None, None, None, None),
            (Confirmed, Some(1_200), None, Some(1_200), None),
            (Released, Some(1_200), None, None, Some(1_200)),
            (Expired, Some(2_000), None, None, Some(2_000)),
            (Returned, Some(1_200), Some(1_300), Some(1_200), Some(1_300)),
        ] {
            let record = ReservationRecord { ended_at, returned_at, ..record(state) };
            let order = Order::of(&record, 1_999).expect("a readable order");
            assert_eq!(
                (order.exchanged_at, order.cancelled_at),
                (exchanged_at, cancelled_at),
                "{state:?}"
            );
        }
    }

    #[test]
    fn a_pending_order_past_its_deadline_has_expired() {
        for (state, now_ms, status) in [
            (ReservationState::Pending, 1_999, OrderStatus::Pending),
            (ReservationState::Pending, 2_000, OrderStatus::Expired),
            (ReservationState::Returned, 0, OrderStatus::Cancelled),
        ] {
            assert_eq!(status_of(&record(state), now_ms), status, "{state:?} at {now_ms}");
        }
        let late = Order::of(&record(ReservationState::Pending), 2_000).expect("readable");
        assert_eq!(late.cancelled_at, Some(2_000), "its deadline was its end");
    }
}
