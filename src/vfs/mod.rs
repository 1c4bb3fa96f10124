//! The file system as the journal and the checkpoint see it, so that tests can crash it.
//! Only `vfs/real.rs` touches `std::fs`.

#[cfg(all(any(test, feature = "bin"), not(stockhold_loom)))]
pub(crate) mod crash;
pub(crate) mod directory;
#[cfg(any(test, feature = "bin"))]
pub(crate) mod held;
pub(crate) mod memory;
mod real;
pub(crate) mod version;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use real::RealVfs;

/// What tells a file from a copy of it: where the file system has it, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth {
    pub(crate) inode: u64,
    /// Nanoseconds since 1970; 0 where the file system does not know.
    pub(crate) born_ns: u64,
}

/// A file system. Every path is absolute or relative to the process.
pub(crate) trait Vfs: Send + Sync + 'static {
    /// Creates a directory in one that exists; `AlreadyExists` when it does. Durable only after
    /// `sync_dir` of the parent.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;
    /// Opens an existing file for reading only.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;
    /// Creates a file, or truncates the one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;
    /// The file names in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Renames a file, replacing what has the new name. Durable only after `sync_dir`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. Durable only after `sync_dir`.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Whether there is a file at `path`.
    fn has(&self, path: &Path) -> io::Result<bool>;
    /// `path` as it is named from everywhere, wherever the process goes.
    fn absolute(&self, path: &Path) -> io::Result<PathBuf>;
    /// Takes the exclusive lock of the directory itself, which cannot be lost by removing a file;
    /// `None` on a file system that locks no directories, `WouldBlock` when another process holds
    /// it.
    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn VfsLock>>>;
    /// How many bytes can still be written in a directory; `u64::MAX` where that cannot be told.
    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
    /// Whether its files are the machine's, so that whoever goes past it finds them too.
    fn is_on_disk(&self) -> bool {
        true
    }
    /// Takes the exclusive lock file at `path`; `WouldBlock` when another process holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn VfsLock>>;
}

/// An open file: positioned reads and writes only.
pub(crate) trait VfsFile: Send + Sync {
    /// Reads at `offset` until `buffer` is full or the file ends; returns how many bytes were read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the written bytes durable (fdatasync).
    fn sync(&self) -> io::Result<()>;
    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// What tells it from a copy.
    fn birth(&self) -> io::Result<Birth>;
}

/// A held lock; dropping it gives the lock up.
pub(crate) trait VfsLock: Send + Sync {}

/// Creates a directory and the parents that are missing. Each is durable before anything is made in
/// it: a tree whose root a power cut took back would take everything with it.
pub(crate) fn create_dir_all(vfs: &dyn Vfs, dir: &Path) -> io::Result<()> {
    let above = parent(dir);
    let created = match vfs.create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && above != dir => {
            create_dir_all(vfs, &above)?;
            vfs.create_dir(dir)
        }
        outcome => outcome,
    };
    match created {
        // One that is there may have been made by a process that was killed before it synced.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => vfs.sync_dir(&above),
    }
}

/// Writes a small file whole: aside as `{name}.tmp`, synced and renamed, so that a crash leaves the
/// one or the other. Makes the directory where it is missing.
pub(crate) fn write_whole(
    vfs: &dyn Vfs,
    dir: &Path,
    name: &str,
    path: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    let aside = dir.join(format!("{name}.tmp"));
    create_dir_all(vfs, dir)?;
    let file = vfs.create(&aside)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    vfs.rename(&aside, path)?;
    vfs.sync_dir(dir)
}

/// Whether a directory is there and can be read.
pub(crate) fn holds_dir(vfs: &dyn Vfs, dir: &Path) -> bool {
    vfs.list(dir).is_ok()
}

/// The first bytes of a file, up to `limit` of them. A read that ends before the file does is an
/// error: what is missing must not look like a file that a crash cut short.
pub(crate) fn read_start(file: &dyn VfsFile, limit: usize) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length.min(limit)];
    match file.read_at(&mut bytes, 0)? {
        read if read == bytes.len() => Ok(bytes),
        read => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{read} of {} bytes were read", bytes.len()),
        )),
    }
}

/// The directory that holds `path`.
pub(crate) fn parent(path: &Path) -> PathBuf {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
