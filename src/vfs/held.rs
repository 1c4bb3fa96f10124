//! The machine's file system behind a gate, for trials: a disk that hangs until it is let go, or
//! fails as long as somebody says so.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use super::{Birth, RealVfs, Vfs, VfsFile, VfsLock};

/// What whatever changes the disk passes through.
#[derive(Debug)]
pub(crate) struct Gate {
    held: Mutex<bool>,
    changed: Condvar,
    /// How many bytes the disk says are free; `u64::MAX` lets the machine say.
    free_bytes: AtomicU64,
    #[cfg(test)]
    pub(crate) faults: Faults,
}

/// What fails.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// There is no room for another segment.
    pub(crate) is_full: AtomicBool,
    pub(crate) writes: AtomicBool,
    pub(crate) syncs: AtomicBool,
    /// How many more times no file can be opened, since too many are.
    pub(crate) opens: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            changed: Condvar::new(),
            free_bytes: AtomicU64::new(u64::MAX),
            #[cfg(test)]
            faults: Faults::default(),
        }
    }
}

impl Gate {
    /// Lets every write and sync hang from here on.
    pub(crate) fn hold(&self) {
        *self.held.lock() = true;
    }

    /// Lets everything go on.
    pub(crate) fn release(&self) {
        *self.held.lock() = false;
        self.changed.notify_all();
    }

    /// Lets the disk say that this many bytes are free.
    #[cfg(feature = "bin")]
    pub(crate) fn set_free_bytes(&self, bytes: u64) {
        self.free_bytes.store(bytes, Ordering::SeqCst);
    }

    fn pass(&self) {
        let mut held = self.held.lock();
        while *held {
            self.changed.wait(&mut held);
        }
    }

    fn pass_write(&self) -> io::Result<()> {
        self.pass();
        #[cfg(test)]
        check(&self.faults.writes)?;
        Ok(())
    }

    fn pass_sync(&self) -> io::Result<()> {
        self.pass();
        #[cfg(test)]
        check(&self.faults.syncs)?;
        Ok(())
    }

    /// EMFILE, as long as the faults say.
    fn pass_open(&self) -> io::Result<()> {
        #[cfg(test)]
        {
            let opens = &self.faults.opens;
            let less = |left: usize| left.checked_sub(1);
            if opens.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
                return Err(io::Error::from_raw_os_error(24));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
fn check(fault: &AtomicBool) -> io::Result<()> {
    if fault.load(Ordering::SeqCst) { Err(io::Error::other("made to fail")) } else { Ok(()) }
}

/// The machine's file system behind a [`Gate`].
pub(crate) struct HeldVfs(pub(crate) Arc<Gate>);

impl HeldVfs {
    fn file(&self, file: io::Result<Box<dyn VfsFile>>) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(HeldFile { file: file?, gate: Arc::clone(&self.0) }))
    }
}

impl Vfs for HeldVfs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.pass();
        RealVfs.create_dir(dir)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        self.0.pass_open()?;
        self.file(RealVfs.open(path))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        self.0.pass_open()?;
        self.file(RealVfs.open_read(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        self.0.pass();
        self.0.pass_open()?;
        #[cfg(test)]
        if self.0.faults.is_full.load(Ordering::SeqCst)
            && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("spare-"))
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file(RealVfs.create(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealVfs.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.pass();
        RealVfs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.pass();
        RealVfs.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.pass_open()?;
        self.0.pass_sync()?;
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

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        match self.0.free_bytes.load(Ordering::SeqCst) {
            u64::MAX => RealVfs.free_bytes(dir),
            free_bytes => Ok(free_bytes),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn VfsLock>> {
        RealVfs.lock(path)
    }
}

struct HeldFile {
    file: Box<dyn VfsFile>,
    gate: Arc<Gate>,
}

impl VfsFile for HeldFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.gate.pass_write()?;
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.gate.pass_sync()?;
        self.file.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn birth(&self) -> io::Result<Birth> {
        self.file.birth()
    }
}
