//! Changes of stock and points, as the mall's own document numbers and names them.

use crate::event::ChangeKind;

/// The number of a stock change: 1 in, 2 out, 3 reserved, 4 given back, 5 adjusted.
pub(crate) fn change_type(kind: ChangeKind) -> u8 {
    match kind {
        ChangeKind::Received | ChangeKind::TransferredIn => 1,
        ChangeKind::WrittenOff
        | ChangeKind::TransferredOut
        | ChangeKind::Bought
        | ChangeKind::Confirmed => 2,
        ChangeKind::Reserved => 3,
        ChangeKind::Released
        | ChangeKind::Expired
        | ChangeKind::Returned
        | ChangeKind::Discarded => 4,
        ChangeKind::Adjusted => 5,
    }
}

#[cfg(feature = "mysql")]
mod points {
    use crate::base::every;
    use crate::event::ChangeKind;

    every! {
        /// Where a user's points came from or went to. The place of each is its number in an `ENUM`
        /// column: a new one goes to the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum PointsSource {
            PaymentReward,
            AdminAdjust,
            MallConsumption,
            MallRefund,
            ExpireDeduct,
            /// Written by other applications alone.
            InviteReward,
        }
    }

    impl PointsSource {
        /// The name of each, in their order.
        pub(crate) const NAMES: [&'static str; Self::ALL.len()] = {
            let mut names = [""; Self::ALL.len()];
            let mut index = 0;
            while index < names.len() {
                names[index] = Self::ALL[index].name();
                index += 1;
            }
            names
        };

        pub(crate) const fn name(self) -> &'static str {
            match self {
                Self::PaymentReward => "payment_reward",
                Self::AdminAdjust => "admin_adjust",
                Self::MallConsumption => "mall_consumption",
                Self::MallRefund => "mall_refund",
                Self::ExpireDeduct => "expire_deduct",
                Self::InviteReward => "invite_reward",
            }
        }

        /// What the mall's document writes where nobody gave a reason.
        pub(crate) fn reason(self) -> &'static str {
            match self {
                Self::MallConsumption => "商城兑换",
                Self::MallRefund => "兑换退款",
                Self::PaymentReward
                | Self::AdminAdjust
                | Self::ExpireDeduct
                | Self::InviteReward => "",
            }
        }
    }

    /// Where the points of a change came from or went to.
    pub(crate) fn points_source(kind: ChangeKind) -> PointsSource {
        match kind {
            ChangeKind::Received => PointsSource::PaymentReward,
            // The mall does not move points between users; only an operator does.
            ChangeKind::Adjusted | ChangeKind::TransferredOut | ChangeKind::TransferredIn => {
                PointsSource::AdminAdjust
            }
            ChangeKind::WrittenOff => PointsSource::ExpireDeduct,
            ChangeKind::Reserved | ChangeKind::Bought => PointsSource::MallConsumption,
            ChangeKind::Confirmed
            | ChangeKind::Released
            | ChangeKind::Expired
            | ChangeKind::Returned
            | ChangeKind::Discarded => PointsSource::MallRefund,
        }
    }
}

#[cfg(feature = "mysql")]
pub(crate) use points::{PointsSource, points_source};
