//! Where clients connect: sockets of TCP and of Unix, each for everybody or for operators alone.

#[cfg(feature = "bin")]
mod place;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "bin")]
mod unix;

use std::io;

use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

#[cfg(feature = "bin")]
pub(crate) use self::place::{Inherited, Place};
pub(super) use self::stream::{Peer, Stream};
#[cfg(feature = "bin")]
pub(crate) use self::unix::OwnPath;
use super::tls::Tls;
use super::visit::Offer;

/// Whom a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever reaches it.
    Everybody,
    /// Whoever runs the shop or the server, or watches it. What is for them is then at such
    /// listeners alone, but for the server's health.
    Operators,
}

/// A socket that clients connect to, and whom it is for.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    audience: Audience,
    tls: Option<Tls>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    /// With its path where that is ours to remove, which is first.
    #[cfg(feature = "bin")]
    OwnUnix {
        _path: unix::OwnPath,
        socket: UnixListener,
    },
    Unix(UnixListener),
}

impl Listener {
    /// For everybody, without TLS.
    fn of(socket: Socket) -> Self {
        Self { socket, audience: Audience::Everybody, tls: None }
    }

    /// The same socket for others than it was for. A new one is for everybody.
    #[must_use]
    pub fn for_audience(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }

    /// The same socket, on which clients must speak TLS.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// What shakes hands with the next client, where that is to be done.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        let tls = self.tls.as_ref()?;
        Some(match self.audience {
            Audience::Everybody => tls.for_everybody(),
            Audience::Operators => tls.for_operators(),
        })
    }

    /// Whom it is for.
    pub fn audience(&self) -> Audience {
        self.audience
    }

    /// The next client. Nobody is lost when this is dropped before it resolves.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.socket {
            Socket::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                // A small answer must not wait for the client's acknowledgement of the one before.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection keeps its delay");
                }
                Ok((Stream::Left(stream), Peer::At(address.ip())))
            }
            #[cfg(feature = "bin")]
            Socket::OwnUnix { socket, .. } => accept_local(socket).await,
            Socket::Unix(socket) => accept_local(socket).await,
        }
    }
}

async fn accept_local(socket: &UnixListener) -> io::Result<(Stream, Peer)> {
    let (stream, _) = socket.accept().await?;
    Ok((Stream::Right(stream), Peer::Local))
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self::of(Socket::Tcp(socket))
    }
}

impl From<UnixListener> for Listener {
    fn from(socket: UnixListener) -> Self {
        Self::of(Socket::Unix(socket))
    }
}

/// All the sockets of a server.
#[derive(Debug, Default)]
pub struct Listeners(Vec<Listener>);

impl Listeners {
    /// What is served at each of them: everything, unless operators have one of their own.
    pub(super) fn offers(&self) -> Vec<Offer> {
        let is_apart = self.0.iter().any(|it| it.audience == Audience::Operators);
        let offer = |listener: &Listener| match (listener.audience, is_apart) {
            (Audience::Operators, _) => Offer::Operators,
            (Audience::Everybody, true) => Offer::Users,
            (Audience::Everybody, false) => Offer::Everything,
        };
        self.0.iter().map(offer).collect()
    }
}

impl<L: Into<Listener>> From<L> for Listeners {
    fn from(one: L) -> Self {
        Self(vec![one.into()])
    }
}

impl FromIterator<Listener> for Listeners {
    fn from_iter<I: IntoIterator<Item = Listener>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl IntoIterator for Listeners {
    type Item = Listener;
    type IntoIter = std::vec::IntoIter<Listener>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
