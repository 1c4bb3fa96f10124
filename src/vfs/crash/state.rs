//! The operations: what each does to what is seen and to what is durable, and what a fault makes of
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::chance::Chance;
use super::content::Content;
use super::names::{Change, Inode, Names};
use super::{Fault, Operation, off, split};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) files: Vec<Content>,
    pub(super) seen: Names,
    pub(super) durable: Names,
    pub(super) changes: Vec<Change>,
    pub(super) locked: BTreeSet<PathBuf>,
    pub(super) chance: Chance,
    /// How many files were ever made.
    pub(super) born: u64,
    pub(super) operations: u64,
    pub(super) counts: BTreeMap<Operation, u64>,
    pub(super) faults: BTreeMap<u64, Fault>,
    pub(super) struck: Vec<(Operation, Fault)>,
    pub(super) is_off: bool,
    pub(super) is_full: bool,
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
            Some(Fault::DiskFull) => self.is_full = true,
            Some(Fault::Fail | Fault::Short) | None => {}
        }
        Ok(fault)
    }

    /// An operation that is one step, and has no half: a fault makes it fail.
    fn operate_whole(&mut self, operation: Operation) -> io::Result<()> {
        match self.operate(operation)? {
            Some(Fault::Fail | Fault::Short) => Err(failure()),
            _ => Ok(()),
        }
    }

    /// After an operation ran: its caller does not hear of it when power was cut meanwhile.
    pub(super) fn outcome<T>(&self, value: T) -> io::Result<T> {
        if self.is_off { Err(off()) } else { Ok(value) }
    }

    fn check_room(&self) -> io::Result<()> {
        if self.is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn check_dir(&self, dir: &Path) -> io::Result<()> {
        if self.seen.has_dir(dir) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn find(&self, path: &Path) -> io::Result<Inode> {
        let (dir, name) = split(path);
        self.seen.find(&dir, &name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        self.operate_whole(Operation::Create)?;
        let (dir, _) = split(path);
        self.check_dir(&dir)?;
        if self.seen.has_dir(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.check_room()?;
        self.change(Change { made: Some(path.to_owned()), ..Change::in_dir(dir) });
        self.outcome(())
    }

    pub(super) fn open(&mut self, path: &Path) -> io::Result<Inode> {
        self.operate_whole(Operation::Open)?;
        let inode = self.find(path)?;
        self.outcome(inode)
    }

    pub(super) fn list(&mut self, dir: &Path) -> io::Result<Vec<String>> {
        self.operate_whole(Operation::List)?;
        self.check_dir(dir)?;
        let names = self.seen.list(dir);
        self.outcome(names)
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<Inode> {
        self.operate_whole(Operation::Create)?;
        let (dir, name) = split(path);
        self.check_dir(&dir)?;
        self.check_room()?;
        let inode = self.files.len();
        // One that is truncated is a new file too: until its name is durable the old one is found.
        self.born += 1;
        self.files.push(Content::empty(self.born));
        self.change(Change { added: Some((name, inode)), ..Change::in_dir(dir) });
        self.outcome(inode)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate_whole(Operation::Rename)?;
        let inode = self.find(from)?;
        let ((dir, removed), (to_dir, added)) = (split(from), split(to));
        if dir != to_dir {
            return Err(io::Error::other("files are renamed within their directory"));
        }
        self.change(Change {
            removed: Some(removed),
            added: Some((added, inode)),
            ..Change::in_dir(dir)
        });
        self.outcome(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.operate_whole(Operation::Remove)?;
        self.find(path)?;
        let (dir, name) = split(path);
        self.change(Change { removed: Some(name), ..Change::in_dir(dir) });
        self.outcome(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.operate_whole(Operation::SyncDir)?;
        self.check_dir(dir)?;
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

    pub(super) fn write(&mut self, inode: Inode, bytes: &[u8], offset: usize) -> io::Result<()> {
        let fault = self.operate(Operation::Write)?;
        let end = offset + bytes.len();
        if end > self.files[inode].seen.len() {
            self.check_room()?;
        }
        match fault {
            Some(Fault::Fail) => return Err(failure()),
            Some(Fault::Short) => {
                self.files[inode].write(&bytes[..bytes.len() / 2], offset);
                return Err(failure());
            }
            _ => self.files[inode].write(bytes, offset),
        }
        self.outcome(())
    }

    pub(super) fn sync(&mut self, inode: Inode) -> io::Result<()> {
        let fault = self.operate(Operation::Sync)?;
        if matches!(fault, Some(Fault::Fail | Fault::Short)) {
            self.files[inode].fail_sync(&mut self.chance);
            return Err(failure());
        }
        if self.is_off && self.chance.below(2) == 0 {
            return Err(off());
        }
        self.files[inode].sync();
        self.outcome(())
    }

    pub(super) fn read(
        &mut self,
        inode: Inode,
        buffer: &mut [u8],
        offset: usize,
    ) -> io::Result<usize> {
        let fault = self.operate(Operation::Read)?;
        let rest = self.files[inode].seen.get(offset..).unwrap_or_default();
        let mut length = rest.len().min(buffer.len());
        match fault {
            Some(Fault::Fail) => return Err(failure()),
            Some(Fault::Short) => length /= 2,
            _ => {}
        }
        buffer[..length].copy_from_slice(&rest[..length]);
        self.outcome(length)
    }

    /// What a machine finds when power is back.
    pub(super) fn crash(&self, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut names = self.durable.clone();
        // All, none, or each on its own: the extremes alone find most of what a missing sync of a
        // directory breaks.
        let odds = [0, 2, 4][chance.below(3)];
        for change in &self.changes {
            if chance.below(4) < odds {
                change.apply(&mut names);
            }
        }
        names.drop_orphans();
        let odds = [0, 1, 3, 4][chance.below(4)];
        // Files that have no name any more are gone; one may have two names when half a rename
        // survived.
        let mut kept: BTreeMap<Inode, Inode> = BTreeMap::new();
        let mut files = Vec::new();
        names.renumber(|inode| {
            *kept.entry(inode).or_insert_with(|| {
                files.push(self.files[inode].survive(odds, &mut chance));
                files.len() - 1
            })
        });
        Self {
            files,
            seen: names.clone(),
            durable: names,
            chance,
            born: self.born,
            ..Self::default()
        }
    }
}

fn failure() -> io::Error {
    io::Error::other("made to fail")
}
