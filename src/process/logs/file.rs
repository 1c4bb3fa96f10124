//! A file of the log: begun anew when it is long, and opened anew when somebody says so.
//!
//! The crates that rotate by size bring `chrono`, and the one that does not rotates by time alone and
//! opens nothing anew. What is needed is this file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::base::error::{Error, Result};

/// The file that is written, and those that were.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    bytes_max: Option<u64>,
    kept: u64,
    file: File,
    /// How long it is, or how much was written since it could not be put aside.
    bytes: u64,
}

impl LogFile {
    /// Goes on with the file at `path`, or begins it. After `bytes_max` bytes it becomes `path.1`,
    /// that `path.2`, and so on up to `kept`.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be opened.
    pub(super) fn open(path: &Path, bytes_max: Option<u64>, kept: u64) -> Result<Self> {
        let opened = open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) =
            opened.map_err(|cause| Error::io(format!("log_file {}", path.display()), cause))?;
        Ok(Self { path: path.to_owned(), bytes_max, kept, file, bytes })
    }

    /// Opens whatever is at the path now: somebody has moved the file away.
    ///
    /// # Errors
    /// When it cannot be opened; then the file of before is written.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let file = open(&self.path)?;
        (self.bytes, self.file) = (file.metadata()?.len(), file);
        Ok(())
    }

    /// Puts the file aside, and those before it.
    #[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
    fn rotate(&mut self) -> io::Result<()> {
        let aside = |number: u64| {
            let mut path = self.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        if self.kept == 0 {
            std::fs::remove_file(&self.path)?;
        }
        // The newest last: each makes room for the next.
        for number in (1..=self.kept).rev() {
            let from = if number == 1 { self.path.clone() } else { aside(number - 1) };
            match std::fs::rename(from, aside(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.reopen()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

impl Write for LogFile {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let bytes = self.bytes.saturating_add(line.len() as u64);
        if self.bytes > 0 && self.bytes_max.is_some_and(|max| bytes > max) && self.rotate().is_err()
        {
            // The file of before goes on; it is tried again when as much is written once more.
            self.bytes = 0;
        }
        let written = self.file.write(line)?;
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests look at files")]
mod tests {
    use std::fs;

    use super::*;

    fn files(dir: &Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(dir)
            .expect("a directory")
            .map(|entry| entry.expect("an entry"))
            .map(|it| {
                let text = fs::read_to_string(it.path()).expect("a text");
                (it.file_name().into_string().expect("UTF-8"), text)
            })
            .collect();
        files.sort();
        files
    }

    fn shown(files: &[(String, String)]) -> Vec<(&str, &str)> {
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    #[test]
    fn a_long_file_makes_room_and_the_oldest_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        for line in ["one\n", "two\n", "three\n", "four\n", "five\n"] {
            // A restart goes on with what is there.
            let mut file = LogFile::open(&path, Some(8), 2).expect("it opens");
            file.write_all(line.as_bytes()).expect("it is written");
        }
        let files = files(dir.path());
        assert_eq!(shown(&files), [("log", "five\n"), ("log.1", "four\n"), ("log.2", "three\n")]);
    }

    #[test]
    fn a_line_is_never_split_and_nothing_may_be_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut file = LogFile::open(&dir.path().join("log"), Some(4), 0).expect("it opens");
        for line in ["longer than a file\n", "short\n"] {
            file.write_all(line.as_bytes()).expect("it is written");
        }
        assert_eq!(shown(&files(dir.path())), [("log", "short\n")]);
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew_when_somebody_says_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, away) = (dir.path().join("log"), dir.path().join("log-20261130"));
        let mut file = LogFile::open(&path, None, 0).expect("it opens");
        file.write_all(b"one\n").expect("it is written");
        fs::rename(&path, &away).expect("it moves");
        file.write_all(b"two\n").expect("it is written");
        file.reopen().expect("it opens");
        file.write_all(b"three\n").expect("it is written");
        let files = files(dir.path());
        assert_eq!(shown(&files), [("log", "three\n"), ("log-20261130", "one\ntwo\n")]);
    }

    #[test]
    fn a_file_that_cannot_be_put_aside_goes_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        // A directory that is not empty cannot be replaced by a file.
        fs::create_dir_all(dir.path().join("log.1/full")).expect("a directory");
        let mut file = LogFile::open(&path, Some(4), 1).expect("it opens");
        for line in ["one\n", "two\n"] {
            file.write_all(line.as_bytes()).expect("it is written");
        }
        assert_eq!(fs::read_to_string(&path).expect("a text"), "one\ntwo\n");
    }
}
