//! Orders: reservations of the mall as a user reads them, and what a user may do with one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Failure, Mall, Product, User};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, IdempotencyKey, ReservationId, TimeMs};
use crate::engine::Terms;
use crate::history::record::{ReservationRecord, ReservationState};
use crate::ledger::{
    Confirm, ConfirmOutcome, FirstAnswer, Refund, RefundOutcome, Release, ReleaseOutcome,
};

/// What an order keeps of the product as it was when it was ordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Snapshot<S> {
    id: S,
    name: S,
    category_id: S,
    points_price: u64,
    image: Option<S>,
}

impl<'a> Snapshot<&'a str> {
    pub(super) fn of(product: &'a Product) -> Self {
        Self {
            id: &product.id,
            name: &product.name,
            category_id: &product.category_id,
            points_price: product.points_price,
            image: product.images.first().map(String::as_str),
        }
    }
}

/// The details carried beside the reservation, as MessagePack arrays. New fields go to the end,
/// with a default.
#[derive(Debug, Serialize)]
pub(super) struct Details<'a> {
    pub(super) user: &'a str,
    pub(super) quantity: u64,
    pub(super) points_cost: u64,
    pub(super) product: Snapshot<&'a str>,
    pub(super) delivery_info: Option<&'a Map<String, Value>>,
}

impl Details<'_> {
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let mut encoded = Vec::with_capacity(256);
        rmp_serde::encode::write(&mut encoded, self).map_err(|cause| {
            Error::invalid("the order's details cannot be written").with_source(cause)
        })?;
        Ok(encoded)
    }
}

/// [`Details`] as read back.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct OrderDetails {
    user: String,
    quantity: u64,
    points_cost: u64,
    product: Snapshot<String>,
    delivery_info: Option<Map<String, Value>>,
}

/// A snapshot as clients and reports see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotWire<'a> {
    id: &'a str,
    name: &'a str,
    category_id: &'a str,
    points_price: u64,
    image: Option<&'a str>,
}

#[cfg_attr(
    not(feature = "mysql"),
    allow(dead_code, reason = "only the mirror reads details apart from history")
)]
impl OrderDetails {
    /// The details of a reservation, when they are those of an order.
    pub(crate) fn read(details: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(details).ok()
    }

    pub(crate) fn quantity(&self) -> u64 {
        self.quantity
    }

    pub(crate) fn points_cost(&self) -> u64 {
        self.points_cost
    }

    /// The product as it was ordered, in JSON.
    pub(crate) fn snapshot_json(&self) -> String {
        let Snapshot { id, name, category_id, points_price, image } = &self.product;
        let wire = SnapshotWire {
            id,
            name,
            category_id,
            points_price: *points_price,
            image: image.as_deref(),
        };
        serde_json::to_string(&wire).unwrap_or_else(|_| "{}".to_owned())
    }

