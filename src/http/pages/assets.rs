//! What pages load: embedded, and named after their contents, so that a browser keeps them for good
//! and a new release has new ones.

use std::sync::LazyLock;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};

use crate::http::answer::Body;
use crate::http::reply::HttpResponse;

const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");

/// One file.
#[derive(Debug)]
pub(super) struct Asset {
    stem: &'static str,
    extension: &'static str,
    media_type: &'static str,
    content: &'static str,
    path: LazyLock<String, fn() -> String>,
}

macro_rules! asset {
    ($name:ident $stem:literal $extension:literal $media_type:literal) => {
        pub(super) static $name: Asset = Asset {
            stem: $stem,
            extension: $extension,
            media_type: $media_type,
            content: include_str!(concat!("assets/", $stem, ".", $extension)),
            path: LazyLock::new(|| $name.named()),
        };
    };
}

asset!(STYLE "style" "css" "text/css; charset=utf-8");
asset!(SHOP "shop" "js" "text/javascript; charset=utf-8");
asset!(ICON "icon" "svg" "image/svg+xml");

/// All of them.
static ASSETS: [&Asset; 3] = [&STYLE, &SHOP, &ICON];

impl Asset {
    /// Where it is.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn named(&self) -> String {
        let hash = blake3::hash(self.content.as_bytes()).to_hex();
        format!("/assets/{}-{}.{}", self.stem, &hash[..16], self.extension)
    }
}

/// The one with this name, as in `style-0123456789abcdef.css`.
pub(super) fn find(name: &str) -> Option<HttpResponse> {
    let asset = ASSETS.iter().find(|it| it.path().strip_prefix("/assets/") == Some(name))?;
    let mut response = Response::new(Body::from(Bytes::from_static(asset.content.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let for_good = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(CACHE_CONTROL, for_good);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first page loads besides itself, in bytes: the bound of a phone on a slow network.
    const FIRST_LOAD_BYTES_MAX: usize = 100 * 1000;

    #[test]
    fn the_first_page_is_light_and_asks_nobody_else() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.content.len()).sum();
        assert!(bytes < FIRST_LOAD_BYTES_MAX, "{bytes}");
        for asset in ASSETS {
            let foreign = asset.content.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("://"), "{} names another site", asset.stem);
        }
    }
}
