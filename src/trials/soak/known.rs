//! What callers keep of what they were told: each order with the states it may be in, each user's
//! points.

use crate::base::TimeMs;
use crate::mall::OrderStatus;

/// A set of the states of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct States(u8);

impl States {
    pub(super) fn only(state: OrderStatus) -> Self {
        Self(1 << state as u8)
    }

    pub(super) fn has(self, state: OrderStatus) -> bool {
        self.0 & Self::only(state).0 != 0
    }

    fn with(self, state: OrderStatus) -> Self {
        Self(self.0 | Self::only(state).0)
    }

    /// Whether the order may hold points and stock.
    pub(super) fn may_hold(self) -> bool {
        OrderStatus::ALL.iter().any(|state| state.holds() && self.has(*state))
    }

    pub(super) fn is_unclear(self) -> bool {
        self.0.count_ones() > 1
    }

    /// Whether a look at the order tells anything new.
    pub(super) fn is_open(self) -> bool {
        self.has(OrderStatus::Pending) || self.is_unclear()
    }
}

/// When the server answered, by its own clock: not before `from`, the latest time it had shown
/// before it was asked, and not after `to`, which is on the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: TimeMs,
    pub(super) to: TimeMs,
}

/// An order as one caller knows it.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) user: usize,
    pub(super) product: usize,
    pub(super) quantity: u64,
    /// How many of these units operators gave back.
    pub(super) returned: u64,
    pub(super) cost: u64,
    pub(super) expires_at: TimeMs,
    pub(super) may_be: States,
}

impl Order {
    /// How many units of it are not back.
    pub(super) fn left(&self) -> u64 {
        self.quantity - self.returned
    }

    /// What those cost.
    pub(super) fn left_cost(&self) -> u64 {
        self.cost / self.quantity * self.left()
    }

    /// The order is found in this state.
    ///
    /// # Errors
    /// What is wrong, when that contradicts what was told before, or the deadline.
    pub(super) fn find(&mut self, state: OrderStatus, when: Span) -> Result<(), String> {
        let may_expire = state == OrderStatus::Expired && self.may_be.has(OrderStatus::Pending);
        let in_time = match state {
            OrderStatus::Pending => when.from < self.expires_at,
            OrderStatus::Expired => when.to >= self.expires_at,
            // What is settled stays so, whatever the time.
            _ => true,
        };
        let allowed = in_time && (may_expire || self.may_be.has(state));
        self.settle(allowed, state, when)
    }

    /// A confirm, or a cancel, succeeded.
    ///
    /// # Errors
    /// As [`Order::find`].
    pub(super) fn end(&mut self, state: OrderStatus, when: Span) -> Result<(), String> {
        let in_time = self.may_be.has(OrderStatus::Pending) && when.from < self.expires_at;
        let returned = state == OrderStatus::Cancelled && self.may_be.has(OrderStatus::Confirmed);
        self.settle(in_time || returned || self.may_be.has(state), state, when)
    }

    fn settle(&mut self, allowed: bool, state: OrderStatus, when: Span) -> Result<(), String> {
        let before = self.may_be;
        self.may_be = States::only(state);
        if allowed {
            Ok(())
        } else {
            Err(format!("it is {} ({when:?}), and was {before:?}: {self:?}", state.name()))
        }
    }

    /// A confirm, or a cancel, was asked for, and nobody knows what came of it.
    pub(super) fn doubt(&mut self, state: OrderStatus) {
        let from_confirmed =
            state == OrderStatus::Cancelled && self.may_be.has(OrderStatus::Confirmed);
        if self.may_be.has(OrderStatus::Pending) || from_confirmed {
            self.may_be = self.may_be.with(state);
        }
    }
}

/// A user's points, as far as one caller can know.
#[derive(Debug, Default)]
pub(super) struct Purse {
    /// Everything that was awarded.
    pub(super) received: u64,
    /// The most that orders may hold or have cost.
    pub(super) spent_max: u64,
}

