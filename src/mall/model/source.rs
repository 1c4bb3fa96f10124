//! Where points come from and go to: the one table of sources. Numbers, names, what operators may
//! do with each, and what the documents say follow from it.

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
        InviteReward,
    }
}

every! {
    /// How points are moved by operators and services.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Moving {
        Award,
        Deduct,
        Refund,
    }
}

/// What a source may be named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Never,
    /// What a user has earned, by which levels go, stays as it is.
    Moves,
    /// The user has earned as much more, or less.
    Earns,
}

/// A row of the table.
struct Row {
    name: &'static str,
    /// What the mall's document writes where nobody gave a reason.
    reason: &'static str,
    award: Use,
    deduct: Use,
    refund: Use,
}

impl PointsSource {
    /// The table.
    const fn row(self) -> Row {
        use Use::{Earns, Moves, Never};
        match self {
            Self::PaymentReward => of("payment_reward", "", [Earns, Never, Never]),
            Self::AdminAdjust => of("admin_adjust", "", [Earns, Earns, Never]),
            Self::MallConsumption => of("mall_consumption", "商城兑换", [Never, Moves, Never]),
            Self::MallRefund => of("mall_refund", "兑换退款", [Never, Never, Moves]),
            Self::ExpireDeduct => of("expire_deduct", "", [Never, Moves, Never]),
            Self::InviteReward => of("invite_reward", "", [Earns, Never, Never]),
        }
    }

    /// Its name, as the mall's document and its tables have it.
    pub(crate) const fn name(self) -> &'static str {
        self.row().name
    }

    /// The source with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|source| source.name() == name)
    }

    /// What the mall's document writes where nobody gave a reason.
    pub(crate) fn reason(self) -> &'static str {
        self.row().reason
    }

    /// Whether points may be moved so with this source.
    pub(crate) fn may(self, moving: Moving) -> bool {
        self.use_for(moving) != Use::Never
    }

    /// Whether the user has then earned as much more, or less.
    pub(crate) fn earns(self, moving: Moving) -> bool {
        self.use_for(moving) == Use::Earns
    }

    fn use_for(self, moving: Moving) -> Use {
        let Row { award, deduct, refund, .. } = self.row();
        match moving {
            Moving::Award => award,
            Moving::Deduct => deduct,
            Moving::Refund => refund,
        }
    }

    /// The name of each, in their order.
    #[cfg(feature = "mysql")]
    pub(crate) const NAMES: [&'static str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut index = 0;
        while index < names.len() {
            names[index] = Self::ALL[index].name();
            index += 1;
        }
        names
    };

    /// Where the points of a change came from or went to, where it does not say so itself.
    pub(crate) fn of_change(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Received => Self::PaymentReward,
            // The mall does not move points between users; only an operator does.
            ChangeKind::Adjusted | ChangeKind::TransferredOut | ChangeKind::TransferredIn => {
                Self::AdminAdjust
            }
            ChangeKind::WrittenOff => Self::ExpireDeduct,
            ChangeKind::Reserved | ChangeKind::Bought => Self::MallConsumption,
            ChangeKind::Confirmed
            | ChangeKind::Released
            | ChangeKind::Expired
            | ChangeKind::Returned
            | ChangeKind::Discarded => Self::MallRefund,
        }
    }
}

const fn of(name: &'static str, reason: &'static str, uses: [Use; 3]) -> Row {
    let [award, deduct, refund] = uses;
    Row { name, reason, award, deduct, refund }
}

impl Moving {
    #[cfg(any(test, feature = "server"))]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Award => "award",
            Self::Deduct => "deduct",
            Self::Refund => "refund",
        }
    }

    /// The way of moving points with this name.
    #[cfg(any(test, feature = "server"))]
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|moving| moving.name() == name)
    }

    /// The source of what is moved so where none is named.
    pub(crate) fn usual_source(self) -> PointsSource {
        match self {
            Self::Award => PointsSource::PaymentReward,
            Self::Deduct => PointsSource::AdminAdjust,
            Self::Refund => PointsSource::MallRefund,
        }
    }

    /// The names of the sources that may be named for it.
    pub(crate) fn sources(self) -> impl Iterator<Item = &'static str> {
        PointsSource::ALL.iter().filter(move |it| it.may(self)).map(|it| it.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc_tables;

    #[test]
    fn the_table_is_in_the_api_document() {
        let told = |source: &PointsSource, moving| match source.use_for(moving) {
            Use::Never => "no",
            Use::Moves => "yes",
            Use::Earns => "earned",
        };
        let row = |(number, source): (usize, &PointsSource)| {
            let uses = Moving::ALL.iter().map(|moving| told(source, *moving));
            let uses: Vec<&str> = uses.collect();
            format!("| {} | `{}` | {} |", number + 1, source.name(), uses.join(" | "))
        };
        let rows: Vec<String> = PointsSource::ALL.iter().enumerate().map(row).collect();
        let document = include_str!("../../../docs/api.md");
        doc_tables::check("docs/api.md", document, "### Sources of points", &rows);
    }

    #[test]
    fn each_way_of_moving_points_has_its_usual_source() {
        for moving in Moving::ALL {
            assert!(moving.usual_source().may(*moving), "{moving:?}");
            assert_eq!(Moving::named(moving.name()), Some(*moving));
        }
        assert_eq!(PointsSource::named("invite_reward"), Some(PointsSource::InviteReward));
        assert_eq!(PointsSource::named("INVITE_REWARD"), None);
    }
}
