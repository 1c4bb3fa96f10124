//! Texts that a request carries: each has a length, and no control characters.

use std::ops::RangeInclusive;

use super::error::ApiError;

/// The text at `path` of the request, within `chars` characters.
///
/// # Errors
/// `INVALID_REQUEST`, naming the path.
pub(super) fn text<'a>(
    path: &str,
    text: &'a str,
    chars: RangeInclusive<usize>,
) -> Result<&'a str, ApiError> {
    if !chars.contains(&text.chars().count()) {
        let (least, most) = (chars.start(), chars.end());
        return Err(ApiError::invalid(format!("{path} must have {least} to {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(ApiError::invalid(format!("{path} must have no control characters")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_bounds_and_the_field_its_name() {
        assert_eq!(text("a.b", "顺丰", 1..=2).ok(), Some("顺丰"));
        for wrong in ["", "abc", "a\n", "\u{85}"] {
            let error = text("a.b", wrong, 1..=2).expect_err(wrong);
            assert!(error.detail.expect("it says what").starts_with("a.b must"), "{wrong:?}");
        }
    }
}
