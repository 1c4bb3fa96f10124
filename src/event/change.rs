//! The kinds of change an account can go through.

use serde::{Deserialize, Serialize};

use crate::base::every;

every! {
    /// What changed an account.
    ///
    /// The place of a kind in this list is its number in history's rows: a new kind goes to the end.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum ChangeKind {
        /// Units came in.
        Received,
        /// A count corrected it.
        Adjusted,
        /// Units were written off.
        WrittenOff,
        /// A reservation took units.
        Reserved,
        /// A reservation was confirmed in the step that took the units: made so, or revived.
        Bought,
        /// A reservation was confirmed.
        Confirmed,
        /// A reservation was released.
        Released,
        /// A reservation expired.
        Expired,
        /// Consumed units were returned.
        Returned,
        /// Units went to another account.
        TransferredOut,
        /// Units came from another account.
        TransferredIn,
        /// Consumed units came back and were written off.
        Discarded,
    }
}

/// What holds for every change of a kind.
struct Row {
    name: &'static str,
    of_reservation: bool,
}

impl ChangeKind {
    /// The table of kinds.
    fn row(self) -> Row {
        let alone = |name| Row { name, of_reservation: false };
        let reserving = |name| Row { name, of_reservation: true };
        match self {
            Self::Received => alone("received"),
            Self::Adjusted => alone("adjusted"),
            Self::WrittenOff => alone("writtenOff"),
            Self::Reserved => reserving("reserved"),
            Self::Bought => reserving("bought"),
            Self::Confirmed => reserving("confirmed"),
            Self::Released => reserving("released"),
            Self::Expired => reserving("expired"),
            Self::Returned => reserving("returned"),
            Self::TransferredOut => alone("transferredOut"),
            Self::TransferredIn => alone("transferredIn"),
            Self::Discarded => reserving("discarded"),
        }
    }

    /// Its name, as the API writes it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether a reservation is behind such a change. It always is, or never.
    pub fn is_of_reservation(self) -> bool {
        self.row().of_reservation
    }

    /// Its number in history's rows.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_rows_on_disk() {
        let numbered: Vec<(u8, &str)> =
            ChangeKind::ALL.iter().map(|kind| (kind.number(), kind.name())).collect();
        let expected = [
            (0, "received"),
            (1, "adjusted"),
            (2, "writtenOff"),
            (3, "reserved"),
            (4, "bought"),
            (5, "confirmed"),
            (6, "released"),
            (7, "expired"),
            (8, "returned"),
            (9, "transferredOut"),
            (10, "transferredIn"),
            (11, "discarded"),
        ];
        assert_eq!(numbered, expected);
        for kind in ChangeKind::ALL {
            assert_eq!(ChangeKind::from_number(kind.number()), Some(*kind));
        }
        assert_eq!(ChangeKind::from_number(12), None);
    }
}
