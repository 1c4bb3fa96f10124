//! The server in numbers: what is counted while it serves, and the one table that says how it is
//! called.
//!
//! Nothing is exported by itself: whoever may ask `GET /metrics` is shown what was counted, and what
//! the engine, the mall and whatever follows them say of themselves at that moment.

mod exposition;
mod family;
mod machine;
mod reading;
mod requests;
mod sale;
mod table;
mod users;

pub(super) use exposition::{Exposition, written};
pub(super) use reading::{Sources, Watching};
pub(super) use requests::Outcome;
use requests::{Requests, UnderWay};
pub(super) use sale::Sale;
use users::Users;
