//! Why something was changed and who changed it, as the one text that an event keeps.

use std::borrow::Cow;

/// What a note of version 1 begins with, and what ends each of its parts: no reason that a person
/// writes has them. A text that begins otherwise is a reason alone, as notes were before.
const MARK: &str = "\u{1e}1\u{1f}";
const END: char = '\u{1f}';

/// A note, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// Who changed it, where somebody did.
    pub(crate) operator: Option<&'a str>,
    pub(crate) reason: &'a str,
}

impl<'a> Note<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        match text.strip_prefix(MARK).and_then(|rest| rest.split_once(END)) {
            Some((operator, reason)) => {
                Self { operator: Some(operator).filter(|name| !name.is_empty()), reason }
            }
            None => Self { operator: None, reason: text },
        }
    }

    /// The text that [`Note::read`] takes apart. A name that contains what ends it is
    /// left out.
    pub(crate) fn text(&self) -> Cow<'a, str> {
        match self.operator.filter(|name| !name.contains(END)) {
            None if !self.reason.starts_with(MARK) => Cow::Borrowed(self.reason),
            operator => {
                Cow::Owned(format!("{MARK}{}{END}{}", operator.unwrap_or_default(), self.reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back_and_a_reason_of_before_is_one() {
        let marked = format!("{MARK}mallory{END}x");
        for operator in [None, Some("root"), Some("ops@shop")] {
            for reason in ["", "到货", "a\u{1f}b", marked.as_str()] {
                let note = Note { operator, reason };
                assert_eq!(Note::read(&note.text()), note, "{:?}", note.text());
            }
        }
        assert_eq!(Note::read("盘点"), Note { operator: None, reason: "盘点" });
        assert_eq!(
            Note { operator: None, reason: "盘点" }.text(),
            "盘点",
            "without a name nothing is added"
        );
        assert_eq!(
            Note::read("\u{1e}1\u{1f}cut"),
            Note { operator: None, reason: "\u{1e}1\u{1f}cut" }
        );
    }
}
