//! A connection to a client, whatever socket it came by.

use std::net::IpAddr;

use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Peer {
    /// Whoever has this address.
    At(IpAddr),
    /// A program of this machine, which came by a Unix socket: a proxy, or whoever the file system
    /// lets in.
    Local,
}

/// A connection.
pub(in crate::http) type Stream = Either<TcpStream, UnixStream>;
