//! One run of a backup: what came since the last is copied, and what is too old is let go.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::names::{SegmentName, SnapshotName};
use super::repository::Repository;
use super::seal::Key;
use super::target::Target;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::{Seq, TimeMs};
use crate::engine::files::newer;
use crate::engine::files::snapshot::{self, Snapshot};
use crate::event;
use crate::journal::{JournalScan, SegmentCopy};
use crate::vfs::Vfs;
use crate::vfs::directory::identity_of;

/// How often the journal is looked at again when its files changed while they were copied.
const LOOKS_MAX: usize = 10;

/// What a run does besides copying what is new.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How old the newest snapshot of the backup may be before another is copied: the longer, the
    /// more events a restore has to replay.
    pub(crate) snapshot_every: Duration,
    /// How far back every moment can be restored; `None` is for good.
    pub(crate) keep: Option<Duration>,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    /// The first and the last record that the backup has, and when the last happened.
    pub(crate) first_seq: Seq,
    pub(crate) last_seq: Seq,
    pub(crate) last_at: TimeMs,
    /// How many records were new to it.
    pub(crate) records: u64,
    /// The objects that were written, their bytes, and the objects that were let go as too old.
    pub(crate) written: u64,
    pub(crate) bytes: u64,
    pub(crate) removed: u64,
}

/// Copies what the data directory `dir` has and the backup at `target` does not. A server may be
/// running on the directory: nothing in it is changed, and no lock is taken.
///
/// # Errors
/// `NotFound` when `dir` is not a data directory, was never opened, or no longer keeps what comes
/// next; `Conflict` when the target has the backup of another directory, or of other records with
/// the same numbers; `Invalid` when the backup is encrypted and there is no key, or the other way
/// round; `Corrupt` naming what is damaged; `Unavailable` when a disk or the target fails. What was
/// copied before that stays, and the next run goes on behind it.
pub(crate) fn run(
    vfs: &Arc<dyn Vfs>,
    dir: &Path,
    target: &dyn Target,
    key: Option<&Key>,
    plan: &Plan,
) -> Result<Run> {
    let dir = &crate::engine::files::absolute(&**vfs, dir)?;
    newer::check(&**vfs, dir)?;
    let first_look = JournalScan::open(Arc::clone(vfs), dir)?;
    let identity = identity_of(&**vfs, dir)?.ok_or_else(|| {
        Error::not_found(format!(
            "{} was never opened where it is: a copy is another directory from its first start on, and is backed up \
             after that",
            dir.display()
        ))
    })?;
    let repository = Repository::begin(target, key, identity.directory)?;
    let copied = repository.segments()?;
    check_chain(&repository, &copied)?;
    if let Some(last) = copied.last() {
        check_branch(&first_look, last, target)?;
    }
    // What a run that was cut off left.
    for shorter in repository.all_segments()?.iter().filter(|name| !copied.contains(name)) {
        repository.delete(&shorter.object())?;
    }
    let mut copying = Copying { repository, copied, run: Run::default() };
    // Before the records, which then reach as far as it shows.
    let newest = newest_snapshot(&**vfs, dir)?;
    copying.segments(vfs, dir, first_look)?;
    if let Some(newest) = newest {
        copying.snapshot(newest, plan.snapshot_every)?;
    }
    if let Some(keep) = plan.keep {
        copying.let_go(keep)?;
    }
    copying.finish()
}

/// Whether each segment follows the one before it.
pub(super) fn check_chain(repository: &Repository<'_>, copied: &[SegmentName]) -> Result<()> {
    match copied.windows(2).find(|pair| pair[0].last_seq + 1 != pair[1].first_seq) {
        None => Ok(()),
        Some(pair) => {
            let what = format!("the records before {} are missing", pair[1].first_seq);
            Err(repository.damaged(&pair[1].object(), &what))
        }
    }
}

/// Whether the journal has the last record of the backup, and not another one of its number.
fn check_branch(look: &JournalScan, last: &SegmentName, target: &dyn Target) -> Result<()> {
    let seq = last.last_seq;
    if seq > look.last_seq() {
        return Err(Error::conflict(format!(
            "the backup in {} goes to record {seq}, and the journal ends at record {}: acknowledged records are missing \
             from it. Restore them, or begin another backup elsewhere",
            target.name(),
            look.last_seq(),
        )));
    }
    let mut records = look.records(seq, seq)?;
    records.next(&mut |_, _, _| Ok(()))?;
    let is_same =
        records.marked().is_some_and(|(_, mark)| (mark.salt, mark.crc) == (last.salt, last.crc));
    match is_same {
        true => Ok(()),
        false => Err(Error::conflict(format!(
            "record {seq} of the journal is another one than in the backup in {}: the directory went on from an earlier \
             record. Begin another backup elsewhere, and keep this one until you know what it has",
            target.name(),
        ))),
    }
}