    /// Where it is delivered to, in JSON.
    pub(crate) fn delivery_json(&self) -> Option<String> {
        self.delivery_info.as_ref().and_then(|info| serde_json::to_string(info).ok())
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderState {
    /// It waits for its confirmation.
    Pending,
    /// It is paid.
    Confirmed,
    /// It was given up while it waited, or returned after it was confirmed.
    Cancelled,
    /// Nobody confirmed it in time.
    Expired,
}

impl OrderState {
    /// The number in the mall's own table of orders. 2 (shipped) and 3 (completed) come with
    /// deliveries.
    pub(crate) fn number(self) -> i8 {
        match self {
            Self::Pending => 0,
            Self::Confirmed => 1,
            Self::Cancelled | Self::Expired => -1,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The deadline decides: an order past it has expired, even if the wheel has not turned yet.
    fn of(record: &ReservationRecord, now_ms: TimeMs) -> Self {
        match record.state {
            ReservationState::Pending if now_ms >= record.expires_at => Self::Expired,
            ReservationState::Pending => Self::Pending,
            ReservationState::Confirmed => Self::Confirmed,
            ReservationState::Released | ReservationState::Returned => Self::Cancelled,
            ReservationState::Expired => Self::Expired,
        }
    }
}

/// An order with its whole life.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) reservation: ReservationId,
    pub(crate) state: OrderState,
    pub(crate) product_id: String,
    pub(crate) product_name: String,
    pub(crate) category_id: String,
    pub(crate) points_price: u64,
    pub(crate) image: Option<String>,
    pub(crate) quantity: u64,
    pub(crate) points_cost: u64,
    pub(crate) delivery_info: Option<Map<String, Value>>,
    pub(crate) created_at: TimeMs,
    pub(crate) expires_at: TimeMs,
    pub(crate) ended_at: Option<TimeMs>,
    pub(crate) returned_at: Option<TimeMs>,
}

impl Order {
    fn of(record: &ReservationRecord, now_ms: TimeMs) -> Result<Self> {
        let state = OrderState::of(record, now_ms);
        let details: OrderDetails = rmp_serde::from_slice(&record.details).map_err(|cause| {
            Error::corrupt(format!("the details of order {} are not readable", record.reservation))
                .with_source(cause)
        })?;
        Ok(Self {
            reservation: record.reservation,
            state,
            product_id: details.product.id,
            product_name: details.product.name,
            category_id: details.product.category_id,
            points_price: details.product.points_price,
            image: details.product.image,
            quantity: details.quantity,
            points_cost: details.points_cost,
            delivery_info: details.delivery_info,
            created_at: record.created_at,
            expires_at: record.expires_at,
            ended_at: record.ended_at,
            returned_at: record.returned_at,
        })
    }

    fn receipt(&self) -> Receipt {
        let Self { reservation, state, points_cost, expires_at, .. } = *self;
        Receipt { reservation, state, points_cost, expires_at }
    }
}

/// What somebody who changed an order is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) reservation: ReservationId,
    pub(crate) state: OrderState,
    pub(crate) points_cost: u64,
    pub(crate) expires_at: TimeMs,
}

impl Receipt {
    fn now(self, state: OrderState) -> Self {
        Self { state, ..self }
    }
}

/// What an order cost: its first line takes the points.
pub(super) fn cost_of(terms: Terms) -> u64 {
    terms.units
}

const ID_PREFIX: &str = "ord_";
/// What the number of an order begins with.
pub(crate) const ORDER_NO_PREFIX: &str = "EX";

/// The id of an order, as clients see it.
pub(crate) fn order_id(reservation: ReservationId) -> String {
    format!("{ID_PREFIX}{:016x}", reservation.number())
}

/// The number of an order, for people: 22 characters, a function of the id alone.
pub(crate) fn order_no(reservation: ReservationId) -> String {
    format!("{ORDER_NO_PREFIX}{:020}", reservation.number())
}

/// The reservation behind an order's id or number, in exactly the form that [`order_id`] or
/// [`order_no`] writes.
pub(crate) fn parse_order_id(text: &str) -> Option<ReservationId> {
    let number = match (text.strip_prefix(ID_PREFIX), text.strip_prefix(ORDER_NO_PREFIX)) {
        (Some(digits), _) => u64::from_str_radix(digits, 16).ok()?,
        (None, Some(digits)) => digits.parse().ok()?,
        (None, None) => return None,
    };
    let id = ReservationId::from_number(number);
    (text == order_id(id) || text == order_no(id)).then_some(id)
}

impl Mall {
    /// Makes a waiting order final. Confirming a confirmed order succeeds again.
    pub(crate) async fn confirm(
        &self,
        user: &User,
        reservation: ReservationId,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        if let Some(receipt) = self.told_before(key).await? {
            return Ok(receipt);
        }
        let owner = user.points(self.engine()).ok_or(Failure::OrderNotFound)?;
        let waiting = self.waiting(owner, reservation);
        let confirm = Confirm::new(reservation).owner(owner).key(key);
        let confirmed = match self.durable(self.engine().confirm(confirm)?).await? {
            ConfirmOutcome::Confirmed { .. } => true,
            ConfirmOutcome::Late { .. } => return Err(self.expire().await),
            ConfirmOutcome::NotPending { .. } => false,
        };
        if let Some(receipt) = waiting.filter(|_| confirmed) {
            return Ok(receipt.now(OrderState::Confirmed));
        }
        let order = self.order(user, reservation).await?;
        match order.state {
            // A retry hears its first answer, whatever became of the order since.
            _ if confirmed => Ok(order.receipt().now(OrderState::Confirmed)),
            OrderState::Confirmed => Ok(order.receipt()),
            OrderState::Expired => Err(Failure::Expired),
            state => Err(Failure::OrderState(state)),
        }
    }

    /// Gives a waiting order up, or returns a confirmed one. Cancelling a cancelled order succeeds
    /// again.
    pub(crate) async fn cancel(
        &self,
        user: &User,
        reservation: ReservationId,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        if let Some(receipt) = self.told_before(key).await? {
            return Ok(receipt);
        }
        let owner = user.points(self.engine()).ok_or(Failure::OrderNotFound)?;
        let waiting = self.waiting(owner, reservation);
        let release = Release::new(reservation).owner(owner).key(key);
        let released = match self.durable(self.engine().release(release)?).await? {
            ReleaseOutcome::Released { .. } => true,
            ReleaseOutcome::Late { .. } => return Err(self.expire().await),
            // Another try with this key has returned it meanwhile.
            ReleaseOutcome::Returned { .. } => match self.told_before(key).await? {
                Some(receipt) => return Ok(receipt),
                None => false,
            },
            ReleaseOutcome::NotPending { .. } => false,
        };
        if let Some(receipt) = waiting.filter(|_| released) {
            return Ok(receipt.now(OrderState::Cancelled));
        }
        let order = self.order(user, reservation).await?;
        match order.state {
            OrderState::Cancelled => Ok(order.receipt()),
            OrderState::Confirmed => self.give_back(user, owner, order, key).await,
            OrderState::Expired => Err(Failure::Expired),
            OrderState::Pending => Err(Failure::OrderState(OrderState::Pending)),
        }
    }

    /// The answer about an order that is past its deadline. Its expiry is durable first: should the
    /// process die and the machine's clock be set back, it would wait again otherwise, and who was
    /// told that it expired could confirm it.
    async fn expire(&self) -> Failure {
        let engine = self.engine().clone();
        let expired = self.act(move || {
            engine.expire_due()?;
            engine.decided().wait()
        });
        expired.await.map_or_else(|failure| failure, |_| Failure::Expired)
    }

    /// Returns the points, the limit and the stock of a confirmed order.
    async fn give_back(
        &self,
        user: &User,
        owner: AccountId,
        order: Order,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        const WHY: &str = "订单取消";
        let (engine, reservation) = (self.engine(), order.reservation);
        let refund = Refund::new(reservation).owner(owner).note(WHY).key(key);
        let ticket = engine.refund(refund)?;
        if let RefundOutcome::Returned { .. } = self.durable(ticket).await? {
            return Ok(order.receipt().now(OrderState::Cancelled));
        }
        // Another cancel was faster: the order is cancelled, which is what was asked.
        let order = self.order(user, reservation).await?;
        match order.state {
            OrderState::Cancelled => Ok(order.receipt()),
            state => Err(Failure::OrderState(state)),
        }
    }

    /// What the first try of a request with this key was told, from the ledger's window alone:
    /// nothing else need be there any more. `None` also where a release before this one did not
    /// keep it.
    async fn told_before(&self, key: Option<IdempotencyKey>) -> Result<Option<Receipt>, Failure> {
        let first = key.map_or(Ok(None), |key| self.engine().recall_whole(key))?;
        let Some((ticket, Some(terms))) = first else {
            return Ok(None);
        };
        let (reservation, state) = match self.durable(ticket).await? {
            FirstAnswer::Confirmed { reservation } => (reservation, OrderState::Confirmed),
            FirstAnswer::Released { reservation } | FirstAnswer::Returned { reservation } => {
                (reservation, OrderState::Cancelled)
            }
            FirstAnswer::Changed(_) | FirstAnswer::Reserved(_) => return Ok(None),
        };
        Ok(Some(Receipt {
            reservation,
            state,
            points_cost: cost_of(terms),
            expires_at: terms.expires_at,
        }))
    }

    /// An order that waits, from memory.
    fn waiting(&self, owner: AccountId, reservation: ReservationId) -> Option<Receipt> {
        let pending =
            self.engine().pending(reservation).filter(|pending| pending.owner == Some(owner))?;
        let points = pending.lines.iter().filter(|line| line.account == owner);
        let points_cost = points.map(|line| line.quantity).sum();
        Some(Receipt {
            reservation,
            state: OrderState::Pending,
            points_cost,
            expires_at: pending.expires_at,
        })
    }

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
            _ => Err(Failure::OrderNotFound),
        }
    }

