//! What an `Idempotency-Key` means: the IETF draft sends it as a structured-field string, in
//! quotes, others send it bare.

use std::borrow::Cow;

use super::error::ApiError;

/// The key behind its spelling: in quotes and without them it is the same key. Whatever does not
/// begin with a quote is taken as it is.
pub(super) fn meaning(spelled: &str) -> Result<Cow<'_, str>, ApiError> {
    let Some(quoted) = spelled.strip_prefix('"') else {
        return Ok(Cow::Borrowed(spelled));
    };
    let broken = || {
        ApiError::invalid(
            "an Idempotency-Key that begins with a quote is a structured-field string",
        )
    };
    let (key, rest) = unquote(quoted).ok_or_else(broken)?;
    // Parameters say nothing about keys, and what is not known of them is ignored.
    if !rest.is_empty() && !rest.starts_with(';') {
        return Err(broken());
    }
    // A key that has quotes of its own stays as it is spelled: read back, it would be another key's
    // spelling.
    Ok(if key.starts_with('"') { Cow::Borrowed(spelled) } else { Cow::Owned(key) })
}

/// The text up to the closing quote, and what follows it: RFC 9651, 4.2.5.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((text, &quoted[at + 1..])),
            '\\' => text.push(
                characters
                    .next()
                    .map(|(_, escaped)| escaped)
                    .filter(|it| matches!(it, '"' | '\\'))?,
            ),
            ' '..='~' => text.push(character),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_in_quotes_and_without() {
        for (spelled, key) in [
            ("abc", "abc"),
            ("\"abc\"", "abc"),
            ("\"abc\";v=1", "abc"),
            ("a\"b", "a\"b"),
            ("\"a\\\"b\"", "a\"b"),
            ("\"a\\\\b\"", "a\\b"),
            ("with spaces", "with spaces"),
            ("\"\"", ""),
            (":YWJj:", ":YWJj:"),
            // Read back, it would be the spelling of `abc`.
            ("\"\\\"abc\\\"\"", "\"\\\"abc\\\"\""),
        ] {
            assert_eq!(meaning(spelled).expect(spelled), key, "{spelled}");
        }
        for broken in ["\"", "\"abc", "\"abc\" x", "\"a\\b\"", "\"abc\"\"", "\"a\tb\""] {
            assert!(meaning(broken).is_err(), "{broken}");
        }
    }
}
