//! Where an order goes.

use serde_json::{Map, Value};

use super::Order;
use crate::base::error::{Error, Result};
use crate::base::{IdempotencyKey, ReservationId};
use crate::mall::exchange::check_delivery;
use crate::mall::facts::OrderFact;
use crate::mall::{Failure, Mall, User};

/// The most bytes of a delivery's details that come later than the order, encoded.
pub(in crate::mall) const REDIRECT_BYTES_MAX: usize = 8 * 1024;

impl Mall {
    /// Sends a user's own order elsewhere, while it waits or is confirmed.
    pub(crate) async fn redirect(
        &self,
        user: &User,
        reservation: ReservationId,
        delivery_info: Map<String, Value>,
        key: Option<IdempotencyKey>,
    ) -> Result<Order, Failure> {
        let fact = redirected(user.service(), delivery_info)?;
        let owner = user.points(self.engine()).ok_or(Failure::OrderNotFound)?;
        self.record(reservation, Some(owner), &fact, key).await
    }

    /// Sends an order elsewhere, in an operator's name.
    pub(crate) async fn redirect_for(
        &self,
        operator: &str,
        reservation: ReservationId,
        delivery_info: Map<String, Value>,
        key: Option<IdempotencyKey>,
    ) -> Result<Order, Failure> {
        let fact = redirected(Some(operator), delivery_info)?;
        self.record(reservation, None, &fact, key).await
    }
}

fn redirected(operator: Option<&str>, delivery_info: Map<String, Value>) -> Result<OrderFact> {
    check_delivery(&delivery_info)?;
    let fact = OrderFact::Redirected { operator: operator.map(Into::into), delivery_info };
    if fact.encode().len() > REDIRECT_BYTES_MAX {
        return Err(Error::invalid(format!(
            "deliveryInfo is longer than {REDIRECT_BYTES_MAX} bytes"
        )));
    }
    Ok(fact)
}
