//! The tags of documents: what a client has seen, so that nobody overwrites what another has written
//! meanwhile.

use hyper::HeaderMap;
use hyper::header::{ETAG, HeaderValue, IF_MATCH};

use super::error::ApiError;
use super::reply::HttpResponse;
use crate::base::error::Result;
use crate::mall::{Seen, Tag};

/// How many tags one header may have.
const TAGS_MAX: usize = 16;

/// An answer that shows a document with its tag.
pub(super) fn tagged(mut response: HttpResponse, tag: Tag) -> HttpResponse {
    if let Ok(value) = HeaderValue::try_from(format!("\"{tag}\"")) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

/// What `If-Match` says: RFC 9110, 13.1.1. A tag that is weak, or none of ours, matches nothing.
pub(super) fn seen(headers: &HeaderMap) -> Result<Option<Seen>, ApiError> {
    let mut lists = Vec::new();
    for value in headers.get_all(IF_MATCH) {
        lists.push(value.to_str().map_err(|_| wrong())?.trim());
    }
    match lists[..] {
        [] => Ok(None),
        ["*"] => Ok(Some(Seen::Any)),
        _ => {
            let (mut tags, mut count) = (Vec::new(), 0);
            for list in lists {
                let mut rest = list;
                while !rest.is_empty() {
                    let (tag, after) = tag(rest)?;
                    tags.extend(tag);
                    count += 1;
                    rest = after;
                }
            }
            match count {
                1..=TAGS_MAX => Ok(Some(Seen::OneOf(tags))),
                _ => Err(wrong()),
            }
        }
    }
}

/// The first tag of a list, if it can match, and what follows it and its comma.
fn tag(list: &str) -> Result<(Option<Tag>, &str), ApiError> {
    let (is_weak, opaque) = match list.strip_prefix("W/") {
        Some(rest) => (true, rest),
        None => (false, list),
    };
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let (text, after) = inner.ok_or_else(wrong)?;
    let after = after.trim_start();
    let rest = match after.strip_prefix(',') {
        Some(rest) => rest.trim_start(),
        None if after.is_empty() => after,
        None => return Err(wrong()),
    };
    Ok((Tag::parse(text).filter(|_| !is_weak), rest))
}

fn wrong() -> ApiError {
    ApiError::invalid(format!("If-Match must be * or 1 to {TAGS_MAX} entity tags, each in quotes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Option<Option<Seen>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_static(value));
        }
        seen(&headers).ok()
    }

    #[test]
    fn a_header_names_what_was_seen() {
        let tag = |text| Tag::parse(text).expect("a tag");
        let (one, two) = (tag("0123456789abcdef"), tag("fedcba9876543210"));
        for (values, want) in [
            (&[][..], Some(None)),
            (&["*"], Some(Some(Seen::Any))),
            (&["\"0123456789abcdef\""], Some(Some(Seen::OneOf(vec![one])))),
            (
                &["\"0123456789abcdef\" , \"fedcba9876543210\""],
                Some(Some(Seen::OneOf(vec![one, two]))),
            ),
            (
                &["\"0123456789abcdef\"", "\"fedcba9876543210\""],
                Some(Some(Seen::OneOf(vec![one, two]))),
            ),
            (&["W/\"0123456789abcdef\""], Some(Some(Seen::OneOf(vec![])))),
            (&["\"another's\", \"a,b\""], Some(Some(Seen::OneOf(vec![])))),
            (&["\"\""], Some(Some(Seen::OneOf(vec![])))),
            (&[""], None),
            (&["0123456789abcdef"], None),
            (&["\"0123456789abcdef"], None),
            (&["\"a\" \"b\""], None),
            (&["*", "\"a\""], None),
            (&["*, \"a\""], None),
        ] {
            assert_eq!(of(values), want, "{values:?}");
        }
    }
}