    /// Resolves when [`Mall::orders`] shows this user's orders as of this call.
    pub(crate) async fn show_orders(&self) -> Result<()> {
        self.caught_up().await
    }

    /// This user's orders, newest first, older than `before`. Blocks on the disk.
    pub(crate) fn orders(
        &self,
        user: &User,
        before: Option<ReservationId>,
        limit: usize,
    ) -> Result<Orders> {
        let records = match user.points(self.engine()) {
            None => Vec::new(),
            Some(owner) => self.engine().history().reservations_of(owner, before, limit)?,
        };
        Ok(Orders { records, now_ms: self.now_ms() })
    }
}

/// Orders as history keeps them. Each is read out when it is needed: read out it may take many
/// times as much memory.
pub(crate) struct Orders {
    records: Vec<ReservationRecord>,
    now_ms: TimeMs,
}

impl Orders {
    /// Keeps the first `limit` and says whether there were more.
    pub(crate) fn truncate(&mut self, limit: usize) -> bool {
        let has_more = self.records.len() > limit;
        self.records.truncate(limit);
        has_more
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn last(&self) -> Option<ReservationId> {
        self.records.last().map(|record| record.reservation)
    }

    /// One after the other; `Corrupt` when the details of one cannot be read.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Order>> {
        self.records.iter().map(|record| Order::of(record, self.now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            },
            delivery_info: None,
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
            details: details.encode().expect("the details can be written"),
            notes: Vec::new(),
        }
    }

