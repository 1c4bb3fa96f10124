//! A file system in memory that can lose power, fail and rot, all from one seed.
//!
//! It keeps two states: what programs see, and what is durable. A write changes what is seen; only `sync` makes a
//! file's bytes durable, and only `sync_dir` the names in a directory. [`CrashVfs::crash`] shows what a machine might
//! find after power was cut: each unsynced sector of 512 bytes is the old one or the new one, on its own, and each
//! unsynced change of a directory happened or did not. Disks are kinder than that, not worse: a sector is never half
//! written, and what was synced stays.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Vfs, VfsFile, VfsLock, parent};

/// What is written or lost as a whole.
const SECTOR: usize = 512;

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Power is cut while it runs: it may have happened or not, and nothing works any more.
    PowerCut,
    /// It fails, and does nothing.
    Fail,
    /// A read or a write stops half-way and fails.
    Short,
    /// The disk is full from here on: nothing can be written beyond the end of a file, and nothing created.
    DiskFull,
}

/// The kinds of operations, by which they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Read,
    Write,
    Sync,
    Create,
    Rename,
    Remove,
    SyncDir,
}

type Inode = usize;
/// The names in every directory.
type Names = BTreeMap<PathBuf, BTreeMap<String, Inode>>;

#[derive(Clone, Debug, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// The sectors in which the two may differ.
    dirty: BTreeSet<usize>,
}

/// A change of one directory that is not durable yet.
#[derive(Clone, Debug)]
struct Change {
    dir: PathBuf,
    removed: Option<String>,
    added: Option<(String, Inode)>,
}

impl Change {
    fn apply(&self, names: &mut Names) {
        let dir = names.entry(self.dir.clone()).or_default();
        if let Some(removed) = &self.removed {
            dir.remove(removed);
        }
        if let Some((added, inode)) = &self.added {
            dir.insert(added.clone(), *inode);
        }
    }
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    seen: Names,
    durable: Names,
    changes: Vec<Change>,
    locked: BTreeSet<PathBuf>,
    chance: Chance,
    operations: u64,
    counts: BTreeMap<Operation, u64>,
    faults: BTreeMap<u64, Fault>,
    struck: Vec<(Operation, Fault)>,
    is_off: bool,
    is_full: bool,
}

/// A file system in memory. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct CrashVfs(Arc<Mutex<State>>);

impl CrashVfs {
    /// An empty file system whose choices follow from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { chance: Chance::new(seed), ..State::default() })))
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// How many operations of each kind there were.
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

    /// Makes room on a full disk.
    pub(crate) fn make_room(&self) {
        self.0.lock().is_full = false;
    }

