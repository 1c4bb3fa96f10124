//! The bounds of what the catalogue holds, and how a value that breaks one is told.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use crate::base::AccountKey;
use crate::base::error::Error;

/// What is wrong with a document, and where: a JSON path, which begins with `$`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) path: String,
    pub(crate) why: Cow<'static, str>,
}

impl Violation {
    pub(crate) fn new(path: impl Into<String>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { path: path.into(), why: why.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.why)
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::invalid(violation.to_string())
    }
}

pub(crate) type Checked = std::result::Result<(), Violation>;

/// The path of a member of the object at `path`.
pub(crate) fn member(path: &str, name: &str) -> String {
    let is_word = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if is_word(name) {
        return format!("{path}.{name}");
    }
    // RFC 9535 has quotes around any other name; one that is long is cut, as it is for people.
    let shown: String = name.chars().take(40).collect();
    format!("{path}[{shown:?}]")
}

/// What characters a text may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Characters {
    /// No control characters and no line breaks.
    Line,
    /// No control characters but line breaks and tabs.
    Lines,
    /// No control characters and no white space.
    Word,
}

impl Characters {
    fn may_have(self, character: char) -> bool {
        let breaks_lines = matches!(character, '\u{2028}' | '\u{2029}');
        match self {
            Self::Line => !character.is_control() && !breaks_lines,
            Self::Lines => !character.is_control() || matches!(character, '\n' | '\r' | '\t'),
            Self::Word => !character.is_control() && !character.is_whitespace(),
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Line => "it must have no control characters and no line breaks",
            Self::Lines => "it must have no control characters but line breaks and tabs",
            Self::Word => "it must have no control characters and no white space",
        }
    }
}

/// A text of so many characters.
pub(super) fn text(
    path: impl FnOnce() -> String,
    text: &str,
    chars: RangeInclusive<usize>,
    characters: Characters,
) -> Checked {
    let count = text.chars().count();
    let (least, most) = (*chars.start(), *chars.end());
    if !chars.contains(&count) {
        return Err(Violation::new(path(), format!("it must have {least} to {most} characters")));
    }
    if least > 0 && text.trim().is_empty() {
        return Err(Violation::new(path(), "it must not be blank"));
    }
    match text.chars().all(|character| characters.may_have(character)) {
        true => Ok(()),
        false => Err(Violation::new(path(), characters.rule())),
    }
}

/// An id as products and users have it.
pub(crate) fn id(path: &str, id: &str) -> Checked {
    match AccountKey::stock(id) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(Violation::new(path, "an id is 1 to 64 of the characters A-Z a-z 0-9 _ - . : @"))
        }
    }
}

pub(super) fn number<T: PartialOrd + fmt::Display>(
    path: &str,
    number: T,
    range: RangeInclusive<T>,
) -> Checked {
    if range.contains(&number) {
        return Ok(());
    }
    let (least, most) = (range.start(), range.end());
    Err(Violation::new(path, format!("it must be {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_any_member() {
        for (name, path) in [
            ("name", "$.name"),
            ("lengthMs", "$.lengthMs"),
            ("重量", "$[\"重量\"]"),
            ("a.b", "$[\"a.b\"]"),
            ("1st", "$[\"1st\"]"),
            ("", "$[\"\"]"),
        ] {
            assert_eq!(member("$", name), path);
        }
    }

    #[test]
    fn a_text_has_a_length_in_characters_and_a_rule() {
        for (given, characters, is_good) in [
            ("茶", Characters::Line, true),
            ("四个汉字", Characters::Line, true),
            ("五个汉字了", Characters::Line, false),
            ("", Characters::Line, false),
            (" ", Characters::Line, false),
            ("a b", Characters::Line, true),
            ("a b", Characters::Word, false),
            ("a\nb", Characters::Line, false),
            ("a\nb", Characters::Lines, true),
            ("a\u{2028}b", Characters::Line, false),
            ("a\0b", Characters::Lines, false),
            ("a\u{7f}", Characters::Lines, false),
        ] {
            let checked = text(|| "$".into(), given, 1..=4, characters);
            assert_eq!(checked.is_ok(), is_good, "{given:?}: {checked:?}");
        }
        assert!(text(|| "$".into(), "", 0..=4, Characters::Lines).is_ok(), "it may be empty");
    }
}
