//! What the ledger must do, written plainly: the one model of its rules that stands beside the
//! engine in every trial. The simulator, the model tests, the linearizability tests and the fuzzers
//! hold the engine to it; the auditor has books of its own and shares nothing with this.
//!
//! [`Books`] are what events come to: [`Books::enter`] holds each to the rules, so that every prefix
//! of a journal is held to them. [`Books::decide`] says what must come of a request, as the events
//! and the answer that it must have. It knows requests, events and outcomes, and nothing of how the
//! ledger decides.

mod account;
mod ask;
mod books;
mod check;
mod compare;
mod decide;
mod give_back;
mod line;
mod record;
mod revive;
mod said;
mod together;

pub use account::Account;
pub use ask::{Ask, FILLER, key_of};
pub use books::{Answer, Books, Consumed, Ended, PendingReservation};
pub use check::{Checked, agree, hold};
pub use decide::{Bounds, Due, Terms};
pub use said::Said;
pub use together::{DueTogether, SaidTogether, numbers_of, said_together};
