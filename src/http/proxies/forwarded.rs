//! Whom proxies forwarded a request for: `X-Forwarded-For`, and `Forwarded` of RFC 7239.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::FORWARDED;

/// Each hop in its order; `None` for one that is not named by its address, or in a way that cannot be
/// read.
pub(super) type Hops = Vec<Option<IpAddr>>;

/// The hops of `X-Forwarded-For`.
pub(super) fn of_list(headers: &HeaderMap) -> Hops {
    let values = headers.get_all("x-forwarded-for").iter();
    let texts = values.map(|value| value.to_str().unwrap_or_default());
    texts.flat_map(|text| text.split(',')).map(|hop| address(hop.trim())).collect()
}

/// The hops of `Forwarded`.
pub(super) fn of_rfc_7239(headers: &HeaderMap) -> Hops {
    let values = headers.get_all(FORWARDED).iter();
    let texts = values.map(|value| value.to_str().unwrap_or_default());
    let mut hops = Hops::new();
    for text in texts {
        match split(text, ',') {
            Some(elements) => hops.extend(elements.into_iter().map(hop)),
            // A quotation that does not end: nothing in it is known.
            None => hops.push(None),
        }
    }
    hops
}

/// The address after `for=` in one element.
fn hop(element: &str) -> Option<IpAddr> {
    let pairs = split(element, ';')?;
    let mut all = pairs.into_iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    });
    let value = all.next()?;
    // Of two, whoever stands between us may have meant the other one.
    if all.next().is_some() {
        return None;
    }
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    // No address has a backslash, so one is not worth being taken away.
    address(quoted.unwrap_or(value))
}

/// Splits where no quotation is.
fn split(text: &str, at: char) -> Option<Vec<&str>> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (place, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if c == at && !is_quoted => {
                parts.push(&text[begin..place]);
                begin = place + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (!is_quoted).then_some(parts)
}

/// An address with or without a port, one of IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let alone = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let ip = match bracketed {
        Some(inside) => inside.parse().ok().map(IpAddr::V6),
        None => alone().or_else(with_port),
    };
    ip.map(|ip| ip.to_canonical())
}
