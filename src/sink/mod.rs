//! The mirror: the mall's reporting tables in MySQL or MariaDB, which follow the journal. A sale
//! never waits for it, and every event counts there exactly once, however often either side dies.
//! `docs/mirror.md` has the tables.
//!
//! It sits above the mall, not beside the store: its rows are made of the mall's documents and of
//! what an order keeps of its product, and it follows the journal on the engine's public face, as
//! anybody's follower would.

#[cfg(all(feature = "bin", not(feature = "mysql")))]
mod absent;
#[cfg(feature = "bin")]
mod config;
#[cfg(feature = "mysql")]
mod mysql;
mod status;

#[cfg(all(feature = "bin", not(feature = "mysql")))]
pub(crate) use absent::{CLAIM, Mirror, check_database};
#[cfg(feature = "bin")]
pub(crate) use config::{Backlog, BacklogPolicy, Database, MirrorConfig};
#[cfg(feature = "mysql")]
pub(crate) use mysql::*;
pub(crate) use status::{MirrorStatus, MirrorView, State as MirrorState};
