//! What a request is called: in the answer, and in every line of the log that it causes.
//!
//! A client, or a proxy before us, may have named it already: by `X-Request-Id`, or by the trace of
//! `traceparent` (W3C Trace Context, level 1). Otherwise it is given a name.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use crate::base::asked::Asked;
use crate::base::spans;

/// The longest name that is taken, in bytes.
const ID_BYTES_MAX: usize = 128;
/// `version "-" trace-id "-" parent-id "-" trace-flags`, in bytes.
const TRACEPARENT_BYTES: usize = 55;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The names of requests that came without one: no two of a process are the same, and those of two
/// processes differ in 64 random bits.
#[derive(Debug)]
pub(super) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        let mut process = [0; 8];
        // Where there is nothing random the names of two processes may be the same, which only a
        // reader of both logs would see.
        let _ = getrandom::fill(&mut process);
        Self { process: u64::from_ne_bytes(process), next: AtomicU64::new(1) }
    }

    /// A request with these headers.
    pub(super) fn of(&self, headers: &HeaderMap) -> Asked {
        let traceparent = only(headers, "traceparent");
        let trace = traceparent.and_then(trace_id);
        let named = only(headers, "x-request-id").filter(|id| is_id(id));
        let id = named.or(trace).map_or_else(|| self.make(), Into::into);
        let state = only(headers, "tracestate");
        let span = spans::request(&id, traceparent.filter(|_| trace.is_some()), state);
        Asked::new(id, trace.map(Into::into)).seen_as(span)
    }

    /// A new name.
    pub(super) fn make(&self) -> Box<str> {
        // Relaxed: the number is the whole message.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}{number:016x}", self.process).into_boxed_str()
    }
}

/// Says in an answer what its request is called.
pub(super) fn say(id: &str, headers: &mut HeaderMap) {
    // Whatever is taken as a name can stand in a header.
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(X_REQUEST_ID, id);
    }
}

/// The value of a header that is there once: of two, each could be the one that was meant.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether it may be a name: nothing in it has a meaning in a line of a log, in JSON or in a URL's
/// path.
fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:=+@".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The trace of a `traceparent`, or `None` for one that is not as the recommendation has it.
fn trace_id(text: &str) -> Option<&str> {
    let is_hex = |text: &str| text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let (known, more) = text.split_at_checked(TRACEPARENT_BYTES)?;
    let mut parts = known.split('-');
    let [version, trace, parent, flags] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let are_long = [version, trace, parent, flags].map(str::len) == [2, 32, 16, 2];
    let are_hex = [version, trace, parent, flags].into_iter().all(is_hex);
    // Later versions may say more behind another dash; version ff is none.
    let may_end_so = match version {
        "00" => more.is_empty(),
        "ff" => false,
        _ => more.is_empty() || more.starts_with('-'),
    };
    let is_good = are_long && are_hex && may_end_so && !is_zero(trace) && !is_zero(parent);
    is_good.then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_strictly() {
        let later = format!("cc{}", &PARENT[2..]);
        for (text, trace) in [
            (PARENT, Some(TRACE)),
            (&*later, Some(TRACE)),
            (&*format!("{later}-what-comes-later"), Some(TRACE)),
            (&*format!("{later}.no"), None),
            (&*format!("{PARENT}-01"), None),
            (&*format!("ff{}", &PARENT[2..]), None),
            (&*format!("0{PARENT}"), None),
            (&*PARENT.to_uppercase(), None),
            (&PARENT[..54], None),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b70-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", None),
            ("", None),
        ] {
            assert_eq!(trace_id(text), trace, "{text}");
        }
    }

    #[test]
    fn a_request_keeps_a_good_name_and_gets_one_otherwise() {
        let ids = RequestIds::new();
        let long = "a".repeat(ID_BYTES_MAX);
        let longer = "a".repeat(ID_BYTES_MAX + 1);
        for (headers, id, trace) in [
            (vec![("x-request-id", "ann-7_.~:=+@")], Some("ann-7_.~:=+@"), None),
            (vec![("x-request-id", &*long)], Some(&*long), None),
            (vec![("traceparent", PARENT)], Some(TRACE), Some(TRACE)),
            (vec![("x-request-id", "7"), ("traceparent", PARENT)], Some("7"), Some(TRACE)),
            (vec![("x-request-id", "a b"), ("traceparent", PARENT)], Some(TRACE), Some(TRACE)),
            (vec![("traceparent", PARENT), ("traceparent", PARENT)], None, None),
            (vec![("x-request-id", "7"), ("x-request-id", "7")], None, None),
            (vec![("x-request-id", &*longer)], None, None),
            (vec![("x-request-id", "")], None, None),
            (vec![("x-request-id", "a\"b")], None, None),
            (vec![("x-request-id", "../b")], None, None),
            (vec![("traceparent", "no")], None, None),
            (vec![], None, None),
        ] {
            let pairs = headers.iter().map(|(name, value)| {
                let value = HeaderValue::from_str(value).expect("a header");
                (HeaderName::from_static(name), value)
            });
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                map.append(name, value);
            }
            let (asked, again) = (ids.of(&map), ids.of(&map));
            assert_eq!(asked.trace.as_deref(), trace, "{headers:?}");
            match id {
                Some(id) => assert_eq!(&*asked.id, id, "{headers:?}"),
                None => {
                    assert!(is_id(&asked.id) && asked.id.len() == 32, "{asked:?}");
                    assert_ne!(asked.id, again.id, "{headers:?}");
                }
            }
        }
    }
}
