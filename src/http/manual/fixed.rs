//! An answer that stays the same as long as the server runs.

use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use hyper::{Response, StatusCode};

use crate::base::halves;
use crate::http::answer::Body;
use crate::http::reply::HttpResponse;

const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");

pub(in crate::http) struct Fixed {
    body: Bytes,
    tag: String,
}

impl Fixed {
    pub(super) fn new(body: Bytes) -> Self {
        let [hash, _] = halves(blake3::Hasher::new().update(&body));
        Self { body, tag: format!("\"{hash:016x}\"") }
    }

    /// It in this media type, or 304 for a client that has it. It may be kept, and is asked for again
    /// each time: the next release has another.
    pub(in crate::http) fn answer(
        &self,
        headers: &HeaderMap,
        media_type: &'static str,
    ) -> HttpResponse {
        let is_known = self.is_known(headers);
        let body = if is_known { Bytes::new() } else { self.body.clone() };
        let mut response = Response::new(Body::from(body));
        let told = response.headers_mut();
        if let Ok(tag) = HeaderValue::try_from(&self.tag) {
            told.insert(ETAG, tag);
        }
        told.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        told.insert(CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            told.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        response
    }

    /// Whether `If-None-Match` names it: RFC 9110, 13.1.2. Weak tags compare as strong ones.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_it_is_not_sent_it_again() {
        let fixed = Fixed::new("text".into());
        let (tag, other) = (&fixed.tag, "\"0000000000000000\"");
        for (seen, status) in [
            (String::new(), 200),
            (other.to_owned(), 200),
            (format!("{other}, W/{tag}"), 304),
            (tag.clone(), 304),
            ("*".to_owned(), 304),
        ] {
            let value = HeaderValue::try_from(&seen).expect("a header");
            let answer =
                fixed.answer(&HeaderMap::from_iter([(IF_NONE_MATCH, value)]), "text/plain");
            assert_eq!(answer.status().as_u16(), status, "{seen}");
            assert_eq!(answer.headers()[ETAG], **tag, "{seen}");
            assert_eq!(answer.headers().contains_key(CONTENT_TYPE), status == 200, "{seen}");
        }
        assert_ne!(Fixed::new("texts".into()).tag, *tag);
    }
}
