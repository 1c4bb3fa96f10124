//! The few calls to the file system that the store makes beside sled's own: sled writes its files past our `Vfs`,
//! so what makes them durable does too.
#![allow(clippy::disallowed_methods, reason = "sled's files are outside the virtual file system")]

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What is at a path where a directory should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    Nothing,
    Empty,
    Something,
}

pub(super) fn contents(dir: &Path) -> io::Result<Contents> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(if entries.next().is_some() { Contents::Something } else { Contents::Empty }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Contents::Nothing),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(Contents::Something),
        Err(error) => Err(error),
    }
}

/// Creates `dir` and what it lies in.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    sync_parent(dir)
}

/// Syncs every file below `dir`, then every directory, `dir` last. A file that vanishes meanwhile is one that sled
/// has replaced.
pub(super) fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            match File::open(entry.path()) {
                Ok(file) => file.sync_all()?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    File::open(dir)?.sync_all()
}

/// Replaces the file at `path`: written under another name, synced, renamed, the directory synced, and read back.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = with_suffix(path, ".new");
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    sync_parent(path)?;
    if fs::read(path)? != bytes {
        return Err(io::Error::new(ErrorKind::InvalidData, "the file does not read back as it was written"));
    }
    Ok(())
}

/// The bytes of a file, when there is one.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Renames `dir` to `dir` with the suffix `.set-aside-N`, N being the first that is free; returns the new path.
pub(super) fn set_aside(dir: &Path) -> io::Result<PathBuf> {
    let free = |path: &PathBuf| matches!(path.try_exists(), Ok(false));
    let aside = (1..=u32::MAX)
        .map(|number| with_suffix(dir, &format!(".set-aside-{number}")))
        .find(free)
        .ok_or_else(|| io::Error::from(ErrorKind::AlreadyExists))?;
    fs::rename(dir, &aside)?;
    sync_parent(dir)?;
    Ok(aside)
}

/// `path` with `suffix` after its last name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
