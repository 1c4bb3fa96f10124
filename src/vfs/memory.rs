//! A disk in memory, with a bound: for ledgers that need not outlive their process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::{Birth, Vfs, VfsFile, VfsLock, parent};

/// What a file grows by, in bytes. Growing moves nothing that was written.
const PAGE_BYTES: usize = 16 << 10;

type Page = Box<[u8; PAGE_BYTES]>;

/// A disk in memory that an engine keeps its files on; see
/// [`Engine::in_memory_on`](crate::Engine::in_memory_on). Clones are the same disk. What is on it is
/// gone with the last of them, and with the last engine that is open on it.
///
/// ```
/// use stockhold::engine::MemoryDisk;
/// use stockhold::{AccountKey, Engine, Policy};
/// # fn main() -> stockhold::Result<()> {
/// let disk = MemoryDisk::with_bytes_max(64 << 20);
/// let engine = Engine::in_memory_on(&disk).open()?;
/// let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
/// engine.close()?;
///
/// // What a restart finds.
/// let engine = Engine::in_memory_on(&disk).open()?;
/// assert_eq!(engine.account(&AccountKey::stock("tea")?), Some(tea));
/// assert!(disk.bytes() <= disk.bytes_max());
/// # engine.close()
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryDisk(Arc<Shared>);

struct Shared {
    tree: Mutex<Tree>,
    room: Arc<Room>,
}

#[derive(Default)]
struct Tree {
    dirs: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Arc<File>>,
    locked: BTreeSet<PathBuf>,
    /// How many files were ever made.
    born: u64,
}

/// How much there is on the disk, and how much there may be.
struct Room {
    bytes: AtomicU64,
    bytes_max: u64,
}

