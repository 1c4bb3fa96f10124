//! What an engine has on disk beside its journal and its history: where it is, snapshots, claims,
//! and whether they belong to the journal that was found.

pub(in crate::engine) mod belonging;
pub(crate) mod claims;
pub(in crate::engine) mod generations;
#[cfg(feature = "server")]
pub(crate) mod kept;
pub(crate) mod newer;
pub(crate) mod snapshot;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::vfs::Vfs;
use crate::vfs::directory::Directory;

/// The data directory that an engine has in its hands, and the file system it is on.
pub(in crate::engine) struct Files {
    pub(in crate::engine) vfs: Arc<dyn Vfs>,
    pub(in crate::engine) directory: Arc<Directory>,
}

/// The path of a data directory, wherever the process goes.
///
/// # Errors
/// `Unavailable` when the process is in no directory.
pub(crate) fn absolute(vfs: &dyn Vfs, dir: &Path) -> Result<PathBuf> {
    vfs.absolute(dir).map_err(|error| Error::io(format_args!("finding {}", dir.display()), error))
}
