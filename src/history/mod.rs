//! The durable home of history: reservations with their life, the changes of stock and points
//! accounts, and which reservations an account owns. It is fed events in order and can always be
//! rebuilt from the journal, so no damage to it is an error; the directory is set aside and filled
//! anew.
//!
//! Without the feature `history` there is no store, and an engine opens without one.

#[cfg(not(feature = "history"))]
mod absent;
pub(crate) mod record;
#[cfg(feature = "history")]
mod sled;

pub use record::{ChangeRecord, NoteRecord, RecordLine, ReservationRecord, ReservationState};

use crate::base::Seq;
use crate::event::branch::Branch;

#[cfg(not(feature = "history"))]
pub(crate) use absent::{Store, StoreConfig, set_aside, shown};
#[cfg(feature = "history")]
pub(crate) use sled::*;

/// Whether this build has history.
pub(crate) const IS_BUILT: bool = cfg!(feature = "history");

/// What a store shows of a journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// The last event that it shows.
    pub(crate) watermark: Seq,
    /// The events up to there, as they stood in their journal.
    pub(crate) branch: Branch,
}

/// Whether what a store shows is of the journal at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    Here,
    /// It is another's, and why.
    Elsewhere(String),
}
