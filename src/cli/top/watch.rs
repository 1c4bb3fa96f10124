//! What was seen of a server until now.

use std::collections::VecDeque;
use std::time::Duration;

use super::figures::Figures;
use super::numbers::Numbers;

/// How many rates are kept, for the course of them.
const RATES: usize = 240;

/// Times are of whoever looks, since it began to.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) server: String,
    before: Option<(Numbers, Duration)>,
    /// What the server said last; `None` while it is away.
    pub(super) figures: Option<Figures>,
    /// Why there is nothing; when it was there last, if ever.
    pub(super) away: Option<String>,
    pub(super) seen_at: Option<Duration>,
    /// Exchanges in a second, rounded; the newest is the last. `None` is not known.
    pub(super) rates: VecDeque<Option<u64>>,
}

impl Watch {
    pub(super) fn new(server: String) -> Self {
        let rates = VecDeque::with_capacity(RATES);
        Self { server, before: None, figures: None, away: None, seen_at: None, rates }
    }

    /// Takes in what was answered, or why nothing was.
    pub(super) fn saw(&mut self, at: Duration, answer: Result<Numbers, String>) {
        match answer {
            Ok(numbers) => {
                let before = self.before.as_ref();
                let before = before.map(|(before, seen)| (before, at.saturating_sub(*seen)));
                let figures = Figures::of(&numbers, before);
                self.course(figures.rate);
                self.figures = Some(figures);
                self.before = Some((numbers, at));
                (self.away, self.seen_at) = (None, Some(at));
            }
            Err(why) => {
                self.course(None);
                // What it was is not what it is.
                self.figures = None;
                self.away = Some(why);
            }
        }
    }

    fn course(&mut self, rate: Option<f64>) {
        if self.rates.len() == RATES {
            self.rates.pop_front();
        }
        // A rate is no negative number, and what is past every count is the largest.
        self.rates.push_back(rate.map(|rate| rate.round() as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_not_shown_for_what_is_and_the_course_is_bounded() {
        let mut watch = Watch::new("here".to_owned());
        let at = Duration::from_secs;
        watch.saw(
            at(0),
            Numbers::parse("stockhold_exchanges_total{outcome=\"A\"} 1").map_err(|e| e.to_string()),
        );
        watch.saw(
            at(2),
            Numbers::parse("stockhold_exchanges_total{outcome=\"A\"} 9").map_err(|e| e.to_string()),
        );
        watch.saw(at(3), Err("gone".to_owned()));
        assert!(watch.figures.is_none());
        assert_eq!((watch.away.as_deref(), watch.seen_at), (Some("gone"), Some(at(2))));
        assert_eq!(watch.rates, [None, Some(4), None]);
        for _ in 0..2 * RATES {
            watch.saw(at(4), Err("gone".to_owned()));
        }
        assert_eq!(watch.rates.len(), RATES);
    }
}
