//! Whether a newer program had the directory: everything that an opening reads is looked at first,
//! so that an older program changes nothing.

use std::path::Path;

use super::{claims, snapshot};
use crate::base::error::Result;
#[cfg(feature = "history")]
use crate::history;
use crate::journal;
use crate::vfs::Vfs;
use crate::vfs::directory;
use crate::vfs::version::Versioned;

/// A kind of file that says its version, and where such files are in a data directory.
struct Kind {
    format: Versioned,
    at: At,
}

/// Where they are.
enum At {
    /// The one of this name.
    File(&'static str),
    /// All in a directory whose names begin and end so.
    All { dir: &'static str, begin: &'static str, end: &'static str },
}

/// Every kind. A program that does not know the version of one opens nothing.
const KINDS: &[Kind] = &[
    Kind { format: directory::VERSIONED, at: At::File("identity") },
    Kind { format: journal::SEGMENT, at: At::All { dir: "journal", begin: "segment-", end: "" } },
    Kind { format: snapshot::VERSIONED, at: At::All { dir: "checkpoint", begin: "", end: ".bin" } },
    Kind { format: claims::VERSIONED, at: At::All { dir: "claims", begin: "", end: ".claim" } },
    #[cfg(feature = "server")]
    Kind { format: super::kept::VERSIONED, at: At::All { dir: "kept", begin: "", end: ".kept" } },
    #[cfg(feature = "history")]
    Kind { format: history::MANIFEST, at: At::File("store.manifest") },
];

/// How this program writes each kind of file.
#[cfg(feature = "bin")]
pub(crate) fn versioned() -> impl Iterator<Item = &'static Versioned> {
    KINDS.iter().map(|kind| &kind.format)
}

/// Whether this program knows the version of every file in the data directory `dir`. A directory
/// that is not there has none.
///
/// # Errors
/// `Unavailable` naming the first file of a higher version and what to do, or when a file cannot be
/// read.
pub(crate) fn check(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    KINDS.iter().try_for_each(|Kind { format, at }| match at {
        At::File(name) => format.check(vfs, &dir.join(name)),
        At::All { dir: inner, begin, end } => {
            let is_one = |name: &str| name.starts_with(begin) && name.ends_with(end);
            format.check_all(vfs, &dir.join(inner), is_one)
        }
    })
}
