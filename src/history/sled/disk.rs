//! sled, held at arm's length: whatever it does, a caller sees an [`Error`]. Its `flush` neither
//! syncs files nor the directory, and damage makes it panic as readily as fail.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::block::BlockKey;
use super::files;
use super::guarded::guarded;
use super::key::Key;
use super::manifest::Manifest;
use super::run::Runs;
use super::value::seal;
use super::view::View;
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::event::branch::Branch;

/// How many keys are removed at once.
const REMOVED_AT_ONCE: usize = 250;

/// How long sled may take to let go of its files after a write that failed.
const DROP_LIMIT: Duration = Duration::from_secs(2);

/// How far the store has come with a commit: see [`Manifest`].
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) watermark: Seq,
    pub(super) rows: u64,
    pub(super) branch: Branch,
}

/// An open sled directory with its manifest.
#[derive(Debug)]
pub(super) struct Disk {
    db: sled::Db,
    dir: PathBuf,
    /// The manifest as it is on disk. Held across the writing of it, so that a flush and a reader
    /// that found damage take turns.
    manifest: Mutex<Manifest>,
    runs: Mutex<Arc<Runs>>,
    /// Whether an earlier release left rows that stand alone.
    has_alone: AtomicBool,
    /// A write or a sync failed. It is not tried again: the kernel may have dropped what it could
    /// not write.
    failed: AtomicBool,
}

impl Disk {
    pub(super) fn new(
        db: sled::Db,
        dir: &Path,
        manifest: Manifest,
        runs: Runs,
        has_alone: bool,
    ) -> Self {
        Self {
            db,
            dir: dir.to_owned(),
            manifest: Mutex::new(manifest),
            runs: Mutex::new(Arc::new(runs)),
            has_alone: AtomicBool::new(has_alone),
            failed: AtomicBool::new(false),
        }
    }

    pub(super) fn db(&self) -> &sled::Db {
        &self.db
    }

    /// The runs that count. They can be read for as long as the caller keeps them.
    pub(super) fn runs(&self) -> Arc<Runs> {
        Arc::clone(&self.runs.lock())
    }

    pub(super) fn view<'a>(&'a self, runs: &'a Runs) -> View<'a> {
        View { db: &self.db, runs, has_alone: self.has_alone.load(Ordering::Acquire) }
    }

    /// Writes blocks. They count once [`Disk::commit`] names their run.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`; the disk takes no further writes then.
    pub(super) fn write(&self, batch: sled::Batch) -> Result<()> {
        self.check()?;
        self.failing(guarded("writing the store", || self.db.apply_batch(batch)))
    }

    /// Writes the last of what was moved, with the row that names the runs; makes everything durable,
    /// and then says so in the manifest. The order matters: a manifest that is ahead of its directory
    /// reads as lost data. Returns the runs that counted before.
    ///
    /// # Errors
    /// As [`Disk::write`].
    pub(super) fn commit(
        &self,
        mut batch: sled::Batch,
        end: Option<End>,
        runs: Runs,
    ) -> Result<Arc<Runs>> {
        let next = |manifest: Manifest| match end {
            Some(End { watermark, rows, branch }) => {
                Manifest { watermark, rows, branch, ..manifest }
            }
            None => manifest,
        };
        batch.insert(&Key::meta().to_bytes()[..], meta_value(&next(*self.manifest.lock()), &runs));
        self.write(batch)?;
        self.failing(sync(&self.db, &self.dir))?;
        let mut manifest = self.manifest.lock();
        let next = next(*manifest);
        self.failing(next.write(&self.dir))?;
        *manifest = next;
        Ok(std::mem::replace(&mut *self.runs.lock(), Arc::new(runs)))
    }

    /// Removes what is left of a run that does not count, at most so many blocks; returns whether
    /// that was all.
    ///
    /// # Errors
    /// As [`Disk::write`].
    pub(super) fn remove_run(&self, run: u32) -> Result<bool> {
        self.check()?;
        self.failing(remove_run(&self.db, run))
    }

    /// The first event that is in the store.
    pub(super) fn first_seq(&self) -> Seq {
        self.manifest.lock().first_seq
    }

    /// Lets the store begin with this event. Durable with the next commit; until then nothing is in
    /// it.
    pub(super) fn begin_at(&self, first_seq: Seq) {
        self.manifest.lock().first_seq = first_seq;
    }

