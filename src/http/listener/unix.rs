//! A Unix socket with a path: whose it is, and who may connect.
//!
//! The file stays behind when a server is killed. So whoever is there already is asked first: where
//! nobody answers it is replaced, and a server that lives keeps its own.

#![allow(clippy::disallowed_methods, reason = "a socket, not the engine's files")]

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// How many may wait to be accepted, as tokio has it for TCP.
const BACKLOG: u32 = 1024;
/// How long whoever has the path may take to accept.
const ASKING_TIMEOUT: Duration = Duration::from_secs(1);

/// A path that is ours, which is removed when this is dropped. That must be before its socket is
/// closed: until then nobody takes it for left behind, and replaces it.
#[derive(Debug)]
pub(crate) struct OwnPath(PathBuf);

impl OwnPath {
    /// A path that another server's was, from whom this one has the socket.
    pub(crate) fn of(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Leaves the path to another server, which has the socket.
    pub(crate) fn leave(self) {
        std::mem::forget(self);
    }
}

impl Drop for OwnPath {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(%error, path = %self.0.display(), "a socket's file stays");
        }
    }
}

/// Listens at `path`, where whoever `mode` allows may connect.
pub(super) async fn bind(path: &Path, mode: u32) -> io::Result<(OwnPath, UnixListener)> {
    // Of two servers that find the same file left behind, one replaces it. The lock stays where it
    // is: to remove it would let a third have another.
    let lock = File::create(lock_of(path))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => taken("another server is about to listen there"),
        TryLockError::Error(error) => error,
    })?;
    clear(path).await?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let own = OwnPath(path.to_owned());
    // Nobody can connect before it listens, so nobody does whom the mode keeps out.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok((own, socket.listen(BACKLOG)?))
}

fn lock_of(path: &Path) -> PathBuf {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}

fn taken(why: &str) -> io::Error {
    io::Error::new(ErrorKind::AddrInUse, why.to_owned())
}

/// Removes a socket that nobody listens at any more.
async fn clear(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(taken("there is a file that is no socket"));
        }
        Ok(_) => {}
    }
    match tokio::time::timeout(ASKING_TIMEOUT, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
        // It accepts, or has too much to do to accept: somebody is there.
        Ok(_) | Err(_) => Err(taken("another server listens there")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(doing: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime").block_on(doing)
    }

    #[test]
    fn what_was_left_behind_is_replaced_and_what_lives_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.sock");
        run(async {
            // Closed without an end of its own, it leaves its file, as a server that is killed does.
            drop(std::os::unix::net::UnixListener::bind(&path).expect("it is free"));
            assert!(path.exists());
            let (own, listener) = bind(&path, 0o600).await.expect("nobody answers there");
            let refused = bind(&path, 0o600).await.expect_err("somebody does");
            assert_eq!(refused.to_string(), "another server listens there");
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            drop(own);
            assert!(!path.exists(), "nobody finds it when it is closed");
            drop(listener);
            fs::write(&path, "a file").expect("it writes");
            let refused = bind(&path, 0o600).await.expect_err("it is a file");
            assert_eq!(refused.to_string(), "there is a file that is no socket");
            assert_eq!(fs::read(&path).expect("it is there"), b"a file");
        });
    }
}
