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

/// Whether this program knows the version of every file in the data directory `dir`. A directory
/// that is not there has none.
///
/// # Errors
/// `Unavailable` naming the first file of a higher version and what to do, or when a file cannot be
/// read.
pub(crate) fn check(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    directory::VERSIONED.check(vfs, &dir.join("identity"))?;
    let is_segment = |name: &str| name.starts_with("segment-");
    journal::SEGMENT.check_all(vfs, &dir.join("journal"), is_segment)?;
    snapshot::VERSIONED.check_all(vfs, &dir.join("checkpoint"), |name| name.ends_with(".bin"))?;
    claims::VERSIONED.check_all(vfs, &dir.join("claims"), |name| name.ends_with(".claim"))?;
    #[cfg(feature = "server")]
    super::kept::VERSIONED.check_all(vfs, &dir.join("kept"), |name| name.ends_with(".kept"))?;
    #[cfg(feature = "history")]
    history::MANIFEST.check(vfs, &dir.join("store.manifest"))?;
    Ok(())
}