    /// Empties the store. Until it is empty its manifest says that it is damaged: what a crash
    /// leaves of it is set aside.
    ///
    /// # Errors
    /// As [`Disk::write`].
    pub(super) fn clear(&self) -> Result<()> {
        self.check()?;
        let mut manifest = self.manifest.lock();
        let empty = Manifest {
            first_seq: 1,
            watermark: 0,
            rows: 0,
            branch: Branch::default(),
            ..*manifest
        };
        let cleared = Manifest { damaged: true, ..*manifest }.write(&self.dir).and_then(|()| {
            guarded("emptying the store", || {
                self.db.clear()?;
                self.db.insert(Key::meta().to_bytes(), meta_value(&empty, &Runs::default()))
            })?;
            sync(&self.db, &self.dir)?;
            empty.write(&self.dir)
        });
        if cleared.is_err() {
            // It is damaged now, whatever went wrong: nothing may say otherwise.
            self.failed.store(true, Ordering::SeqCst);
        }
        cleared?;
        *manifest = empty;
        *self.runs.lock() = Arc::default();
        self.has_alone.store(false, Ordering::Release);
        Ok(())
    }

    /// Notes durably that the store is to be set aside when it is next opened. From here on it
    /// takes no writes, so that its watermark stands still and the journal keeps what a rebuilding
    /// needs.
    pub(super) fn mark_damaged(&self) {
        let mut manifest = self.manifest.lock();
        if manifest.damaged {
            return;
        }
        manifest.damaged = true;
        if let Err(error) = manifest.write(&self.dir) {
            tracing::error!(%error, "the damage of the store could not be noted in its manifest");
        }
    }

    /// The bytes of every file below the directory.
    pub(super) fn measure(&self) -> std::io::Result<u64> {
        files::tree_bytes(&self.dir)
    }

    fn check(&self) -> Result<()> {
        if self.manifest.lock().damaged {
            return Err(Error::corrupt(
                "the store is damaged and takes no writes; it is rebuilt when next opened",
            ));
        }
        // SeqCst: once a flush failed, no later one may start.
        match self.failed.load(Ordering::SeqCst) {
            true => Err(Error::unavailable("an earlier write of the store failed")),
            false => Ok(()),
        }
    }

    /// A file that could not be opened for lack of descriptors was neither written nor synced: that
    /// may be tried again.
    fn failing<T>(&self, result: Result<T>) -> Result<T> {
        if result.as_ref().is_err_and(|error| !error.lacks_descriptors()) {
            self.failed.store(true, Ordering::SeqCst);
        }
        result
    }
}

/// Gives sled up. After a write that failed its drop may wait for ever, for a thread of its own
/// that has ended: nothing of it is lost when the drop is left behind, since such a store is read
/// again from the journal.
///
/// # Errors
/// `Unavailable` when sled is not done in time: it holds its files until the process ends.
pub(super) fn let_go(disk: Arc<Disk>) -> Result<()> {
    if !disk.failed.load(Ordering::SeqCst) {
        return Ok(());
    }
    if !disk.dir.is_dir() {
        // The directory was removed under it, and nobody can want its files again. A drop that
        // waits for ever would keep a lock that every other sled of this process needs.
        std::mem::forget(disk);
        return Ok(());
    }
    let (done, is_done) = mpsc::channel();
    let dropped = move || {
        drop(disk);
        // Nobody may wait any more.
        let _ = done.send(());
    };
    let thread = thread::Builder::new().name("stockhold-sled".into()).spawn(dropped);
    thread.map_err(|error| Error::io("starting a thread to close the store", error))?;
    let in_time = is_done.recv_timeout(DROP_LIMIT);
    in_time.map_err(|_| {
        Error::unavailable("sled does not let go of its files after a write that failed")
    })
}

/// Makes everything in sled durable: its own flush, every file, every directory.
pub(super) fn sync(db: &sled::Db, dir: &Path) -> Result<()> {
    guarded("flushing the store", || db.flush())?;
    files::sync_tree(dir).map_err(|error| Error::io("syncing the store", error))
}

/// See [`Disk::remove_run`].
pub(super) fn remove_run(db: &sled::Db, run: u32) -> Result<bool> {
    guarded("removing what was merged", || {
        let [least, greatest] = BlockKey::of_run(run);
        let (mut batch, mut count) = (sled::Batch::default(), 0);
        for block in db.range(least.as_ref()..=greatest.as_ref()).take(REMOVED_AT_ONCE) {
            batch.remove(block?.0);
            count += 1;
        }
        db.apply_batch(batch)?;
        Ok(count < REMOVED_AT_ONCE)
    })
}

pub(super) fn meta_value(manifest: &Manifest, runs: &Runs) -> Vec<u8> {
    let mut payload = manifest.store_id.to_vec();
    payload.extend_from_slice(&manifest.first_seq.to_le_bytes());
    payload.extend_from_slice(&manifest.rows.to_le_bytes());
    payload.extend_from_slice(&manifest.branch.encode());
    runs.encode(&mut payload);
    seal(Key::meta(), manifest.watermark, &payload)
}
