//! A data directory in one process's hands: its locks, and the identity that tells it from its
//! copies and each of its openings from the one before. The format of the file is in
//! `docs/format.md`.

use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::bytes::Reader;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::sync::Mutex;
use crate::vfs::version::{Sealed, Versioned};
use crate::vfs::{Birth, Vfs, VfsFile, VfsLock, read_start};

const MAGIC: [u8; 8] = *b"STKHIDNT";
const VERSION: u32 = 1;

/// How a file says its version.
pub(crate) const VERSIONED: Versioned = Versioned {
    what: "the identity of a directory",
    magic: &MAGIC,
    version_bytes: 4,
    known: VERSION,
    sealed: Sealed::Whole,
};
const FILE_BYTES: usize = 72;

/// Which data directory this is, and which of its openings.
///
/// Two directories never have the same number: one that was copied gets another at its first
/// opening. So who writes elsewhere on behalf of a ledger (a mirror, a replica) keeps the three
/// numbers beside what it writes, and stops when it finds another `directory`, a higher `epoch`, or
/// its own epoch with another `opening`: somebody else is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Random, made with the directory.
    pub directory: u128,
    /// The how manieth opening this is. Raised, and durable, before anything else of the opening
    /// is.
    pub epoch: u64,
    /// Random, made with the opening: it tells two openings that have one number, as those of a
    /// disk and its image.
    pub opening: u128,
}

/// The file `identity` as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    identity: Identity,
    /// The file in which this was written first. In a copy it is another.
    birth: Birth,
}

/// What the file of a directory says.
enum Found {
    Nothing,
    /// It cannot be read for what it is.
    Damaged,
    /// It was written here.
    Own(Record, Box<dyn VfsFile>),
    /// It was written in another directory, from which this one was copied, or was put back from a
    /// backup.
    Copied(Record),
}

/// A data directory that is locked, and in which nothing was changed yet.
pub(crate) struct Locked {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    locks: Locks,
}

type Locks = Vec<Box<dyn VfsLock>>;

/// Takes the locks of a data directory: that of the directory itself, and that of a file in it,
/// which earlier releases take, and which serves where directories have no locks.
///
/// # Errors
/// `AlreadyOpen` when somebody has it, `Unavailable` when it cannot be locked.
pub(crate) fn lock(vfs: &Arc<dyn Vfs>, path: &Path) -> Result<Locked> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::already_open(format!(
            "the data directory {} is open already, in this process or another",
            path.display()
        )),
        _ => Error::io(format_args!("locking {}", path.display()), error),
    };
    let whole = vfs.lock_dir(path).map_err(refused)?;
    let file = vfs.lock(&path.join("lock")).map_err(refused)?;
    let locks = whole.into_iter().chain([file]).collect();
    Ok(Locked { vfs: Arc::clone(vfs), path: path.to_owned(), locks })
}

impl Locked {
    /// Begins an opening: raises the epoch, durably. With a seed, numbers follow from it instead of
    /// from chance.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn begin(self, seed: Option<u64>) -> Result<Directory> {
        let Self { vfs, path, locks } = self;
        let (another, opening) = (number(seed, 1)?, number(seed, 2)?);
        let (identity, copied) = match find(&*vfs, &path)? {
            Found::Own(record, file) => {
                let identity =
                    Identity { epoch: next(record.identity.epoch)?, opening, ..record.identity };
                // In its place: one sector is written whole or not at all, the file stays the one
                // that it is, and a full disk has room for it.
                let bytes = encode(Record { identity, ..record });
                file.write_at(&bytes, 0)
                    .and_then(|()| file.sync())
                    .map_err(|error| writing(&path, error))?;
                (identity, false)
            }
            Found::Copied(record) => {
                let epoch = next(record.identity.epoch)?;
                let identity = make(&*vfs, &path, Identity { directory: another, epoch, opening })?;
                let dir = path.display();
                tracing::warn!(%dir, "the data directory is a copy: what followed the original does not follow it");
                (identity, true)
            }
            found @ (Found::Nothing | Found::Damaged) => {
                if matches!(found, Found::Damaged) {
                    let dir = path.display();
                    tracing::error!(%dir, "the identity of the data directory is damaged: it gets another");
                }
                let identity =
                    make(&*vfs, &path, Identity { directory: another, epoch: 1, opening })?;
                (identity, matches!(found, Found::Damaged))
            }
        };
        let locks = Mutex::new(Some(Arc::new(locks)));
        Ok(Directory { vfs, path, identity, copied, process: AtomicU32::new(process::id()), locks })
    }
}