/// The newest snapshot that is whole; one that is damaged is for the auditor to tell.
fn newest_snapshot(vfs: &dyn Vfs, dir: &Path) -> Result<Option<Snapshot>> {
    for path in snapshot::list(vfs, dir)? {
        match snapshot::read(vfs, &path) {
            Ok(snapshot) => return Ok(Some(snapshot)),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

struct Copying<'a> {
    repository: Repository<'a>,
    /// What the backup has, oldest first.
    copied: Vec<SegmentName>,
    run: Run,
}

impl Copying<'_> {
    fn last_seq(&self) -> Seq {
        self.copied.last().map_or(0, |last| last.last_seq)
    }

    /// Copies segments until the backup has the last record of `look`.
    fn segments(&mut self, vfs: &Arc<dyn Vfs>, dir: &Path, look: JournalScan) -> Result<()> {
        let (through, mut look, mut looks) = (look.last_seq(), look, 1);
        while self.last_seq() < through {
            let after = match self.copied.last() {
                Some(last) => last.last_seq,
                None => look.oldest_seq().saturating_sub(1),
            };
            let copy = match look.copy_after(after) {
                Ok(Some(copy)) => copy,
                Ok(None) => break,
                // What was archived and recycled meanwhile is found by another look.
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt)
                        && looks < LOOKS_MAX =>
                {
                    looks += 1;
                    look = JournalScan::open(Arc::clone(vfs), dir)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.run.records += copy.last_seq() - after;
            self.segment(&copy)?;
        }
        Ok(())
    }

    fn segment(&mut self, copy: &SegmentCopy) -> Result<()> {
        let (mut first_at, mut last_at) = (None, 0);
        copy.records(&mut |_, kind, payload| {
            let at = event::decode(kind, payload)?.at;
            first_at.get_or_insert(at);
            last_at = at;
            Ok(())
        })?;
        let mark = copy.mark();
        let name = SegmentName {
            first_seq: copy.first_seq(),
            last_seq: copy.last_seq(),
            at: first_at.unwrap_or(0),
            salt: mark.salt,
            crc: mark.crc,
        };
        self.run.bytes += self.repository.store(&name.object(), &copy.pack()?)?;
        self.run.written += 1;
        self.run.last_at = last_at;
        let shorter = self.copied.pop_if(|last| name.covers(last));
        self.copied.push(name);
        shorter.map_or(Ok(()), |shorter| self.repository.delete(&shorter.object()))
    }

    /// Copies a snapshot when the backup's newest is older than `every`.
    fn snapshot(&mut self, newest: Snapshot, every: Duration) -> Result<()> {
        let name =
            SnapshotName { last_seq: newest.last_seq, from_seq: newest.from_seq, at: newest.at };
        let oldest_seq = self.copied.first().map_or(1, |first| first.first_seq);
        // It must be possible to go on from it with what the backup has.
        let is_usable = (oldest_seq..=self.last_seq() + 1).contains(&name.from_seq)
            && name.last_seq <= self.last_seq();
        let is_due = match self.repository.snapshots()?.last() {
            None => true,
            Some(last) => {
                last.last_seq < name.last_seq && last.at.saturating_add(ms(every)) <= name.at
            }
        };
        if is_usable && is_due {
            self.run.bytes += self.repository.store(&name.object(), &newest.into_bytes())?;
            self.run.written += 1;
        }
        Ok(())
    }

    /// Lets go what is not needed to restore the moments of the last `keep` before the newest.
    fn let_go(&mut self, keep: Duration) -> Result<()> {
        let newest_at = self.newest_at()?;
        let oldest_kept = newest_at.saturating_sub(ms(keep));
        let snapshots = self.repository.snapshots()?;
        let Some(base) = snapshots.iter().rposition(|name| name.at <= oldest_kept) else {
            return Ok(());
        };
        let from_seq = snapshots[base].from_seq;
        for name in &snapshots[..base] {
            self.repository.delete(&name.object())?;
            self.run.removed += 1;
        }
        // The last event before those that follow the snapshot is a moment, too.
        let kept = self.copied.partition_point(|name| name.last_seq + 1 < from_seq);
        for name in self.copied.drain(..kept.min(self.copied.len().saturating_sub(1))) {
            self.repository.delete(&name.object())?;
            self.run.removed += 1;
        }
        Ok(())
    }

    /// When the newest record happened.
    fn newest_at(&mut self) -> Result<TimeMs> {
        if self.run.last_at == 0
            && let Some(last) = self.copied.last()
        {
            let mut at = 0;
            self.repository.segment(last)?.records(&mut |_, kind, payload| {
                at = event::decode(kind, payload)?.at;
                Ok(())
            })?;
            self.run.last_at = at;
        }
        Ok(self.run.last_at)
    }

    fn finish(mut self) -> Result<Run> {
        self.newest_at()?;
        self.run.first_seq = self.copied.first().map_or(0, |first| first.first_seq);
        self.run.last_seq = self.last_seq();
        Ok(self.run)
    }
}

fn ms(time: Duration) -> TimeMs {
    TimeMs::try_from(time.as_millis()).unwrap_or(TimeMs::MAX)
}
