//! Which addresses a request may go to. Whoever may name a URL must not thereby reach what only this
//! machine reaches: itself, its network, its cloud's metadata. The address is looked at after the
//! name was resolved, and that very address is connected to: a name that stands for another
//! address a moment later gains nothing.
//!
//! The ranges are those of the IANA registries of special-purpose addresses (RFC 6890), and
//! multicast.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::endpoint::Endpoint;

/// Lets requests go to public addresses, and to the hosts that it was given by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    private_hosts: BTreeSet<String>,
}

impl Guard {
    /// `private_hosts` may be at any address: each as URLs name it.
    pub(crate) fn new(private_hosts: impl IntoIterator<Item = String>) -> Self {
        let private_hosts = private_hosts.into_iter().map(|host| host.to_ascii_lowercase());
        Self { private_hosts: private_hosts.collect() }
    }

    /// Whether the host of `endpoint` is one of those that may be anywhere.
    pub(crate) fn knows(&self, endpoint: &Endpoint) -> bool {
        self.private_hosts.contains(endpoint.host())
    }

    /// Why no request to `endpoint` could ever go, where its URL alone says so: it has an address in
    /// place of a name, and not a public one, or one that is not written as addresses are.
    pub(crate) fn objection(&self, endpoint: &Endpoint) -> Option<&'static str> {
        let host = endpoint.host();
        if self.knows(endpoint) {
            return None;
        }
        match host.parse::<IpAddr>() {
            Ok(address) if is_public(address) => None,
            Ok(_) => Some("must not be at an address that is not public"),
            Err(_) if is_number(host) => Some("must name a host, or have its whole address"),
            Err(_) => None,
        }
    }

    /// Whether a request to `endpoint` may go to `address`.
    pub(super) fn lets(&self, endpoint: &Endpoint, address: IpAddr) -> bool {
        self.knows(endpoint) || is_public(address)
    }
}

/// Whether what is no address is read as one all the same by some, as `127.1`, `0x7f000001` and
/// `2130706433` are (WHATWG URL, 3.5): no name ends in a number.
fn is_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_hex = |digits: &str| digits.bytes().all(|b| b.is_ascii_hexdigit());
    let is_decimal = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    is_decimal || last.strip_prefix("0x").is_some_and(is_hex) || host.contains(':')
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b, c) {
        // This network, this machine, multicast and what is reserved above it.
        (0 | 127 | 224.., _, _) => true,
        // Private, shared by carriers, link-local with the metadata of clouds.
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) => true,
        (100, 64..=127, _) | (169, 254, _) => true,
        // Protocols, documentation, anycast relays, benchmarks.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) => true,
        (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        // An IPv4 address, mapped or translated, is what it is.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        // Protocols (with Teredo), documentation, 6to4.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] => false,
        [0x3fff, 0..=0xfff, ..] => false,
        // Of the rest, what is assigned to anybody: 2000::/3.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_reaches_is_public() {
        for (address, expected) in [
            ("8.8.8.8", true),
            ("172.15.0.1", true),
            ("172.32.0.1", true),
            ("100.63.255.255", true),
            ("100.128.0.0", true),
            ("169.253.0.1", true),
            ("198.17.0.1", true),
            ("223.255.255.255", true),
            ("2606:4700::1111", true),
            ("2001:4860::8888", true),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::808:808", true),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("127.0.0.1", false),
            ("127.255.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("192.168.1.1", false),
            ("198.19.0.1", false),
            ("198.51.100.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::7f00:1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:169.254.169.254", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b:1::1", false),
            ("100::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("3fff::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(is_public(address), expected, "{address}");
        }
    }

    #[test]
    fn a_url_with_an_address_that_nobody_else_reaches_is_objected_to_and_a_name_is_not() {
        let guard = Guard::new(["10.0.0.7".to_owned(), "fd00::7".to_owned()]);
        for (url, is_good) in [
            ("https://8.8.8.8/x", true),
            ("https://[2606:4700::1111]:444/", true),
            ("https://hooks.example", true),
            ("https://localhost", true),
            ("https://10.example", true),
            ("https://0x7f.example", true),
            ("https://10.0.0.7:99/", true),
            ("https://[fd00::7]/", true),
            ("https://10.0.0.8/", false),
            ("https://127.0.0.1./", false),
            ("https://0.0.0.0", false),
            ("https://169.254.169.254/latest/meta-data", false),
            ("https://192.168.1.1", false),
            ("https://[::1]/", false),
            ("https://[::]/", false),
            ("https://[fe80::1]/", false),
            ("https://[fd00::8]/", false),
            ("https://[::ffff:127.0.0.1]/", false),
            ("https://[::FFFF:7f00:1]/", false),
            ("https://[64:ff9b::10.0.0.1]/", false),
            ("https://127.1/", false),
            ("https://2130706433/", false),
            ("https://0x7f000001/", false),
            ("https://0X7F.0.0.1/", false),
            ("https://0177.0.0.1/", false),
        ] {
            let endpoint = Endpoint::parse(url).expect(url);
            assert_eq!(guard.objection(&endpoint).is_none(), is_good, "{url}");
        }
    }

    #[test]
    fn a_host_that_was_named_may_be_anywhere_and_no_other() {
        let guard = Guard::new(["Till.internal".to_owned()]);
        let (near, home) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([127, 0, 0, 1]));
        let endpoint = |url| Endpoint::parse(url).expect("a URL");
        assert!(guard.lets(&endpoint("http://till.INTERNAL:81/x"), near));
        assert!(guard.lets(&endpoint("http://till.internal"), home));
        assert!(!guard.lets(&endpoint("http://a.till.internal"), near));
        assert!(!guard.lets(&endpoint("http://10.0.0.1"), near));
    }
}
