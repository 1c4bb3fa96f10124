//! The checkpoints that are kept, and how writing them goes.

use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::snapshot::{self, Generation, Snapshot};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::sync::Mutex;
use crate::base::{Seq, TimeMs};
use crate::vfs::{self, Vfs};

/// What an engine knows of its checkpoints.
pub(in crate::engine) struct Checkpoints {
    /// Held while one is written: one writer at a time.
    pub(in crate::engine) generations: Mutex<Generations>,
    /// After how many events the next one is written.
    pub(in crate::engine) every_events: u64,
    seq: AtomicU64,
    written_at_ms: AtomicU64,
    failures: AtomicU32,
}

impl Checkpoints {
    pub(in crate::engine) fn new(
        generations: Generations,
        every_events: u64,
        now_ms: TimeMs,
    ) -> Self {
        Self {
            seq: AtomicU64::new(generations.newest()),
            generations: Mutex::new(generations),
            every_events,
            written_at_ms: AtomicU64::new(now_ms),
            failures: AtomicU32::new(0),
        }
    }

    /// The last event that the newest one shows.
    pub(in crate::engine) fn seq(&self) -> Seq {
        self.seq.load(Ordering::SeqCst)
    }

    /// When that was written; before the first one, when the engine was opened.
    pub(in crate::engine) fn written_at_ms(&self) -> TimeMs {
        self.written_at_ms.load(Ordering::Relaxed)
    }

    /// How many failed since the last one that did not.
    pub(in crate::engine) fn failures(&self) -> u32 {
        self.failures.load(Ordering::SeqCst)
    }

    /// Notes one that is in its place.
    pub(in crate::engine) fn note_written(&self, last_seq: Seq, now_ms: TimeMs) {
        self.seq.store(last_seq, Ordering::SeqCst);
        self.written_at_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Notes how writing one went.
    pub(in crate::engine) fn note_outcome(&self, written: &Result<Seq>) {
        match written {
            Ok(_) => self.failures.store(0, Ordering::SeqCst),
            Err(error) if error.kind() == ErrorKind::Closed => {}
            // Wrapping takes longer than any machine lives.
            Err(_) => drop(self.failures.fetch_add(1, Ordering::SeqCst)),
        }
    }
}

/// The snapshots that are kept, oldest first: the first event that recovery from each needs, and
/// the last it shows.
#[derive(Debug, Default)]
pub(in crate::engine) struct Generations(Vec<Generation>);

impl Generations {
    /// How many snapshots are kept: should the newest be damaged, the one before it and the journal
    /// still have it all.
    const COUNT: usize = 2;

    /// The last event that the newest snapshot shows; 0 when there is none.
    pub(in crate::engine) fn newest(&self) -> Seq {
        self.0.last().map_or(0, |generation| generation.last_seq)
    }

    /// The first event that the oldest snapshot needs. Until there are two, the journal is kept
    /// from the start.
    pub(in crate::engine) fn needed_from(&self) -> Seq {
        if self.0.len() < Self::COUNT { 1 } else { self.0[0].from_seq }
    }

    /// Counts the new snapshot, and lets go of the oldest ones.
    pub(in crate::engine) fn add(&mut self, vfs: &dyn Vfs, generation: Generation) {
        self.0.retain(|kept| kept.path != generation.path);
        self.0.push(generation);
        while self.0.len() > Self::COUNT {
            let oldest = self.0.remove(0);
            if let Err(error) = vfs.remove(&oldest.path) {
                tracing::warn!(%error, path = %oldest.path.display(), "removing an old snapshot");
            }
        }
    }
}

/// The newest snapshot that is whole, and what is kept. A damaged one is left where it is and told
/// of; the one before it serves if the journal still reaches back to it.
///
/// # Errors
/// `Unavailable` when the directory cannot be read.
pub(in crate::engine) fn read_newest(
    vfs: &dyn Vfs,
    dir: &Path,
) -> Result<(Option<Snapshot>, Generations)> {
    let checkpoints = snapshot::directory(dir);
    let creating = |error| Error::io(format_args!("creating {}", checkpoints.display()), error);
    vfs::create_dir_all(vfs, &checkpoints).map_err(creating)?;
    let mut generations = Generations::default();
    let (mut newest, mut unreadable) = (None, None);
    for path in snapshot::list(vfs, dir)? {
        match snapshot::read(vfs, &path) {
            Ok(snapshot) => {
                let (from_seq, last_seq) = (snapshot.from_seq, snapshot.last_seq);
                generations.0.insert(0, Generation { path, from_seq, last_seq });
                newest.get_or_insert(snapshot);
            }
            Err(error) => {
                tracing::error!(%error, "a snapshot cannot be used");
                unreadable = unreadable
                    .or(Some(error).filter(|error| error.kind() == ErrorKind::Unavailable));
            }
        }
    }
    // Without any, the journal would be needed from its start. That it is not there would be no
    // damage, but the doing of checkpoints that cannot be read just now.
    if let Some(error) = unreadable.filter(|_| newest.is_none()) {
        return Err(error);
    }
    Ok((newest, generations))
}

/// The newest snapshot that is whole, of a directory that somebody else has open; nothing is changed.
///
/// # Errors
/// `NotFound` when it was removed meanwhile, `Unavailable` when it cannot be read.
#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
pub(in crate::engine) fn newest(vfs: &dyn Vfs, dir: &Path) -> Result<Option<Snapshot>> {
    for path in snapshot::list(vfs, dir)? {
        match snapshot::read(vfs, &path) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!(%error, "a snapshot cannot be used");
            }
            read => return read.map(Some),
        }
    }
    Ok(None)
}

/// The snapshots of a directory, by what their headers say: whoever was there before has written them
/// whole. One that is damaged, or gone meanwhile, is told of and does not count.
///
/// # Errors
/// `Unavailable` when one cannot be read.
#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
pub(in crate::engine) fn seen(vfs: &dyn Vfs, dir: &Path) -> Result<Generations> {
    let mut generations = Generations::default();
    for path in snapshot::list(vfs, dir)?.into_iter().rev() {
        match snapshot::read_header(vfs, path) {
            Ok(generation) => generations.0.push(generation),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                tracing::error!(%error, "a snapshot cannot be used");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(generations)
}
