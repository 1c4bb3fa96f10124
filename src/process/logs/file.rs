//! A file of the log: begun anew when it is long or its day is over, and opened anew when somebody says
//! so.
//!
//! The crates that rotate by size bring `chrono`, and the one that does not rotates by time alone and
//! opens nothing anew. What is needed is this file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::base::clock::Clock;
use crate::base::error::{Error, Result};

/// The file that is written, and those that were.
pub(super) struct LogFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    /// How long it is, or how much was written since it could not be put aside.
    bytes: u64,
    /// Which period its last line is of.
    period: u64,
    clock: Arc<dyn Clock>,
}

/// When a file is put aside, and what becomes of those that were.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rotation {
    /// Before it is longer than this.
    pub(super) bytes_max: Option<u64>,
    /// When a period of so many milliseconds since 1970 begins.
    pub(super) period_ms: Option<u64>,
    /// How many are kept.
    pub(super) kept: u64,
}

impl LogFile {
    /// Goes on with the file at `path`, or begins it. Put aside it becomes `path.1`, that `path.2`, and
    /// so on.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be opened.
    pub(super) fn open(path: &Path, rotation: Rotation, clock: Arc<dyn Clock>) -> Result<Self> {
        let opened = open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (found, file) =
            opened.map_err(|cause| Error::io(format!("log_file {}", path.display()), cause))?;
        // Where the system cannot say when it was written, it is of now.
        let written = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let written_ms = written.map_or_else(|| clock.now_ms(), |at| at.as_millis() as u64);
        let (path, bytes) = (path.to_owned(), found.len());
        let period = rotation.period_of(written_ms);
        Ok(Self { path, rotation, file, bytes, period, clock })
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
        let kept = self.rotation.kept;
        if kept == 0 {
            std::fs::remove_file(&self.path)?;
        }
        // The newest last: each makes room for the next.
        for number in (1..=kept).rev() {
            let from = if number == 1 { self.path.clone() } else { aside(number - 1) };
            match std::fs::rename(from, aside(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.reopen()
    }
}

impl Rotation {
    /// Which period a time is in.
    fn period_of(self, ms: u64) -> u64 {
        self.period_ms.map_or(0, |period| ms / period.max(1))
    }
}

impl fmt::Debug for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogFile").field("path", &self.path).finish_non_exhaustive()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

impl Write for LogFile {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let bytes = self.bytes.saturating_add(line.len() as u64);
        // A clock that goes backwards begins nothing.
        let period = self.rotation.period_of(self.clock.now_ms()).max(self.period);
        let is_full = self.rotation.bytes_max.is_some_and(|max| bytes > max);
        if self.bytes > 0 && (is_full || period > self.period) && self.rotate().is_err() {
            // The file of before goes on; it is tried again when as much is written once more, or the
            // next period begins.
            self.bytes = 0;
        }
        self.period = period;
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
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::base::clock::SystemClock;

    /// A clock that shows what it is told.
    struct Dial(AtomicU64);

    impl Clock for Dial {
        fn now_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn opened(path: &Path, bytes_max: Option<u64>, kept: u64) -> Result<LogFile> {
        let rotation = Rotation { bytes_max, period_ms: None, kept };
        LogFile::open(path, rotation, Arc::new(SystemClock::default()))
    }

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
            let mut file = opened(&path, Some(8), 2).expect("it opens");
            file.write_all(line.as_bytes()).expect("it is written");
        }
        let files = files(dir.path());
        assert_eq!(shown(&files), [("log", "five\n"), ("log.1", "four\n"), ("log.2", "three\n")]);
    }

    /// Would catch a file that is of two days, also when the server was off at midnight; a day that is
    /// put aside twice; and one that a clock that goes backwards puts aside.
    #[test]
    fn a_day_has_a_file_of_its_own() {
        const DAY_MS: u64 = 86_400_000;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let clock = Arc::new(Dial(AtomicU64::new(DAY_MS - 1)));
        let rotation = Rotation { bytes_max: Some(16), period_ms: Some(DAY_MS), kept: 9 };
        let open = || {
            let it = LogFile::open(&path, rotation, clock.clone()).expect("it opens");
            // As if it had been written by that clock.
            let written = UNIX_EPOCH + Duration::from_millis(clock.now_ms());
            it.file.set_modified(written).expect("a time");
            it
        };
        drop(open());
        let mut file = open();
        file.write_all(b"first\n").expect("it is written");
        for (at, line) in [(DAY_MS, "second\n"), (DAY_MS - 1, "back\n"), (DAY_MS + 1, "on\n")] {
            clock.0.store(at, Ordering::Relaxed);
            file.write_all(line.as_bytes()).expect("it is written");
        }
        file.file.set_modified(UNIX_EPOCH + Duration::from_millis(DAY_MS + 1)).expect("a time");
        clock.0.store(3 * DAY_MS, Ordering::Relaxed);
        let mut again = LogFile::open(&path, rotation, clock.clone()).expect("it opens");
        again.write_all(b"fourth\n").expect("it is written");
        let files = files(dir.path());
        let kept = [("log", "fourth\n"), ("log.1", "second\nback\non\n"), ("log.2", "first\n")];
        assert_eq!(shown(&files), kept);
    }

    #[test]
    fn a_line_is_never_split_and_nothing_may_be_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut file = opened(&dir.path().join("log"), Some(4), 0).expect("it opens");
        for line in ["longer than a file\n", "short\n"] {
            file.write_all(line.as_bytes()).expect("it is written");
        }
        assert_eq!(shown(&files(dir.path())), [("log", "short\n")]);
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew_when_somebody_says_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, away) = (dir.path().join("log"), dir.path().join("log-20261130"));
        let mut file = opened(&path, None, 0).expect("it opens");
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
        let mut file = opened(&path, Some(4), 1).expect("it opens");
        for line in ["one\n", "two\n"] {
            file.write_all(line.as_bytes()).expect("it is written");
        }
        assert_eq!(fs::read_to_string(&path).expect("a text"), "one\ntwo\n");
    }
}
