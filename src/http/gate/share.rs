//! How much of what is asked is let in, and of whom.
//!
//! The sign of overload is that of CoDel (RFC 8289): requests that have come wait for a processor, and
//! even the shortest wait of a whole interval was too long. A burst is over within an interval, and
//! nobody is turned away for it. Who is turned away follows core-stateless fair queueing (Stoica,
//! Shenker and Zhang, SIGCOMM 1998): there is one fair share for everybody; who asks for less is let
//! in, who asks for more is let in as often as makes it the share. The share falls while requests wait
//! and grows slowly while they do not.
//!
//! No clock is read here: times are told.

use std::time::Duration;

/// What one request weighs: counts are in these parts.
pub(super) const ONE: u32 = 256;
/// How long requests must have waited for too long before anybody is turned away, in microseconds.
const INTERVAL_US: u64 = 25_000;
/// How many looks an interval has at least.
const LOOKS_MIN: u32 = 3;
/// Where fewer came in an interval, it is not they that keep the processors from them.
const REQUESTS_MIN: u64 = 8;
/// However much is asked, of those who ask for little this part is let in: otherwise nothing would be
/// done but to turn away.
const SHARE_MIN: u32 = ONE / 16;
/// By which part the share grows in an interval in which nothing waited for too long, and in one in which
/// nothing waited for a quarter of that.
const GROWS: u32 = 32;
const GROWS_FAST: u32 = 8;

/// How long something waits that is ready.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// It is served.
    All(Duration),
    /// It still waits.
    So(Duration),
}

/// The share, and the waits by which it is moved.
#[derive(Debug)]
pub(super) struct Share {
    /// Longer waits are too long, in microseconds.
    wait_us_max: u64,
    began_us: u64,
    looks: u32,
    least_us: u64,
    /// `None` while everybody is let in.
    share: Option<u32>,
}

/// What came since it was looked at last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Came {
    pub(super) requests: u64,
    /// The most that anybody's weighed.
    pub(super) heaviest: u32,
}

impl Share {
    pub(super) fn new(wait_max: Duration) -> Self {
        let wait_us_max = us(wait_max);
        Self { wait_us_max, began_us: 0, looks: 0, least_us: u64::MAX, share: None }
    }

    pub(super) fn share(&self) -> Option<u32> {
        self.share
    }

    /// Something was ready at `now_us` less its wait. What came since the last interval is asked for when
    /// one is over; then the least wait of it is told.
    pub(super) fn saw(
        &mut self,
        now_us: u64,
        wait: Wait,
        came: impl FnOnce() -> Came,
    ) -> Option<u64> {
        let wait_us = match wait {
            Wait::All(wait) => us(wait),
            // It may yet be a short one.
            Wait::So(wait) if us(wait) <= self.wait_us_max => return None,
            Wait::So(wait) => us(wait),
        };
        if self.looks == 0 {
            self.began_us = now_us.saturating_sub(wait_us);
        }
        self.looks += 1;
        self.least_us = self.least_us.min(wait_us);
        if self.looks < LOOKS_MIN || now_us.saturating_sub(self.began_us) < INTERVAL_US {
            return None;
        }
        let least_us = std::mem::replace(&mut self.least_us, u64::MAX);
        self.looks = 0;
        self.adapt(least_us, came());
        Some(least_us)
    }

    /// Whether so long a wait is too long.
    pub(super) fn is_long(&self, wait: Wait) -> bool {
        let (Wait::All(wait) | Wait::So(wait)) = wait;
        us(wait) > self.wait_us_max
    }

    fn adapt(&mut self, least_us: u64, came: Came) {
        let waits = least_us > self.wait_us_max && came.requests >= REQUESTS_MIN;
        if !waits {
            let is_quick = least_us <= self.wait_us_max / 4;
            let part = if is_quick { GROWS_FAST } else { GROWS };
            // By a part, and never by nothing.
            let more = self.share.map(|share| share.saturating_add(share.div_ceil(part)));
            // Whoever asks most is let in.
            self.share = more.filter(|&share| share < came.heaviest);
            return;
        }
        let share = self.share.unwrap_or(came.heaviest).max(SHARE_MIN);
        let is_far = least_us / 2 > self.wait_us_max;
        let less = share / if is_far { 2 } else { 8 };
        self.share = Some((share - less).max(SHARE_MIN));
    }
}

pub(super) fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whether somebody is let in who asks for so much, by a number that may be any.
pub(super) fn lets_in(share: Option<u32>, weight: u32, drawn: u32) -> bool {
    share.is_none_or(|share| u64::from(weight) * u64::from(drawn) < u64::from(share) << 32)
}

#[cfg(test)]
mod tests;
