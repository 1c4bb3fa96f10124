//! What users and operators do with an order, and what that comes to.

use hyper::Method;
use serde_json::{Value, json};

use super::ask::PRODUCTS;
use super::known::Order;
use crate::base::ReservationId;
use crate::mall::{OrderStatus, Wish, order_id};

/// How long an order may wait in all, in milliseconds, as the server is started.
pub(super) const WAITING_MAX_MS: u64 = 3_600_000;
/// How often a delivery may be sent elsewhere.
pub(super) const REDIRECTS_MAX: u64 = 8;

/// An act upon an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Confirm,
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
}

impl Act {
    pub(super) fn is_operators(self) -> bool {
        match self {
            Self::Confirm | Self::Cancel | Self::Extend { .. } => false,
            Self::Redirect { by_operator, .. } => by_operator,
            Self::Ship | Self::Deliver | Self::Complete | Self::Recall | Self::Refund(_) => true,
        }
    }

    /// Whether the ledger decides it, and holds it to the deadline of an order that waits.
    pub(super) fn minds_the_deadline(self) -> bool {
        match self {
            Self::Confirm | Self::Cancel | Self::Extend { .. } | Self::Recall => true,
            Self::Redirect { .. } | Self::Ship | Self::Deliver | Self::Complete => false,
            Self::Refund(_) => false,
        }
    }

    /// What it comes to with an order of this status, going by the mall's table of statuses.
    pub(super) fn on(self, status: OrderStatus, order: &Order) -> Told {
        let when = |is_so: bool, next| if is_so { Told::Becomes(next) } else { Told::Refused };
        match self {
            Self::Confirm if status == OrderStatus::Pending => {
                Told::Becomes(OrderStatus::Confirmed)
            }
            Self::Cancel if status == OrderStatus::Pending => Told::Becomes(OrderStatus::Cancelled),
            Self::Confirm => wished(status.on_confirm(), status),
            Self::Cancel => wished(status.on_cancel(), status),
            Self::Recall => wished(status.on_recall(), status),
            Self::Extend { .. } if status == OrderStatus::Expired => Told::TooLate,
            Self::Extend { ttl_ms } => {
                when(status == OrderStatus::Pending && ttl_ms <= WAITING_MAX_MS, status)
            }
            Self::Redirect { .. } => {
                when(status.may_be_redirected() && order.redirects < REDIRECTS_MAX, status)
            }
            Self::Ship => when(status.may_become(OrderStatus::Shipped), OrderStatus::Shipped),
            Self::Deliver => when(status == OrderStatus::Shipped && !order.is_delivered, status),
            Self::Complete => {
                when(status.may_become(OrderStatus::Completed), OrderStatus::Completed)
            }
            Self::Refund(what) => what.on(status, order),
        }
    }

    /// Method, path and body.
    pub(super) fn request(self, order: ReservationId) -> (Method, String, Value) {
        let sphere = if self.is_operators() { "admin" } else { "mall" };
        let (what, body) = match self {
            Self::Confirm => ("confirm", json!({})),
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
    /// Whether it is more than is left of the order.
    pub(super) fn is_too_much(self, order: &Order) -> bool {
        self.part.is_some_and(|(product, quantity)| quantity > order.left().get(product))
    }

    fn on(self, status: OrderStatus, order: &Order) -> Told {
        let is_paid = status != OrderStatus::Pending && status.holds();
        let goes_back = self.even_completed || status.on_recall() == Wish::GivesBack;
        if !is_paid || !goes_back || self.is_too_much(order) {
            return Told::Refused;
        }
        let is_all = self.part.is_none_or(|(_, quantity)| quantity == order.left().count());
        Told::Becomes(if is_all { OrderStatus::Cancelled } else { status })
    }

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

fn wished(wish: Wish, status: OrderStatus) -> Told {
    match wish {
        Wish::Already => Told::Becomes(status),
        Wish::GivesBack => Told::Becomes(OrderStatus::Cancelled),
        Wish::TooLate => Told::TooLate,
        Wish::Refused => Told::Refused,
    }
}

#[cfg(test)]
mod tests {
    use OrderStatus::{Cancelled, Completed, Confirmed, Expired, Pending, Shipped};
    use Told::{Becomes, Refused, TooLate};

    use super::super::units::Units;
    use super::*;

    const ALL: [OrderStatus; 6] = [Pending, Confirmed, Shipped, Completed, Cancelled, Expired];

    /// Three units of one product and one of another, of which one went back.
    fn order() -> Order {
        let units = Units::of(3, 3).with(4, 1);
        Order { returned: Units::of(3, 1), ..Order::new(0, units, 100, Confirmed) }
    }

    fn refund(part: Option<(usize, u64)>, even_completed: bool) -> Act {
        Act::Refund(GiveBack { part, restock: true, even_completed })
    }

    #[test]
    fn an_act_comes_to_what_the_document_says_of_each_status() {
        let stays = |status| Becomes(status);
        for (act, told) in [
            (
                Act::Confirm,
                [
                    stays(Confirmed),
                    stays(Confirmed),
                    stays(Shipped),
                    stays(Completed),
                    Refused,
                    TooLate,
                ],
            ),
            (
                Act::Cancel,
                [stays(Cancelled), stays(Cancelled), Refused, Refused, stays(Cancelled), TooLate],
            ),
            (
                Act::Recall,
                [stays(Cancelled), stays(Cancelled), stays(Cancelled), Refused, Refused, TooLate],
            ),
            (
                Act::Extend { ttl_ms: 5 },
                [stays(Pending), Refused, Refused, Refused, Refused, TooLate],
            ),
            (
                Act::Extend { ttl_ms: 7_200_000 },
                [Refused, Refused, Refused, Refused, Refused, TooLate],
            ),
            (
                Act::Redirect { to: 1, by_operator: false },
                [stays(Pending), stays(Confirmed), Refused, Refused, Refused, Refused],
            ),
            (Act::Ship, [Refused, stays(Shipped), Refused, Refused, Refused, Refused]),
            (Act::Deliver, [Refused, Refused, stays(Shipped), Refused, Refused, Refused]),
            (Act::Complete, [Refused, Refused, stays(Completed), Refused, Refused, Refused]),
            (
                refund(None, false),
                [Refused, stays(Cancelled), stays(Cancelled), Refused, Refused, Refused],
            ),
            (
                refund(Some((3, 2)), true),
                [Refused, stays(Confirmed), stays(Shipped), stays(Completed), Refused, Refused],
            ),
            (refund(Some((3, 3)), true), [Refused; 6]),
            (refund(Some((0, 1)), true), [Refused; 6]),
        ] {
            assert_eq!(ALL.map(|status| act.on(status, &order())), told, "{act:?}");
        }
    }

    #[test]
    fn the_last_units_end_an_order_and_what_was_done_before_is_not_done_again() {
        let mut order = order();
        order.returned = Units::of(3, 2).with(4, 1);
        assert_eq!(refund(Some((3, 1)), false).on(Shipped, &order), Becomes(Cancelled));
        order.is_delivered = true;
        assert_eq!(Act::Deliver.on(Shipped, &order), Refused);
        order.redirects = REDIRECTS_MAX;
        assert_eq!(Act::Redirect { to: 9, by_operator: true }.on(Pending, &order), Refused);
    }
}
