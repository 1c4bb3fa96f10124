//! What each line of an exchange's reservation stands for.

use smallvec::SmallVec;

use crate::ledger::Line;

/// What a line of the reservation stands for, in the order the lines are taken. A number is the place
/// of a product among those that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mall) enum Part {
    /// Points with one end, or those that are good for ever: all such lines are one to the user.
    Points,
    /// In place of points that are none: it says whose order it is.
    Free,
    ProductQuota(usize),
    UserQuota,
    Stock(usize),
}

pub(in crate::mall) type Parts = SmallVec<[(Part, Line); 4]>;
