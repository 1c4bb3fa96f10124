//! What followers keep in the engine's directory, for those inside the crate.

use super::Engine;
use super::files::kept::{self, Kept};
use crate::base::Seq;
use crate::base::error::Result;

impl Engine {
    /// What followers keep, by name. It reads the disk.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be read; of one file what is wrong with it.
    pub(crate) fn kept(&self) -> Result<Vec<(String, Result<Kept>)>> {
        let files = &self.core()?.files;
        kept::all(&*files.vfs, &files.directory)
    }

    /// The names of what followers keep. It reads the disk.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be read.
    pub(crate) fn kept_names(&self) -> Result<Vec<String>> {
        let files = &self.core()?.files;
        kept::names(&*files.vfs, &files.directory)
    }

    /// What is kept under a name. It reads the disk.
    ///
    /// # Errors
    /// `Corrupt` for a file that is damaged, and as [`Engine::keep`].
    pub(crate) fn kept_named(&self, name: &str) -> Result<Option<Kept>> {
        let files = &self.core()?.files;
        kept::named(&*files.vfs, &files.directory, name)
    }

    /// Keeps `body` under a name, in place of what was there. Durable when it returns; it writes to
    /// the disk. Writers of one name take turns by themselves.
    ///
    /// # Errors
    /// `Invalid` for a name that is not 1 to 64 of `a-z 0-9 -`, `Overloaded` for a body above
    /// 32 MiB, `Unavailable` when the disk fails.
    pub(crate) fn keep(&self, name: &str, body: &[u8]) -> Result<()> {
        let files = &self.core()?.files;
        let _hold = files.directory.hold()?;
        kept::write(&*files.vfs, &files.directory, name, body)
    }

    /// Keeps nothing under a name any more.
    ///
    /// # Errors
    /// As [`Engine::keep`].
    pub(crate) fn drop_kept(&self, name: &str) -> Result<()> {
        let files = &self.core()?.files;
        let _hold = files.directory.hold()?;
        kept::remove(&*files.vfs, &files.directory, name)
    }

    /// How much of the journal lies from an event on, in bytes of sealed segments.
    pub(crate) fn sealed_bytes_from(&self, seq: Seq) -> u64 {
        self.0.core.journal.sealed_bytes_from(seq)
    }
}
