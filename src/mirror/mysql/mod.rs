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
//! | `errors`, `fault`, `backoff` | what an error means, and how long to wait |
//! | `names`, `projection`, `batch`, `tables`, `statements` | events as rows; no database |
//! | `migrate` | the schema |
//! | `variables`, `session` | what a connection says of itself; the lock, the epoch, the watermark |
//! | `write`, `insert` | a batch into the tables; rows by their ids, and nobody else's |
//! | `pace`, `live` | the thread that follows the journal |
//! | `backlog` | what the journal keeps for it |
//! | `tool`, `reload`, `check` | what the command line does beside it |

mod backlog;
mod backoff;
mod batch;
mod check;
mod errors;
mod fault;
mod insert;
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
mod variables;
mod write;

pub(crate) use check::{Checked, check};
pub(crate) use live::{CLAIM, Mirror};
pub(crate) use place::check_database;
pub(crate) use reload::reload;
pub(crate) use tool::{Progress, migrate, status};
