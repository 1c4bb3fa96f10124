//! What systemd is told of the server, as sd_notify(3) has it: a datagram to the socket that
//! `NOTIFY_SOCKET` names. Without one nobody is told.

use std::ffi::OsStr;
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// How much more time a start asks for, again and again while it replays.
const MORE: Duration = Duration::from_secs(60);
/// How often it asks.
const ASK_EVERY: Duration = Duration::from_secs(15);

/// The way to whoever started the process.
#[derive(Clone, Debug)]
pub(crate) struct Notify {
    socket: Option<Arc<UnixDatagram>>,
    /// How long the server may be silent before it is taken for hung.
    watchdog: Option<Duration>,
}

impl Notify {
    /// The way that the environment names.
    pub(crate) fn of_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| connect(&name));
        let number = |name| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|us| is_ours && *us > 0);
        Self { socket: socket.map(Arc::new), watchdog: watchdog.map(Duration::from_micros) }
    }

    /// Says that the server starts, and asks for more time for as long as it does; dropped with the
    /// task.
    pub(crate) async fn starting(self) {
        let more = MORE.as_micros();
        loop {
            self.say(&format!("STATUS=replaying the journal\nEXTEND_TIMEOUT_USEC={more}"));
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Says that it serves at these places.
    pub(crate) fn ready(&self, places: impl Iterator<Item = impl Display>) {
        let places: Vec<_> = places.map(|place| place.to_string()).collect();
        self.say(&format!("READY=1\nSTATUS=serving on {}", places.join(", ")));
    }

    /// Says that it serves at these places, in the place of the process that was started.
    pub(crate) fn ready_instead(&self, places: impl Iterator<Item = impl Display>) {
        self.say(&format!("MAINPID={}", std::process::id()));
        self.ready(places);
    }

    /// How long the server may be silent, for one that takes over and was not told.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The same, watched as the server was that this one takes over from.
    pub(crate) fn watched_as(self, watchdog: Option<Duration>) -> Self {
        Self { watchdog: watchdog.or(self.watchdog), ..self }
    }

    /// Says that it stops.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=finishing requests under way");
    }

    /// Says again and again that the threads that serve do turn. A database or a disk that hangs is
    /// not told: to start anew would not help.
    pub(crate) async fn watched(self) {
        let Some(watchdog) = self.watchdog.filter(|_| self.socket.is_some()) else {
            return;
        };
        loop {
            self.say("WATCHDOG=1");
            tokio::time::sleep(watchdog / 3).await;
        }
    }

    fn say(&self, what: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(what.as_bytes())
        {
            tracing::debug!(%error, "whoever started the server does not hear of it");
        }
    }
}

/// A socket to a path, or with a leading `@` to an abstract name. It never waits: whoever does not
/// read is not told.
fn connect(name: &OsStr) -> Option<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => abstract_address(name),
        None => SocketAddr::from_pathname(name).ok(),
    }?;
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect_addr(&address).ok().map(|()| socket)
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> Option<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    SocketAddr::from_abstract_name(name).ok()
}

/// There are none elsewhere.
#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> Option<SocketAddr> {
    None
}