    #[test]
    fn an_order_id_reads_back_and_only_in_one_form() {
        let id = ReservationId::from_number(0xabc);
        assert_eq!(order_id(id), "ord_0000000000000abc");
        assert_eq!(order_no(id), "EX00000000000000002748");
        assert_eq!(
            (parse_order_id(&order_id(id)), parse_order_id(&order_no(id))),
            (Some(id), Some(id))
        );
        for wrong in [
            "",
            "ord_",
            "ord_abc",
            "ord_0000000000000ABC",
            "ord_+000000000000abc",
            "x",
            "ord_00000000000000abc",
            "EX",
            "EX2748",
            "EX+0000000000000002748",
            "EX000000000000000002748",
            "EX99999999999999999999",
        ] {
            assert_eq!(parse_order_id(wrong), None, "{wrong:?} is no id");
        }
        assert!(order_no(ReservationId::from_number(u64::MAX)).len() <= 32);
    }

    #[test]
    fn details_read_back() {
        let order =
            Order::of(&record(ReservationState::Confirmed), 1_500).expect("a readable order");
        assert_eq!((order.product_id.as_str(), order.quantity, order.points_cost), ("tea", 2, 10));
        assert_eq!(order.state, OrderState::Confirmed);
    }

    #[test]
    fn a_pending_order_past_its_deadline_has_expired() {
        assert_eq!(OrderState::of(&record(ReservationState::Pending), 1_999), OrderState::Pending);
        assert_eq!(OrderState::of(&record(ReservationState::Pending), 2_000), OrderState::Expired);
        assert_eq!(OrderState::of(&record(ReservationState::Returned), 0), OrderState::Cancelled);
    }
}
