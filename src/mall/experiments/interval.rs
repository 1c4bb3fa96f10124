//! How sure a share of users is, and a difference of two shares: intervals that hold the true value
//! in 95 of 100 experiments.
//!
//! A share's is Wilson's score interval (E. B. Wilson, "Probable inference, the law of succession,
//! and statistical inference", JASA 22, 1927). A difference's is Newcombe's hybrid score interval,
//! method 10 of R. G. Newcombe, "Interval estimation for the difference between independent
//! proportions", Statistics in Medicine 17, 1998. Both hold for few users and for shares of 0 and 1,
//! where the intervals of textbooks do not.

/// The quantile of the normal distribution that leaves 2.5 % on each side.
const Z: f64 = 1.959_963_984_540_054;

/// Some of some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) some: u64,
    pub(crate) of: u64,
}

/// Between which values it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Share {
    /// The share with Wilson's interval; `None` of nothing.
    pub(crate) fn interval(self) -> Option<Interval> {
        let Self { some, of } = self;
        if of == 0 {
            return None;
        }
        let (some, of) = (some as f64, of as f64);
        let (value, square) = (some / of, Z * Z);
        let middle = (value + square / (2.0 * of)) / (1.0 + square / of);
        let around = value * (1.0 - value) / of + square / (4.0 * of * of);
        let half = Z * around.sqrt() / (1.0 + square / of);
        // At 0 and 1 the formula gives these but for rounding.
        let low = if some == 0.0 { 0.0 } else { (middle - half).max(0.0) };
        let high = if some == of { 1.0 } else { (middle + half).min(1.0) };
        Some(Interval { value, low, high })
    }

    /// By how much it is more than `other`, with Newcombe's interval; `None` where either is of
    /// nothing.
    pub(crate) fn minus(self, other: Self) -> Option<Interval> {
        let (a, b) = (self.interval()?, other.interval()?);
        let value = a.value - b.value;
        let below = (a.value - a.low).hypot(b.high - b.value);
        let above = (a.high - a.value).hypot(b.value - b.low);
        Some(Interval { value, low: value - below, high: value + above })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(some: u64, of: u64) -> Share {
        Share { some, of }
    }

    #[track_caller]
    fn check(found: Option<Interval>, low: f64, high: f64) {
        let found = found.expect("of something");
        let is_near = |a: f64, b: f64| (a - b).abs() < 0.000_05;
        assert!(is_near(found.low, low) && is_near(found.high, high), "{found:?}");
    }

    /// Table I of R. G. Newcombe, "Two-sided confidence intervals for the single proportion:
    /// comparison of seven methods", Statistics in Medicine 17, 1998; its method 3.
    #[test]
    fn a_share_has_the_published_interval() {
        for (some, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            check(share(some, of).interval(), low, high);
        }
        assert_eq!(share(0, 0).interval(), None);
    }

    /// Table II of the article that the method is from, its line 10.
    #[test]
    fn a_difference_has_the_published_interval() {
        for (a, b, low, high) in [
            (share(56, 70), share(48, 80), 0.0524, 0.3339),
            (share(9, 10), share(3, 10), 0.1705, 0.8090),
            (share(6, 7), share(2, 7), 0.0582, 0.8062),
            (share(5, 56), share(0, 29), -0.0381, 0.1926),
            (share(0, 10), share(0, 20), -0.1611, 0.2775),
            (share(0, 10), share(0, 10), -0.2775, 0.2775),
            (share(10, 10), share(0, 20), 0.6791, 1.0),
            (share(10, 10), share(0, 10), 0.6075, 1.0),
            // Of no article: as another program computes it.
            (share(7, 13), share(1, 9), 0.0200, 0.6743),
        ] {
            check(a.minus(b), low, high);
            check(b.minus(a), -high, -low);
        }
        assert_eq!(share(1, 2).minus(share(0, 0)), None);
    }

    #[test]
    fn intervals_of_all_small_shares_are_within_bounds_and_hold_the_value() {
        for of in 1..=40 {
            for some in 0..=of {
                let Interval { value, low, high } = share(some, of).interval().expect("of some");
                assert!(0.0 <= low && low <= value && value <= high && high <= 1.0, "{some}/{of}");
                for (other, others) in [(0, 7), (3, 7), (7, 7)] {
                    let found = share(some, of).minus(share(other, others)).expect("of some");
                    assert!(-1.0 <= found.low && found.high <= 1.0, "{some}/{of}: {found:?}");
                    assert!(found.low <= found.value && found.value <= found.high);
                }
            }
        }
    }
}
