//! Headers that a collector wants, of a file: they are secrets as a rule.

use std::path::Path;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::base::error::{Error, Result};

/// Reads a file with a header in each line, `Name: value`; empty lines and those that begin with `#`
/// are left out.
///
/// # Errors
/// `Unavailable` when it cannot be read, `Invalid` naming a line that is no header; what it has is not
/// repeated.
#[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
pub(super) fn of_file(path: &Path) -> Result<HeaderMap> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|cause| Error::io(format!("otlp_headers_file {shown}"), cause))?;
    parsed(&text).map_err(|line| {
        Error::invalid(format!("otlp_headers_file {shown}: line {line} is not \"Name: value\""))
    })
}

/// The headers, or the number of a line that is none.
fn parsed(text: &str) -> Result<HeaderMap, usize> {
    let mut headers = HeaderMap::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let header = line.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            let mut value = HeaderValue::from_str(value.trim()).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let (name, value) = header.ok_or(number)?;
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_header_in_each_line() {
        let headers = parsed("# a comment\n\nAuthorization: Bearer a:b\n x-Tenant:7 \n");
        let headers = headers.expect("two headers");
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["authorization"], "Bearer a:b");
        assert_eq!(headers["x-tenant"], "7");
        assert!(!format!("{headers:?}").contains("a:b"), "they are secrets");
        for (text, line) in [("hunter2", 1), ("a: b\n\n: c", 3), ("a b: c", 1), ("a: \u{1}", 1)] {
            assert_eq!(parsed(text).expect_err("no header"), line, "{text:?}");
        }
    }
}
