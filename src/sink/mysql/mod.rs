//! The mirror in MySQL or MariaDB.
//!
//! ```text
//! journal ──(subscription)──> projection ──> batch ──(one transaction: rows, watermark)──> tables
//!                                              └── epoch and watermark must be those that were found
//! ```
//!
//! | file | what it knows |
//! |---|---|
//! | `target`, `conn`, `prefix` | the URL; connections, and what the tables are called there |
//! | `errors`, `fault`, `backoff` | what an error means, and how long to wait |
//! | `tables` | one file for each table, with a column in one place; no database |
//! | `projection`, `batch`, `statement`, `value`, `time` | events as rows of them, and how those are written |
//! | `schema`, `catalogue`, `fit`, `plan`, `migrate` | the tables as they should be, as they are, and what is done about it |
//! | `variables`, `session` | what a connection says of itself; the lock, the epoch, the watermark |
//! | `write`, `insert` | a batch into the tables; rows by their ids, and nobody else's |
//! | `live`, `follow`, `pace` | the thread that follows the journal, one session after the other |
//! | `reporter` | what it says of itself |
//! | `backlog` | what the journal keeps for it |
//! | `tool`, `reload`, `beside`, `check` | what the command line does beside it |

mod backlog;
mod backoff;
mod balances;
mod batch;
mod beside;
mod catalogue;
mod check;
mod conn;
mod errors;
mod fault;
mod fit;
mod follow;
mod insert;
mod live;
mod migrate;
mod pace;
mod phase;
mod plan;
mod pool;
mod prefix;
mod projection;
mod reload;
mod reporter;
mod schema;
mod session;
mod statement;
mod tables;
mod target;
mod time;
mod tool;
mod value;
mod variables;
mod write;

pub(crate) use check::{Checked, check};
pub(crate) use live::{CLAIM, Mirror};
pub(crate) use reload::reload;
pub(crate) use target::check_database;
pub(crate) use tool::{TablesStatus, dry_run, migrate, status, views};
