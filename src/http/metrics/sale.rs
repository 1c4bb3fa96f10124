//! How a sale goes, for who looks on: what became of exchanges in the last minute, and how long they took.
//! Whoever looks takes a sample, so nothing is done while nobody does.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

use super::requests::RequestsSeen;
use crate::base::TimeMs;
use crate::base::times::{BOUNDS_US, TimesSeen};

/// What is posted to exchange points: in the API, and on pages.
const EXCHANGES: [&str; 3] =
    ["/api/mall/exchange", "/products/{productId}/exchange", "/products/{productId}/sale"];
/// How far back samples go, and how close together they are at most.
const KEPT_MS: u64 = 60_000;
const APART_MS: u64 = 1_000;
/// Over how long figures are taken, where samples go back so far.
const SPAN_MS: u64 = 10_000;

/// What became of exchanges so far, by the code of the API.
pub(super) fn outcomes(requests: &RequestsSeen) -> BTreeMap<&'static str, u64> {
    let mut sums = BTreeMap::new();
    for (outcome, count) in EXCHANGES.iter().flat_map(|path| requests.of(("POST", path))) {
        *sums.entry(outcome).or_default() += count;
    }
    sums
}

fn times(requests: &RequestsSeen) -> TimesSeen {
    let mut sum = TimesSeen::default();
    let is_exchange = |method: &str, path: &str| method == "POST" && EXCHANGES.contains(&path);
    let of_exchanges = requests.times().filter(|((method, path), _)| is_exchange(method, path));
    of_exchanges.for_each(|(_, times)| sum.include(times));
    sum
}

/// The samples of the last minute.
#[derive(Debug, Default)]
pub(super) struct Samples(Mutex<VecDeque<Sample>>);

#[derive(Clone, Debug)]
struct Sample {
    at_ms: TimeMs,
    outcomes: BTreeMap<&'static str, u64>,
    times: TimesSeen,
}

/// How a sale goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::http) struct Sale {
    /// What became of exchanges: how many so far, and how many a second lately; the latter is not known
    /// to who looks for the first time.
    pub(in crate::http) outcomes: Vec<(&'static str, u64, Option<u64>)>,
    /// Half of them, and all but one in a hundred, took no longer, in microseconds; `None` where there
    /// were none, and the largest number where it was longer than is told apart.
    pub(in crate::http) took_us: Option<[u64; 2]>,
    /// How many a second succeeded, at moments of the last minute.
    pub(in crate::http) course: Vec<(TimeMs, u64)>,
}

impl Samples {
    /// Takes a sample, and says how it goes.
    pub(super) fn look(&self, requests: &RequestsSeen, now_ms: TimeMs) -> Sale {
        let now = Sample { at_ms: now_ms, outcomes: outcomes(requests), times: times(requests) };
        let mut samples = self.0.lock();
        // The clock may have been set back.
        samples.retain(|it| it.at_ms <= now_ms && now_ms - it.at_ms <= KEPT_MS);
        if samples.back().is_none_or(|last| now_ms - last.at_ms >= APART_MS) {
            samples.push_back(now.clone());
        }
        let old_enough = |it: &&Sample| now_ms - it.at_ms >= SPAN_MS;
        let from = samples.iter().rfind(old_enough).or_else(|| samples.front());
        let from = from.filter(|from| from.at_ms < now_ms);
        let outcomes = now
            .outcomes
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(name, count)| (*name, *count, from.map(|from| now.per_second(from, name))));
        let pairs = samples.iter().zip(samples.iter().skip(1));
        Sale {
            outcomes: outcomes.collect(),
            took_us: from.and_then(|from| now.took_us(from)),
            course: pairs.map(|(a, b)| (b.at_ms, b.per_second(a, "SUCCESS"))).collect(),
        }
    }
}

impl Sample {
    fn per_second(&self, before: &Self, outcome: &str) -> u64 {
        let of = |sample: &Self| sample.outcomes.get(outcome).copied().unwrap_or(0);
        let count = of(self).saturating_sub(of(before));
        count.saturating_mul(1_000) / self.at_ms.saturating_sub(before.at_ms).max(1)
    }

    fn took_us(&self, before: &Self) -> Option<[u64; 2]> {
        let pairs = self.times.counts.iter().zip(&before.times.counts);
        let counts: Vec<u64> = pairs.map(|(now, before)| now.saturating_sub(*before)).collect();
        let all: u64 = counts.iter().sum();
        let within = |hundredths: u64| {
            let mut left = (all.saturating_mul(hundredths)).div_ceil(100);
            let place = counts.iter().position(|count| {
                let is_there = left <= *count;
                left = left.saturating_sub(*count);
                is_there
            });
            place.and_then(|place| BOUNDS_US.get(place).copied()).unwrap_or(u64::MAX)
        };
        (all > 0).then(|| [within(50), within(99)])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::metrics::requests::{Outcome, Requests};
    use crate::http::route::ROUTES;

    fn ask(requests: &Requests, count: usize, took: Duration) {
        let route = ROUTES.iter().position(|it| it.row.path == EXCHANGES[0]).expect("there is one");
        for _ in 0..count {
            requests.count(route, Outcome::Answered(hyper::StatusCode::OK), took);
        }
    }

    #[test]
    fn figures_are_those_of_the_last_seconds() {
        let requests = Requests::new(ROUTES.iter().map(|route| &route.row));
        let samples = Samples::default();
        let look = |now_ms| samples.look(&requests.seen(), now_ms);
        ask(&requests, 7, Duration::from_secs(3));
        let first = look(1_000);
        assert_eq!((first.outcomes, first.took_us), (vec![("SUCCESS", 7, None)], None));
        ask(&requests, 99, Duration::from_millis(1));
        ask(&requests, 1, Duration::from_millis(20));
        let second = look(3_000);
        assert_eq!(second.outcomes, [("SUCCESS", 107, Some(50))]);
        assert_eq!(second.took_us, Some([1_000, 1_000]), "what was before does not count");
        assert_eq!(second.course, [(3_000, 50)]);
        ask(&requests, 2, Duration::from_secs(60));
        assert_eq!(look(3_500).course.len(), 1, "samples are apart");
        let later = look(12_900);
        assert_eq!(later.took_us, Some([1_000, u64::MAX]));
        assert_eq!(later.course, [(3_000, 50), (12_900, 0)]);
        assert_eq!(look(40_000).outcomes, [("SUCCESS", 109, Some(0))]);
        assert_eq!(look(500).outcomes, [("SUCCESS", 109, None)], "the clock was set back");
    }
}
