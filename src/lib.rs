//! The inventory core for sales that must not oversell: a durable, concurrent stock ledger in your
//! process.
//!
//! A reservation takes units of several accounts (a product's stock, a user's points, a user's
//! quota) in one atomic step, and is confirmed, released, or lapses at its deadline. What is
//! acknowledged is in a write-ahead journal.
//!
//! ```
//! use stockhold::{AccountKey, ConfirmOutcome, Engine, Line, Policy, Receive, Reserve};
//!
//! # fn main() -> stockhold::Result<()> {
//! # let dir = tempfile::tempdir().expect("a temporary directory");
//! # let dir = dir.path();
//! let engine = Engine::builder(dir).open()?;
//! let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
//! engine.receive(Receive::new(tea, 1).note("first delivery"))?.wait()?;
//!
//! // Take the only unit and hold it for 15 minutes.
//! let lines = [Line { account: tea, quantity: 1 }];
//! let taken = engine.reserve(Reserve::new(&lines, 15 * 60 * 1000))?.wait()?;
//! let taken = taken.reserved().expect("there was one");
//!
//! // The next buyer is told the truth: which line, how much there is, and when units may come back.
//! let refused = engine.reserve(Reserve::new(&lines, 15 * 60 * 1000))?.wait()?;
//! let refusal = refused.reserved().expect_err("it was the only one");
//! assert_eq!((refusal.line, refusal.available), (0, 0));
//! assert_eq!(refusal.next_release_at, Some(taken.expires_at));
//!
//! // The payment arrived: make it final.
//! let paid = engine.confirm(taken.reservation)?.wait()?;
//! assert_eq!(paid, ConfirmOutcome::Confirmed { reservation: taken.reservation });
//! engine.close()
//! # }
//! ```
//!
//! # What it is not
//!
//! Not a database: it knows accounts and reservations and answers no queries beyond them and their
//! history. Not distributed: one process owns a data directory, and availability is a restart in
//! seconds. Not a payment service: it keeps units until you say that the payment arrived, or the
//! deadline says that it did not.
//!
//! # Durability
//!
//! Every command answers at once with a [`Ticket`]. Its outcome is decided;
//! [`Ticket::wait`] or `.await` resolves when it survives a crash. One sync carries all
//! commands that came while the one before it ran.
//!
//! # Bounds
//!
//! Units return at most 10 ms after their deadline, plus the time that applying what lapsed
//! together takes. Quantities are at most [`QUANTITY_MAX`](limits::QUANTITY_MAX), and so is all that an account ever
//! receives ([`RECEIVED_MAX`](limits::RECEIVED_MAX)). Every table and queue has a bound; reaching it is
//! [`ErrorKind::Overloaded`].
#![forbid(unsafe_code)]
// Elsewhere than in tests, an `expect` says why it cannot fail.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod base;
#[cfg(all(test, feature = "server"))]
mod doc_tables;
pub mod engine;
pub mod event;
pub mod history;
mod journal;
mod ledger;
#[cfg(any(feature = "server", feature = "client"))]
#[allow(dead_code, unused_imports, reason = "not every caller needs all of it")]
mod outgoing;
pub mod reader;
#[cfg(feature = "test-util")]
pub mod test_util;
#[cfg(any(test, feature = "bin", feature = "test-util"))]
mod trials;
mod vfs;

#[cfg(feature = "audit")]
#[cfg_attr(not(feature = "bin"), allow(unused, reason = "tests ask less of it than the program"))]
mod audit;
#[cfg(feature = "server")]
mod backup;
#[cfg(feature = "bin")]
mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod mall;
#[cfg(feature = "bin")]
mod points;
#[cfg(feature = "bin")]
mod process;
#[cfg(feature = "bin")]
mod settings;
#[cfg(feature = "server")]
mod sink;
#[cfg(feature = "server")]
mod webhooks;
#[cfg(any(feature = "server", feature = "client"))]
#[cfg_attr(
    not(all(feature = "server", feature = "client")),
    allow(dead_code, unused_imports, reason = "one side reads what the other writes")
)]
mod wire;

pub use base::error::{Error, ErrorKind, Result};
pub use base::{AccountId, AccountKey, AccountKind, IdempotencyKey, ReservationId, Seq, TimeMs};
pub use command::{Confirm, Line, Reacquire, Receive, Refund, Release, Reserve};
pub use engine::{Engine, EngineBuilder, Ticket};
pub use event::{Policy, Window};
pub use ledger::{Level, Pending, Waiting};
pub use outcome::{
    ConfirmOutcome, ReacquireOutcome, RefundOutcome, ReleaseOutcome, ReserveOutcome,
};

#[cfg(feature = "bin")]
pub use cli::main;

/// Where the time comes from.
pub mod clock {
    pub use crate::base::clock::{Clock, ManualClock, SystemClock};
}

/// Requests: each begins with what it cannot do without, and is told the rest by methods.
pub mod command {
    pub use crate::ledger::{
        Adjust, Atomic, Command, Confirm, Deadline, Extend, Grant, Join, Leave, Line, Note,
        PutDocument, Reacquire, Receive, Refund, Release, Reserve, SetPolicy, Transfer, WriteOff,
    };
}

/// The bounds of what a request may name.
pub mod limits {
    pub use crate::base::{
        ATOMIC_COMMANDS_MAX, ATOMIC_LINES_MAX, BODY_BYTES_MAX, LINES_MAX, PLACE_BYTES_MAX,
        PLACES_MAX, QUANTITY_MAX, RECEIVED_MAX, TTL_MS_MAX,
    };
}

/// What becomes of requests: a type for each kind.
pub mod outcome {
    pub use crate::ledger::{
        AtomicOutcome, ChangeOutcome, Changed, CloseOutcome, ConfirmOutcome, ExtendOutcome,
        FirstAnswer, GrantOutcome, JoinOutcome, LeaveOutcome, NotPending, Outcome,
        ReacquireOutcome, RefundOutcome, Refusal, ReleaseOutcome, ReserveOutcome, Reserved,
        TransferOutcome, Transferred,
    };
}
