//! Sets of states.

use crate::mall::OrderStatus;

/// A set of the states of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct States(u8);

impl States {
    pub(super) fn only(state: OrderStatus) -> Self {
        Self(1 << state as u8)
    }

    pub(super) fn has(self, state: OrderStatus) -> bool {
        self.0 & Self::only(state).0 != 0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = OrderStatus> {
        OrderStatus::ALL.iter().copied().filter(move |state| self.has(*state))
    }

    /// The one state that it is; `None` while several are possible.
    pub(super) fn one(self) -> Option<OrderStatus> {
        self.iter().next().filter(|_| !self.is_unclear())
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the order may hold points and stock.
    pub(super) fn may_hold(self) -> bool {
        self.iter().any(OrderStatus::holds)
    }

    /// Whether the order may be confirmed, or what follows that.
    pub(super) fn may_be_paid(self) -> bool {
        self.iter().any(|state| state.holds() && state != OrderStatus::Pending)
    }

    pub(super) fn is_unclear(self) -> bool {
        self.0.count_ones() > 1
    }
}

impl FromIterator<OrderStatus> for States {
    fn from_iter<T: IntoIterator<Item = OrderStatus>>(states: T) -> Self {
        states.into_iter().fold(Self::default(), |set, state| set.with(Self::only(state)))
    }
}
