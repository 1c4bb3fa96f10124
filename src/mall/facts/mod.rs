//! What the mall writes into the bytes that the engine keeps for it: the details and the notes of
//! reservations, the reasons of changes, the documents of the catalogue. Each is typed and says its
//! version; the bytes of every version that was ever written stay readable, which the tests beside
//! each of them hold.
//!
//! | where | what | how its version shows |
//! |---|---|---|
//! | details of a reservation | [`OrderDetails`] | a byte before it; up to 0.1.0 none |
//! | note on a reservation | [`OrderFact`] | a byte after the mark |
//! | reason of a change | [`Note`] | a digit after the mark; a plain text has neither |
//! | document of an alert | [`Alert`] | as a document of the catalogue |
//! | document of a user's preferences | [`Preferences`] | as a document of the catalogue |
//! | document of what a user looked at | [`Browsed`] | as a document of the catalogue |
//! | document of the views of a day | [`DayPart`] | as a document of the catalogue |
//! | file `served-DAY` beside the journal | [`Served`] | new fields and kinds are added; none is left out |
//! | document of a revocation | [`Revocation`] | as a document of the catalogue |
//! | what is kept with a place in a line | [`PlaceDetails`] | a byte before it |
//! | document of a saga | [`Saga`] | as a document of the catalogue |
//! | documents of an experiment | [`ExperimentRun`], [`RunUsers`] | as a document of the catalogue |
//! | why a place was given up | [`Parting`] | a word; new reasons have new words |
//! | documents of an import that is under way | [`Pending`] | the field `version` of the last |
//! | document of the catalogue | [`document`] | the field `version`; without one it is 1 |

mod alert;
mod browsed;
mod details;
pub(crate) mod document;
mod experiment;
mod import;
mod order;
mod preferences;
mod reason;
mod revocation;
mod saga;
mod served;
mod waiting;

pub(crate) use alert::{ALERTS, Acknowledged, Alert, AlertEnd, AlertId, AlertKind, Condition};
pub(crate) use browsed::{
    BROWSED, BROWSED_MAX, Browsed, DayPart, DayTotals, Look, PART_PRODUCTS_MAX, VIEW_DAYS, Views,
};
pub(super) use details::Details;
pub(crate) use details::{OrderDetails, OrderItem, Snapshot, SnapshotShown};
pub(crate) use experiment::{
    EXPERIMENT_USERS, EXPERIMENTS, ExperimentRun, RunCount, RunEnd, RunUser, RunUsers,
};
pub(crate) use import::{IMPORTS, Pending, SEAL, pieces, seal, sealed};
pub(crate) use order::{Fulfilment, OrderFact, ServiceWish};
pub(crate) use preferences::{
    FAVOURITES_MAX, Favourite, Hundredths, PREFERENCES, Preferences, WEIGHTS_MAX,
};
pub(crate) use reason::{Note, PointsNote, REASON_CHARS_MAX};
pub(crate) use revocation::{EVERYBODY, REVOCATIONS, Revocation};
pub(crate) use saga::{GivingBack, SAGAS, Saga, SagaAct, SagaActKind, SagaTake};
#[cfg(feature = "bin")]
pub(crate) use served::LONGEST_MS;
pub(crate) use served::{Answered, Asking, BOUNDS_MS, BUCKETS, Served};
pub(crate) use waiting::{Parting, PlaceDetails};
