//! Why something was changed and who changed it, as the one text that an event keeps.

use std::borrow::Cow;

use crate::mall::model::PointsSource;

/// How many characters a reason may have, whoever gives it.
pub(crate) const REASON_CHARS_MAX: usize = 200;
/// What a note of version 1 begins with, and what ends each of its parts: no reason that a person
/// writes has them. A text that begins otherwise is a reason alone, as notes were before.
const MARK: &str = "\u{1e}1\u{1f}";
const END: char = '\u{1f}';
/// What a note of version 2 begins with, of a change of points that says where they came from: the
/// operator, the source, the order behind it, and the reason.
const MARK_OF_POINTS: &str = "\u{1e}2\u{1f}";

/// A note, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// Who changed it, where somebody did.
    pub(crate) operator: Option<&'a str>,
    pub(crate) reason: &'a str,
}

impl<'a> Note<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        if let Some(of_points) = PointsNote::read_marked(text) {
            return of_points.note;
        }
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
            None if !self.is_marked() => Cow::Borrowed(self.reason),
            operator => {
                Cow::Owned(format!("{MARK}{}{END}{}", operator.unwrap_or_default(), self.reason))
            }
        }
    }

    /// Whether the reason alone would be taken for more.
    fn is_marked(&self) -> bool {
        self.reason.starts_with(MARK) || self.reason.starts_with(MARK_OF_POINTS)
    }
}

/// A note of a change of points, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PointsNote<'a> {
    pub(crate) note: Note<'a>,
    /// Where they came from or went to, where that is not what the kind of the change says.
    pub(crate) source: Option<PointsSource>,
    /// The order behind it, which may be another system's.
    pub(crate) order: Option<&'a str>,
}

impl<'a> PointsNote<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        let plain = || Self { note: Note::read(text), source: None, order: None };
        Self::read_marked(text).unwrap_or_else(plain)
    }

    fn read_marked(text: &'a str) -> Option<Self> {
        let (operator, rest) = text.strip_prefix(MARK_OF_POINTS)?.split_once(END)?;
        let (source, rest) = rest.split_once(END)?;
        let (order, reason) = rest.split_once(END)?;
        let said = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        let source = match said(source) {
            Some(name) => Some(PointsSource::named(name)?),
            None => None,
        };
        let note = Note { operator: said(operator), reason };
        Some(Self { note, source, order: said(order) })
    }

    /// The text that [`PointsNote::read`] takes apart. A name that contains what ends it is left
    /// out.
    pub(crate) fn text(&self) -> Cow<'a, str> {
        let Self { note, source, order } = self;
        if source.is_none() && order.is_none() {
            return note.text();
        }
        let part = |text: Option<&'a str>| text.filter(|it| !it.contains(END)).unwrap_or_default();
        let source = source.map_or("", PointsSource::name);
        let (operator, order, reason) = (part(note.operator), part(*order), note.reason);
        format!("{MARK_OF_POINTS}{operator}{END}{source}{END}{order}{END}{reason}").into()
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

    #[test]
    fn a_note_of_points_reads_back_as_what_it_is_and_as_a_note() {
        let marked = format!("{MARK_OF_POINTS}mallory{END}{END}{END}x");
        for operator in [None, Some("root")] {
            for reason in ["", "邀请", "a\u{1f}b", marked.as_str()] {
                let note = Note { operator, reason };
                assert_eq!(Note::read(&note.text()), note, "{:?}", note.text());
                for source in [None, Some(PointsSource::InviteReward)] {
                    for order in [None, Some("pay_7")] {
                        let of_points = PointsNote { note, source, order };
                        let text = of_points.text();
                        assert_eq!(PointsNote::read(&text), of_points, "{text:?}");
                        assert_eq!(Note::read(&text), note, "{text:?}");
                    }
                }
            }
        }
        let note = Note { operator: Some("root"), reason: "r" };
        let source = Some(PointsSource::InviteReward);
        let of_points = PointsNote { note, source, order: Some("pay_7") };
        assert_eq!(
            of_points.text(),
            "\u{1e}2\u{1f}root\u{1f}invite_reward\u{1f}pay_7\u{1f}r",
            "the bytes that are kept"
        );
        let strange = "\u{1e}2\u{1f}root\u{1f}lottery\u{1f}\u{1f}r";
        assert_eq!(Note::read(strange), Note { operator: None, reason: strange });
    }
}
