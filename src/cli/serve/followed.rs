//! Files of an operator that belong together, read again when one changes or when somebody says so
//! (SIGHUP).
//!
//! They are looked at as a whole, and not at their times: a file that was replaced, by a link as well,
//! in the same second or by a mount, is another one by what it says.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::error::{Error, Result};

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);
/// The longest file, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// The files.
#[derive(Clone)]
pub(super) struct Followed {
    /// What they are, for messages.
    what: &'static str,
    paths: Vec<PathBuf>,
    /// What they said when they were looked at last.
    seen: blake3::Hash,
    /// One could not be read when they were looked at last.
    is_lost: bool,
}

impl Followed {
    /// Reads them for the first time: what each of them says, in the order of `paths`.
    ///
    /// # Errors
    /// `Unavailable` when one cannot be read, `Invalid` when it is too long.
    pub(super) fn open(what: &'static str, paths: Vec<PathBuf>) -> Result<(Self, Vec<Vec<u8>>)> {
        let texts = read_all(what, &paths)?;
        let seen = hash(&texts);
        Ok((Self { what, paths, seen, is_lost: false }, texts))
    }

    /// Hands them over whenever they are others, until it is dropped. What `take` refuses is said in the
    /// log.
    pub(super) async fn follow(mut self, take: impl Fn(&[Vec<u8>]) -> Result<()> + Send + 'static) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        let (what, mut take) = (self.what, take);
        loop {
            tokio::select! {
                () = asked(&mut hangup) => {}
                () = tokio::time::sleep(EVERY) => {}
            }
            let looked = tokio::task::spawn_blocking(move || {
                self.look(&take);
                (self, take)
            });
            match looked.await {
                Ok(back) => (self, take) = back,
                Err(failed) => {
                    tracing::error!(error = %failed, "{what} are followed no longer");
                    return;
                }
            }
        }
    }

    fn look(&mut self, take: &impl Fn(&[Vec<u8>]) -> Result<()>) {
        let what = self.what;
        match read_all(what, &self.paths) {
            Ok(texts) => {
                self.is_lost = false;
                let seen = hash(&texts);
                if std::mem::replace(&mut self.seen, seen) != seen
                    && let Err(error) = take(&texts)
                {
                    let paths = self.paths.iter().map(|path| path.display().to_string());
                    let paths = paths.collect::<Vec<_>>().join(", ");
                    tracing::error!(%paths, %error, "{what} stay as they were");
                }
            }
            Err(error) if !self.is_lost => {
                self.is_lost = true;
                tracing::error!(%error, "{what} stay as they were");
            }
            Err(_) => {}
        }
    }
}

fn hash(texts: &[Vec<u8>]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        // What was moved from one file to the next is another.
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text);
    }
    hasher.finalize()
}

async fn asked(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

fn read_all(what: &str, paths: &[PathBuf]) -> Result<Vec<Vec<u8>>> {
    paths.iter().map(|path| read(what, path)).collect()
}

/// What a file says.
///
/// # Errors
/// `Unavailable` when it cannot be read, `Invalid` when it is too long.
#[allow(clippy::disallowed_methods, reason = "a file of the command line, not the engine's")]
pub(super) fn read(what: &str, path: &Path) -> Result<Vec<u8>> {
    let failed = |cause| Error::io(format!("{what} {}", path.display()), cause);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 <= BYTES_MAX {
        true => Ok(bytes),
        false => {
            Err(Error::invalid(format!("{} is longer than {BYTES_MAX} bytes", path.display())))
        }
    }
}
