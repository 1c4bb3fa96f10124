//! Where to listen, as a setting writes it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::{TcpListener, UnixListener};

use super::unix::{self, OwnPath};
use super::{Listener, Socket};
use crate::base::error::{Error, Result};
use crate::http::tls::Tls;

/// What stands before the path of a Unix socket.
const UNIX: &str = "unix:";
/// What stands before an address where clients speak TLS.
const TLS: &str = "tls:";

/// A socket that listens before this process does anything with it.
#[derive(Debug)]
pub(crate) enum Inherited {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// An address of TCP, with TLS or without, or the path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    /// One of TCP, where clients speak TLS.
    Tls(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(address) = text.strip_prefix(TLS) {
            return address.parse().map(Self::Tls).map_err(drop);
        }
        match text.strip_prefix(UNIX) {
            Some(path) if Path::new(path).is_absolute() => Ok(Self::Unix(path.into())),
            Some(_) => Err(()),
            None => text.parse().map(Self::Tcp).map_err(drop),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Tls(address) => write!(f, "{TLS}{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl Place {
    /// What is wrong where clients are to speak TLS and there is no certificate.
    pub(crate) fn without_certificate(&self) -> Error {
        Error::invalid(format!("{self} needs a certificate: set tls_certificate and tls_key"))
    }
}

impl Listener {
    /// Listens for everybody from here on, by `tls` where clients speak TLS; a Unix socket has this
    /// mode, and its path is removed at the end.
    ///
    /// # Errors
    /// `Unavailable` when one cannot listen there, `Invalid` without a certificate that TLS needs.
    pub(crate) async fn bind(place: &Place, socket_mode: u32, tls: Option<&Tls>) -> Result<Self> {
        let failed = |cause| Error::io(format!("listening on {place}"), cause);
        match place {
            Place::Tcp(address) => TcpListener::bind(address).await.map(Self::from).map_err(failed),
            Place::Tls(address) => {
                let tls = tls.ok_or_else(|| place.without_certificate())?.clone();
                let socket = TcpListener::bind(address).await.map_err(failed)?;
                Ok(Self::from(socket).with_tls(tls))
            }
            Place::Unix(path) => {
                let (_path, socket) = unix::bind(path, socket_mode).await.map_err(failed)?;
                Ok(Self::of(Socket::OwnUnix { _path, socket }))
            }
        }
    }

    /// A socket that somebody else made and listens at. Needs a runtime.
    ///
    /// # Errors
    /// `Unavailable` when the runtime does not take it.
    pub(crate) fn inherit(socket: Inherited) -> Result<Self> {
        let failed = |cause| Error::io("an inherited socket", cause);
        match socket {
            Inherited::Tcp(socket) => {
                socket.set_nonblocking(true).map_err(failed)?;
                TcpListener::from_std(socket).map(Self::from).map_err(failed)
            }
            Inherited::Unix(socket) => {
                socket.set_nonblocking(true).map_err(failed)?;
                UnixListener::from_std(socket).map(Self::from).map_err(failed)
            }
        }
    }

    /// A listener on a socket that listens at `place` already, maybe for others as well. Needs a
    /// runtime.
    ///
    /// # Errors
    /// `Unavailable` when there are no descriptors, or the runtime does not take it; `Invalid` without a
    /// certificate that TLS needs.
    pub(crate) fn on(place: &Place, socket: BorrowedFd<'_>, tls: Option<&Tls>) -> Result<Self> {
        let failed = |cause| Error::io(format!("listening on {place}"), cause);
        let socket = socket.try_clone_to_owned().map_err(failed)?;
        match place {
            Place::Tcp(_) => Self::inherit(Inherited::Tcp(socket.into())),
            Place::Tls(_) => {
                let tls = tls.ok_or_else(|| place.without_certificate())?.clone();
                Ok(Self::inherit(Inherited::Tcp(socket.into()))?.with_tls(tls))
            }
            Place::Unix(_) => Self::inherit(Inherited::Unix(socket.into())),
        }
    }

    /// Its socket, for listeners of any runtime, and its path where that is ours.
    ///
    /// # Errors
    /// `Unavailable` when there are no descriptors.
    pub(crate) fn take_apart(self) -> Result<(Option<OwnPath>, OwnedFd)> {
        let failed = |cause| Error::io("sharing a socket", cause);
        Ok(match self.socket {
            Socket::Tcp(socket) => (None, socket.as_fd().try_clone_to_owned().map_err(failed)?),
            Socket::Unix(socket) => (None, socket.as_fd().try_clone_to_owned().map_err(failed)?),
            Socket::OwnUnix { _path, socket } => {
                (Some(_path), socket.as_fd().try_clone_to_owned().map_err(failed)?)
            }
        })
    }

    /// Where it listens; with the port that was free where any was to be taken.
    ///
    /// # Errors
    /// `Unavailable` when the system does not say.
    pub(crate) fn place(&self) -> Result<Place> {
        let failed = |cause| Error::io("asking where a socket listens", cause);
        let unnamed = || failed(io::Error::other("it has no path"));
        match &self.socket {
            Socket::Tcp(socket) => {
                let place = if self.tls.is_some() { Place::Tls } else { Place::Tcp };
                socket.local_addr().map(place).map_err(failed)
            }
            Socket::OwnUnix { socket, .. } | Socket::Unix(socket) => {
                let address = socket.local_addr().map_err(failed)?;
                address.as_pathname().map(|path| Place::Unix(path.into())).ok_or_else(unnamed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_or_an_absolute_path() {
        for text in [
            "127.0.0.1:3000",
            "[::]:0",
            "tls:0.0.0.0:443",
            "tls:[::]:0",
            "unix:/run/stockhold/http.sock",
        ] {
            assert_eq!(text.parse::<Place>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        for wrong in [
            "",
            "localhost:3000",
            "127.0.0.1",
            ":3000",
            "tls:",
            "tls:localhost:1",
            "tls:unix:/a",
            "unix:",
            "unix:a.sock",
            "/a.sock",
        ] {
            assert_eq!(wrong.parse::<Place>(), Err(()), "{wrong}");
        }
    }
}
