//! What is told of an order at once.

use crate::base::{ReservationId, TimeMs};
use crate::mall::model::OrderStatus;

/// What somebody who changed an order is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) reservation: ReservationId,
    pub(crate) status: OrderStatus,
    pub(crate) points_cost: u64,
    pub(crate) expires_at: TimeMs,
    /// Whether the ledger knows it by the request's key; what was so already, it does not.
    pub(crate) is_kept: bool,
}

impl Receipt {
    pub(in crate::mall) fn now(self, status: OrderStatus) -> Self {
        Self { status, is_kept: true, ..self }
    }
}
