use hyper::header::{FORWARDED, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn trusting(all: &[&str]) -> Proxies {
    let add = |proxies: Proxies, text: &&str| proxies.trusting(text).expect("a proxy");
    all.iter().fold(Proxies::default(), add)
}

fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
    let value = |text: &&str| (name.clone(), HeaderValue::from_str(text).expect("a value"));
    values.iter().map(value).collect()
}

fn listed(values: &[&str]) -> HeaderMap {
    headers(&HeaderName::from_static("x-forwarded-for"), values)
}

#[test]
fn what_may_be_trusted_is_an_address_a_network_or_a_unix_socket() {
    for (text, is_good) in [
        ("10.0.0.7", true),
        ("10.0.0.0/8", true),
        ("2001:db8::/32", true),
        ("::1", true),
        ("unix", true),
        ("", false),
        ("localhost", false),
        ("10.0.0.0/33", false),
        ("10.1.2.3/8", false),
        ("10.0.0.0/8,", false),
    ] {
        assert_eq!(Proxies::default().trusting(text).is_some(), is_good, "{text:?}");
    }
}

#[test]
fn the_client_is_the_nearest_that_is_not_trusted() {
    let proxies = trusting(&["10.0.0.0/8", "fd00::/8", "unix"]);
    let near = Peer::At(ip("10.0.0.1"));
    for (peer, lists, expected) in [
        // Nobody believes a stranger, nor whoever comes by a Unix socket unless that is said.
        (Peer::At(ip("192.0.2.9")), &["198.51.100.1"][..], "192.0.2.9"),
        (near, &[], "10.0.0.1"),
        (near, &["198.51.100.1"], "198.51.100.1"),
        (Peer::Local, &["198.51.100.1"], "198.51.100.1"),
        // What a client wrote itself stands before what its proxy adds.
        (near, &["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
        (near, &["1.2.3.4", "198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        (near, &["1.2.3.4, 198.51.100.1", "fd00::9"], "198.51.100.1"),
        (near, &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (near, &["198.51.100.1:1234"], "198.51.100.1"),
        (near, &["[2001:db8::1]:80"], "2001:db8::1"),
        (near, &["[2001:db8::1]"], "2001:db8::1"),
        (near, &["::ffff:198.51.100.1"], "198.51.100.1"),
        // Where a name ends, so does what is known.
        (near, &["198.51.100.1, unknown"], "10.0.0.1"),
        (near, &["198.51.100.1, unknown, 10.0.0.5"], "10.0.0.5"),
        (near, &["198.51.100.1, "], "10.0.0.1"),
        (near, &["\u{e9}"], "10.0.0.1"),
        (Peer::At(ip("::ffff:10.0.0.1")), &["198.51.100.1"], "198.51.100.1"),
    ] {
        assert_eq!(proxies.client(peer, &listed(lists)), Peer::At(ip(expected)), "{lists:?}");
    }
    let strict = trusting(&["10.0.0.0/8"]);
    assert_eq!(strict.client(Peer::Local, &listed(&["198.51.100.1"])), Peer::Local);
}

#[test]
fn one_header_is_believed_and_the_other_is_the_clients_own() {
    let near = Peer::At(ip("10.0.0.1"));
    let mut both = listed(&["198.51.100.1"]);
    both.insert(FORWARDED, HeaderValue::from_static("for=198.51.100.2"));
    for (header, expected) in [
        (ProxyHeader::XForwardedFor, "198.51.100.1"),
        (ProxyHeader::Forwarded, "198.51.100.2"),
        (ProxyHeader::Ignored, "10.0.0.1"),
    ] {
        let proxies = trusting(&["10.0.0.1"]).header(header);
        assert_eq!(proxies.client(near, &both), Peer::At(ip(expected)), "{header:?}");
    }
}

#[test]
fn a_forwarded_header_is_read_as_the_rfc_has_it() {
    let proxies = trusting(&["10.0.0.0/8"]).header(ProxyHeader::Forwarded);
    for (values, expected) in [
        (&["for=192.0.2.60;proto=http;by=203.0.113.43"][..], "192.0.2.60"),
        (&["For=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17"),
        (&["proto=https; FOR=\"192.0.2.43:47011\""], "192.0.2.43"),
        (&["for=192.0.2.43, for=198.51.100.17"], "198.51.100.17"),
        (&["for=192.0.2.43", "for=10.0.0.9"], "192.0.2.43"),
        (&["for=192.0.2.43;by=\"a,b;for=9.9.9.9\""], "192.0.2.43"),
        (&["by=\"\\\"\";for=192.0.2.43"], "192.0.2.43"),
        (&["for=unknown"], "10.0.0.1"),
        (&["for=_hidden, for=10.0.0.2"], "10.0.0.2"),
        (&["for=\"_SEVKISEK\""], "10.0.0.1"),
        (&["proto=http"], "10.0.0.1"),
        (&["for=192.0.2.43;for=192.0.2.44"], "10.0.0.1"),
        (&["for=192.0.2.43, by=\"open"], "10.0.0.1"),
        (&["for=\"192.0.2.43"], "10.0.0.1"),
        (&[""], "10.0.0.1"),
    ] {
        let asked = headers(&FORWARDED, values);
        let client = proxies.client(Peer::At(ip("10.0.0.1")), &asked);
        assert_eq!(client, Peer::At(ip(expected)), "{values:?}");
    }
}

fn head(bytes: &[u8]) -> (Option<Option<IpAddr>>, usize) {
    let mut rest = bytes;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let read = runtime.block_on(of_connection(&mut rest));
    (read.ok(), bytes.len() - rest.len())
}

fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut head = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    head.extend([0x20 | command, family]);
    head.extend((rest.len() as u16).to_be_bytes());
    head.extend(rest);
    head
}

#[test]
fn the_head_of_a_connection_says_whom_it_is_for_and_nothing_behind_it_is_read() {
    let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80];
    let mut v6 = [0; 36];
    v6[..16].copy_from_slice(&"2001:db8::7".parse::<std::net::Ipv6Addr>().expect("one").octets());
    let with_more = [&v4[..], &[0x03, 0, 4, 1, 2, 3, 4]].concat();
    let good: [(Vec<u8>, Option<&str>); 9] = [
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n".to_vec(), Some("192.0.2.7")),
        (b"PROXY TCP6 2001:db8::7 ::1 4660 80\r\n".to_vec(), Some("2001:db8::7")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
        (version_2(1, 0x11, &v4), Some("192.0.2.7")),
        (version_2(1, 0x11, &with_more), Some("192.0.2.7")),
        (version_2(1, 0x21, &v6), Some("2001:db8::7")),
        (version_2(0, 0x11, &v4), None),
        (version_2(1, 0, &[]), None),
    ];
    for (bytes, expected) in good {
        let behind = [&bytes[..], b"GET / HTTP/1.1\r\n"].concat();
        let (read, taken) = head(&behind);
        assert_eq!((read, taken), (Some(expected.map(ip)), bytes.len()), "{bytes:?}");
        for cut in 0..bytes.len() {
            assert_eq!(head(&bytes[..cut]).0, None, "{cut} bytes of {bytes:?}");
        }
    }
    for wrong in [
        &b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"[..],
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4660\r\n more",
        b"PROXY TCP4 2001:db8::7 10.0.0.1 4660 80\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 99999\r\n",
        &[&b"PROXY UNKNOWN "[..], &[b'x'; 200], b"\r\n"].concat(),
        &version_2(2, 0x11, &v4),
        &version_2(1, 0x11, &v4[..8]),
        &version_2(1, 0x11, &[0; 5_000]),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(head(wrong).0, None, "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn nobody_is_whom_an_untrusted_header_says(text in "[ -~]{0,60}", stranger in any::<[u8; 4]>()) {
        let stranger = Peer::At(IpAddr::from(stranger));
        let mut asked = listed(&[&text]);
        asked.insert(FORWARDED, HeaderValue::from_str(&text).expect("a value"));
        for header in [ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
            let proxies = trusting(&["fd00::/8"]).header(header);
            prop_assert_eq!(proxies.client(stranger, &asked), stranger);
        }
    }

    /// Whatever a client writes, what its proxy adds behind it decides.
    #[test]
    fn what_stands_before_the_clients_address_changes_nothing(
        written in "[ -~]{0,60}",
        client in any::<[u8; 4]>().prop_filter("a client", |ip| ip[0] != 10),
    ) {
        let (near, client) = (Peer::At(ip("10.0.0.1")), IpAddr::from(client));
        let proxies = trusting(&["10.0.0.0/8"]);
        let asked = listed(&[&format!("{written}, {client}, 10.0.0.7")]);
        prop_assert_eq!(proxies.client(near, &asked), Peer::At(client));
        let proxies = proxies.header(ProxyHeader::Forwarded);
        let asked = headers(&FORWARDED, &[&written, &format!("for={client}, for=10.0.0.7")]);
        prop_assert_eq!(proxies.client(near, &asked), Peer::At(client));
    }

    #[test]
    fn any_bytes_are_a_head_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), by in 0..3_u8) {
        let begun = match by {
            0 => bytes,
            1 => [b"PROXY ", &bytes[..]].concat(),
            _ => [b"\r\n\r\n\0\r\nQUIT\n", &bytes[..]].concat(),
        };
        let _ = head(&begun);
    }
}
