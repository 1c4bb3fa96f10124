//! A file system in memory that can lose power, fail and rot, all from one seed.
//!
//! It keeps two states: what programs see, and what is durable. A write changes what is seen; only
//! `sync` makes a file's bytes durable, and only `sync_dir` the names in a directory.
//! [`CrashVfs::crash`] shows what a machine might find after power was cut: each unsynced sector of
//! 512 bytes is the old one or the new one, on its own, and each unsynced change of a directory
//! happened or did not, on its own and in no order. A sync that fails leaves bytes that programs
//! see and no later sync writes. Disks are kinder than that, not worse: a sector is never half
//! written, and what was synced stays.

mod chance;
mod content;
mod names;
mod state;
#[cfg(test)]
mod tests;

#[cfg(test)]
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

pub(crate) use self::chance::Chance;
use self::content::Content;
use self::names::{Change, Inode};
use self::state::State;
use super::{Birth, Vfs, VfsFile, VfsLock, parent};

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// Power is cut while it runs: it may have happened or not, and nothing works any more.
    PowerCut,
    /// It fails, and does nothing; a sync may have written some of it, and forgets the rest.
    Fail,
    /// A read or a write stops half-way; the write fails.
    Short,
    /// The disk is full from here on: nothing can be written beyond the end of a file, and nothing
    /// created.
    DiskFull,
}

/// The kinds of operations, by which they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operation {
    Open,
    List,
    Read,
    Write,
    Sync,
    Create,
    Rename,
    Remove,
    SyncDir,
}

/// A file system in memory. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct CrashVfs(Arc<Mutex<State>>);

impl CrashVfs {
    /// An empty file system whose choices follow from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self::of(State { chance: Chance::new(seed), ..State::default() })
    }

    fn of(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// How many operations of each kind there were.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> BTreeMap<Operation, u64> {
        self.0.lock().counts.clone()
    }

    /// Lets `fault` strike at the operation with this number; the first ever was number 0.
    pub(crate) fn fault_at(&self, operation: u64, fault: Fault) {
        self.0.lock().faults.insert(operation, fault);
    }

    /// The faults that struck, each with the operation that it struck.
    pub(crate) fn struck(&self) -> Vec<(Operation, Fault)> {
        self.0.lock().struck.clone()
    }

    /// Whether power was cut.
    pub(crate) fn is_off(&self) -> bool {
        self.0.lock().is_off
    }

    /// Cuts power now.
    pub(crate) fn cut_power(&self) {
        self.0.lock().is_off = true;
    }

    /// Goes on where power was cut, and nothing is lost: what a process that was killed leaves to
    /// the next.
    pub(crate) fn revive(&self) {
        self.0.lock().is_off = false;
    }

    /// Forgets which faults struck.
    pub(crate) fn forget_struck(&self) {
        self.0.lock().struck.clear();
    }

    /// Whether the disk is full.
    pub(crate) fn is_full(&self) -> bool {
        self.0.lock().is_full
    }

    /// Makes room on a full disk.
    pub(crate) fn make_room(&self) {
        self.0.lock().is_full = false;
    }

    /// What a machine finds when power is back: a file system of its own, in which everything is
    /// durable.
    pub(crate) fn crash(&self, seed: u64) -> Self {
        Self::of(self.0.lock().crash(seed))
    }

    /// A copy in which everything is as it is seen now, durable, and free of faults.
    pub(crate) fn duplicate(&self) -> Self {
        let state = self.0.lock();
        let files =
            state.files.iter().map(|file| Content::whole(file.seen.clone(), file.born)).collect();
        let (seen, durable) = (state.seen.clone(), state.seen.clone());
        Self::of(State {
            files,
            seen,
            durable,
            chance: state.chance.clone(),
            born: state.born,
            ..State::default()
        })
    }

    /// Every file there is, with its length.
    pub(crate) fn files(&self) -> Vec<(PathBuf, usize)> {
        let state = self.0.lock();
        state.seen.iter().map(|(path, inode)| (path, state.files[inode].seen.len())).collect()
    }

    /// The bytes of a file, or `None` when there is no such file.
    pub(crate) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.0.lock();
        let (dir, name) = split(path);
        state.seen.find(&dir, &name).map(|inode| state.files[inode].seen.clone())
    }

    /// Replaces a file, durably; `None` removes it. No operation is counted: this is rot, or a
    /// hand.
    pub(crate) fn put(&self, path: &Path, bytes: Option<Vec<u8>>) {
        let mut state = self.0.lock();
        let (dir, name) = split(path);
        let State { files, seen, durable, born, .. } = &mut *state;
        // Rot changes what is in a file, and leaves the file the one that it was.
        let same = seen.find(&dir, &name).map(|inode| files[inode].born);
        let added = bytes.map(|bytes| {
            *born += 1;
            files.push(Content::whole(bytes, same.unwrap_or(*born)));
            (name.clone(), files.len() - 1)
        });
        let change = Change { removed: Some(name), added, ..Change::in_dir(dir) };
        change.apply(seen);
        change.apply(durable);
    }

    /// Flips one bit of a file at rest.
    pub(crate) fn flip(&self, path: &Path, bit: usize) {
        if let Some(mut bytes) = self.bytes(path) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            self.put(path, Some(bytes));
        }
    }
}

fn split(path: &Path) -> (PathBuf, String) {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    (parent(path), name.unwrap_or_default())
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl Vfs for CrashVfs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.lock().create_dir(dir)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let inode = self.0.lock().open(path)?;
        Ok(Box::new(CrashFile { vfs: self.clone(), inode }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        self.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let inode = self.0.lock().create(path)?;
        Ok(Box::new(CrashFile { vfs: self.clone(), inode }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.lock().list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.lock().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.lock().sync_dir(dir)
    }

    fn has(&self, path: &Path) -> io::Result<bool> {
        let (dir, name) = split(path);
        let state = self.0.lock();
        state.outcome(state.seen.find(&dir, &name).is_some())
    }

    /// Nobody goes anywhere in it.
    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn VfsLock>>> {
        self.lock(dir).map(Some)
    }

    fn is_on_disk(&self) -> bool {
        false
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn VfsLock>> {
        let mut state = self.0.lock();
        if state.is_off {
            return Err(off());
        }
        if !state.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(CrashLock { vfs: self.clone(), path: path.to_owned() }))
    }
}

struct CrashFile {
    vfs: CrashVfs,
    inode: Inode,
}

impl VfsFile for CrashFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.vfs.0.lock().read(self.inode, buffer, offset as usize)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.vfs.0.lock().write(self.inode, bytes, offset as usize)
    }

    fn sync(&self) -> io::Result<()> {
        self.vfs.0.lock().sync(self.inode)
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.vfs.0.lock();
        state.outcome(state.files[self.inode].seen.len() as u64)
    }

    fn birth(&self) -> io::Result<Birth> {
        let state = self.vfs.0.lock();
        state.outcome(Birth { inode: state.files[self.inode].born, born_ns: 0 })
    }
}

struct CrashLock {
    vfs: CrashVfs,
    path: PathBuf,
}

impl VfsLock for CrashLock {}

impl Drop for CrashLock {
    fn drop(&mut self) {
        self.vfs.0.lock().locked.remove(&self.path);
    }
}
