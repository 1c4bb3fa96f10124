//! A server's numbers, as they are read from the text format of Prometheus.

use std::collections::{BTreeMap, HashMap};

use crate::base::error::{Error, Result};

/// What a value is told apart by, in the order in which it was written.
type Labels = Vec<(String, String)>;

/// All values of one scrape, by the names of their metrics.
#[derive(Debug, Default)]
pub(super) struct Numbers(HashMap<String, Vec<(Labels, f64)>>);

impl Numbers {
    /// # Errors
    /// `Unavailable`, naming the line that cannot be read.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut numbers = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((name, labels, value)) = sample(line) else {
                return Err(Error::unavailable(format!("no line of numbers: {line:?}")));
            };
            numbers.0.entry(name.to_owned()).or_default().push((labels, value));
        }
        Ok(numbers)
    }

    /// The value of a metric without labels.
    pub(super) fn one(&self, name: &str) -> Option<f64> {
        let of = self.0.get(name)?.iter();
        of.into_iter().find(|(labels, _)| labels.is_empty()).map(|(_, value)| *value)
    }

    /// The values of a metric by what one label of theirs says, added up over the others.
    pub(super) fn by(&self, name: &str, label: &str) -> BTreeMap<&str, f64> {
        let mut by = BTreeMap::new();
        for (labels, value) in self.0.get(name).into_iter().flatten() {
            if let Some((_, of)) = labels.iter().find(|(name, _)| name == label) {
                *by.entry(of.as_str()).or_default() += value;
            }
        }
        by
    }

    /// All values of a metric together; `None` where it is absent.
    pub(super) fn sum(&self, name: &str) -> Option<f64> {
        self.0.get(name).map(|samples| samples.iter().map(|(_, value)| value).sum())
    }

    /// What a label of a metric's first value says.
    pub(super) fn label(&self, name: &str, label: &str) -> Option<&str> {
        let (labels, _) = self.0.get(name)?.first()?;
        labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.as_str())
    }

    /// A histogram: how many values there were up to each bound, as one with all of these labels has
    /// them. Empty where it is absent.
    pub(super) fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Vec<(f64, f64)> {
        let has = |of: &Labels| {
            labels.iter().all(|(name, value)| of.iter().any(|(n, v)| n == name && v == value))
        };
        let samples = self.0.get(&format!("{name}_bucket")).into_iter().flatten();
        let mut buckets: Vec<(f64, f64)> = samples
            .filter(|(of, _)| has(of))
            .filter_map(|(of, count)| {
                let (_, bound) = of.iter().find(|(name, _)| name == "le")?;
                Some((bound.parse().ok()?, *count))
            })
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        buckets
    }
}

/// `name{label="value",...} value`, with a time behind it or without.
fn sample(line: &str) -> Option<(&str, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Labels::new(), rest),
    };
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some((name, labels, value))
}

/// What stands between braces, and what is behind them.
fn labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let (value, behind) = quoted(behind)?;
        labels.push((name.to_owned(), value));
        rest = behind;
    }
}

/// What stands up to a quotation mark that is none of the text, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return text.get(at + 1..).map(|rest| (value, rest)),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                escaped => escaped,
            }),
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a b\n# TYPE a gauge\na 3\n\
        e_total{outcome=\"SUCCESS\"} 7 1700000000\ne_total{outcome=\"NO \\\"STOCK\\\"\"} 2.5\n\
        t_bucket{route=\"/x\",le=\"+Inf\"} 4\nt_bucket{route=\"/x\",le=\"0.5\"} 3\n\
        t_bucket{route=\"/y\",le=\"0.5\"} 9\n";

    #[test]
    fn numbers_are_found_by_their_names_and_labels() {
        let numbers = Numbers::parse(TEXT).expect("good text");
        assert_eq!(
            (numbers.one("a"), numbers.one("b"), numbers.one("e_total")),
            (Some(3.0), None, None)
        );
        let outcomes: Vec<_> = numbers.by("e_total", "outcome").into_iter().collect();
        assert_eq!(outcomes, [("NO \"STOCK\"", 2.5), ("SUCCESS", 7.0)]);
        assert_eq!((numbers.sum("e_total"), numbers.sum("none")), (Some(9.5), None));
        let times = numbers.histogram("t", &[("route", "/x")]);
        assert_eq!(times, [(0.5, 3.0), (f64::INFINITY, 4.0)]);
        assert_eq!(numbers.histogram("t", &[("route", "/z")]), []);
        assert_eq!(numbers.label("e_total", "outcome"), Some("SUCCESS"));
    }

    #[test]
    fn what_are_no_numbers_is_refused() {
        for wrong in
            ["a", "a{", "a{b}", "a{b=\"c", "a{b=\"c\\", "a{b=\"c\"}", "a x", "<html> </html>"]
        {
            let refused = Numbers::parse(wrong).expect_err("no numbers").to_string();
            assert!(refused.contains("no line of numbers"), "{wrong}: {refused}");
        }
    }
}
