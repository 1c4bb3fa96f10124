//! Where a backup is kept: a flat set of named objects that are written whole or not at all.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::vfs::{self, Vfs};

/// Objects with names such as `journal/…`. Calls may block, and come from one thread at a time.
pub(crate) trait Target: Send + Sync {
    /// What people call it, without secrets.
    fn name(&self) -> &str;

    /// The names that begin with `prefix`, in no order; none when there is nothing yet.
    fn list(&self, prefix: &str) -> Result<Vec<String>>;

    /// An object; `None` when there is none.
    fn get(&self, object: &str) -> Result<Option<Vec<u8>>>;

    /// Writes an object. Durable on return; others see all of it or nothing.
    fn put(&self, object: &str, content: &[u8]) -> Result<()>;

    /// Removes an object, if it is there.
    fn delete(&self, object: &str) -> Result<()>;
}

/// A directory, on another disk if it is to be of use.
pub(crate) struct Directory {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    name: String,
}

impl Directory {
    /// It is made when something is written.
    ///
    /// # Errors
    /// `Unavailable` when the process is nowhere.
    pub(crate) fn new(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Self> {
        let dir = vfs.absolute(dir).map_err(|error| failed("finding", dir, error))?;
        let name = dir.display().to_string();
        Ok(Self { vfs, dir, name })
    }
}

impl Target for Directory {
    fn name(&self) -> &str {
        &self.name
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let dir = self.dir.join(prefix);
        match self.vfs.list(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed("reading", &dir, error)),
            // One that is being written is none yet.
            Ok(names) => Ok(names
                .iter()
                .filter(|name| !name.ends_with(".tmp"))
                .map(|name| format!("{prefix}{name}"))
                .collect()),
        }
    }

    fn get(&self, object: &str) -> Result<Option<Vec<u8>>> {
        let path = self.dir.join(object);
        let opened = self.vfs.open_read(&path);
        match opened.and_then(|file| vfs::read_start(&*file, usize::MAX)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("reading", &path, error)),
            Ok(content) => Ok(Some(content)),
        }
    }

    fn put(&self, object: &str, content: &[u8]) -> Result<()> {
        let path = self.dir.join(object);
        let (dir, name) = (vfs::parent(&path), object.rsplit('/').next().unwrap_or(object));
        vfs::write_whole(&*self.vfs, &dir, name, &path, content)
            .map_err(|error| failed("writing", &path, error))
    }

    fn delete(&self, object: &str) -> Result<()> {
        let path = self.dir.join(object);
        match self.vfs.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("removing", &path, error))
            }
            _ => Ok(()),
        }
    }
}

fn failed(doing: &str, path: &Path, error: io::Error) -> Error {
    Error::io(format_args!("{doing} {}", path.display()), error)
}
