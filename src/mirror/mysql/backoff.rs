//! How long to wait before the next try: exponential, with full jitter, so that mirrors that failed together do not come
//! back together (M. Brooker, "Exponential Backoff and Jitter", 2015).

use std::time::Duration;

const FIRST_MS: u64 = 50;
const LAST_MS: u64 = 10_000;

/// The waits between tries.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Something succeeded: the next wait is short again.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait; `random` is any number.
    pub(super) fn next_wait(&mut self, random: u64) -> Duration {
        let most = FIRST_MS.saturating_mul(1 << self.tries.min(20)).min(LAST_MS);
        self.tries = self.tries.saturating_add(1);
        // At least one millisecond: a wait of none would make a loop of a server that refuses at once.
        Duration::from_millis(1 + random % most)
    }
}

/// Any number, for jitter.
pub(super) fn random() -> u64 {
    // Without random bytes the waits are whole, which is no error.
    getrandom::u64().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_anew() {
        let mut backoff = Backoff::default();
        let longest: Vec<u128> = (0..12).map(|_| backoff.next_wait(u64::MAX - 1).as_millis()).collect();
        assert!(longest.iter().all(|wait| (1..=u128::from(LAST_MS)).contains(wait)), "{longest:?}");
        let most = |tries: u32| FIRST_MS << tries;
        let mut backoff = Backoff { tries: 3 };
        assert_eq!(backoff.next_wait(most(3) - 1), Duration::from_millis(most(3)));
        assert_eq!(backoff.next_wait(0), Duration::from_millis(1), "full jitter reaches down to nothing");
        backoff.reset();
        assert_eq!(backoff.next_wait(FIRST_MS - 1), Duration::from_millis(FIRST_MS));
        let mut tired = Backoff { tries: u32::MAX };
        assert!(tired.next_wait(LAST_MS - 1) <= Duration::from_millis(LAST_MS));
    }
}