/// An opening of a data directory.
pub(crate) struct Directory {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    identity: Identity,
    copied: bool,
    /// The process that opened it. A child that it forks has its memory, and none of its threads.
    process: AtomicU32,
    /// `None` once it was released.
    locks: Mutex<Option<Arc<Locks>>>,
}

/// What whoever writes into the directory holds meanwhile: until it is dropped no other process
/// gets the directory.
#[must_use = "the directory is held until this is dropped"]
pub(crate) struct Hold {
    _locks: Arc<Locks>,
}

impl Directory {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether what says that it is of this directory is. `None` is what an earlier release wrote,
    /// which did not say: it is taken for this one's, unless this one is known to be a copy.
    pub(crate) fn owns(&self, directory: Option<u128>) -> bool {
        directory.map_or(!self.copied, |directory| directory == self.identity.directory)
    }

    /// Holds the directory while something is written into it.
    ///
    /// # Errors
    /// `Closed` once it was released; `Unavailable` when it is no longer this engine's, or in a
    /// fork.
    pub(crate) fn hold(&self) -> Result<Hold> {
        self.check_process()?;
        let locks = self.locks.lock().clone().ok_or_else(Error::closed)?;
        self.check()?;
        Ok(Hold { _locks: locks })
    }

    /// Gives the directory up; whoever holds it still does.
    pub(crate) fn release(&self) {
        self.locks.lock().take();
    }

    /// Whether the path still leads to this opening of this directory.
    ///
    /// # Errors
    /// `Unavailable` when it does not, or cannot be read.
    pub(crate) fn check(&self) -> Result<()> {
        match read(&*self.vfs, &file_path(&self.path))? {
            Some((record, _)) if record.identity == self.identity => Ok(()),
            _ => Err(Error::unavailable(format!(
                "the data directory {} is no longer the one that was opened: it was replaced, or another process opened it",
                self.path.display()
            ))),
        }
    }

    /// Whether this is the process that opened it.
    ///
    /// # Errors
    /// `Unavailable` in a fork.
    pub(crate) fn check_process(&self) -> Result<()> {
        // Relaxed: only tests change it.
        let opener = self.process.load(Ordering::Relaxed);
        if process::id() == opener {
            return Ok(());
        }
        Err(Error::unavailable(format!(
            "the engine on {} belongs to process {opener}, of which this one is a fork: open another engine here once that \
             one is closed",
            self.path.display()
        )))
    }

    /// Lets another process be the one that opened it, as it is in a fork; returns which it was.
    #[cfg(all(test, not(stockhold_loom)))]
    pub(crate) fn set_process(&self, process: u32) -> u32 {
        self.process.swap(process, Ordering::Relaxed)
    }
}

