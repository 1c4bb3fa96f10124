//! The machine's file system.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Birth, Vfs, VfsFile, VfsLock};

/// How often a lock file that was replaced while it was locked is opened again.
const LOCK_TRIES: usize = 8;

/// EBADF, EINVAL, ENOLCK, ENOSYS and EOPNOTSUPP: what file systems say that lock no directories.
const NO_DIR_LOCKS: [i32; 5] = [9, 22, 37, 38, 95];

/// Only its owner may read a data directory: names and addresses are in it.
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The machine's file system.
#[derive(Debug, Default)]
pub(crate) struct RealVfs;

#[allow(clippy::disallowed_methods, reason = "the one place that touches the file system")]
impl Vfs for RealVfs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().mode(DIR_MODE).create(dir)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(RealFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            // We never write a name that is not UTF-8.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(dir)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn has(&self, path: &Path) -> io::Result<bool> {
        std::fs::exists(path)
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        std::path::absolute(path)
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn VfsLock>>> {
        let file = File::open(dir)?;
        match file.try_lock() {
            // One that was renamed meanwhile is another directory than the one that is meant.
            Ok(()) if !is_at(&file, dir)? => Err(io::ErrorKind::WouldBlock.into()),
            Ok(()) => Ok(Some(Box::new(RealLock::new(file)))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error))
                if NO_DIR_LOCKS.contains(&error.raw_os_error().unwrap_or_default()) =>
            {
                Ok(None)
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn VfsLock>> {
        for _ in 0..LOCK_TRIES {
            let mut options = OpenOptions::new();
            let file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(FILE_MODE)
                .open(path)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, path)? => return Ok(Box::new(RealLock::new(file))),
                // Somebody removed or replaced it between the two calls: a lock on it would keep
                // nobody out.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::other("the lock file is replaced again and again"))
    }
}

/// Whether the open file or directory is the one that `path` names.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

struct RealFile(File);

impl VfsFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn birth(&self) -> io::Result<Birth> {
        let data = self.0.metadata()?;
        let since_1970 = data.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born_ns = since_1970.and_then(|since| u64::try_from(since.as_nanos()).ok());
        Ok(Birth { inode: data.ino(), born_ns: born_ns.unwrap_or(0) })
    }
}

/// A lock that is held. It is given up in so many words, since closing the file is not enough: a
/// program that another thread is about to start has a copy of it for a moment. A fork of this
/// process has one for good, and must not give it up.
struct RealLock {
    file: File,
    process: u32,
}

impl RealLock {
    fn new(file: File) -> Self {
        Self { file, process: std::process::id() }
    }
}

impl VfsLock for RealLock {}

impl Drop for RealLock {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            // When that fails, closing the file does what it can.
            let _ = self.file.unlock();
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests make files")]
mod tests {
    use super::*;

    /// Would catch a directory that is called open for as long as a program that was being started has
    /// a copy of its lock.
    #[test]
    fn what_is_given_up_is_free_though_somebody_has_a_copy() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let file = File::create(&path).expect("it is created");
        file.try_lock().expect("nobody has it");
        let copy = file.try_clone().expect("there are descriptors");
        let lock = RealLock::new(file);
        let refused = RealVfs.lock(&path).map(drop).expect_err("it is held");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        RealVfs.lock(&path).map(drop).expect("it was given up");
        drop(copy);
    }

    /// Would catch a fork that gives up what its parent holds.
    #[test]
    fn a_lock_of_another_process_is_not_given_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let file = File::create(&path).expect("it is created");
        file.try_lock().expect("nobody has it");
        let parents = file.try_clone().expect("there are descriptors");
        drop(RealLock { file, process: std::process::id() + 1 });
        let refused = RealVfs.lock(&path).map(drop).expect_err("its parent holds it");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(parents);
    }
}
