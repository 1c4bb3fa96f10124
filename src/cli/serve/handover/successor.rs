//! The server that takes over from another one.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::{SOCKET, formats, told};
use crate::base::error::{Error, ErrorKind, Result};
use crate::cli::serve::doors::Doors;
use crate::engine::{Engine, EngineBuilder, Warm};
use crate::process::handover::{Channel, Left, Message, PROTOCOL, Received};
use crate::process::logs;
use crate::settings::Config;

/// How long the predecessor may take to answer. It writes a checkpoint first.
const WELCOME_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take to finish the requests under way and give the directory up.
const YIELD_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to say what it left, and the lock to be free.
const LEFT_LIMIT: Duration = Duration::from_secs(30);
/// How long all may take from when the predecessor is asked to stop.
const SERVE_LIMIT: Duration = Duration::from_secs(90);
/// How often the lock is tried.
const LOCK_EVERY: Duration = Duration::from_millis(1);
/// How few events there must be between two looks before the predecessor is asked to stop.
const NEAR: u64 = 2_000;
/// How often to look for that at most.
const LOOKS_MAX: usize = 50;

/// The server that runs, seen from the one that takes over.
pub(in crate::cli::serve) struct Predecessor {
    channel: Channel,
    /// Where clients are.
    pub(in crate::cli::serve) doors: Arc<Doors>,
    /// How long systemd waits for a sign of life of it.
    pub(in crate::cli::serve) watchdog: Option<Duration>,
}

/// An engine that goes on.
pub(in crate::cli::serve) struct Taken {
    pub(in crate::cli::serve) engine: Engine,
    say: Channel,
    /// Ends once the predecessor is gone.
    pub(in crate::cli::serve) all_closed: Option<Receiver<()>>,
    in_time: Deadline,
}

impl Predecessor {
    /// Meets the server that has the same data directory and listens at the same places.
    ///
    /// # Errors
    /// `NotFound` when none runs there, or it cannot be taken over; `Invalid` when it refuses, or listens
    /// elsewhere; `Unavailable` when it does not answer.
    pub(in crate::cli::serve) fn meet(config: &Config) -> Result<Self> {
        let dir = &config.data_dir;
        let path = dir.join(SOCKET);
        let stream = UnixStream::connect(&path).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::not_found(format!(
                    "no server runs on {} that could be taken over: start this one without --take-over",
                    dir.display()
                ))
            }
            _ => Error::io(format_args!("connecting to {}", path.display()), cause),
        })?;
        let mut channel = Channel::new(stream)?;
        let program = env!("CARGO_PKG_VERSION").to_owned();
        channel.say(&Message::Hello { protocol: PROTOCOL, program, formats: formats() })?;
        match channel.hear(WELCOME_LIMIT)? {
            Received::Message(Message::Welcome { program, doors, watchdog_us }) => {
                tracing::info!(program, "taking over from the server that runs");
                let sockets = channel.take_descriptors();
                let doors = Arc::new(Doors::handed(doors, sockets, config)?);
                let watchdog = watchdog_us.map(Duration::from_micros);
                Ok(Self { channel, doors, watchdog })
            }
            Received::Message(Message::Refused { why }) => Err(Error::invalid(why)),
            Received::Message(_) => Err(Error::invalid("the running server says something else")),
            Received::End => {
                Err(Error::unavailable("the running server does not let itself be taken over"))
            }
            Received::Nothing => Err(Error::unavailable("the running server does not answer")),
        }
    }

    /// Takes over: reads the directory, has the predecessor give it up, and compares what is there with
    /// what it left. Until [`Taken::serving`] it goes on if this process ends.
    ///
    /// # Errors
    /// Those of opening the directory; `Corrupt` when what is there is not what was left; `Unavailable`
    /// when the predecessor does not give it up in time.
    pub(in crate::cli::serve) fn take_over(mut self, settings: EngineBuilder) -> Result<Taken> {
        let mut warm = Warm::read(settings)?;
        for _ in 0..LOOKS_MAX {
            if warm.follow()? <= NEAR {
                break;
            }
        }
        tracing::info!(last_seq = warm.last_seq(), "the directory is read: switching");
        self.channel.say(&Message::Switch)?;
        let in_time = Deadline::begin()?;
        let heard = self.channel.hear(YIELD_LIMIT)?;
        match heard {
            Received::Message(Message::Yours) => {}
            // It died: somebody has to go on.
            Received::End => tracing::warn!("the running server ended without a word"),
            Received::Message(_) => {
                return Err(Error::invalid("the running server says something else"));
            }
            Received::Nothing => {
                return Err(Error::unavailable(
                    "the running server does not give the directory up",
                ));
            }
        }
        let says = self.channel.share()?;
        let (tell_left, left) = mpsc::channel();
        let (closed, history_closed) = mpsc::channel::<()>();
        let (ended, all_closed) = mpsc::channel::<()>();
        listen(self.channel, tell_left, closed, ended)?;
        let locked = lock(&warm)?;
        let agrees = |found: &crate::engine::Left| compare(&left, &told(found));
        let engine = warm.take_over(locked, agrees, move || {
            // Its sender is dropped.
            let _ = history_closed.recv();
        })?;
        Ok(Taken { engine, say: says, all_closed: Some(all_closed), in_time })
    }
}

