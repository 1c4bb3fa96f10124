//! Where an order stands.

use crate::base::{TimeMs, every};
use crate::history::record::{ReservationRecord, ReservationState};

every! {
    /// Where an order stands.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum OrderStatus {
        /// It waits for its confirmation.
        Pending,
        /// It is paid.
        Confirmed,
        /// It was sent.
        Shipped,
        /// It is over, and well.
        Completed,
        /// It was given up while it waited, or returned after it was confirmed.
        Cancelled,
        /// Nobody confirmed it in time.
        Expired,
    }
}

/// What becomes of a user's wish, when the ledger has not fulfilled it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It is so already.
    Already,
    /// The order is given back.
    GivesBack,
    /// It comes too late.
    TooLate,
    Refused,
}

/// What holds for every order of a status.
#[cfg_attr(not(feature = "bin"), allow(dead_code, reason = "the mirror and the trials ask"))]
struct Row {
    /// The number in the mall's own table of orders.
    number: i8,
    name: &'static str,
    /// What an order is before it becomes this.
    follows: &'static [OrderStatus],
    /// Whether the order has points and stock.
    holds: bool,
    /// What a user's confirm comes to, a user's cancel, and an operator's.
    confirm: Wish,
    cancel: Wish,
    recall: Wish,
    /// Whether it may still be told where to go.
    may_be_redirected: bool,
}

#[cfg_attr(not(feature = "bin"), allow(dead_code, reason = "the mirror and the trials ask"))]
impl OrderStatus {
    /// The table of statuses, with the numbers of the mall's document.
    fn row(self) -> Row {
        match self {
            // The ledger confirms and releases what waits; a caller who still sees it pending is
            // looking at a different clock.
            Self::Pending => Row {
                number: 0,
                name: "pending",
                follows: &[],
                holds: true,
                confirm: Wish::Refused,
                cancel: Wish::Refused,
                recall: Wish::GivesBack,
                may_be_redirected: true,
            },
            Self::Confirmed => Row {
                number: 1,
                name: "confirmed",
                // A payment after the deadline takes everything again, where it is there.
                follows: &[Self::Pending, Self::Expired],
                holds: true,
                confirm: Wish::Already,
                cancel: Wish::GivesBack,
                recall: Wish::GivesBack,
                may_be_redirected: true,
            },
            Self::Shipped => Row {
                number: 2,
                name: "shipped",
                follows: &[Self::Confirmed],
                holds: true,
                confirm: Wish::Already,
                cancel: Wish::Refused,
                recall: Wish::GivesBack,
                may_be_redirected: false,
            },
            Self::Completed => Row {
                number: 3,
                name: "completed",
                follows: &[Self::Shipped],
                holds: true,
                confirm: Wish::Already,
                cancel: Wish::Refused,
                // A completed order is given back only by a caller that asks for that explicitly.
                recall: Wish::Refused,
                may_be_redirected: false,
            },
            Self::Cancelled => Row {
                number: -1,
                name: "cancelled",
                follows: &[Self::Pending, Self::Confirmed, Self::Shipped, Self::Completed],
                holds: false,
                confirm: Wish::Refused,
                cancel: Wish::Already,
                recall: Wish::Refused,
                may_be_redirected: false,
            },
            Self::Expired => Row {
                number: -1,
                name: "expired",
                follows: &[Self::Pending],
                holds: false,
                confirm: Wish::TooLate,
                cancel: Wish::TooLate,
                recall: Wish::TooLate,
                may_be_redirected: false,
            },
        }
    }

    /// The number in the mall's own table of orders.
    pub(crate) fn number(self) -> i8 {
        self.row().number
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    /// The status with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.name() == name)
    }

    /// Whether an order that stands here may become `next`.
    pub(crate) fn may_become(self, next: Self) -> bool {
        next.row().follows.contains(&self)
    }

    /// Whether such an order has points and stock.
    pub(crate) fn holds(self) -> bool {
        self.row().holds
    }

    pub(crate) fn on_confirm(self) -> Wish {
        self.row().confirm
    }

    pub(crate) fn on_cancel(self) -> Wish {
        self.row().cancel
    }

    /// What an operator's cancel, or refund, comes to.
    pub(crate) fn on_recall(self) -> Wish {
        self.row().recall
    }

    pub(crate) fn may_be_redirected(self) -> bool {
        self.row().may_be_redirected
    }

    /// What the reservation alone says. The deadline decides: an order past it has expired, even if
    /// the wheel has not turned yet.
    pub(crate) fn of(record: &ReservationRecord, now_ms: TimeMs) -> Self {
        match record.state {
            ReservationState::Pending if now_ms >= record.expires_at => Self::Expired,
            ReservationState::Pending => Self::Pending,
            ReservationState::Confirmed => Self::Confirmed,
            ReservationState::Released | ReservationState::Returned => Self::Cancelled,
            ReservationState::Expired => Self::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_name_of_its_own_and_the_number_of_the_document() {
        let numbered: Vec<_> =
            OrderStatus::ALL.iter().map(|status| (status.name(), status.number())).collect();
        let expected = [
            ("pending", 0),
            ("confirmed", 1),
            ("shipped", 2),
            ("completed", 3),
            ("cancelled", -1),
            ("expired", -1),
        ];
        assert_eq!(numbered, expected);
        for status in OrderStatus::ALL {
            assert_eq!(OrderStatus::from_name(status.name()), Some(*status));
        }
        assert_eq!(OrderStatus::from_name("lost"), None);
    }

    #[test]
    fn an_order_begins_waiting_and_what_is_over_stays_so_unless_it_is_paid_late() {
        for status in OrderStatus::ALL {
            let is_first = !OrderStatus::ALL.iter().any(|before| before.may_become(*status));
            assert_eq!(is_first, *status == OrderStatus::Pending, "{status:?}");
            let next: Vec<_> =
                OrderStatus::ALL.iter().filter(|next| status.may_become(**next)).collect();
            match status {
                OrderStatus::Expired => assert_eq!(next, [&OrderStatus::Confirmed]),
                status => assert!(next.is_empty() || status.holds(), "{status:?}"),
            }
        }
    }
}
