//! Facts of an order, put on record where the order may have them.

use super::{Order, status_of};
use crate::base::error::{Error, Result};
use crate::base::{IdempotencyKey, ReservationId};
use crate::engine::{NoteOutcome, NoteWhen};
use crate::history::record::ReservationRecord;
use crate::mall::facts::{OrderDetails, OrderFact};
use crate::mall::model::{Wish, parse_order_id};
use crate::mall::{Failure, Mall};

impl Mall {
    /// Writes something down about an order, in an operator's name. With an idempotency key, once.
    ///
    /// # Errors
    /// `Invalid` when the text is too long, `NotFound` when there is no such order, `Conflict` when
    /// the key was used for another request; otherwise what the engine reports.
    pub async fn remark(
        &self,
        order: &str,
        operator: &str,
        text: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<()> {
        let not_found = || Error::not_found(format!("there is no order {order}"));
        let reservation = parse_order_id(order).ok_or_else(not_found)?;
        let fact = OrderFact::Remarked { operator: operator.to_owned(), text: text.to_owned() };
        match self.record(reservation, &fact, key).await {
            Ok(_) => Ok(()),
            Err(Failure::Engine(error)) => Err(error),
            Err(Failure::Unknown) => Err(Error::unavailable("the disk has not answered in time")),
            Err(_) => Err(not_found()),
        }
    }

    /// Puts a fact of an order on record; answers the order as it is then. A retry hears of the
    /// order as it is by now.
    pub(crate) async fn record(
        &self,
        reservation: ReservationId,
        fact: &OrderFact,
        key: Option<IdempotencyKey>,
    ) -> Result<Order, Failure> {
        let body = fact.encode();
        let note = NoteWhen::new(reservation, &body, may_be_noted).key(key);
        let outcome = self.durable(self.engine().note_when(note)?).await?;
        self.caught_up().await?;
        let engine = self.engine().clone();
        let record = self.read(move || engine.history().reservation(reservation)).await?;
        let record = record.filter(is_order).ok_or(Failure::OrderNotFound)?;
        let order = Order::of(&record, self.now_ms())?;
        match outcome {
            NoteOutcome::Noted { .. } => Ok(order),
            NoteOutcome::Unmet { .. } => Err(Failure::OrderStatus(order.status)),
        }
    }
}

fn is_order(record: &ReservationRecord) -> bool {
    OrderDetails::read(&record.details).is_some()
}

/// Whether an order may have the fact that a note tells.
fn may_be_noted(record: &ReservationRecord, body: &[u8]) -> bool {
    // The deadline is the ledger's: history shows whether it has passed.
    let status = status_of(record, 0);
    let may_become = |fact: OrderFact| fact.becomes().is_none_or(|next| status.may_become(next));
    is_order(record) && OrderFact::read(body).is_some_and(may_become)
}

/// Whether an order goes back when its user gives it up.
pub(super) fn may_be_given_back(record: &ReservationRecord) -> bool {
    status_of(record, 0).on_cancel() == Wish::GivesBack
}
