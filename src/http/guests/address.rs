//! Where a client is.

use std::net::IpAddr;

use crate::http::listener::Peer;

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) enum Address {
    /// At its IPv4 address, or in the /64 of its IPv6 address, of which one subscriber has all.
    Net(IpAddr),
    /// On this machine, with no address: whoever comes by a Unix socket. Behind it stands a proxy
    /// more often than not, so bounds of each address are not for them.
    Local,
}

impl Address {
    pub(in crate::http) fn of(peer: Peer) -> Self {
        match peer {
            Peer::At(ip) => Self::of_ip(ip),
            Peer::Local => Self::Local,
        }
    }

    pub(super) fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(ip) => Self::Net(IpAddr::V6((ip.to_bits() >> 64 << 64).into())),
            ip => Self::Net(ip),
        }
    }

    /// Whether the bounds of each address hold for it.
    pub(in crate::http) fn is_bounded(self) -> bool {
        match self {
            Self::Net(_) => true,
            Self::Local => false,
        }
    }
}
