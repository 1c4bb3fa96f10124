//! A file system whose writes or syncs fail from a moment on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::vfs::{Birth, RealVfs, Vfs, VfsFile, VfsLock};

#[derive(Default)]
pub(super) struct Faults {
    pub writes: AtomicBool,
    pub syncs: AtomicBool,
    /// How many more times no file can be opened, since too many are.
    pub opens: AtomicUsize,
}

fn check(fault: &AtomicBool) -> io::Result<()> {
    if fault.load(Ordering::SeqCst) { Err(io::Error::other("made to fail")) } else { Ok(()) }
}

/// EMFILE, as long as `opens` says.
fn check_descriptors(faults: &Faults) -> io::Result<()> {
    let one_less =
        faults.opens.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if one_less.is_ok() { Err(io::Error::from_raw_os_error(24)) } else { Ok(()) }
}

pub(super) struct FaultyVfs {
    pub faults: Arc<Faults>,
}

impl FaultyVfs {
    fn wrap(&self, file: io::Result<Box<dyn VfsFile>>) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(FaultyFile { file: file?, faults: Arc::clone(&self.faults) }))
    }
}

impl Vfs for FaultyVfs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealVfs.create_dir(dir)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        check_descriptors(&self.faults)?;
        self.wrap(RealVfs.open(path))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        check_descriptors(&self.faults)?;
        self.wrap(RealVfs.open_read(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        check_descriptors(&self.faults)?;
        self.wrap(RealVfs.create(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealVfs.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealVfs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealVfs.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        check_descriptors(&self.faults)?;
        check(&self.faults.syncs)?;
        RealVfs.sync_dir(dir)
    }

    fn has(&self, path: &Path) -> io::Result<bool> {
        RealVfs.has(path)
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        RealVfs.absolute(path)
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn VfsLock>>> {
        RealVfs.lock_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn VfsLock>> {
        RealVfs.lock(path)
    }
}

struct FaultyFile {
    file: Box<dyn VfsFile>,
    faults: Arc<Faults>,
}

impl VfsFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        check(&self.faults.writes)?;
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        check(&self.faults.syncs)?;
        self.file.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn birth(&self) -> io::Result<Birth> {
        self.file.birth()
    }
}
