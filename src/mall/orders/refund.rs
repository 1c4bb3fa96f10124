//! What operators give back of an order that was confirmed: all of it, or some units.

use super::fact::{
    may_be_recalled, may_be_recalled_in_part, may_be_refunded, may_be_refunded_in_part,
};
use super::{Because, Order, points_of, stock_of};
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{
    AccountId, AccountKey, AccountKind, IdempotencyKey, QUANTITY_MAX, ReservationId, Seq,
};
use crate::history::record::{RecordLine, ReservationRecord};
use crate::ledger::{FirstAnswer, Line, Refund, RefundOutcome};
use crate::mall::elsewhere::Held;
use crate::mall::facts::OrderFact;
use crate::mall::model::OrderStatus;
use crate::mall::{Failure, Mall};

/// What is to be given back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GiveBack<'a> {
    /// How many units; `None` is all that is left.
    pub(crate) quantity: Option<u64>,
    /// Of which product of a basket.
    pub(crate) product_id: Option<&'a str>,
    /// Whether the units can be sold again.
    pub(crate) restock: bool,
    /// Also of an order that is completed.
    pub(crate) even_completed: bool,
}

/// What went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenBack {
    /// Whether nothing is left of the order then.
    pub(crate) is_over: bool,
    /// How many units of which product, as the event says that a retry finds again; `None` where
    /// history does not know the order any more.
    pub(crate) items: Option<Vec<(String, u64)>>,
}

/// What a line of an order counts, where some units of a product go back.
enum Counts {
    /// Of the product: its stock, and its limit.
    Units,
    /// Another product, or the order itself among those that wait or that are free.
    Other,
}

/// Which points go back: of an order that took points with several ends, those first that are good
/// the longest, as they were taken last.
fn points_back(of_points: &[RecordLine], points: u64) -> impl Iterator<Item = Line> {
    of_points.iter().rev().scan(points, |rest, line| {
        let quantity = left(line).min(*rest);
        *rest -= quantity;
        Some(Line { account: line.account, quantity })
    })
}

fn left(line: &RecordLine) -> u64 {
    line.consumed.saturating_sub(line.returned)
}

impl Mall {
    /// Gives back points, limit and stock of an order that was confirmed.
    pub(crate) async fn refund(
        &self,
        reservation: ReservationId,
        by: &Because<'_>,
        what: GiveBack<'_>,
        key: Option<IdempotencyKey>,
    ) -> Result<GivenBack, Failure> {
        let fact = OrderFact::Refunded {
            operator: by.operator.into(),
            reason: by.reason.into(),
            quantity: what.quantity,
            discarded: !what.restock,
            product_id: what.product_id.map(str::to_owned),
        };
        if let Some((is_over, seq)) = self.refunded_before(key).await? {
            self.say_why(reservation, fact, key).await?;
            return self.given_back(reservation, is_over, seq).await;
        }
        let record = self.any_record(reservation).await?;
        let order = Order::of(&record, self.now_ms())?;
        if order.status == OrderStatus::Pending || !order.status.holds() {
            return Err(Failure::OrderStatus(order.status));
        }
        let part = match what.quantity {
            Some(quantity) => Some(self.part(&record, &order, &what, quantity)?),
            None => None,
        };
        let goes_back = |account| match &part {
            Some(part) => part.iter().any(|line| line.account == account),
            None => true,
        };
        let stock = stock_of(&record, &order.details).iter().filter(|line| left(line) > 0);
        let stock = stock.map(|line| line.account).filter(|account| goes_back(*account));
        let discarded: Vec<AccountId> = stock.filter(|_| !what.restock).collect();
        let note = by.note().text();
        let mut refund = Refund::new(reservation).note(&note).key(key).written_off(&discarded);
        refund.part = part.as_deref();
        let when: fn(&ReservationRecord) -> bool = match (part.is_some(), what.even_completed) {
            (false, false) => may_be_recalled,
            (false, true) => may_be_refunded,
            (true, false) => may_be_recalled_in_part,
            (true, true) => may_be_refunded_in_part,
        };
        let held = self.hold_saga(&order)?;
        let mut ticket = self.engine().refund_when(refund, when)?;
        let outcome = self.durable(&mut ticket).await?;
        let seq = ticket.seq();
        held.into_iter().for_each(Held::done);
        let is_over = match outcome {
            RefundOutcome::Returned { .. } => true,
            RefundOutcome::ReturnedInPart { .. } => false,
            // Somebody was faster, or it stands elsewhere.
            RefundOutcome::Released { .. }
            | RefundOutcome::TooMuch { .. }
            | RefundOutcome::NotConfirmed { .. }
            | RefundOutcome::StillPending { .. } => {
                return Err(self.not_refunded(reservation, when, &what).await);
            }
        };
        self.say_why(reservation, fact, key).await?;
        self.given_back(reservation, is_over, seq).await
    }