impl Taken {
    /// Says that this server serves: there is no way back.
    pub(in crate::cli::serve) fn serving(self) {
        drop(self.in_time);
        if let Err(error) = self.say.say(&Message::Serving) {
            tracing::warn!(%error, "the server before does not hear that this one serves");
        }
    }
}

/// Ends the process when it does not serve in time: the predecessor goes on then.
struct Deadline(#[allow(dead_code, reason = "its drop tells")] Sender<()>);

impl Deadline {
    fn begin() -> Result<Self> {
        let (in_time, is_in_time) = mpsc::channel::<()>();
        let watch = move || {
            if is_in_time.recv_timeout(SERVE_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                logs::say("stockhold: taking over took too long: the server before goes on");
                std::process::exit(1);
            }
        };
        let thread = thread::Builder::new().name("stockhold-in-time".into()).spawn(watch);
        thread.map_err(|cause| Error::io("starting a thread", cause))?;
        Ok(Self(in_time))
    }
}

/// Hears the rest of what the predecessor says, on a thread of its own. `closed` goes when it has closed
/// its history, and both when it is gone.
fn listen(
    mut channel: Channel,
    left: Sender<Left>,
    closed: Sender<()>,
    ended: Sender<()>,
) -> Result<()> {
    let mut closed = Some(closed);
    let hear = move || {
        let _ended = ended;
        loop {
            match channel.hear(Duration::from_secs(60)) {
                // Nobody may want to know any more.
                Ok(Received::Message(Message::Left(it))) => drop(left.send(it)),
                Ok(Received::Message(Message::Closed)) => drop(closed.take()),
                Ok(Received::End) => return,
                Ok(Received::Message(_) | Received::Nothing) => {}
                Err(error) => {
                    tracing::warn!(%error, "the server before is heard no longer");
                    return;
                }
            }
        }
    };
    let thread = thread::Builder::new().name("stockhold-before".into()).spawn(hear);
    thread.map(drop).map_err(|cause| Error::io("starting a thread", cause))
}

/// The lock, which a write from before may hold for a moment.
fn lock(warm: &Warm) -> Result<crate::vfs::directory::Locked> {
    let until = Instant::now() + LEFT_LIMIT;
    loop {
        match warm.lock() {
            Err(error) if error.kind() == ErrorKind::AlreadyOpen && Instant::now() < until => {
                thread::sleep(LOCK_EVERY);
            }
            locked => return locked,
        }
    }
}

/// Holds what is there against what was left.
fn compare(left: &Receiver<Left>, found: &Left) -> Result<()> {
    match left.recv_timeout(LEFT_LIMIT) {
        Ok(left) if left.agrees_with(found) => {
            let Left { last_seq, digest, .. } = left;
            tracing::info!(last_seq, digest, "the books are those that were left");
            Ok(())
        }
        Ok(left) => {
            let unknown = || "books that nobody knows".to_owned();
            Err(Error::corrupt(format!(
                "what is in the directory is not what the server before left: it ended at event {} with {}, and here are \
                 event {} and {}",
                left.last_seq,
                left.digest.unwrap_or_else(unknown),
                found.last_seq,
                found.digest.clone().unwrap_or_else(unknown)
            )))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            tracing::warn!(
                "the server before ended without saying what it left: nothing to compare"
            );
            Ok(())
        }
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err(Error::unavailable("the server before does not say what it left"))
        }
    }
}
