//! Returns that do not bring everything back at once.

use serde::{Deserialize, Serialize};

use crate::base::AccountId;

/// What a return says that brought back a part of what its reservation consumed, or the rest of it,
/// or units that are not to be had again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Everything that the reservation consumed, and how much of it is back after this return.
    pub lines: Vec<PartLine>,
    /// The accounts whose units came back to be written off: none of them is available again.
    pub written_off: Vec<AccountId>,
}

/// A line of a reservation that consumed units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLine {
    /// The account.
    pub account: AccountId,
    /// How many units were consumed when it was confirmed.
    pub consumed: u64,
    /// How many of them were returned since.
    pub returned: u64,
}

impl Part {
    /// Whether nothing is left to return.
    pub fn is_last(&self) -> bool {
        self.lines.iter().all(|line| line.left() == 0)
    }
}

impl PartLine {
    /// How many units are consumed still.
    pub fn left(&self) -> u64 {
        self.consumed.saturating_sub(self.returned)
    }
}
