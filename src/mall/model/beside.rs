//! The kinds of the accounts that count something beside a user's points: `KIND/USER`.

/// Points that came in and are not earned: refunds, and what corrections took away. Most users have none.
pub(crate) const NOT_EARNED: &str = "points-not-earned";
/// Points that were moved from one lot to another: each was received twice, and is no more for that.
pub(crate) const MOVED: &str = "points-moved";
