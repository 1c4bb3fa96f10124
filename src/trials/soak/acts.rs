//! What users and operators do with an order.

use hyper::Method;
use serde_json::{Value, json};

use super::products::PRODUCTS;
use crate::base::ReservationId;
use crate::mall::{OrderStatus, order_id};

/// How long an order may wait in all, in milliseconds, as the server is started.
pub(super) const WAITING_MAX_MS: u64 = 3_600_000;
/// How often a delivery may be sent elsewhere.
pub(super) const REDIRECTS_MAX: u64 = 8;

/// An act upon an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Confirm,
    /// It is paid, however late that is.
    Reacquire,
    Cancel,
    /// It waits for so long from now.
    Extend {
        ttl_ms: u64,
    },
    /// Its delivery goes to the place with this number.
    Redirect {
        to: u64,
        by_operator: bool,
    },
    Ship,
    Deliver,
    Complete,
    /// An operator cancels it.
    Recall,
    Refund(GiveBack),
}

/// What an operator gives back of an order that was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GiveBack {
    /// So many units of a product; `None` is all that is left.
    pub(super) part: Option<(usize, u64)>,
    /// Without it they came back broken.
    pub(super) restock: bool,
    pub(super) even_completed: bool,
}

/// What the server says to an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is done, and the order is this.
    Becomes(OrderStatus),
    /// The order does not stand where that is done.
    Refused,
    /// Its deadline has passed.
    TooLate,
    /// It is done where there is enough of everything again, and the order is this then.
    BecomesIfThere(OrderStatus),
}

impl Act {
    pub(super) fn is_operators(self) -> bool {
        match self {
            Self::Confirm | Self::Reacquire | Self::Cancel | Self::Extend { .. } => false,
            Self::Redirect { by_operator, .. } => by_operator,
            Self::Ship | Self::Deliver | Self::Complete | Self::Recall | Self::Refund(_) => true,
        }
    }

    /// Whether the ledger decides it, and holds it to the deadline of an order that waits.
    pub(super) fn minds_the_deadline(self) -> bool {
        match self {
            Self::Confirm | Self::Cancel | Self::Extend { .. } | Self::Recall => true,
            Self::Redirect { .. } | Self::Ship | Self::Deliver | Self::Complete => false,
            Self::Refund(_) | Self::Reacquire => false,
        }
    }

    /// Method, path and body.
    pub(super) fn request(self, order: ReservationId) -> (Method, String, Value) {
        let sphere = if self.is_operators() { "admin" } else { "mall" };
        let (what, body) = match self {
            Self::Confirm => ("confirm", json!({})),
            Self::Reacquire => ("confirm", json!({"reacquire": true})),
            Self::Cancel => ("cancel", json!({})),
            Self::Extend { ttl_ms } => ("extend", json!({"ttlMs": ttl_ms})),
            Self::Redirect { to, .. } => ("delivery", json!({"deliveryInfo": {"place": to}})),
            Self::Ship => ("ship", json!({"trackingNo": tracking_no(order), "carrier": CARRIER})),
            Self::Deliver => ("deliver", json!({})),
            Self::Complete => ("complete", json!({})),
            Self::Recall => ("cancel", json!({"reason": "soak"})),
            Self::Refund(what) => ("refund", what.body()),
        };
        let method = match self {
            Self::Redirect { .. } => Method::PUT,
            _ => Method::POST,
        };
        (method, format!("/api/{sphere}/orders/{}/{what}", order_id(order)), body)
    }
}

impl GiveBack {
    fn body(self) -> Value {
        let mut body = json!({"reason": "soak", "restock": self.restock});
        if let Some((product, quantity)) = self.part {
            body["productId"] = PRODUCTS[product].0.into();
            body["quantity"] = quantity.into();
        }
        if self.even_completed {
            body["evenCompleted"] = true.into();
        }
        body
    }
}

pub(super) const CARRIER: &str = "soak";

/// Under which an order is sent.
pub(super) fn tracking_no(order: ReservationId) -> String {
    format!("SF-{}", order_id(order))
}
