//! Facts of an order, put on record where the order may have them.

use super::{Order, Receipt, fulfilment_of, status_of};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, IdempotencyKey, ReservationId};
use crate::engine::{NoteOutcome, NoteWhen};
use crate::history::record::ReservationRecord;
use crate::mall::facts::{OrderDetails, OrderFact};
use crate::mall::model::{OrderStatus, Wish, parse_order_id};
use crate::mall::{Failure, Mall};

/// How many notes of an order leave no room for what anybody may note as often as they like: the
/// rest is kept for what happens once. History keeps the newest alone, and what an order became
/// must stay among them.
const NOTES_FULL: usize = ReservationRecord::NOTES_MAX - 8;
/// How often a delivery may be sent elsewhere.
pub(in crate::mall) const REDIRECTS_MAX: usize = 8;

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
        match self.record(reservation, None, &fact, key).await {
            Ok(_) => Ok(()),
            Err(Failure::Engine(error)) => Err(error),
            Err(Failure::Unknown) => Err(Error::unavailable("the disk has not answered in time")),
            Err(_) => Err(not_found()),
        }
    }

    /// Puts a fact of an order on record, and answers what the order is by it. A retry hears the
    /// same, whatever the order became since.
    pub(crate) async fn advance(
        &self,
        reservation: ReservationId,
        fact: &OrderFact,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        let order = self.record(reservation, None, fact, key).await?;
        self.remember_sent(&order);
        let status = match fact {
            // A delivered order stays shipped.
            OrderFact::Delivered { .. } => OrderStatus::Shipped,
            _ => fact.becomes().unwrap_or(order.status),
        };
        Ok(order.receipt().now(status))
    }

    /// Puts a fact of an order, on behalf of `owner`, on record; returns the order as it is then. A
    /// retry hears of the order as it is by now.
    pub(crate) async fn record(
        &self,
        reservation: ReservationId,
        owner: Option<AccountId>,
        fact: &OrderFact,
        key: Option<IdempotencyKey>,
    ) -> Result<Order, Failure> {
        let body = fact.encode();
        let note = NoteWhen::new(reservation, &body, may_be_noted).owner(owner).key(key);
        let outcome = self.durable(self.engine().note_when(note)?).await?;
        self.caught_up().await?;
        let engine = self.engine().clone();
        let record = self.read(move || engine.history().reservation(reservation)).await?;
        let is_theirs = |record: &ReservationRecord| owner.is_none() || record.owner == owner;
        let record = record.filter(|it| is_order(it) && is_theirs(it));
        let record = record.ok_or(Failure::OrderNotFound)?;
        let order = Order::of(&record, self.now_ms())?;
        match outcome {
            NoteOutcome::Noted { .. } => Ok(order),
            NoteOutcome::Unmet { .. } if !has_room(&record, fact) => Err(Failure::TooManyChanges),
            NoteOutcome::Unmet { .. } => Err(Failure::OrderStatus(order.status)),
        }
    }
}

pub(in crate::mall) fn is_order(record: &ReservationRecord) -> bool {
    OrderDetails::read(&record.details).is_some()
}

/// Whether an order may have the fact that a note tells.
pub(super) fn may_be_noted(record: &ReservationRecord, body: &[u8]) -> bool {
    let fits = |fact: OrderFact| allows(record, &fact) && has_room(record, &fact);
    is_order(record) && OrderFact::read(body).is_some_and(fits)
}

/// Whether an order stands where it may have this fact.
fn allows(record: &ReservationRecord, fact: &OrderFact) -> bool {
    // The deadline is the ledger's: history shows whether it has passed.
    let status = status_of(record, 0);
    match fact {
        OrderFact::Remarked { .. } | OrderFact::Served { .. } => true,
        OrderFact::Shipped { .. } => status.may_become(OrderStatus::Shipped),
        OrderFact::Delivered { .. } => {
            status == OrderStatus::Shipped && fulfilment_of(record).delivered_at.is_none()
        }
        OrderFact::Completed { .. } => status.may_become(OrderStatus::Completed),
        OrderFact::Redirected { .. } => status.may_be_redirected(),
        OrderFact::Cancelled { .. }
        | OrderFact::PointsLacked { .. }
        | OrderFact::Refunded { quantity: None, .. } => !status.holds(),
        OrderFact::Refunded { quantity: Some(_), .. } => {
            record.lines.iter().any(|line| line.returned > 0)
        }
    }
}

