//! What an act comes to with an order, going by the mall's table of statuses.

use super::acts::{Act, GiveBack, REDIRECTS_MAX, Told, WAITING_MAX_MS};
use super::known::Order;
use crate::mall::{OrderStatus, Wish};

impl Act {
    /// What it comes to with an order of this status.
    pub(super) fn on(self, status: OrderStatus, order: &Order) -> Told {
        let when = |is_so: bool, next| if is_so { Told::Becomes(next) } else { Told::Refused };
        match self {
            Self::Confirm | Self::Reacquire if status == OrderStatus::Pending => {
                Told::Becomes(OrderStatus::Confirmed)
            }
            Self::Reacquire if status == OrderStatus::Expired => {
                Told::BecomesIfThere(OrderStatus::Confirmed)
            }
            Self::Cancel if status == OrderStatus::Pending => Told::Becomes(OrderStatus::Cancelled),
            Self::Confirm | Self::Reacquire => wished(status.on_confirm(), status),
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
                Act::Reacquire,
                [
                    stays(Confirmed),
                    stays(Confirmed),
                    stays(Shipped),
                    stays(Completed),
                    Refused,
                    Told::BecomesIfThere(Confirmed),
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
