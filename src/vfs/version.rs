//! Versions of files, known before anything else is read of them.
//!
//! Without this a file that a newer program wrote would look damaged, and what is damaged is set
//! aside, made anew or gone around. Magic, version and the place of the checksum stay as they are in
//! every version to come, so that a higher version is told from damage.

use std::io;
use std::path::Path;

use super::{Vfs, VfsFile, read_start};
use crate::base::error::{Error, Result};

/// How a kind of file says its version: right behind its magic.
pub(crate) struct Versioned {
    /// What it is, for people.
    pub(crate) what: &'static str,
    pub(crate) magic: &'static [u8],
    /// How many bytes the version has, up to four.
    pub(crate) version_bytes: usize,
    /// The highest that this program knows.
    pub(crate) known: u32,
    pub(crate) sealed: Sealed,
}

/// What the checksum covers that holds for the version: CRC32C of all bytes before it.
#[derive(Clone, Copy)]
pub(crate) enum Sealed {
    /// A head of this many bytes, the checksum among them.
    Head(usize),
    /// The whole file.
    Whole,
}

impl Versioned {
    /// Whether this program knows the version of the file at `path`. One that is not there, or is
    /// damaged, is none of a higher version.
    ///
    /// # Errors
    /// `Unavailable` naming the file and its version when it is higher, or when it cannot be read.
    pub(crate) fn check(&self, vfs: &dyn Vfs, path: &Path) -> Result<()> {
        let version = vfs.open_read(path).and_then(|file| self.version_of(&*file));
        match version {
            Ok(Some(version)) if version > self.known => Err(Error::unavailable(format!(
                "{} is {} of version {version}, and this program reads up to version {}: a newer program wrote it. Nothing \
                 was changed. Go on with that program or a later one, or restore a backup of before the upgrade with this one",
                path.display(),
                self.what,
                self.known
            ))),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io(format_args!("reading {}", path.display()), error)),
        }
    }

    /// As [`Self::check`], for every file of a directory whose name `is_one`.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(crate) fn check_all(
        &self,
        vfs: &dyn Vfs,
        dir: &Path,
        is_one: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let names = match vfs.list(dir) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io(format_args!("reading {}", dir.display()), error)),
        };
        names
            .iter()
            .filter(|name| is_one(name))
            .try_for_each(|name| self.check(vfs, &dir.join(name)))
    }

    /// The version of a file; `None` where it has none that its checksum holds for.
    fn version_of(&self, file: &dyn VfsFile) -> io::Result<Option<u32>> {
        let of = |bytes: &[u8]| {
            let rest = bytes.strip_prefix(self.magic)?.get(..self.version_bytes)?;
            let mut version = [0; 4];
            version[..self.version_bytes].copy_from_slice(rest);
            Some(u32::from_le_bytes(version))
        };
        let start = read_start(file, self.magic.len() + self.version_bytes)?;
        let version = of(&start).filter(|version| *version > self.known);
        if version.is_none() {
            // Nothing else is to be known of it here.
            return Ok(of(&start));
        }
        let bytes = match self.sealed {
            Sealed::Head(length) => read_start(file, length)?,
            Sealed::Whole => read_start(file, usize::MAX)?,
        };
        let holds =
            |(body, crc): (&[u8], &[u8; 4])| crc32c::crc32c(body) == u32::from_le_bytes(*crc);
        Ok(version.filter(|_| bytes.split_last_chunk().is_some_and(holds)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::vfs::memory::MemoryDisk;

    const KIND: Versioned = Versioned {
        what: "a file",
        magic: b"STKHTEST",
        version_bytes: 4,
        known: 2,
        sealed: Sealed::Whole,
    };

    fn bytes(version: u32) -> Vec<u8> {
        let mut bytes = [b"STKHTEST", &version.to_le_bytes()[..], b"content"].concat();
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn check(bytes: &[u8]) -> Result<()> {
        let (vfs, path) = (MemoryDisk::default(), PathBuf::from("/file"));
        vfs.create(&path).and_then(|file| file.write_at(bytes, 0)).expect("it is written");
        KIND.check(&vfs, &path)
    }

    #[test]
    fn a_higher_version_is_refused_by_name_and_told_from_damage() {
        for version in [0, 1, 2] {
            check(&bytes(version)).expect("it is known");
        }
        let told = check(&bytes(3)).expect_err("it is not known").to_string();
        for part in ["/file", "version 3", "up to version 2", "newer program", "restore"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        // Every flipped bit is damage, the version's as well.
        let whole = bytes(2);
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            check(&damaged).expect("damage is told of by who reads it");
        }
        for short in [&whole[..0], &whole[..9], &bytes(3)[..14]] {
            check(short).expect("as is what was cut short");
        }
        KIND.check(&MemoryDisk::default(), Path::new("/none")).expect("there is no such file");
    }
}
