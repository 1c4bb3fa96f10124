//! How long to wait before the next try: exponential, with jitter, so that mirrors that failed
//! together do not come back together (M. Brooker, "Exponential Backoff and Jitter", 2015).

use std::time::Duration;

/// The waits between tries of one kind.
#[derive(Debug)]
pub(super) struct Backoff {
    first_ms: u64,
    last_ms: u64,
    /// The least of a wait, in parts of the most: the more a try costs, the more of it is always
    /// waited.
    least_in_ten: u64,
    tries: u32,
}

impl Backoff {
    /// For what passes by itself.
    pub(super) fn soon() -> Self {
        Self { first_ms: 50, last_ms: 10_000, least_in_ten: 0, tries: 0 }
    }

    /// For what only an operator can mend: sooner at first, when an operator may be watching.
    pub(super) fn help() -> Self {
        Self { first_ms: 5_000, last_ms: 120_000, least_in_ten: 7, tries: 0 }
    }

    /// For what the server counts against the account or the host, up to where it lets neither in
    /// any more.
    pub(super) fn login() -> Self {
        Self { first_ms: 60_000, last_ms: 1_800_000, least_in_ten: 7, tries: 0 }
    }

    /// Something succeeded: the next wait is short again.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait; `random` is any number.
    pub(super) fn next_wait(&mut self, random: u64) -> Duration {
        let most = self.first_ms.saturating_mul(1 << self.tries.min(20)).min(self.last_ms);
        self.tries = self.tries.saturating_add(1);
        // At least one millisecond: a wait of none would make a loop of a server that refuses at
        // once.
        let least = (most / 10 * self.least_in_ten).max(1);
        Duration::from_millis(least + random % (most - least + 1))
    }
}

/// Any number, for jitter.
pub(super) fn random() -> u64 {
    // Without random bytes the waits are whole, which is not an error.
    getrandom::u64().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_anew() {
        for mut backoff in [Backoff::soon(), Backoff::help(), Backoff::login()] {
            let (first, last) = (backoff.first_ms, backoff.last_ms);
            let mut waits: Vec<u64> = Vec::new();
            for random in 0..40 {
                waits.push(backoff.next_wait(random * 977).as_millis() as u64);
            }
            assert!(waits.iter().all(|wait| (1..=last).contains(wait)), "{waits:?}");
            assert!(waits[0] <= first, "{waits:?}");
            backoff.reset();
            assert!(backoff.next_wait(u64::MAX).as_millis() as u64 <= first);
            backoff.tries = u32::MAX;
            assert!(backoff.next_wait(last).as_millis() as u64 <= last);
        }
    }

    #[test]
    fn a_wrong_password_is_tried_a_few_times_an_hour() {
        let mut backoff = Backoff::login();
        // The shortest waits there are.
        let waits: Vec<u64> = (0..6).map(|_| backoff.next_wait(0).as_secs()).collect();
        assert_eq!(waits, [42, 84, 168, 336, 672, 1_260]);
        let mut soon = Backoff::soon();
        assert_eq!(
            soon.next_wait(0),
            Duration::from_millis(1),
            "full jitter reaches down to nothing"
        );
    }
}
