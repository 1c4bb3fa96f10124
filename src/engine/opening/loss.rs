//! Going on without acknowledged records that are missing from the end of the journal, because
//! somebody said so by name.

use std::path::{Path, PathBuf};

use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::engine::files::claims;
use crate::engine::files::snapshot;
use crate::history;
use crate::journal::JournalScan;
use crate::vfs::Vfs;
use crate::vfs::directory;
use std::sync::Arc;

/// What was set aside, and why.
#[derive(Debug)]
#[cfg_attr(not(feature = "bin"), allow(dead_code, reason = "only the command line tells it"))]
pub(crate) struct Accepted {
    /// The last record that there is.
    pub(crate) last_seq: Seq,
    /// The last record that something showed.
    pub(crate) shown_seq: Seq,
    /// What showed it, where it is now.
    pub(crate) set_aside: Vec<PathBuf>,
}

/// Sets aside whatever shows records beyond the end of the journal: snapshots and history. Whoever
/// followed the ledger may have seen them too, so claims go as well, and the directory becomes
/// another one for those who know it by its identity. `None`, and nothing is changed, when nothing
/// shows more than there is. The caller holds the directory's lock.
///
/// # Errors
/// `Corrupt` when what is left is not a whole ledger, `Unavailable` when the disk fails.
pub(crate) fn accept(vfs: &Arc<dyn Vfs>, dir: &Path) -> Result<Option<Accepted>> {
    let journal = JournalScan::open(Arc::clone(vfs), dir)?;
    let last_seq = journal.last_seq();
    let snapshots = snapshot::list(&**vfs, dir)?;
    let (mut ahead, mut shown_seq, mut begins) = (Vec::new(), last_seq, journal.oldest_seq() == 1);
    for path in snapshots {
        match snapshot::read(&**vfs, &path) {
            Ok(found) if found.last_seq > last_seq => {
                shown_seq = shown_seq.max(found.last_seq);
                ahead.push(path);
            }
            Ok(found) => begins |= journal.oldest_seq() <= found.from_seq,
            // A damaged one is reported at the opening, and is of no use.
            Err(_) => {}
        }
    }
    let store_dir = dir.join("store");
    let store_seq = history::shown(&store_dir)?.map_or(0, |shown| shown.watermark);
    let claimed_seq = claims::newest(&**vfs, dir)?;
    shown_seq = shown_seq.max(store_seq).max(claimed_seq);
    if shown_seq <= last_seq {
        return Ok(None);
    }
    if !begins {
        let oldest_seq = journal.oldest_seq();
        return Err(Error::corrupt(format!(
            "without what shows record {shown_seq}, nothing says what was before record {oldest_seq}, the oldest one that is \
             kept: restore the directory from a backup. Nothing was changed"
        )));
    }
    let mut set_aside = Vec::new();
    // First those who know the directory: should power fail in between, what is left still proves
    // the loss.
    directory::forget(&**vfs, dir)?;
    claims::remove_all(&**vfs, dir)?;
    if store_seq > last_seq {
        set_aside.extend(history::set_aside(&store_dir)?);
    }
    for path in ahead {
        set_aside.push(snapshot::set_aside(&**vfs, &path)?);
    }
    tracing::warn!(
        last_seq,
        shown_seq,
        ?set_aside,
        "acknowledged records are missing, and that was accepted"
    );
    Ok(Some(Accepted { last_seq, shown_seq, set_aside }))
}
