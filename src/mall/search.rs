//! Finding words in the catalogue: the texts of many products, folded once, in one piece of memory.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use memchr::memmem;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Keyword {
    finder: memmem::Finder<'static>,
}

impl Keyword {
    /// `None` for a text that is in every other one.
    pub(super) fn new(text: &str) -> Option<Self> {
        let folded = fold(text);
        let finder = || memmem::Finder::new(folded.as_bytes()).into_owned();
        (!folded.is_empty()).then(|| Self { finder: finder() })
    }
}

/// The folded texts of things that are numbered from 0, two for each.
#[derive(Debug, Default)]
pub(super) struct SearchText {
    text: String,
    /// Where the two texts of each end.
    ends: Vec<[usize; 2]>,
}

impl SearchText {
    /// Adds the texts of the next thing, folded by [`fold`].
    pub(super) fn push(&mut self, folded: [&str; 2]) {
        self.ends.push(folded.map(|folded| {
            self.text.push_str(folded);
            self.text.len()
        }));
    }

    /// The texts of a thing.
    pub(super) fn texts(&self, number: usize) -> [&str; 2] {
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before][1]);
        let [middle, end] = self.ends[number];
        [&self.text[begin..middle], &self.text[middle..end]]
    }

    /// Names each thing of which a text holds the keyword, in any case and any form of its
    /// characters, in their order.
    pub(super) fn find(&self, keyword: &Keyword, mut found: impl FnMut(usize)) {
        let (text, length) = (self.text.as_bytes(), keyword.finder.needle().len());
        let (mut from, mut number) = (0, 0);
        while let Some(at) = text.get(from..).and_then(|rest| keyword.finder.find(rest)) {
            let at = from + at;
            while self.ends.get(number).is_some_and(|[_, end]| *end <= at) {
                number += 1;
            }
            let Some(&[middle, end]) = self.ends.get(number) else {
                break;
            };
            if at + length <= if at < middle { middle } else { end } {
                found(number);
                from = end;
            } else {
                // It began in one text and ended in the next.
                from = at + 1;
            }
        }
    }
}

/// What is compared: compatibility forms are one (a full-width letter, a ligature), and so are
/// cases, by Unicode's full folding. The Turkish letters i with and without a dot are one as well:
/// who searches seldom has the keyboard of who wrote.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let composed = nfkc.normalize(text);
    let folded = CaseMapper::new().fold_string(&composed);
    nfkc.normalize(&folded).replace("i\u{307}", "i").replace('ı', "i")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(texts: &[[&str; 2]], keyword: &str) -> Vec<usize> {
        let mut search = SearchText::default();
        for texts in texts {
            let [name, description] = texts.map(fold);
            search.push([&name, &description]);
            assert_eq!(search.texts(search.ends.len() - 1), [&*name, &*description]);
        }
        let mut found = Vec::new();
        let keyword = Keyword::new(keyword).expect("it is not in every text");
        search.find(&keyword, |number| found.push(number));
        found
    }

    #[test]
    fn case_is_folded_by_unicode() {
        for (text, keywords) in [
            ("ΟΔΥΣΣΕΑΣ", &["οδυσσεας", "ΟΔΥΣ", "οδυς", "σσεασ"][..]),
            ("İSTANBUL", &["istanbul", "İstanbul", "ISTANBUL", "ıstanbul"]),
            ("Straße", &["STRASSE", "strasse", "straße", "STRAẞE"]),
            ("ＡＢＣ咖啡券", &["abc", "ABC咖啡", "ａｂｃ"]),
            ("Cafe\u{301} ﬁne", &["CAFÉ", "FINE"]),
            ("ПРИВЕТ", &["привет"]),
            ("Air Pods", &["AIR", "pods", "r p"]),
        ] {
            for keyword in keywords {
                assert_eq!(search(&[[text, ""]], keyword), [0], "{keyword:?} is in {text:?}");
                assert_eq!(search(&[["", ""], ["", text]], keyword), [1], "{keyword:?}");
            }
        }
        assert_eq!(search(&[["ΟΔΥΣΣΕΑΣ", "Straße"]], "strase"), [0; 0]);
        assert!(Keyword::new("").is_none(), "it is in every text");
    }

    #[test]
    fn no_text_runs_into_the_next() {
        let texts =
            [["green t", "ea"], ["tea", ""], ["", "black tea tea"], ["t", "tea"], ["", "t"]];
        assert_eq!(search(&texts, "tea"), [1, 2, 3]);
        assert_eq!(search(&texts, "t"), [0, 1, 2, 3, 4]);
        assert_eq!(search(&texts, "aa"), [0; 0]);
        assert_eq!(search(&texts, "ttea"), [0; 0]);
        assert_eq!(search(&[["茶", "绿茶"], ["叶", ""]], "茶"), [0]);
    }
}
