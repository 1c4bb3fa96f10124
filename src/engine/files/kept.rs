//! What followers keep beside the journal: small files that are written whole, which only their
//! owner can read. Their format is in `docs/format.md`; what is in them is their follower's.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};
use crate::vfs::directory::Directory;
use crate::vfs::version::{Sealed, Versioned};
use crate::vfs::{self, Vfs, read_start};

const MAGIC: [u8; 8] = *b"STKHKEPT";
const VERSION: u32 = 1;

/// How a file says its version.
pub(crate) const VERSIONED: Versioned = Versioned {
    what: "what a follower keeps",
    magic: &MAGIC,
    version_bytes: 4,
    known: VERSION,
    sealed: Sealed::Whole,
};
const HEAD_BYTES: usize = 8 + 4 + 16;
/// The longest content that is written or read, in bytes.
const BODY_BYTES_MAX: usize = 32 << 20;
const NAME_BYTES_MAX: usize = 64;

/// A file as it was found.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) body: Vec<u8>,
    /// Whether another directory's follower wrote it, of which this one is a copy.
    pub(crate) is_copied: bool,
}

/// Every file, by name: those that are damaged with what is wrong.
///
/// # Errors
/// `Unavailable` when the directory cannot be read.
pub(in crate::engine) fn all(
    vfs: &dyn Vfs,
    directory: &Directory,
) -> Result<Vec<(String, Result<Kept>)>> {
    let dir = kept_dir(directory.path());
    let names = names(vfs, directory)?.into_iter();
    let read = |name: String| {
        let kept = read(vfs, directory, &path(&dir, &name));
        (name, kept)
    };
    Ok(names.map(read).collect())
}

/// The names of all files.
///
/// # Errors
/// `Unavailable` when the directory cannot be read.
pub(in crate::engine) fn names(vfs: &dyn Vfs, directory: &Directory) -> Result<Vec<String>> {
    let dir = kept_dir(directory.path());
    let names = match vfs.list(&dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(format_args!("reading {}", dir.display()), error)),
    };
    let names = names.iter().filter_map(|name| name.strip_suffix(".kept"));
    Ok(names.map(str::to_owned).collect())
}

/// One file; `None` where there is none.
///
/// # Errors
/// `Invalid` for a name that is none, `Corrupt` for a file that is damaged, `Unavailable` when it
/// cannot be read.
pub(in crate::engine) fn named(
    vfs: &dyn Vfs,
    directory: &Directory,
    name: &str,
) -> Result<Option<Kept>> {
    check_name(name)?;
    let path = path(&kept_dir(directory.path()), name);
    let is_there = vfs.has(&path);
    match is_there.map_err(|error| Error::io(format_args!("reading {}", path.display()), error))? {
        true => read(vfs, directory, &path).map(Some),
        false => Ok(None),
    }
}

/// Writes a file: aside, synced and renamed, so that it is always whole.
///
/// # Errors
/// `Invalid` for a name that is none, `Overloaded` when the content is too long, `Unavailable` when
/// the disk fails; the file is then as it was.
pub(in crate::engine) fn write(
    vfs: &dyn Vfs,
    directory: &Directory,
    name: &str,
    body: &[u8],
) -> Result<()> {
    check_name(name)?;
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::overloaded(format!("{name} is longer than {BODY_BYTES_MAX} bytes")));
    }
    let dir = kept_dir(directory.path());
    let path = path(&dir, name);
    let bytes = encode(directory.identity().directory, body);
    let written = vfs::write_whole(vfs, &dir, name, &path, &bytes);
    written.map_err(|error| Error::io(format_args!("writing {}", path.display()), error))
}

/// Removes a file, if it is there.
///
/// # Errors
/// `Invalid` for a name that is none, `Unavailable` when the disk fails.
pub(in crate::engine) fn remove(vfs: &dyn Vfs, directory: &Directory, name: &str) -> Result<()> {
    check_name(name)?;
    let dir = kept_dir(directory.path());
    let path = path(&dir, name);
    match vfs.remove(&path).and_then(|()| vfs.sync_dir(&dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format_args!("removing {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

fn read(vfs: &dyn Vfs, directory: &Directory, path: &Path) -> Result<Kept> {
    let file_bytes_max = HEAD_BYTES + BODY_BYTES_MAX + 4;
    let bytes = vfs.open_read(path).and_then(|file| read_start(&*file, file_bytes_max + 1));
    let bytes =
        bytes.map_err(|error| Error::io(format_args!("reading {}", path.display()), error))?;
    let (owner, body) =
        decode(&bytes).ok_or_else(|| Error::corrupt(format!("{} is damaged", path.display())))?;
    Ok(Kept { body, is_copied: !directory.owns(Some(owner)) })
}

fn encode(owner: u128, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len() + 4);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&owner.to_le_bytes());
    bytes.extend_from_slice(body);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Whose a file is, and its content.
fn decode(bytes: &[u8]) -> Option<(u128, Vec<u8>)> {
    let (checked, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(checked) != u32::from_le_bytes(*crc) || checked.first_chunk() != Some(&MAGIC)
    {
        return None;
    }
    let mut reader = Reader::new(&checked[MAGIC.len()..]);
    let (version, owner) = (reader.u32()?, reader.u128()?);
    (version == VERSION).then(|| (owner, checked[HEAD_BYTES..].to_vec()))
}

fn kept_dir(dir: &Path) -> PathBuf {
    dir.join("kept")
}

fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.kept"))
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
        let what = format!("the name of what is kept is 1 to {NAME_BYTES_MAX} of a-z 0-9 -");
        return Err(Error::invalid(what));
    }
    Ok(())
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use super::*;
    use crate::base::golden;

    #[test]
    fn what_is_kept_reads_back_as_ever_and_every_flipped_bit_shows() {
        let bytes = encode(7, b"abc");
        let written = "53544b484b45505401000000070000000000000000000000000000006162633cb70e8e";
        golden::check("what is kept", &bytes, written);
        assert_eq!(decode(&bytes), Some((7, b"abc".to_vec())));
        for (bit, bytes) in golden::flipped(&bytes) {
            assert_eq!(decode(&bytes), None, "bit {bit}");
        }
        assert_eq!(decode(&bytes[1..]), None, "a byte is missing");
    }

    #[test]
    fn a_name_is_a_file_name() {
        for wrong in ["", "a/b", "..", "A", "a b", &"x".repeat(65)] {
            assert!(check_name(wrong).is_err(), "{wrong:?}");
        }
        assert!(check_name("webhook-2").is_ok());
    }
}
