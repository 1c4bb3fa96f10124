//! The few calls to the file system that the store makes beside sled's own: sled writes its files
//! past our `Vfs`, so what makes them durable does too.
#![allow(clippy::disallowed_methods, reason = "sled's files are outside the virtual file system")]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
#[cfg(feature = "audit")]
use std::time::SystemTime;

/// What is at a path where a directory should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    Nothing,
    Empty,
    Something,
}

pub(super) fn contents(dir: &Path) -> io::Result<Contents> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            Ok(if entries.next().is_some() { Contents::Something } else { Contents::Empty })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Contents::Nothing),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(Contents::Something),
        Err(error) => Err(error),
    }
}

/// Creates `dir` and what it lies in, for its owner alone: sled makes its files in it by rules of
/// its own.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    sync_parent(dir)
}

/// Syncs every file below `dir`, then every directory, `dir` last. A file that vanishes meanwhile
/// is one that sled has replaced.
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

/// The bytes of every file below `dir`; what vanishes meanwhile has none.
pub(super) fn tree_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes: u64 = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let found = match entry.metadata() {
            Ok(found) if found.is_dir() => tree_bytes(&entry.path()),
            found => found.map(|found| found.len()),
        };
        match found {
            Ok(found) => bytes = bytes.saturating_add(found),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// What tells whether a file was written to: its path, its length and when it was changed.
#[cfg(feature = "audit")]
pub(super) type Picture = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Every file below `dir`, and what lies beside it under its name with a suffix; empty when there
/// is nothing.
#[cfg(feature = "audit")]
pub(super) fn picture(dir: &Path) -> io::Result<Picture> {
    let mut picture = Picture::new();
    for path in [dir.to_owned(), with_suffix(dir, ".manifest")] {
        add_to_picture(&path, &mut picture)?;
    }
    picture.sort();
    Ok(picture)
}

#[cfg(feature = "audit")]
fn add_to_picture(path: &Path, picture: &mut Picture) -> io::Result<()> {
    let data = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        data => data?,
    };
    if !data.is_dir() {
        picture.push((path.to_owned(), data.len(), data.modified().ok()));
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        add_to_picture(&entry?.path(), picture)?;
    }
    Ok(())
}

/// Copies every file below `from` into the new directory `to`. What vanishes meanwhile is left out.
#[cfg(feature = "audit")]
pub(super) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let copied = if entry.file_type()?.is_dir() {
            copy_tree(&from, &to)
        } else {
            fs::copy(&from, &to).map(drop)
        };
        match copied {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copied => copied?,
        }
    }
    Ok(())
}

/// Replaces the file at `path`: written under another name, synced, renamed, the directory synced,
/// and read back.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = with_suffix(path, ".new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    sync_parent(path)?;
    if fs::read(path)? != bytes {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "the file does not read back as it was written",
        ));
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

/// Renames `dir` to `dir` with the suffix `.set-aside-N`, N being the first that is free; returns
/// the new path.
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

/// Renames a directory. What has the new name must be gone before.
#[cfg(feature = "bin")]
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Removes a directory or a file, if there is one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// `path` with `suffix` after its last name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
