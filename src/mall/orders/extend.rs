//! Orders that wait longer.

use super::Receipt;
use crate::base::{IdempotencyKey, ReservationId};
use crate::ledger::{Extend, ExtendOutcome};
use crate::mall::facts::{OrderFact, ServiceWish};
use crate::mall::model::OrderStatus;
use crate::mall::{Failure, Mall, User};

impl Mall {
    /// Lets a user's waiting order wait for `ttl_ms` milliseconds from now, within what an order may
    /// wait in all.
    pub(crate) async fn extend(
        &self,
        user: &User,
        reservation: ReservationId,
        ttl_ms: u64,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        if let Some(receipt) = self.told_before(Some(user), key).await? {
            return Ok(receipt);
        }
        let owner = user.points(self.engine()).ok_or(Failure::OrderNotFound)?;
        let order = self.order(user, reservation).await?;
        match order.status {
            OrderStatus::Pending => {}
            OrderStatus::Expired => return Err(self.expire().await),
            status => return Err(Failure::OrderStatus(status)),
        }
        let latest = order.created_at.saturating_add(self.config().waiting_max_ms);
        let until = self.now_ms().saturating_add(ttl_ms);
        if until > latest {
            return Err(Failure::WaitsTooLong(latest));
        }
        if let Some(service) = user.service() {
            // Before it is done, and where there is room: an order may be extended again and again.
            let fact = OrderFact::Served { service: service.to_owned(), wish: ServiceWish::Extend };
            self.record(reservation, Some(owner), &fact, None).await?;
        }
        let extend = Extend::until(reservation, until).owner(owner).key(key);
        match self.durable(self.engine().run::<ExtendOutcome>(extend)?).await? {
            ExtendOutcome::Extended { expires_at, .. } => {
                Ok(Receipt { expires_at, ..order.receipt().now(OrderStatus::Pending) })
            }
            ExtendOutcome::Late { .. } => Err(self.expire().await),
            ExtendOutcome::NotPending { .. } => {
                Err(Failure::OrderStatus(self.order(user, reservation).await?.status))
            }
        }
    }
}
