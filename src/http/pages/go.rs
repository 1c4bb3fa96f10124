//! Where a browser goes next: always somewhere on this server.

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::answer::Body;
use crate::http::error::ApiError;
use crate::http::reply::Answer;

/// Sends a browser on to a path of ours, as after a form: it is asked for with GET.
pub(super) fn see_other(path: &str) -> Answer {
    let location = Some(path).filter(|path| is_ours(path));
    let location = location.and_then(|path| HeaderValue::try_from(path).ok());
    let location = location.ok_or_else(|| ApiError::invalid("the next page has no such name"))?;
    let mut response = Response::new(Body::from(Bytes::new()));
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The same, and gives the browser a cookie for so many seconds, or takes it away.
pub(super) fn see_other_with_cookie(path: &str, cookie: &str) -> Answer {
    let mut response = see_other(path)?;
    let cookie = HeaderValue::try_from(cookie);
    let cookie = cookie.map_err(|_| ApiError::invalid("the cookie has no such value"))?;
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// Whether this is a path on this server, whatever was asked for: never another site.
pub(super) fn is_ours(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// A path with a query, in which what is empty is left out.
pub(super) fn link(path: &str, query: &[(&str, &str)]) -> String {
    let mut link = path.to_owned();
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        link.push(if link.len() == path.len() { '?' } else { '&' });
        link.push_str(name);
        link.push('=');
        link.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for (path, is_local) in [
            ("/orders", true),
            ("/products?keyword=%E8%8C%B6", true),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("https://evil.example", false),
            ("/a\r\nset-cookie: x", false),
            ("", false),
        ] {
            assert_eq!(is_ours(path), is_local, "{path:?}");
            assert_eq!(see_other(path).is_ok(), is_local, "{path:?}");
        }
    }

    #[test]
    fn a_link_says_what_there_is_to_say() {
        assert_eq!(link("/orders", &[("before", ""), ("user_id", "")]), "/orders");
        let told = link("/orders", &[("status", "pending"), ("a", ""), ("keyword", "茶&=")]);
        assert_eq!(told, "/orders?status=pending&keyword=%E8%8C%B6%26%3D");
    }
}
