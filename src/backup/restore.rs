//! Restoring: a data directory as it was at a moment that a backup has.

use std::path::Path;
use std::sync::Arc;

use super::names::{SegmentName, SnapshotName};
use super::repository::Repository;
use super::run::check_chain;
use super::seal::Key;
use super::target::Target;
use crate::audit::{self, AuditConfig, OLD_KEYS_MAX};
use crate::base::error::{Error, Result};
use crate::base::{Seq, TimeMs};
use crate::engine::files::snapshot;
use crate::event;
use crate::journal::{self, SegmentCopy};
use crate::reader::{Digest, DirectoryReader, rebuild_history, write_snapshot};
use crate::vfs::{RealVfs, Vfs};

/// The moment to restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The last that the backup has.
    Newest,
    /// After this event.
    Seq(Seq),
    /// The end of this millisecond.
    Time(TimeMs),
}

/// What was restored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restored {
    /// The oldest event that is there, and the last.
    pub(crate) first_seq: Seq,
    pub(crate) last_seq: Seq,
    /// When the last happened.
    pub(crate) last_at: TimeMs,
    /// What tells the ledger as it stands from any other; `stockhold state` prints it too.
    pub(crate) digest: Digest,
}

/// What restoring is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Fetching,
    Replaying,
    History,
    Auditing,
}

/// Makes the data directory `dir`, which must be empty or not there, as it was at `moment`. It is
/// made beside and gets its name once the auditor found it sound. Whose copy it is, it does not
/// know: its first start makes it a directory of its own, which no mirror and no backup takes for
/// the original. Claims and what followers kept are not restored.
///
/// # Errors
/// `Conflict` when `dir` has something in it, `NotFound` when there is no backup or it does not have
/// the moment, `Corrupt` naming the object that is damaged, or when what was restored does not hold;
/// `Unavailable` when a disk or the target fails. Nothing is in `dir` then.
pub(crate) fn restore(
    target: &dyn Target,
    key: Option<&Key>,
    dir: &Path,
    moment: Moment,
    progress: &mut dyn FnMut(Step, u64, u64),
) -> Result<Restored> {
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let dir = crate::engine::files::absolute(&*vfs, dir)?;
    check_empty(&*vfs, &dir)?;
    let repository = Repository::open(target, key)?;
    let segments = repository.segments()?;
    check_chain(&repository, &segments)?;
    let through = find(&repository, &segments, moment)?;
    let base = base_of(&repository, &segments, through)?;

    let above = crate::vfs::parent(&dir);
    crate::vfs::create_dir_all(&*vfs, &above)
        .map_err(|error| Error::io(format_args!("creating {}", above.display()), error))?;
    let made = tempfile::Builder::new().prefix(".restoring-").tempdir_in(&above);
    let made = made.map_err(|cause| Error::io("making a directory to restore into", cause))?;
    let building = made.path().to_owned();
    journal::make_directories(&*vfs, &building)?;
    fetch(&repository, &*vfs, &building, &segments, through, progress)?;
    if let Some(base) = base {
        let bytes = repository.fetch(&base.object())?;
        let put = snapshot::put_copy(&*vfs, &building, bytes);
        put.map_err(|what| repository.damaged(&base.object(), &what.to_string()))?;
    }
    let view = DirectoryReader::open(&building)?
        .ledger_at_with(through, &mut |done, total| progress(Step::Replaying, done, total))?;
    let digest = view.digest()?;
    write_snapshot(&building, &view)?;
    rebuild_history(&building, &mut |done, total| progress(Step::History, done, total))?;
    let last_at = view.at();
    drop(view);
    let audited = check(&*vfs, &building, &above, through, progress);
    // What does not hold is kept: somebody should look at it.
    let building = made.keep();
    let first_seq = audited?;
    // An empty directory of that name is replaced.
    let renamed = vfs.rename(&building, &dir).and_then(|()| vfs.sync_dir(&above));
    renamed.map_err(|error| Error::io(format_args!("naming {}", dir.display()), error))?;
    Ok(Restored { first_seq, last_seq: through, last_at, digest })
}

fn check_empty(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    let is_there = vfs
        .has(dir)
        .map_err(|error| Error::io(format_args!("finding {}", dir.display()), error))?;
    match is_there.then(|| vfs.list(dir)) {
        None => Ok(()),
        Some(Ok(names)) if names.is_empty() => Ok(()),
        Some(Ok(_)) => Err(Error::conflict(format!(
            "{} is not empty: restore into a directory that is new, and compare before you replace anything",
            dir.display()
        ))),
        Some(Err(error)) => Err(Error::io(format_args!("reading {}", dir.display()), error)),
    }
}

