//! The lines of a file, each with its number, read or refused.

use std::io::{BufRead, Read};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::base::error::{Error, Result};
use crate::http::exact_object;
use crate::http::sheet::{Lines, Reads};
use crate::mall::Violation;

/// The longest line, in bytes: longer than any document.
const LINE_BYTES_MAX: u64 = 256 * 1024;

/// JSON lines; empty ones are passed over.
///
/// # Errors
/// When the file cannot be read.
pub(in crate::cli) fn json_lines<T>(mut file: impl BufRead, entry: Reads<T>) -> Result<Lines<T>> {
    let (mut lines, mut bytes) = (Vec::new(), Vec::new());
    for number in 1.. {
        bytes.clear();
        let unreadable = |cause| Error::io(format!("reading line {number}"), cause);
        let length =
            file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).map_err(unreadable)?;
        if length == 0 {
            break;
        }
        if length as u64 == LINE_BYTES_MAX && bytes.last() != Some(&b'\n') {
            file.skip_until(b'\n').map_err(unreadable)?;
            let why = format!("a line has at most {LINE_BYTES_MAX} bytes");
            lines.push((number, Err(Violation::new("$", why))));
            continue;
        }
        let text = match number {
            1 => bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes),
            _ => &bytes,
        };
        if !text.trim_ascii().is_empty() {
            lines.push((number, object(text).and_then(entry)));
        }
    }
    Ok(lines)
}

fn object(text: &[u8]) -> std::result::Result<Map<String, Value>, Violation> {
    let raw: &RawValue = serde_json::from_slice(text.trim_ascii())
        .map_err(|error| Violation::new("$", format!("it is no JSON: {error}")))?;
    exact_object(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sheet::catalogue::entry;
    use crate::mall::Entry;

    #[test]
    fn a_line_is_a_document_or_is_told_with_its_number() {
        let long = format!("{{\"id\":\"{}\"}}", "x".repeat(LINE_BYTES_MAX as usize));
        let tea = r#"{"id":"tea","name":"Tea","categoryId":"food","pointsPrice":5}"#;
        let text = format!(
            "\u{feff}{}\n\n{tea}\r\n{long}\n[1]\n{{\"id\":1\n{{\"kind\":\"cup\"}}\n{tea}",
            r#"{"kind":"category","id":"food","name":"Food"}"#,
        );
        let lines = json_lines(text.as_bytes(), entry).expect("it can be read");
        let told: Vec<String> = lines
            .iter()
            .map(|(number, line)| match line {
                Ok(Entry::Category(category)) => format!("{number} category {}", category.id),
                Ok(Entry::Product(product)) => format!("{number} product {}", product.id),
                Err(violation) => format!("{number} {}", violation.path),
            })
            .collect();
        let expected =
            ["1 category food", "3 product tea", "4 $", "5 $", "6 $", "7 $.kind", "8 product tea"];
        assert_eq!(told, expected);
    }
}
