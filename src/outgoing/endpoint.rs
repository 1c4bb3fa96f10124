//! Where a request goes.

use std::fmt;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;

use crate::base::error::{Error, Result};

const URL_BYTES_MAX: usize = 2_048;

/// An `http` or `https` URL, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    url: String,
    pub(super) is_tls: bool,
    /// As it is resolved: lower case, without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// The `Host` header.
    pub(super) authority: HeaderValue,
    pub(super) target: PathAndQuery,
}

impl Endpoint {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// `Invalid` when it is none, is of another scheme, or has a user, a password or a fragment.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let wrong = |what: &str| Error::invalid(format!("the URL {what}"));
        if url.len() > URL_BYTES_MAX {
            return Err(wrong("is longer than 2,048 bytes"));
        }
        if url.contains('#') {
            return Err(wrong("must have no fragment"));
        }
        let uri: Uri = url.parse().map_err(|_| wrong("cannot be read"))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("must begin with https:// or http://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("must name a host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("must hold no user and no password"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if host.is_empty() {
            return Err(wrong("must name a host"));
        }
        let default = if is_tls { 443 } else { 80 };
        let port = match (authority.port(), authority.port_u16()) {
            (Some(_), Some(port)) if port > 0 => port,
            (None, _) if authority.as_str().ends_with(authority.host()) => default,
            _ => return Err(wrong("has a port that is none")),
        };
        let header = HeaderValue::from_str(authority.as_str());
        Ok(Self {
            url: url.to_owned(),
            is_tls,
            host,
            port,
            authority: header.map_err(|_| wrong("must name a host"))?,
            target: uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
        })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, is_tls, host, port, target) in [
            ("https://Hooks.example", true, "hooks.example", 443, "/"),
            ("http://hooks.example:8080/a/b?c=d", false, "hooks.example", 8080, "/a/b?c=d"),
            ("https://[2001:db8::1]:9/", true, "2001:db8::1", 9, "/"),
            ("https://hooks.example./x", true, "hooks.example", 443, "/x"),
            ("http://127.0.0.1", false, "127.0.0.1", 80, "/"),
        ] {
            let it = Endpoint::parse(url).expect("it is a URL");
            let shown = (it.is_tls, it.host.as_str(), it.port, it.target.as_str());
            assert_eq!(shown, (is_tls, host, port, target), "{url}");
            assert_eq!(it.to_string(), url);
        }
    }

    #[test]
    fn what_is_no_url_of_ours_is_refused() {
        let long = format!("https://a.example/{}", "x".repeat(URL_BYTES_MAX));
        for url in [
            "",
            "/path",
            "hooks.example",
            "ftp://hooks.example",
            "file:///etc/passwd",
            "https://",
            "https:///path",
            "https://ann:secret@hooks.example",
            "https://hooks.example#there",
            "https://hooks.example:0/",
            "https://hooks.example:99999/",
            "https://hooks.example:/",
            "https://hooks example/",
            "https://茶.example/",
            "https://hooks.example/\r\nx: y",
            &long,
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url:?}");
        }
    }
}
