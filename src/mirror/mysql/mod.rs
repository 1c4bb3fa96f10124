//! The mirror in MySQL or MariaDB.
//!
//! ```text
//! journal ──(subscription)──> projection ──> batch ──(one transaction: rows, watermark)──> tables
//!                                              └── epoch and watermark must be those that were found
//! ```
//!
//! | file | what it knows |
//! |---|---|
//! | `place` | the URL |
//! | `fault`, `backoff` | what an error means, and how long to wait |
//! | `names`, `projection`, `batch`, `tables`, `statements` | events as rows; no database |
//! | `migrate` | the schema |
//! | `session` | the lock, the epoch, the watermark |
//! | `write` | a batch into the tables |
//! | `pace`, `live` | the thread that follows the journal |
//! | `backlog` | what the journal keeps for it |
//! | `tool`, `reload`, `check` | what the command line does beside it |

mod backlog;
mod backoff;
mod batch;
mod check;
mod fault;
mod live;
mod migrate;
mod names;
mod pace;
mod place;
mod projection;
mod reload;
mod session;
mod statements;
mod tables;
mod time;
mod tool;
mod write;

pub(crate) use check::{Checked, check};
pub(crate) use live::{CLAIM, Mirror};
pub(crate) use place::check_database;
pub(crate) use reload::reload;
pub(crate) use tool::{Progress, migrate, status};
