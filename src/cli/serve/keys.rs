//! The file with the keys of tokens, read again when it changes or when somebody says so (SIGHUP).
//!
//! It is looked at as a whole, and not at its time: a file that was replaced, by a link as well, in the
//! same second or by a mount, is another one by what it says.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::error::{Error, Result};
use crate::http::Auth;

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);
/// The longest file, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// The file.
#[derive(Clone)]
pub(super) struct KeysFile {
    path: PathBuf,
    /// What it said when it was looked at last.
    seen: Option<blake3::Hash>,
    /// It could not be read when it was looked at last.
    is_lost: bool,
}

impl KeysFile {
    /// Gives the keys of the file to `auth`.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be read, `Invalid` when it is wrong.
    pub(super) fn load(path: &Path, auth: &Auth) -> Result<Self> {
        let text = read(path)?;
        let failed = |cause: Error| Error::invalid(format!("{}: {cause}", path.display()));
        auth.replace_keys(&text).map_err(failed)?;
        let seen = Some(blake3::hash(text.as_bytes()));
        Ok(Self { path: path.to_owned(), seen, is_lost: false })
    }

    /// Gives its keys to `auth` whenever they are others, until it is dropped.
    pub(super) async fn follow(mut self, auth: Arc<Auth>) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        loop {
            tokio::select! {
                () = asked(&mut hangup) => {}
                () = tokio::time::sleep(EVERY) => {}
            }
            let auth = auth.clone();
            let looked = tokio::task::spawn_blocking(move || {
                self.look(&auth);
                self
            });
            match looked.await {
                Ok(file) => self = file,
                Err(failed) => {
                    tracing::error!(error = %failed, "the keys of tokens are followed no longer");
                    return;
                }
            }
        }
    }

    fn look(&mut self, auth: &Auth) {
        match read(&self.path) {
            Ok(text) => {
                self.is_lost = false;
                let seen = Some(blake3::hash(text.as_bytes()));
                if std::mem::replace(&mut self.seen, seen) != seen
                    && let Err(error) = auth.replace_keys(&text)
                {
                    let path = self.path.display();
                    tracing::error!(%path, %error, "the keys of tokens stay as they were");
                }
            }
            Err(error) if !self.is_lost => {
                self.is_lost = true;
                tracing::error!(%error, "the keys of tokens stay as they were");
            }
            Err(_) => {}
        }
    }
}

async fn asked(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// What the file says.
///
/// # Errors
/// `Unavailable` when it cannot be read, `Invalid` when it is too long or no text.
#[allow(clippy::disallowed_methods, reason = "a file of the command line, not the engine's")]
pub(in crate::cli) fn read(path: &Path) -> Result<String> {
    let failed = |cause| Error::io(format!("the keys of tokens {}", path.display()), cause);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    let is_short = bytes.len() as u64 <= BYTES_MAX;
    let text = String::from_utf8(bytes).ok().filter(|_| is_short);
    text.ok_or_else(|| {
        Error::invalid(format!("{} is no text of at most {BYTES_MAX} bytes", path.display()))
    })
}