/// The identity of a directory that is looked at from outside; `None` where there is none, or it is
/// that of another directory, from which this one was copied.
///
/// # Errors
/// `Unavailable` when it cannot be read.
pub(crate) fn identity_of(vfs: &dyn Vfs, path: &Path) -> Result<Option<Identity>> {
    match read(vfs, &file_path(path)) {
        Ok(Some((record, birth))) if record.birth == birth => Ok(Some(record.identity)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the directory another one at its next opening.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(crate) fn forget(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    match vfs.remove(&file_path(dir)).and_then(|()| vfs.sync_dir(dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(writing(dir, error)),
        _ => Ok(()),
    }
}

fn find(vfs: &dyn Vfs, dir: &Path) -> Result<Found> {
    let path = file_path(dir);
    Ok(match read(vfs, &path) {
        Ok(None) => Found::Nothing,
        Ok(Some((record, birth))) if record.birth == birth => {
            Found::Own(record, vfs.open(&path).map_err(|error| writing(dir, error))?)
        }
        Ok(Some((record, _))) => Found::Copied(record),
        Err(error) if error.kind() == ErrorKind::Corrupt => Found::Damaged,
        Err(error) => return Err(error),
    })
}

/// What is in the file, and which file it is; `None` when there is none.
fn read(vfs: &dyn Vfs, path: &Path) -> Result<Option<(Record, Birth)>> {
    let read = vfs
        .open_read(path)
        .and_then(|file| Ok((read_start(&*file, FILE_BYTES + 1)?, file.birth()?)));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format_args!("reading {}", path.display()), error)),
        Ok((bytes, birth)) => match decode(&bytes) {
            Some(record) => Ok(Some((record, birth))),
            None => Err(Error::corrupt(format!("{} is damaged", path.display()))),
        },
    }
}

/// Makes the file anew: written aside, synced and renamed, so that it is always whole.
fn make(vfs: &dyn Vfs, dir: &Path, identity: Identity) -> Result<Identity> {
    let aside = dir.join("identity.new");
    let made = vfs.create(&aside).and_then(|file| {
        let birth = file.birth()?;
        file.write_at(&encode(Record { identity, birth }), 0)?;
        file.sync()?;
        vfs.rename(&aside, &file_path(dir))?;
        vfs.sync_dir(dir)
    });
    made.map(|()| identity).map_err(|error| writing(dir, error))
}

fn file_path(dir: &Path) -> PathBuf {
    dir.join("identity")
}

fn writing(dir: &Path, error: io::Error) -> Error {
    Error::io(format_args!("writing {}", file_path(dir).display()), error)
}

fn next(epoch: u64) -> Result<u64> {
    epoch
        .checked_add(1)
        .ok_or_else(|| Error::corrupt("the data directory was opened more often than can be"))
}

/// A random number, or the one of this purpose that follows from a seed.
fn number(seed: Option<u64>, purpose: u128) -> Result<u128> {
    seed.map_or_else(random, |seed| {
        Ok(u128::from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | purpose)
    })
}

/// Sixteen random bytes.
///
/// # Errors
/// `Unavailable` when the system has none.
pub(crate) fn random() -> Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|cause| Error::unavailable(format!("no random bytes: {cause}")))?;
    Ok(u128::from_le_bytes(bytes))
}

fn encode(record: Record) -> [u8; FILE_BYTES] {
    let Record { identity, birth } = record;
    let mut bytes = [0; FILE_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..28].copy_from_slice(&identity.directory.to_le_bytes());
    bytes[28..36].copy_from_slice(&identity.epoch.to_le_bytes());
    bytes[36..52].copy_from_slice(&identity.opening.to_le_bytes());
    bytes[52..60].copy_from_slice(&birth.inode.to_le_bytes());
    bytes[60..68].copy_from_slice(&birth.born_ns.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..68]);
    bytes[68..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Record> {
    let bytes: &[u8; FILE_BYTES] = bytes.try_into().ok()?;
    let mut reader = Reader::new(&bytes[8..]);
    let version = reader.u32()?;
    let identity =
        Identity { directory: reader.u128()?, epoch: reader.u64()?, opening: reader.u128()? };
    let birth = Birth { inode: reader.u64()?, born_ns: reader.u64()? };
    let whole =
        bytes[..8] == MAGIC && version == VERSION && reader.u32()? == crc32c::crc32c(&bytes[..68]);
    whole.then_some(Record { identity, birth })
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests;
