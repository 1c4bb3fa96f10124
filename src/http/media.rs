//! What is written in neither JSON nor MessagePack, and who wants it.

use hyper::HeaderMap;

use super::accept::Accept;
use super::problem;

pub(super) const CSV: &str = "text/csv";
/// As the HTML standard has it.
pub(super) const EVENT_STREAM: &str = "text/event-stream";
pub(super) const PLAIN: &str = "text/plain";
/// As OpenMetrics 1.0 has it.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text";
pub(super) const HTML: &str = "text/html";
/// As the IETF's draft of media types for APIs has it.
pub(super) const OPENAPI: &str = "application/openapi+json";

/// Paths that answer in such a type, and which. What goes wrong there is JSON.
const OTHERS: &[(&str, &str)] = &[
    ("/api/mall/orders", CSV),
    ("/api/admin/orders", CSV),
    ("/api/admin/inventory/records", CSV),
    ("/openapi.json", OPENAPI),
    ("/docs", HTML),
    ("/api/mall/products/{productId}/stock", EVENT_STREAM),
    ("/v1/events", EVENT_STREAM),
    ("/metrics", PLAIN),
    ("/metrics", OPEN_METRICS),
];

/// Whether the route of `path` answers in a type of its own, which the client names.
pub(super) fn is_taken(path: &str, headers: &HeaderMap) -> bool {
    let accept = Accept::of(headers);
    OTHERS.iter().any(|(at, media_type)| *at == path && accept.named(media_type) > 0)
}

/// Whether a client names this type, and nothing that it would rather have. What failures come in is
/// beside the point.
pub(super) fn is_wanted(media_type: &str, headers: &HeaderMap) -> bool {
    let accept = Accept::of(headers);
    let wanted = accept.named(media_type);
    let is_other = |range: &str| {
        ![media_type, problem::MEDIA_TYPE].iter().any(|it| range.eq_ignore_ascii_case(it))
    };
    wanted > 0 && wanted >= accept.best(is_other)
}

#[cfg(test)]
mod tests {
    use hyper::header::{ACCEPT, HeaderValue};

    use super::*;

    #[test]
    fn a_type_is_for_whoever_wants_none_the_less() {
        for (accept, want) in [
            ("text/csv", true),
            ("Text/CSV; q=0.5", true),
            ("text/csv, */*;q=0.1", true),
            ("application/problem+json, text/csv;q=0.9", true),
            ("application/json, text/csv;q=0.9", false),
            ("text/csv;q=0", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(is_wanted(CSV, &headers), want, "{accept}");
        }
    }
}