impl Purse {
    /// What the user has at least.
    pub(super) fn least(&self) -> u64 {
        self.received.saturating_sub(self.spent_max)
    }
}

/// What a caller did to the stock of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) received: u64,
    pub(super) written_off: u64,
    /// What its orders hold, and what they bought.
    pub(super) reserved: u64,
    pub(super) sold: u64,
}

impl Stock {
    pub(super) fn add(&mut self, other: Self) {
        self.received += other.received;
        self.written_off += other.written_off;
        self.reserved += other.reserved;
        self.sold += other.sold;
    }
}

#[cfg(test)]
mod tests {
    use OrderStatus::{Cancelled, Confirmed, Expired, Pending};

    use super::*;

    const BEFORE: Span = Span { from: 90, to: 95 };
    const AROUND: Span = Span { from: 99, to: 101 };
    const AFTER: Span = Span { from: 100, to: 105 };

    fn order(may_be: States) -> Order {
        Order { user: 0, product: 0, quantity: 1, returned: 0, cost: 5, expires_at: 100, may_be }
    }

    #[test]
    fn an_order_is_found_as_it_was_told_or_as_time_has_left_it() {
        let one = States::only;
        for (may_be, state, when, allowed) in [
            (one(Pending), Pending, BEFORE, true),
            (one(Pending), Pending, AROUND, true),
            (one(Pending), Pending, AFTER, false),
            (one(Pending), Expired, BEFORE, false),
            (one(Pending), Expired, AROUND, true),
            (one(Pending), Expired, AFTER, true),
            (one(Pending), Confirmed, BEFORE, false),
            (one(Pending), Cancelled, BEFORE, false),
            (one(Pending).with(Confirmed), Confirmed, AFTER, true),
            (one(Pending).with(Confirmed), Expired, AFTER, true),
            (one(Confirmed), Confirmed, AFTER, true),
            (one(Confirmed), Expired, AFTER, false),
            (one(Confirmed), Cancelled, AFTER, false),
            (one(Cancelled), Cancelled, AFTER, true),
            (one(Cancelled), Confirmed, AFTER, false),
            (one(Expired), Expired, AFTER, true),
            (one(Expired), Pending, BEFORE, false),
            (one(Expired), Confirmed, BEFORE, false),
        ] {
            let mut order = order(may_be);
            assert_eq!(
                order.find(state, when).is_ok(),
                allowed,
                "{may_be:?} found {state:?} {when:?}"
            );
            assert!(order.may_be == States::only(state), "it is what it was found as");
        }
    }

    #[test]
    fn an_order_ends_once_and_in_time() {
        let one = States::only;
        for (may_be, state, when, allowed) in [
            (one(Pending), Confirmed, BEFORE, true),
            (one(Pending), Confirmed, AROUND, true),
            (one(Pending), Confirmed, AFTER, false),
            (one(Pending), Cancelled, AFTER, false),
            (one(Confirmed), Confirmed, AFTER, true),
            (one(Confirmed), Cancelled, AFTER, true),
            (one(Cancelled), Cancelled, AFTER, true),
            (one(Cancelled), Confirmed, BEFORE, false),
            (one(Expired), Confirmed, BEFORE, false),
            (one(Expired), Cancelled, BEFORE, false),
        ] {
            assert_eq!(
                order(may_be).end(state, when).is_ok(),
                allowed,
                "{may_be:?} ended {state:?} {when:?}"
            );
        }
    }

    #[test]
    fn what_was_asked_and_not_answered_is_possible_and_no_more() {
        let mut order = order(States::only(Pending));
        order.doubt(Confirmed);
        order.doubt(Cancelled);
        assert!(
            [Pending, Confirmed, Cancelled].iter().all(|state| order.may_be.has(*state)),
            "{order:?}"
        );
        assert!(
            order.may_be.is_open() && order.may_be.may_hold() && !order.may_be.has(Expired),
            "{order:?}"
        );
        let mut ended = super::tests::order(States::only(Expired));
        ended.doubt(Confirmed);
        assert!(ended.may_be == States::only(Expired), "what has ended ends in no other way");
    }
}
