//! Leaving a service alone that fails: a circuit breaker whose pauses grow, with jitter, so that those
//! who wait do not come back together (M. Nygard, "Release It!"; M. Brooker, "Exponential Backoff and
//! Jitter", 2015). It reads no clock.

use std::time::Duration;

/// When to leave a service alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BreakerConfig {
    /// How many calls must fail one after another.
    pub(crate) failures: u32,
    /// How long the first pause is at most.
    pub(crate) pause_min: Duration,
    /// How long any pause is at most.
    pub(crate) pause_max: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            pause_min: Duration::from_millis(200),
            pause_max: Duration::from_secs(10),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Calls go through; so many have failed since one succeeded.
    Closed { failed: u32 },
    /// Nothing goes through until then.
    Open { until: Duration, pauses: u32 },
    /// One call is under way to try it, and no other goes through before this time: whoever tried it
    /// may have gone away.
    Trying { until: Duration, pauses: u32 },
}

/// One service's. Times are since any moment that stays the same.
#[derive(Debug)]
pub(crate) struct Breaker {
    config: BreakerConfig,
    state: State,
}

impl Breaker {
    pub(crate) fn new(config: BreakerConfig) -> Self {
        Self { config, state: State::Closed { failed: 0 } }
    }

    /// Whether a call may be made at `now`; otherwise, how long to wait before asking again.
    pub(crate) fn ask(&mut self, now: Duration) -> Result<(), Duration> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } if now < until => Err(until - now),
            // The one that tries it is answered soon, as a rule.
            State::Trying { until, .. } if now < until => {
                Err(self.config.pause_min.min(until - now))
            }
            State::Open { pauses, .. } | State::Trying { pauses, .. } => {
                let until = now.saturating_add(self.config.pause_max);
                self.state = State::Trying { until, pauses };
                Ok(())
            }
        }
    }

    /// A call was answered.
    pub(crate) fn succeeded(&mut self) {
        self.state = State::Closed { failed: 0 };
    }

    /// A call was not answered; `random` is any number.
    pub(crate) fn failed(&mut self, now: Duration, random: u64) {
        let pauses = match self.state {
            State::Closed { failed } if failed + 1 < self.config.failures => {
                self.state = State::Closed { failed: failed + 1 };
                return;
            }
            State::Closed { .. } => 0,
            // One that was under way when it opened says nothing new.
            State::Open { .. } => return,
            State::Trying { pauses, .. } => pauses.saturating_add(1),
        };
        let pause = pause(self.config.pause_min, self.config.pause_max, pauses, random);
        self.state = State::Open { until: now.saturating_add(pause), pauses };
    }

    /// Whether calls go through as a rule.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }
}

/// The pause after so many others: up to twice as long as the one before, and at least half of that.
pub(crate) fn pause(min: Duration, max: Duration, before: u32, random: u64) -> Duration {
    let most = min.saturating_mul(1 << before.min(20)).min(max);
    let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).max(1);
    let least_ms = most_ms.div_ceil(2);
    Duration::from_millis(least_ms + random % (most_ms - least_ms + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn breaker() -> Breaker {
        Breaker::new(BreakerConfig { failures: 3, pause_min: MS(100), pause_max: MS(1_000) })
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_tries_one_call_at_a_time() {
        let mut it = breaker();
        it.failed(MS(0), 0);
        it.failed(MS(0), 0);
        it.succeeded();
        it.failed(MS(1), 0);
        it.failed(MS(1), 0);
        assert_eq!(it.ask(MS(1)), Ok(()), "a success in between counts");
        it.failed(MS(1), 0);
        assert_eq!(it.ask(MS(1)), Err(MS(50)), "half of the first pause at least");
        it.failed(MS(40), u64::MAX);
        assert_eq!(it.ask(MS(50)), Err(MS(1)), "a straggler moves nothing");
        assert_eq!(it.ask(MS(51)), Ok(()));
        assert_eq!(it.ask(MS(51)), Err(MS(100)), "one tries, and the others wait");
        it.failed(MS(60), 0);
        assert_eq!(it.ask(MS(60)), Err(MS(100)), "the pause grows");
        assert_eq!(it.ask(MS(160)), Ok(()));
        it.succeeded();
        assert!(it.is_closed());
        assert_eq!(it.ask(MS(160)), Ok(()));
    }

    #[test]
    fn who_tried_and_went_away_does_not_hold_it_open_for_ever() {
        let mut it = breaker();
        (0..3).for_each(|_| it.failed(MS(0), 0));
        assert_eq!(it.ask(MS(50)), Ok(()));
        assert_eq!(it.ask(MS(1_049)), Err(MS(1)));
        assert_eq!(it.ask(MS(1_050)), Ok(()));
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_spread() {
        for (before, least, most) in [(0, 50, 100), (1, 100, 200), (3, 400, 800), (4, 500, 1_000)] {
            let of = |random| pause(MS(100), MS(1_000), before, random);
            assert_eq!((of(0), of(most - least)), (MS(least), MS(most)), "{before}");
            assert!((0..2_000).all(|random| (MS(least)..=MS(most)).contains(&of(random))));
        }
        assert_eq!(pause(MS(100), MS(1_000), u32::MAX, 0), MS(500));
    }
}
