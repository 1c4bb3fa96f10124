//! The server that runs, and may be succeeded.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::task::spawn_blocking;

use super::{SOCKET, formats, told};
use crate::base::error::{Error, Result};
use crate::cli::serve::doors::Doors;
use crate::engine::Engine;
use crate::process::handover::{Channel, Message, PROTOCOL, Received};

/// How long a successor may take to say who it is.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to read the directory. The journal is kept for it meanwhile.
const READ_LIMIT: Duration = Duration::from_secs(3600);
/// How long it may take to serve from when the directory is its own.
const SERVE_LIMIT: Duration = Duration::from_secs(120);

/// The socket for a successor.
pub(in crate::cli::serve) struct Succession {
    path: PathBuf,
    listener: UnixListener,
    /// What a successor is told and given.
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    doors: Arc<Doors>,
    watchdog: Option<Duration>,
}

impl Succession {
    /// Listens in the data directory, which is this server's: what is there is left from one that
    /// ended without a word. Needs a runtime.
    ///
    /// # Errors
    /// `Unavailable` when it cannot; the server is none the worse.
    #[allow(clippy::disallowed_methods, reason = "a socket, which is no file of the engine's")]
    pub(in crate::cli::serve) fn listen(
        dir: &Path,
        engine: Engine,
        doors: Arc<Doors>,
        watchdog: Option<Duration>,
    ) -> Result<Self> {
        let path = dir.join(SOCKET);
        let failed = |cause| Error::io(format!("listening at {}", path.display()), cause);
        drop(std::fs::remove_file(&path));
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).map_err(failed)?;
        let shared = Arc::new(Shared { engine, doors, watchdog });
        Ok(Self { path, listener, shared })
    }

    /// Resolves with a successor that has read the directory and waits to have it. One after the other.
    pub(in crate::cli::serve) async fn successor(&self) -> Channel {
        loop {
            let stream = match self.listener.accept().await.and_then(|(it, _)| it.into_std()) {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a successor was not heard");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let shared = self.shared.clone();
            let met = spawn_blocking(move || {
                let met = meet(stream, &shared);
                if met.is_err() {
                    shared.engine.expect_no_successor();
                }
                met
            });
            match met.await {
                Ok(Ok(channel)) => return channel,
                Ok(Err(error)) => tracing::warn!(%error, "no successor takes over"),
                Err(failed) => tracing::error!(error = %failed, "no successor takes over"),
            }
        }
    }
}

impl Drop for Succession {
    #[allow(clippy::disallowed_methods, reason = "a socket, which is no file of the engine's")]
    fn drop(&mut self) {
        // While the directory is this server's: afterwards another's may be there.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Lets a successor read the directory, until it is ready to have it.
fn meet(stream: std::os::unix::net::UnixStream, shared: &Shared) -> Result<Channel> {
    let mut channel = Channel::new(stream)?;
    let Received::Message(Message::Hello { protocol, program, formats }) =
        channel.hear(HELLO_LIMIT)?
    else {
        return Err(Error::unavailable("whoever asked did not say who it is"));
    };
    if let Some(why) = objection(protocol, &program, &formats) {
        // Whether it hears it or not.
        drop(channel.say(&Message::Refused { why: why.clone() }));
        return Err(Error::invalid(why));
    }
    tracing::info!(program, "another server prepares to take over");
    shared.engine.expect_successor()?;
    let welcome = Message::Welcome {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        doors: shared.doors.told(),
        watchdog_us: shared.watchdog.and_then(|it| u64::try_from(it.as_micros()).ok()),
    };
    let sockets = shared.doors.sockets()?;
    channel.say_with(&welcome, &sockets.iter().map(OwnedFd::as_fd).collect::<Vec<_>>())?;
    match channel.hear(READ_LIMIT)? {
        Received::Message(Message::Switch) => {}
        Received::Message(_) => return Err(Error::invalid("it did not say that it is ready")),
        Received::End => return Err(Error::unavailable("it ended before it was ready")),
        Received::Nothing => return Err(Error::unavailable("it was not ready in time")),
    }
    shared.engine.settle();
    wait_is_on(&mut channel)?;
    Ok(channel)
}

/// Whether a successor that is ready still waits: to close for one that is gone would cost clients a
/// pause.
fn wait_is_on(successor: &mut Channel) -> Result<()> {
    match successor.hear(Duration::ZERO)? {
        Received::Nothing => Ok(()),
        Received::End => Err(Error::unavailable("it ended when it was ready")),
        Received::Message(_) => Err(Error::invalid("it did not wait for its turn")),
    }
}

/// Why this server does not let another one take over. It must be able to go on, should that one fail.
fn objection(
    protocol: u32,
    program: &str,
    theirs: &[crate::process::handover::Format],
) -> Option<String> {
    if protocol != PROTOCOL {
        return Some(format!(
            "version {program} takes over in another way than version {}, which runs: stop that and start the other",
            env!("CARGO_PKG_VERSION")
        ));
    }
    let ours = formats();
    let newer = theirs.iter().find(|it| {
        ours.iter().find(|our| our.name == it.name).is_none_or(|our| our.version < it.version)
    })?;
    Some(format!(
        "version {program} writes {} in version {}, which version {} could not read if it had to go on: stop that and start \
         the other",
        newer.name,
        newer.version,
        env!("CARGO_PKG_VERSION")
    ))
}

/// Gives the directory to a successor, with all that is to be told. True once it serves; false when it
/// is gone, and the directory can be opened again.
///
/// # Errors
/// Those of closing the engine.
pub(in crate::cli::serve) fn give(engine: &Engine, mut successor: Channel) -> Result<bool> {
    if let Err(error) = engine.hand_over() {
        // It hears the end of the talk, and finds the directory locked or not.
        drop(successor);
        return engine.close().and(Err(error));
    }
    let mut told_all = successor.say(&Message::Yours);
    let left = engine.left();
    told_all = told_all.and_then(|()| successor.say(&Message::Left(told(&left?))));
    let closed = engine.close();
    if closed.is_ok() {
        told_all = told_all.and_then(|()| successor.say(&Message::Closed));
    }
    if let Err(error) = told_all {
        tracing::warn!(%error, "the successor does not hear");
    }
    let serves = match successor.hear(SERVE_LIMIT) {
        Ok(Received::Message(Message::Serving)) => true,
        Ok(Received::Message(_) | Received::End) | Err(_) => false,
        Ok(Received::Nothing) => {
            // If it has the directory, opening it again says so.
            tracing::error!("the successor does not serve in time");
            false
        }
    };
    if serves {
        return closed.map(|()| true);
    }
    tracing::error!("the successor has not taken over: this server goes on");
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn nothing_is_closed_for_a_successor_that_is_gone() {
        let talk = || {
            let (here, there) = UnixStream::pair().expect("a pair");
            [here, there].map(|end| Channel::new(end).expect("a channel"))
        };
        let [mut here, there] = talk();
        wait_is_on(&mut here).expect("it waits");
        drop(there);
        assert!(wait_is_on(&mut here).is_err(), "it is gone");
        let [mut here, there] = talk();
        there.say(&Message::Serving).expect("it is said");
        assert!(wait_is_on(&mut here).is_err(), "it has nothing to say yet");
    }
}
