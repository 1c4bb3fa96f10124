//! Query strings and percent-encoding.

use std::collections::HashSet;

use super::error::ApiError;

/// More parameters than any endpoint has.
const PAIRS_MAX: usize = 16;

/// More fields than any form has: a box for each category.
const FIELDS_MAX: usize = 2_100;

/// The decoded pairs of a query string, each name once.
pub(super) fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, ApiError> {
    decoded(query.unwrap_or_default(), PAIRS_MAX)
}

/// The decoded fields of a form, each name once.
pub(super) fn fields(form: &str) -> Result<Vec<(String, String)>, ApiError> {
    decoded(form, FIELDS_MAX)
}

fn decoded(text: &str, pairs_max: usize) -> Result<Vec<(String, String)>, ApiError> {
    let (mut pairs, mut names) = (Vec::new(), HashSet::new());
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (decode(name, true)?, decode(value, true)?);
        if pairs.len() == pairs_max || !names.insert(name.clone()) {
            return Err(ApiError::invalid("a parameter is given twice, or there are too many"));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// A percent-decoded text; in queries `+` is a space.
pub(super) fn decode(text: &str, plus_is_space: bool) -> Result<String, ApiError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = bytes.next().zip(bytes.next());
                let value = digits.and_then(|(high, low)| Some(hex(high)? << 4 | hex(low)?));
                value
                    .ok_or_else(|| ApiError::invalid("the address has a broken percent-encoding"))?
            }
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| ApiError::invalid("the address is not UTF-8"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// The parameter `name` as a number within `range`.
pub(super) fn number(
    name: &str,
    value: &str,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, ApiError> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        ApiError::invalid(format!(
            "{name} must be a number from {} to {}",
            range.start(),
            range.end()
        ))
    })
}

/// The parameter `name` as a text that is not longer than any that is found.
pub(super) fn short(name: &str, value: String) -> Result<String, ApiError> {
    const CHARS_MAX: usize = 200;
    if value.chars().count() > CHARS_MAX {
        return Err(ApiError::invalid(format!("{name} must have at most {CHARS_MAX} characters")));
    }
    Ok(value)
}

/// The parameter `name` as a flag.
pub(super) fn flag(name: &str, value: &str) -> Result<bool, ApiError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ApiError::invalid(format!("{name} must be true or false"))),
    }
}

/// A parameter that nobody knows.
pub(super) fn unknown(name: &str) -> ApiError {
    ApiError::invalid(format!("there is no parameter {name:?} here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded() {
        let decoded = pairs(Some("a=1&keyword=%E8%8C%B6+x&flag&")).expect("a valid query");
        let expected = [("a", "1"), ("keyword", "茶 x"), ("flag", "")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(decoded, expected);
        for wrong in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=%+1", "a=1&%61=2"] {
            assert!(pairs(Some(wrong)).is_err(), "{wrong} must be refused");
        }
    }

    #[test]
    fn numbers_and_flags_are_strict() {
        assert_eq!(number("page", "3", 1..=5).ok(), Some(3));
        for wrong in ["0", "6", "-1", "1.5", "", "x"] {
            assert!(number("page", wrong, 1..=5).is_err(), "{wrong:?} must be refused");
        }
        assert_eq!(
            (flag("f", "true").ok(), flag("f", "0").ok(), flag("f", "yes").ok()),
            (Some(true), Some(false), None)
        );
    }
}
