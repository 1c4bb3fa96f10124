//! What becomes of requests of those who wait.

use super::{Refusal, Reserved};

/// What became of joining a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinOutcome {
    /// The owner has a place, from now on or since before.
    Waiting {
        /// The place.
        place: u64,
        /// How many are ahead of it.
        ahead: usize,
    },
    /// A request with the same key took this place; it may have been given up since, or served.
    Before {
        /// The place.
        place: u64,
    },
    /// Nobody waits and there are units: they can be taken.
    Available {
        /// How many.
        units: u64,
    },
    /// The line has as many places as it may have.
    Full {
        /// How many there are.
        places: usize,
    },
}

/// What became of leaving a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaveOutcome {
    /// The place was given up.
    Left {
        /// The place.
        place: u64,
    },
    /// The owner has no such place (any more).
    NotWaiting,
}

/// What became of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantOutcome {
    /// Everything was taken, and the place was given up.
    Granted(Reserved),
    /// A line of the reservation found too little; the place is what it was.
    Refused(Refusal),
    /// The place is not the first in the line (any more).
    NotFirst,
}