/// The last event of the moment.
fn find(repository: &Repository<'_>, segments: &[SegmentName], moment: Moment) -> Result<Seq> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Err(Error::not_found("the backup has no events yet"));
    };
    let seq = match moment {
        Moment::Newest => last.last_seq,
        Moment::Seq(seq) => seq,
        Moment::Time(time) => {
            let later = segments.partition_point(|name| name.at <= time);
            let Some(name) = later.checked_sub(1).map(|at| &segments[at]) else {
                return Err(Error::not_found(format!(
                    "the oldest event of the backup, {}, is later",
                    first.first_seq
                )));
            };
            let (mut seq, mut is_over) = (name.first_seq, false);
            repository.segment(name)?.records(&mut |at_seq, kind, payload| {
                is_over |= event::decode(kind, payload)?.at > time;
                if !is_over {
                    seq = at_seq;
                }
                Ok(())
            })?;
            seq
        }
    };
    match (first.first_seq..=last.last_seq).contains(&seq) {
        true => Ok(seq),
        false => Err(Error::not_found(format!(
            "the backup has the events {} to {}, and not {seq}",
            first.first_seq, last.last_seq
        ))),
    }
}

/// The newest snapshot from which the events go on to `through`; `None` when they go back to the
/// first.
fn base_of(
    repository: &Repository<'_>,
    segments: &[SegmentName],
    through: Seq,
) -> Result<Option<SnapshotName>> {
    let oldest_seq = segments.first().map_or(1, |first| first.first_seq);
    let snapshots = repository.snapshots()?;
    let usable = |name: &&SnapshotName| name.last_seq <= through && name.from_seq >= oldest_seq;
    match snapshots.iter().rev().find(usable) {
        None if oldest_seq > 1 => {
            let from = snapshots.iter().find(|name| name.from_seq >= oldest_seq);
            Err(Error::not_found(match from {
                Some(from) => format!(
                    "event {through} is older than what can be restored: the oldest is event {}",
                    from.last_seq.max(oldest_seq)
                ),
                None => "the backup has no snapshot yet that its events go on from".to_owned(),
            }))
        }
        found => Ok(found.copied()),
    }
}

/// Puts the segments into the archive, but the one with the last record, which goes on.
fn fetch(
    repository: &Repository<'_>,
    vfs: &dyn Vfs,
    dir: &Path,
    segments: &[SegmentName],
    through: Seq,
    progress: &mut dyn FnMut(Step, u64, u64),
) -> Result<()> {
    let needed = &segments[..segments.partition_point(|name| name.first_seq <= through)];
    for (at, name) in needed.iter().enumerate() {
        progress(Step::Fetching, at as u64, needed.len() as u64);
        let copy = repository.segment(name)?;
        if name.last_seq < through {
            copy.put_in_archive(vfs, dir)?;
        } else {
            copy.cut(through)
                .as_ref()
                .map_or(Ok(()), |copy: &SegmentCopy| copy.put_in_journal(vfs, dir))?;
        }
    }
    Ok(())
}

/// Has the auditor look at what was restored. Returns the oldest event that is there.
fn check(
    vfs: &dyn Vfs,
    dir: &Path,
    above: &Path,
    through: Seq,
    progress: &mut dyn FnMut(Step, u64, u64),
) -> Result<Seq> {
    let scratch = tempfile::tempdir_in(above)
        .map_err(|cause| Error::io("making a directory for a copy of history", cause))?;
    let scratch_path = Some(scratch.path().to_owned());
    let config = AuditConfig { keys_max: OLD_KEYS_MAX, scratch: scratch_path };
    let audit =
        audit::audit(vfs, dir, &config, &mut |done, total| progress(Step::Auditing, done, total))?;
    let found = audit.findings.told();
    if let Some(finding) = found.first() {
        return Err(Error::corrupt(format!(
            "what was restored does not hold: {}: {}. It is in {}",
            finding.kind.name(),
            finding.what,
            dir.display()
        )));
    }
    match audit.audited.last_seq == through {
        true => Ok(audit.audited.first_seq),
        false => Err(Error::corrupt(format!(
            "what was restored ends at event {}, and not {through}",
            audit.audited.last_seq
        ))),
    }
}
