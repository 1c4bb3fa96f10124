//! What operators take back: orders that wait, and what was confirmed, each with a reason.

use super::fact::may_be_recalled;
use super::{Order, Receipt};
use crate::base::{IdempotencyKey, ReservationId};
use crate::ledger::{Refund, RefundOutcome, Release, ReleaseOutcome};
use crate::mall::elsewhere::Held;
use crate::mall::facts::OrderFact;
use crate::mall::model::{OrderStatus, Wish};
use crate::mall::{Failure, Mall, Note};

/// What tells the key of the reason from the key of what it is the reason of.
const WHY: u128 = 0x7768_7900_0000_0000_0000_0000_0000_0001;

/// Who takes an order back, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Because<'a> {
    pub(crate) operator: &'a str,
    pub(crate) reason: &'a str,
}

impl Because<'_> {
    pub(in crate::mall) fn cancelled(&self) -> OrderFact {
        OrderFact::Cancelled { operator: self.operator.into(), reason: self.reason.into() }
    }

    pub(super) fn note(&self) -> Note<'_> {
        Note { operator: Some(self.operator), reason: self.reason }
    }
}

impl Mall {
    /// Ends an order that waits, or gives back one that was confirmed and is not over.
    pub(crate) async fn recall(
        &self,
        reservation: ReservationId,
        by: &Because<'_>,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        if let Some(receipt) = self.told_before(None, key).await? {
            self.say_why(reservation, by.cancelled(), key).await?;
            return Ok(receipt);
        }
        let mut order = self.any_order(reservation).await?;
        if order.status == OrderStatus::Pending {
            let release = Release::new(reservation).key(key);
            match self.durable(self.engine().run::<ReleaseOutcome>(release)?).await? {
                ReleaseOutcome::Released { .. } => {
                    self.look_at_saga(reservation);
                    self.say_why(reservation, by.cancelled(), key).await?;
                    return Ok(order.receipt().now(OrderStatus::Cancelled));
                }
                ReleaseOutcome::Late { .. } => return Err(self.expire().await),
                // Somebody was faster.
                ReleaseOutcome::Returned { .. } | ReleaseOutcome::NotPending { .. } => {
                    order = self.any_order(reservation).await?;
                }
            }
        }
        match order.status.on_recall() {
            Wish::GivesBack => self.take_back(&order, by, key).await,
            Wish::TooLate => Err(self.expire().await),
            Wish::Already | Wish::Refused => Err(Failure::OrderStatus(order.status)),
        }
    }

    async fn take_back(
        &self,
        order: &Order,
        by: &Because<'_>,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        let (reservation, note) = (order.reservation, by.note().text());
        let refund = Refund::new(reservation).note(&note).key(key);
        let held = self.hold_saga(order)?;
        let ticket = self.engine().refund_when(refund, may_be_recalled)?;
        let outcome = self.durable(ticket).await?;
        held.into_iter().for_each(Held::done);
        match outcome {
            // Released by another try of this request, as it waited.
            RefundOutcome::Returned { .. } | RefundOutcome::Released { .. } => {
                self.say_why(reservation, by.cancelled(), key).await?;
                Ok(order.receipt().now(OrderStatus::Cancelled))
            }
            // Of everything that is left, none is too much, and nothing is left after it.
            RefundOutcome::ReturnedInPart { .. }
            | RefundOutcome::TooMuch { .. }
            | RefundOutcome::NotConfirmed { .. }
            | RefundOutcome::StillPending { .. } => {
                Err(Failure::OrderStatus(self.any_order(reservation).await?.status))
            }
        }
    }

    /// Keeps with an order why it was taken back. What the ledger has done is done before: whoever
    /// hears of no success asks again with the same key, and this is made good.
    pub(in crate::mall) async fn say_why(
        &self,
        reservation: ReservationId,
        fact: OrderFact,
        key: Option<IdempotencyKey>,
    ) -> Result<(), Failure> {
        let key = key.map(|key| IdempotencyKey::from_number(key.number() ^ WHY));
        match self.record(reservation, None, &fact, key).await {
            // History was lost since, or begins later: what is known of the order is the ledger's.
            Ok(_)
            | Err(Failure::OrderNotFound | Failure::OrderStatus(_) | Failure::TooManyChanges) => {
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }
}
