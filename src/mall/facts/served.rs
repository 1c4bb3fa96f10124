//! How the server answered in a day: a file beside the journal for each day, since it is no event that
//! anybody was asked something. It is written now and then: a crash loses the last minute of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::every;

every! {
    /// What was asked for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) enum Asking {
        /// Points for a product.
        Exchange,
        /// What users do with their orders.
        Orders,
        /// What users look at, and places in lines.
        Catalogue,
        Points,
        /// What operators ask.
        Operators,
        /// The ledger itself.
        Ledger,
    }
}

/// Up to how many milliseconds an answer of each bucket took; those of the last took longer.
pub(crate) const BOUNDS_MS: [u64; 14] =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];
/// The longest bound.
#[cfg(feature = "bin")]
pub(crate) const LONGEST_MS: u64 = BOUNDS_MS[BOUNDS_MS.len() - 1];
pub(crate) const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// Answers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    /// Answered with 400 to 499: whoever asked could not have it.
    pub(crate) refused: u64,
    /// Answered with 500 or more.
    pub(crate) failed: u64,
    /// All of them, by how long they took.
    pub(crate) took: [u64; BUCKETS],
}

/// How the server answered in a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Served {
    /// As in `2026-11-30`, where the mall is.
    pub(crate) day: String,
    pub(crate) answered: BTreeMap<Asking, Answered>,
}

impl Answered {
    pub(crate) fn requests(&self) -> u64 {
        self.took.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(crate) fn add(&mut self, more: &Self) {
        self.refused = self.refused.saturating_add(more.refused);
        self.failed = self.failed.saturating_add(more.failed);
        for (count, more) in self.took.iter_mut().zip(more.took) {
            *count = count.saturating_add(more);
        }
    }

    /// Within how many milliseconds so many thousandths of the answers came: the bound of the bucket
    /// where that is. `None` of none, and where they took longer than the last bound.
    pub(crate) fn within_ms(&self, thousandths: u64) -> Option<u64> {
        let requests = u128::from(self.requests());
        let wanted = (requests * u128::from(thousandths)).div_ceil(1_000).max(1);
        let mut seen = 0;
        let at = self.took.iter().position(|count| {
            seen += u128::from(*count);
            seen >= wanted
        });
        BOUNDS_MS.get(at?).copied()
    }
}

impl Served {
    pub(crate) fn add(&mut self, more: &Self) {
        for (asking, answered) in &more.answered {
            self.answered.entry(*asking).or_default().add(answered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_keeps_its_bytes() {
        let mut took = [0; BUCKETS];
        (took[0], took[14]) = (7, 1);
        let answered = Answered { refused: 2, failed: 1, took };
        let served =
            Served { day: "2026-11-30".into(), answered: [(Asking::Exchange, answered)].into() };
        let bytes = concat!(
            r#"{"day":"2026-11-30","answered":{"exchange":{"refused":2,"failed":1,"#,
            r#""took":[7,0,0,0,0,0,0,0,0,0,0,0,0,0,1]}}}"#
        );
        assert_eq!(serde_json::to_string(&served).expect("it is written"), bytes);
        assert_eq!(serde_json::from_str::<Served>(bytes).expect("it reads"), served);
    }

    #[test]
    fn how_long_most_took_is_the_bound_of_their_bucket() {
        let of = |counts: &[(usize, u64)]| {
            let mut took = [0; BUCKETS];
            counts.iter().for_each(|(at, count)| took[*at] = *count);
            Answered { took, ..Answered::default() }
        };
        for (counts, thousandths, within) in [
            (&[][..], 500, None),
            (&[(0, 1)], 990, Some(1)),
            (&[(0, 50), (3, 50)], 500, Some(1)),
            (&[(0, 49), (3, 51)], 500, Some(10)),
            (&[(0, 989), (8, 11)], 990, Some(500)),
            (&[(0, 1), (14, 99)], 500, None),
        ] {
            assert_eq!(of(counts).within_ms(thousandths), within, "{counts:?} {thousandths}");
        }
    }
}
