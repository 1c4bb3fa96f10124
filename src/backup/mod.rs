//! Backups of a data directory, made while a server runs on it, and directories restored from them.
//!
//! A backup is a flat set of objects: copies of the journal's segments, which are what the archive
//! holds, and now and then a snapshot of the ledger. The segment that is being written is copied
//! again as it grows, and what was copied of it before is removed. `docs/format.md` has the names.
//!
//! | file | what it knows |
//! |---|---|
//! | `names` | what objects are called |
//! | `seal` | how they are encrypted |
//! | `target`, `s3` | where they are kept |
//! | `repository` | the objects of one backup |
//! | `run` | copying what is new, letting go what is old |
//! | `look` | which moments it has, and whether all of it verifies |
//! | `restore` | a directory as it was |
//! | `status` | what a server tells of its backups |

#[cfg(feature = "bin")]
mod look;
#[cfg(feature = "bin")]
mod names;
#[cfg(feature = "bin")]
mod repository;
#[cfg(feature = "bin")]
mod restore;
#[cfg(feature = "bin")]
mod run;
#[cfg(feature = "bin")]
mod s3;
#[cfg(feature = "bin")]
mod seal;
mod status;
#[cfg(feature = "bin")]
mod target;
#[cfg(all(test, feature = "bin"))]
mod tests;

#[cfg(feature = "bin")]
pub(crate) use self::{
    look::{Contents, check, list},
    restore::{Moment, Restored, Step, restore},
    run::{Plan, Run, run},
    s3::{Access, S3},
    seal::Key,
    target::{Directory, Target},
};
pub(crate) use status::{BackupStatus, BackupView};