impl Room {
    fn take(&self, bytes: u64) -> io::Result<()> {
        // Relaxed: the number is the whole message.
        let taken = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|held| *held <= self.bytes_max)
        });
        taken.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
    }

    fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl MemoryDisk {
    /// What a disk holds at most unless told otherwise: 1 GiB.
    pub const BYTES_MAX: u64 = 1 << 30;

    /// An empty disk that holds at most this many bytes. An engine on it refuses what is new
    /// ([`LowSpace`](crate::ErrorKind::LowSpace)) while less than a sixteenth is left.
    pub fn with_bytes_max(bytes_max: u64) -> Self {
        let tree = Tree { dirs: [".", "/"].map(PathBuf::from).into(), ..Tree::default() };
        let room = Arc::new(Room { bytes: AtomicU64::new(0), bytes_max });
        Self(Arc::new(Shared { tree: Mutex::new(tree), room }))
    }

    /// How many bytes of memory its files take, in whole pages of 16 KiB.
    pub fn bytes(&self) -> u64 {
        self.0.room.bytes.load(Ordering::Relaxed)
    }

    /// How many they may take.
    pub fn bytes_max(&self) -> u64 {
        self.0.room.bytes_max
    }

    fn find(&self, path: &Path) -> io::Result<Arc<File>> {
        self.0.tree.lock().files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Default for MemoryDisk {
    /// An empty disk of [`MemoryDisk::BYTES_MAX`] bytes.
    fn default() -> Self {
        Self::with_bytes_max(Self::BYTES_MAX)
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDisk")
            .field("bytes", &self.bytes())
            .field("bytes_max", &self.bytes_max())
            .finish_non_exhaustive()
    }
}

impl Tree {
    fn check_dir(&self, dir: &Path) -> io::Result<()> {
        if self.dirs.contains(dir) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

impl Vfs for MemoryDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut tree = self.0.tree.lock();
        tree.check_dir(&parent(dir))?;
        match tree.dirs.insert(dir.to_owned()) {
            true => Ok(()),
            false => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(self.find(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        self.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut tree = self.0.tree.lock();
        tree.check_dir(&parent(path))?;
        if let Some(file) = tree.files.get(path).cloned() {
            drop(tree);
            file.content.write().clear(&file.room);
            return Ok(Box::new(file));
        }
        tree.born += 1;
        let file = Arc::new(File {
            content: RwLock::default(),
            born: tree.born,
            room: Arc::clone(&self.0.room),
        });
        tree.files.insert(path.to_owned(), Arc::clone(&file));
        Ok(Box::new(file))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let tree = self.0.tree.lock();
        tree.check_dir(dir)?;
        let here = tree.files.keys().filter(|path| parent(path) == dir);
        let names = here.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        Ok(names.collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut tree = self.0.tree.lock();
        tree.check_dir(&parent(to))?;
        let file = tree.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        let replaced = tree.files.insert(to.to_owned(), file);
        drop(tree);
        drop(replaced);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.0.tree.lock().files.remove(path);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.tree.lock().check_dir(dir)
    }

    fn has(&self, path: &Path) -> io::Result<bool> {
        Ok(self.0.tree.lock().files.contains_key(path))
    }

    /// Nobody goes anywhere in it.
    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn VfsLock>>> {
        self.lock(dir).map(Some)
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.bytes_max().saturating_sub(self.bytes()))
    }

    fn is_on_disk(&self) -> bool {
        false
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn VfsLock>> {
        if !self.0.tree.lock().locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock { disk: self.clone(), path: path.to_owned() }))
    }
}

/// A file. One that was removed lives on while somebody has it open.
struct File {
    content: RwLock<Content>,
    born: u64,
    room: Arc<Room>,
}

#[derive(Default)]
struct Content {
    pages: Vec<Page>,
    length: usize,
}

impl Content {
    fn clear(&mut self, room: &Room) {
        room.give_back((self.pages.len() * PAGE_BYTES) as u64);
        *self = Self::default();
    }

    /// Makes it at least so long; what is new reads as zeros.
    fn grow(&mut self, length: usize, room: &Room) -> io::Result<()> {
        let missing = length.div_ceil(PAGE_BYTES).saturating_sub(self.pages.len());
        room.take((missing * PAGE_BYTES) as u64)?;
        self.pages.extend((0..missing).map(|_| Box::new([0; PAGE_BYTES])));
        self.length = self.length.max(length);
        Ok(())
    }

    /// The parts of `length` bytes from `offset` on, each within one page: which page, and where in
    /// it.
    fn parts(
        offset: usize,
        length: usize,
    ) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
        let end = offset + length;
        let mut at = offset;
        std::iter::from_fn(move || {
            let (page, from) = (at / PAGE_BYTES, at % PAGE_BYTES);
            let to = (from + end - at).min(PAGE_BYTES);
            at += to - from;
            (to > from).then_some((page, from..to))
        })
    }
}

fn place(offset: u64, length: usize) -> io::Result<usize> {
    let offset = usize::try_from(offset).ok();
    let fits = offset.filter(|offset| offset.checked_add(length).is_some());
    fits.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

impl VfsFile for Arc<File> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = place(offset, buffer.len())?;
        let content = self.content.read();
        let length = content.length.saturating_sub(offset).min(buffer.len());
        let mut rest = &mut buffer[..length];
        for (page, range) in Content::parts(offset, length) {
            let (part, after) = rest.split_at_mut(range.len());
            part.copy_from_slice(&content.pages[page][range]);
            rest = after;
        }
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = place(offset, bytes.len())?;
        let mut content = self.content.write();
        content.grow(offset + bytes.len(), &self.room)?;
        let mut rest = bytes;
        for (page, range) in Content::parts(offset, bytes.len()) {
            let (part, after) = rest.split_at(range.len());
            content.pages[page][range].copy_from_slice(part);
            rest = after;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.content.read().length as u64)
    }

    fn birth(&self) -> io::Result<Birth> {
        Ok(Birth { inode: self.born, born_ns: 0 })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.content.get_mut().clear(&self.room);
    }
}

struct Lock {
    disk: MemoryDisk,
    path: PathBuf,
}

impl VfsLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.0.tree.lock().locked.remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(pages: u64) -> MemoryDisk {
        MemoryDisk::with_bytes_max(pages * PAGE_BYTES as u64)
    }

    fn read(file: &dyn VfsFile, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![9; length];
        let read = file.read_at(&mut bytes, offset).expect("it can be read");
        bytes.truncate(read);
        bytes
    }

    #[test]
    fn a_file_reads_as_it_was_written_across_pages_and_gaps() {
        let file = disk(8).create(Path::new("/a")).expect("there is room");
        let border = PAGE_BYTES as u64 - 2;
        file.write_at(b"abcd", border).expect("there is room");
        assert_eq!(read(&*file, border - 1, 9), b"\0abcd");
        file.write_at(b"x", 3 * PAGE_BYTES as u64).expect("there is room");
        assert_eq!(read(&*file, border + 3, 3), b"d\0\0", "a gap reads as zeros");
        assert_eq!(file.len().expect("it has a length"), 3 * PAGE_BYTES as u64 + 1);
        assert_eq!(read(&*file, u64::MAX >> 1, 4), b"");
        assert!(file.write_at(b"x", u64::MAX).is_err());
    }

    #[test]
    fn a_full_disk_changes_nothing_and_what_is_removed_makes_room() {
        let disk = disk(2);
        let [a, b] = ["/a", "/b"].map(|path| disk.create(Path::new(path)).expect("it is made"));
        a.write_at(b"a", 0).expect("there is room");
        let full = b.write_at(&[1; 2 * PAGE_BYTES], 0).expect_err("two more pages do not fit");
        assert_eq!((full.kind(), b.len().expect("a length")), (io::ErrorKind::StorageFull, 0));
        assert_eq!(disk.free_bytes(Path::new("/")).expect("it knows"), PAGE_BYTES as u64);
        disk.remove(Path::new("/a")).expect("it is there");
        assert_eq!(read(&*a, 0, 1), b"a", "whoever has it open still reads it");
        drop(a);
        assert_eq!(disk.bytes(), 0);
        b.write_at(&[1; 2 * PAGE_BYTES], 0).expect("there is room now");
        disk.create(Path::new("/b")).expect("it is truncated");
        assert_eq!(disk.bytes(), 0);
    }

    #[test]
    fn names_are_found_renamed_and_locked_once() {
        let disk = disk(2);
        assert!(disk.create(Path::new("/d/a")).is_err(), "there is no such directory");
        disk.create_dir(Path::new("/d")).expect("its parent is there");
        assert!(
            disk.create_dir(Path::new("/d")).is_err()
                && disk.create_dir(Path::new("/e/f")).is_err()
        );
        for name in ["b", "a"] {
            let file = disk.create(&Path::new("/d").join(name)).expect("it is made");
            file.write_at(name.as_bytes(), 0).expect("there is room");
        }
        disk.create(Path::new("/other")).expect("it is made");
        assert_eq!(disk.list(Path::new("/d")).expect("it is there"), ["a", "b"]);
        disk.rename(Path::new("/d/b"), Path::new("/d/a")).expect("both are there");
        assert_eq!(disk.list(Path::new("/d")).expect("it is there"), ["a"]);
        let renamed = disk.open(Path::new("/d/a")).expect("it is there");
        assert_eq!((read(&*renamed, 0, 9), disk.bytes()), (b"b".to_vec(), PAGE_BYTES as u64));
        let lock = disk.lock(Path::new("/d/lock")).expect("nobody has it");
        assert!(disk.lock(Path::new("/d/lock")).is_err());
        drop(lock);
        assert!(disk.lock(Path::new("/d/lock")).is_ok());
    }
}
