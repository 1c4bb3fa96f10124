//! What a backup has.

use serde::Serialize;

use super::names::SnapshotName;
use super::repository::Repository;
use super::run::check_chain;
use super::seal::Key;
use super::target::Target;
use crate::base::Seq;
use crate::base::error::Result;
use crate::engine::files::snapshot;

/// What a backup has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Contents {
    /// The first and the last event; 0 when there is none.
    pub(crate) first_seq: Seq,
    pub(crate) last_seq: Seq,
    /// The oldest event as of which the ledger can be restored.
    pub(crate) restorable_from: Option<Seq>,
    pub(crate) segments: usize,
    pub(crate) snapshots: Vec<SnapshotName>,
}

/// Which moments the backup at `target` has, by the names of its objects.
///
/// # Errors
/// `NotFound` when there is no backup, `Invalid` when it is encrypted and there is no key, or the
/// other way round; `Corrupt` when objects are missing, `Unavailable` when it cannot be reached.
pub(crate) fn list(target: &dyn Target, key: Option<&Key>) -> Result<Contents> {
    contents(&Repository::open(target, key)?)
}

/// The same, after every object was fetched, decrypted and verified.
///
/// # Errors
/// As [`list`], and `Corrupt` naming an object that is damaged.
pub(crate) fn check(
    target: &dyn Target,
    key: Option<&Key>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Contents> {
    let repository = Repository::open(target, key)?;
    let contents = contents(&repository)?;
    let segments = repository.segments()?;
    let total = (segments.len() + contents.snapshots.len()) as u64;
    let mut done = 0;
    for name in &segments {
        repository.segment(name)?;
        done += 1;
        progress(done, total);
    }
    for name in &contents.snapshots {
        let object = name.object();
        let verified = snapshot::verify(repository.fetch(&object)?);
        verified.map_err(|error| repository.damaged(&object, &error.to_string()))?;
        done += 1;
        progress(done, total);
    }
    Ok(contents)
}

fn contents(repository: &Repository<'_>) -> Result<Contents> {
    let segments = repository.segments()?;
    check_chain(repository, &segments)?;
    let snapshots = repository.snapshots()?;
    let first_seq = segments.first().map_or(0, |first| first.first_seq);
    let last_seq = segments.last().map_or(0, |last| last.last_seq);
    let usable = |name: &&SnapshotName| name.from_seq >= first_seq && name.last_seq <= last_seq;
    let restorable_from = match first_seq {
        0 => None,
        1 => Some(1),
        _ => snapshots.iter().find(usable).map(|name| name.last_seq.max(first_seq)),
    };
    Ok(Contents { first_seq, last_seq, restorable_from, segments: segments.len(), snapshots })
}
