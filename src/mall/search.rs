//! Finding words in the catalogue: the text of every product, folded once, in one piece of memory.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use memchr::memmem;

/// The folded texts of things that have a number, some texts for each.
#[derive(Debug, Default)]
pub(super) struct SearchText {
    text: String,
    /// Where each text ends, and whose it is.
    ends: Vec<(usize, usize)>,
}

impl SearchText {
    /// Adds a text of the thing with this number, folded by [`fold`]. Numbers do not fall.
    pub(super) fn add(&mut self, number: usize, folded: &str) {
        self.text.push_str(folded);
        self.ends.push((self.text.len(), number));
    }

    /// For each of `count` things, whether a text of it holds `keyword`, in any case and any form
    /// of its characters.
    pub(super) fn find(&self, keyword: &str, count: usize) -> Vec<bool> {
        let keyword = fold(keyword);
        if keyword.is_empty() {
            return vec![true; count];
        }
        let mut found = vec![false; count];
        let finder = memmem::Finder::new(keyword.as_bytes());
        let (text, mut from) = (self.text.as_bytes(), 0);
        let mut ends = self.ends.iter().peekable();
        while let Some(at) = text.get(from..).and_then(|rest| finder.find(rest)).map(|at| from + at)
        {
            while ends.next_if(|(end, _)| *end <= at).is_some() {}
            let Some(&&(end, number)) = ends.peek() else {
                break;
            };
            if at + keyword.len() <= end {
                found[number] = true;
                from = end;
            } else {
                // It began in one text and ended in the next.
                from = at + 1;
            }
        }
        found
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

    fn search(texts: &[&str], keyword: &str) -> Vec<usize> {
        let mut search = SearchText::default();
        texts.iter().enumerate().for_each(|(number, text)| search.add(number, &fold(text)));
        let found = search.find(keyword, texts.len());
        (0..texts.len()).filter(|&number| found[number]).collect()
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
            ("Air Pods", &["AIR", "pods", "r p", ""]),
        ] {
            for keyword in keywords {
                assert_eq!(search(&[text], keyword), [0], "{keyword:?} is in {text:?}");
            }
        }
        assert_eq!(search(&["ΟΔΥΣΣΕΑΣ", "Straße"], "strase"), [0; 0]);
    }

    #[test]
    fn no_text_runs_into_the_next() {
        let texts = ["green t", "ea", "tea", "", "black tea tea", "t"];
        assert_eq!(search(&texts, "tea"), [2, 4]);
        assert_eq!(search(&texts, "t"), [0, 2, 4, 5]);
        assert_eq!(search(&texts, "aa"), [0; 0]);
        assert_eq!(search(&texts, ""), [0, 1, 2, 3, 4, 5]);
        assert_eq!(search(&["茶", "绿茶", "叶"], "茶"), [0, 1]);
    }
}
