//! The ledger for callers that are no mall: accounts of kinds of their own, and reservations on them.
//!
//! What the mall keeps can be seen here and not changed: its orders, limits and points are more than
//! the numbers of accounts. Every reservation is on behalf of an account that is not the mall's, and
//! whatever is asked about one names that account. So a request from here never meets an order,
//! whichever number it names, and the ledger decides that under its locks.

pub(in crate::http) mod accounts;
pub(in crate::http) mod batch;
pub(in crate::http) mod events;
mod facts;
mod names;
mod outcome;
mod refused;
pub(in crate::http) mod reservations;