    /// What a machine finds when power is back: a file system of its own, in which everything is durable.
    pub(crate) fn crash(&self, seed: u64) -> Self {
        let state = self.0.lock();
        let mut chance = Chance::new(seed);
        let mut names = state.durable.clone();
        // All, none, or each on its own: the extremes alone find most of what a missing sync of a directory breaks.
        let odds = [0, 2, 4][chance.below(3)];
        for change in &state.changes {
            if chance.below(4) < odds {
                change.apply(&mut names);
            }
        }
        let odds = [0, 1, 3, 4][chance.below(4)];
        let files = state.files.iter().map(|file| file.survive(odds, &mut chance)).collect();
        drop(state);
        let state = State { files, seen: names.clone(), durable: names, chance, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A copy in which everything is as it is seen now, durable, and free of faults.
    pub(crate) fn duplicate(&self) -> Self {
        let state = self.0.lock();
        let files = state.files.iter().map(|file| Content::whole(file.seen.clone())).collect();
        let (seen, durable) = (state.seen.clone(), state.seen.clone());
        Self(Arc::new(Mutex::new(State { files, seen, durable, chance: state.chance.clone(), ..State::default() })))
    }

    /// Every file there is, with its length.
    pub(crate) fn files(&self) -> Vec<(PathBuf, usize)> {
        let state = self.0.lock();
        let named = |(dir, names): (&PathBuf, &BTreeMap<String, Inode>)| {
            let file = |(name, inode): (&String, &Inode)| (dir.join(name), state.files[*inode].seen.len());
            names.iter().map(file).collect::<Vec<_>>()
        };
        state.seen.iter().flat_map(named).collect()
    }

    /// The bytes of a file, or `None` when there is no such file.
    pub(crate) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.0.lock();
        state.find(path).ok().map(|inode| state.files[inode].seen.clone())
    }

    /// Replaces a file, durably; `None` removes it. No operation is counted: this is rot, or a hand.
    pub(crate) fn put(&self, path: &Path, bytes: Option<Vec<u8>>) {
        let mut state = self.0.lock();
        let (dir, name) = split(path);
        let State { files, seen, durable, .. } = &mut *state;
        let added = bytes.map(|bytes| {
            files.push(Content::whole(bytes));
            (name.clone(), files.len() - 1)
        });
        let change = Change { dir, removed: Some(name), added };
        change.apply(seen);
        change.apply(durable);
    }
}

fn split(path: &Path) -> (PathBuf, String) {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    (parent(path), name.unwrap_or_default())
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl State {
    /// Counts an operation and lets strike what was meant for it.
    fn operate(&mut self, operation: Operation) -> io::Result<Option<Fault>> {
        if self.is_off {
            return Err(off());
        }
        let fault = self.faults.remove(&self.operations);
        self.operations += 1;
        *self.counts.entry(operation).or_default() += 1;
        self.struck.extend(fault.map(|fault| (operation, fault)));
        match fault {
            Some(Fault::PowerCut) => self.is_off = true,
            Some(Fault::Fail) => return Err(io::Error::other("made to fail")),
            Some(Fault::DiskFull) => self.is_full = true,
            Some(Fault::Short) | None => {}
        }
        Ok(fault)
    }

    /// A fault has no half of an operation that is one step.
    fn operate_whole(&mut self, operation: Operation) -> io::Result<()> {
        match self.operate(operation)? {
            Some(Fault::Short) => Err(io::Error::other("made to fail")),
            _ => Ok(()),
        }
    }

    /// After an operation ran: its caller does not hear of it when power was cut meanwhile.
    fn outcome<T>(&self, value: T) -> io::Result<T> {
        if self.is_off { Err(off()) } else { Ok(value) }
    }

    fn check_room(&self) -> io::Result<()> {
        if self.is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn find(&self, path: &Path) -> io::Result<Inode> {
        let (dir, name) = split(path);
        let found = self.seen.get(&dir).and_then(|names| names.get(&name));
        found.copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }

    fn create(&mut self, path: &Path) -> io::Result<Inode> {
        self.operate_whole(Operation::Create)?;
        self.check_room()?;
        let inode = self.files.len();
        // One that is truncated is a new file too: until its name is durable the old one is found.
        self.files.push(Content::default());
        let (dir, name) = split(path);
        self.change(Change { dir, removed: None, added: Some((name, inode)) });
        self.outcome(inode)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate_whole(Operation::Rename)?;
        let inode = self.find(from)?;
        let ((dir, removed), (to_dir, added)) = (split(from), split(to));
        if dir != to_dir {
            return Err(io::Error::other("files are renamed within their directory"));
        }
        self.change(Change { dir, removed: Some(removed), added: Some((added, inode)) });
        self.outcome(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.operate_whole(Operation::Remove)?;
        self.find(path)?;
        let (dir, name) = split(path);
        self.change(Change { dir, removed: Some(name), added: None });
        self.outcome(())
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.operate_whole(Operation::SyncDir)?;
        if self.is_off && self.chance.below(2) == 0 {
            return Err(off());
        }
        let Self { changes, durable, .. } = self;
        changes.retain(|change| {
            let here = change.dir == dir;
            if here {
                change.apply(durable);
            }
            !here
        });
        self.outcome(())
    }

    fn write(&mut self, inode: Inode, bytes: &[u8], offset: usize) -> io::Result<()> {
        let fault = self.operate(Operation::Write)?;
        let end = offset + bytes.len();
        if end > self.files[inode].seen.len() {
            self.check_room()?;
        }
        if fault == Some(Fault::Short) {
            self.files[inode].write(&bytes[..bytes.len() / 2], offset);
            return Err(io::Error::other("made to fail half-way"));
        }
        self.files[inode].write(bytes, offset);
        self.outcome(())
    }

    fn sync(&mut self, inode: Inode) -> io::Result<()> {
        self.operate_whole(Operation::Sync)?;
        if self.is_off && self.chance.below(2) == 0 {
            return Err(off());
        }
        self.files[inode].sync();
        self.outcome(())
    }

    fn read(&mut self, inode: Inode, buffer: &mut [u8], offset: usize) -> io::Result<usize> {
        let fault = self.operate(Operation::Read)?;
        let rest = self.files[inode].seen.get(offset..).unwrap_or_default();
        let mut length = rest.len().min(buffer.len());
        if fault == Some(Fault::Short) {
            length /= 2;
        }
        buffer[..length].copy_from_slice(&rest[..length]);
        self.outcome(length)
    }
}

impl Content {
    fn whole(bytes: Vec<u8>) -> Self {
        Self { seen: bytes.clone(), durable: bytes, dirty: BTreeSet::new() }
    }

    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }

    fn sync(&mut self) {
        self.durable.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            copy_sector(&self.seen, &mut self.durable, sector);
        }
    }

    /// What is left of it when each unsynced sector has `odds` chances in four.
    fn survive(&self, odds: usize, chance: &mut Chance) -> Self {
        let mut bytes = self.durable.clone();
        if bytes.len() < self.seen.len() {
            // The new length may be durable before the bytes: they read as zeros.
            let longer = self.seen.len() - bytes.len();
            let kept = if chance.below(4) < odds { longer } else { longer.min(chance.below(8) * SECTOR) };
            bytes.resize(bytes.len() + kept, 0);
        }
        for sector in &self.dirty {
            if chance.below(4) < odds {
                copy_sector(&self.seen, &mut bytes, *sector);
            }
        }
        Self::whole(bytes)
    }
}

fn copy_sector(from: &[u8], to: &mut [u8], sector: usize) {
    let end = ((sector + 1) * SECTOR).min(from.len()).min(to.len());
    if let Some(range) = (sector * SECTOR < end).then(|| sector * SECTOR..end) {
        to[range.clone()].copy_from_slice(&from[range]);
    }
}

/// Choices that follow from a seed: splitmix64, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Clone, Debug, Default)]
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % end
    }
}

impl Vfs for CrashVfs {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.operate_whole(Operation::SyncDir)?;
        let State { seen, durable, .. } = &mut *state;
        // The contract syncs it, so there is no moment at which it could be lost.
        seen.entry(dir.to_owned()).or_default();
        durable.entry(dir.to_owned()).or_default();
        state.outcome(())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let state = self.0.lock();
        let inode = if state.is_off { Err(off()) } else { state.find(path) }?;
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
        let state = self.0.lock();
        if state.is_off {
            return Err(off());
        }
        let names = state.seen.get(dir).ok_or(io::ErrorKind::NotFound)?;
        Ok(names.keys().cloned().collect())
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

#[cfg(test)]
mod tests;
