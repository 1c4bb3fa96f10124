//! Clients behind proxies: who asks is whom a trusted proxy names, and nobody else is believed.

mod forwarded;
mod preamble;

use std::net::IpAddr;
use std::str::FromStr;

use hyper::HeaderMap;
use ipnet::IpNet;

pub(super) use self::preamble::of_connection;
use super::listener::Peer;

/// Which header of a request says whom a proxy asks for. A proxy sets one of them, and lets the other
/// one through as its client wrote it: so it is one that is believed, and not whichever is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded`, as RFC 7239 has it.
    Forwarded,
    /// Neither.
    Ignored,
}

/// Whose word about the address of a client is taken; of nobody's unless said otherwise.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    networks: Vec<IpNet>,
    is_local_trusted: bool,
    header: ProxyHeader,
    announce: bool,
}

/// One or several proxies whose word is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trusted {
    Network(IpNet),
    /// Whoever comes by a Unix socket.
    Local,
}

impl FromStr for Trusted {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "unix" {
            return Ok(Self::Local);
        }
        let alone = || text.parse::<IpAddr>().map(IpNet::from);
        // What is trusted is what was meant: 10.1.2.3/8 is a slip of the pen.
        let network = text.parse::<IpNet>().or_else(|_| alone()).map_err(drop)?;
        (network.trunc() == network).then_some(Self::Network(network)).ok_or(())
    }
}

impl Proxies {
    /// Believes this header.
    #[must_use]
    pub fn header(self, header: ProxyHeader) -> Self {
        Self { header, ..self }
    }

    /// Believes proxies at an address, in a network as in `10.0.0.0/8`, or, as `unix`, on this machine
    /// behind a Unix socket; `None` when it is none of these.
    #[must_use]
    pub fn trusting(mut self, proxy: &str) -> Option<Self> {
        match proxy.parse().ok()? {
            Trusted::Network(network) => self.networks.push(network),
            Trusted::Local => self.is_local_trusted = true,
        }
        Some(self)
    }

    /// Takes connections from those proxies alone, and each must begin with the head of the PROXY
    /// protocol, of version 1 or 2. A listener for operators is left out.
    #[must_use]
    pub fn announced(self) -> Self {
        Self { announce: true, ..self }
    }

    /// Whether connections begin with the head of the PROXY protocol.
    pub fn are_announced(&self) -> bool {
        self.announce
    }

    pub(super) fn trusts(&self, peer: Peer) -> bool {
        match peer {
            Peer::At(ip) => self.trusts_ip(ip),
            Peer::Local => self.is_local_trusted,
        }
    }

    fn trusts_ip(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.networks.iter().any(|network| network.contains(&ip))
    }

    /// Whom a request is from that came from `peer`.
    pub(super) fn client(&self, peer: Peer, headers: &HeaderMap) -> Peer {
        if !self.trusts(peer) {
            return peer;
        }
        let hops = match self.header {
            ProxyHeader::Ignored => return peer,
            ProxyHeader::XForwardedFor => forwarded::of_list(headers),
            ProxyHeader::Forwarded => forwarded::of_rfc_7239(headers),
        };
        // From the nearest on: what stands before one that is not trusted may be invented.
        let mut client = peer;
        for hop in hops.into_iter().rev() {
            let Some(ip) = hop else { return client };
            client = Peer::At(ip);
            if !self.trusts_ip(ip) {
                return client;
            }
        }
        client
    }
}

#[cfg(test)]
mod tests;