    /// What an event gave back of an order, product by product, in the order of its basket.
    async fn given_back(
        &self,
        reservation: ReservationId,
        is_over: bool,
        seq: Option<Seq>,
    ) -> Result<GivenBack, Failure> {
        let record = match self.any_record(reservation).await {
            Ok(record) => record,
            Err(Failure::OrderNotFound) => return Ok(GivenBack { is_over, items: None }),
            Err(failure) => return Err(failure),
        };
        let details = Order::of(&record, self.now_ms())?.details;
        let engine = self.engine().clone();
        let items = self.read(move || {
            let mut items = Vec::new();
            for line in stock_of(&record, &details) {
                let before = seq.map(|seq| seq + 1);
                let newest = engine.history().changes_of(line.account, before, 1)?;
                let of_event = newest.first().filter(|change| Some(change.seq) == seq);
                if let (Some(change), Some(key)) = (of_event, engine.key_of(line.account)) {
                    items.push((key.owner().to_owned(), change.quantity));
                }
            }
            Ok(items)
        });
        Ok(GivenBack { is_over, items: Some(items.await?) })
    }

    /// Why a refund was refused.
    async fn not_refunded(
        &self,
        reservation: ReservationId,
        when: fn(&ReservationRecord) -> bool,
        what: &GiveBack<'_>,
    ) -> Failure {
        let quantity = what.quantity;
        let look = async {
            let record = self.any_record(reservation).await?;
            let order = Order::of(&record, self.now_ms())?;
            if let Some(quantity) = quantity.filter(|_| when(&record)) {
                self.part(&record, &order, what, quantity)?;
            }
            let is_full = quantity.is_some() && may_be_refunded(&record) && !when(&record);
            Ok::<_, Failure>(match is_full && may_be_recalled(&record) {
                true => Failure::TooManyChanges,
                false => Failure::OrderStatus(order.status),
            })
        };
        look.await.unwrap_or_else(|failure| failure)
    }

    /// The lines of so many units: their points, their limit, their stock. With the last of them
    /// goes whatever else the order took.
    fn part(
        &self,
        record: &ReservationRecord,
        order: &Order,
        what: &GiveBack<'_>,
        quantity: u64,
    ) -> Result<Vec<Line>, Failure> {
        let details = &order.details;
        let items = details.items.iter().map(|it| &it.product);
        let mut products = items.chain(details.items.is_empty().then_some(&details.product));
        let product = match what.product_id {
            Some(id) => products.find(|product| product.id == id),
            None => products.next().filter(|_| details.items.len() < 2),
        };
        let product = product.ok_or_else(|| {
            Error::invalid("productId must name the product of the order that goes back")
        })?;
        let stock = stock_of(record, details);
        let of_product = AccountKey::stock(&product.id)?;
        let of_product = self.engine().account(&of_product);
        let units = stock.iter().find(|line| Some(line.account) == of_product).map_or(0, left);
        if quantity > units && !flaw::is_made(Flaw::ReturnsTooMuch) {
            return Err(Failure::LeftToReturn(units));
        }
        let too_many = || Error::invalid("quantity is of more points than can be counted");
        let points = product.points_price.checked_mul(quantity).ok_or_else(too_many)?;
        let is_last = stock.iter().map(left).fold(0, u64::saturating_add) == quantity;
        let of_points = points_of(record, details);
        let others = record.lines.iter().skip(of_points.len()).map(|line| {
            let quantity = match self.counts(line.account, &product.id) {
                _ if is_last => left(line),
                Counts::Units => quantity.min(left(line)),
                Counts::Other => 0,
            };
            Line { account: line.account, quantity }
        });
        let points = if is_last { QUANTITY_MAX } else { points };
        let lines = points_back(of_points, points).chain(others);
        Ok(lines.filter(|line| line.quantity > 0).collect())
    }

    fn counts(&self, account: AccountId, product_id: &str) -> Counts {
        let key = self.engine().key_of(account);
        let of = key.as_ref().and_then(|key| match key.kind() {
            AccountKind::Stock => Some(key.owner()),
            AccountKind::Quota => key.product(),
            AccountKind::Points | AccountKind::Custom => None,
        });
        if of == Some(product_id) { Counts::Units } else { Counts::Other }
    }

    /// What the first try of a refund with this key came to: whether nothing was left, and the event.
    async fn refunded_before(
        &self,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<(bool, Option<Seq>)>, Failure> {
        let Some(ticket) = key.map_or(Ok(None), |key| self.engine().first_answer(key))? else {
            return Ok(None);
        };
        let seq = ticket.seq();
        Ok(match self.durable(ticket).await? {
            FirstAnswer::Returned { .. } => Some((true, seq)),
            FirstAnswer::ReturnedInPart { .. } => Some((false, seq)),
            FirstAnswer::Changed(_)
            | FirstAnswer::Reserved(_)
            | FirstAnswer::Confirmed { .. }
            | FirstAnswer::Released { .. }
            | FirstAnswer::Noted { .. }
            | FirstAnswer::Transferred(_)
            | FirstAnswer::Extended { .. }
            | FirstAnswer::Revived { .. }
            | FirstAnswer::DocumentPut
            | FirstAnswer::PolicySet { .. }
            | FirstAnswer::Queued { .. }
            | FirstAnswer::Dequeued { .. }
            | FirstAnswer::Answered(_)
            | FirstAnswer::Atomic(_) => None,
        })
    }
}
