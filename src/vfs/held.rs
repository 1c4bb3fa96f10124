//! The machine's file system behind a gate, for trials: a disk that hangs until it is let go.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::AtomicBool;
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
    /// Whether the disk has no room for another segment.
    #[cfg(test)]
    pub(crate) is_full: AtomicBool,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            changed: Condvar::new(),
            free_bytes: AtomicU64::new(u64::MAX),
            #[cfg(test)]
            is_full: AtomicBool::new(false),
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

    /// Lets the disk say that so many bytes are free.
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
        self.file(RealVfs.open(path))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        RealVfs.open_read(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        self.0.pass();
        #[cfg(test)]
        if self.0.is_full.load(Ordering::SeqCst)
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
        self.0.pass();
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
        self.gate.pass();
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn birth(&self) -> io::Result<Birth> {
        self.file.birth()
    }
}