/// Whether what an order became stays among its notes beside this fact.
fn has_room(record: &ReservationRecord, fact: &OrderFact) -> bool {
    match fact {
        OrderFact::Remarked { .. } | OrderFact::Served { .. } => record.notes.len() < NOTES_FULL,
        OrderFact::Redirected { .. } => {
            let facts = record.notes.iter().filter_map(|note| OrderFact::read(&note.body));
            let before = facts.filter(|fact| matches!(fact, OrderFact::Redirected { .. }));
            record.notes.len() < NOTES_FULL && before.count() < REDIRECTS_MAX
        }
        // Returns end at NOTES_FULL; those that were under way then are on record still.
        OrderFact::Refunded { quantity: Some(_), .. } => {
            record.notes.len() < ReservationRecord::NOTES_MAX - 4
        }
        // Each of them once.
        OrderFact::Shipped { .. }
        | OrderFact::Delivered { .. }
        | OrderFact::Completed { .. }
        | OrderFact::Cancelled { .. }
        | OrderFact::Refunded { quantity: None, .. } => true,
        // Whoever drives its saga says so again.
        OrderFact::PointsLacked { .. } => {
            let mut facts = record.notes.iter().filter_map(|note| OrderFact::read(&note.body));
            !facts.any(|fact| matches!(fact, OrderFact::PointsLacked { .. }))
        }
    }
}

/// Whether an order goes back when its user gives it up.
pub(super) fn may_be_given_back(record: &ReservationRecord) -> bool {
    status_of(record, 0).on_cancel() == Wish::GivesBack
}

/// Whether an order goes back when an operator says so.
pub(super) fn may_be_recalled(record: &ReservationRecord) -> bool {
    is_order(record) && status_of(record, 0).on_recall() == Wish::GivesBack
}

/// Whether some of an order goes back when an operator says so.
pub(super) fn may_be_recalled_in_part(record: &ReservationRecord) -> bool {
    may_be_recalled(record) && record.notes.len() < NOTES_FULL
}

/// As [`may_be_recalled_in_part`], though the order may be over.
pub(super) fn may_be_refunded_in_part(record: &ReservationRecord) -> bool {
    may_be_refunded(record) && record.notes.len() < NOTES_FULL
}

/// Whether an order goes back when an operator says so, though it may be over.
pub(super) fn may_be_refunded(record: &ReservationRecord) -> bool {
    is_order(record) && status_of(record, 0).may_become(OrderStatus::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::ErrorKind;
    use crate::engine::Engine;
    use crate::mall::{DEMO_USER, Exchange, MallConfig, User, Wanted, order_id};

    fn remarks(mall: &Mall, reservation: ReservationId) -> Vec<OrderFact> {
        mall.engine().catch_up().wait().expect("history follows");
        let record = mall.engine().history().reservation(reservation).expect("it is read");
        let notes = record.expect("it is there").notes;
        notes.iter().filter_map(|note| OrderFact::read(&note.body)).collect()
    }

    #[test]
    fn a_remark_is_on_record_once_and_changes_nothing_else() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let engine = Engine::builder(dir.path()).segment_bytes(256 << 10).open().expect("it opens");
        let mall = Mall::open(engine, MallConfig::default()).expect("an empty mall");
        mall.load_demo().expect("the demo is loaded");
        let user = User::new(DEMO_USER).expect("a valid name");
        let items = [Wanted { product_id: "prod_movie", quantity: 1 }];
        let request = Exchange { confirm: true, ..Exchange::of(&items) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let receipt = mall.exchange(&user, &request).await.expect("there is enough");
            let id = order_id(receipt.reservation);
            let key = IdempotencyKey::new("ops", "1").expect("a valid key");
            for _ in 0..2 {
                mall.remark(&id, "ops", "fragile", Some(key)).await.expect("it is written");
            }
            let other = mall.remark(&id, "ops", "heavy", Some(key)).await;
            assert_eq!(other.map_err(|error| error.kind()), Err(ErrorKind::Conflict));
            let fact = OrderFact::Remarked { operator: "ops".into(), text: "fragile".into() };
            assert_eq!(remarks(&mall, receipt.reservation), [fact]);
            let order = mall.order(&user, receipt.reservation).await.expect("it is there");
            assert_eq!(order.status, receipt.status, "a remark changes no status");
            for unknown in ["ord_00000000000000ff", "x"] {
                let refused = mall.remark(unknown, "ops", "fragile", None).await;
                assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
            }
            mall.cancel(&user, receipt.reservation, None).await.expect("it goes back all the same");
        });
    }
}
