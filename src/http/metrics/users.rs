//! How many users ask for something, by estimate: nobody's name is kept. For each minute there is a
//! table of bits, and each user has one of them by a keyed hash; how many users there were follows
//! from how many bits nobody has (linear counting: K.-Y. Whang and others, 1990).

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;

/// How many minutes count, the one under way included.
const MINUTES: u64 = 5;
const MINUTE_MS: u64 = 60_000;
/// As many bits as tell two million users within a few per cent.
const BITS: usize = 1 << 18;
const WORDS: usize = BITS / u64::BITS as usize;

type Bits = Box<[AtomicU64]>;

/// Users of the last minutes.
pub(super) struct Users {
    minutes: [Bits; MINUTES as usize],
    /// The minute under way.
    now: AtomicU64,
    hasher: RandomState,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            minutes: std::array::from_fn(|_| {
                std::iter::repeat_with(AtomicU64::default).take(WORDS).collect()
            }),
            now: AtomicU64::new(0),
            hasher: RandomState::default(),
        }
    }
}

impl Users {
    /// See [`Watching::saw`](super::Watching::saw).
    pub(super) fn saw(&self, user: &str, now_ms: u64) {
        let minute = self.begin_minute(now_ms);
        let bit = self.hasher.hash_one(user) as usize % BITS;
        let word = &self.minutes[(minute % MINUTES) as usize][bit / u64::BITS as usize];
        let mask = 1 << (bit % u64::BITS as usize);
        // Relaxed, here and below: a bit is the whole message. Most are there already, and reading
        // one takes it from no other thread.
        if word.load(Ordering::Relaxed) & mask == 0 {
            word.fetch_or(mask, Ordering::Relaxed);
        }
    }

    /// How many there were in the minute under way and the four before it.
    pub(super) fn seen(&self, now_ms: u64) -> u64 {
        self.begin_minute(now_ms);
        let free: u32 = (0..WORDS)
            .map(|word| {
                let all = self
                    .minutes
                    .iter()
                    .fold(0, |all, bits| all | bits[word].load(Ordering::Relaxed));
                all.count_zeros()
            })
            .sum();
        let bits = BITS as f64;
        (-bits * (f64::from(free.max(1)) / bits).ln()).round() as u64
    }

    /// The minute under way. Whoever finds that it is a new one forgets the oldest; a user who is
    /// seen in that very moment may be forgotten, too.
    fn begin_minute(&self, now_ms: u64) -> u64 {
        let (minute, before) = (now_ms / MINUTE_MS, self.now.load(Ordering::Relaxed));
        if minute <= before {
            return before;
        }
        let is_first =
            self.now.compare_exchange(before, minute, Ordering::Relaxed, Ordering::Relaxed);
        if is_first.is_ok() {
            for passed in (before + 1..=minute).rev().take(MINUTES as usize) {
                let bits = &self.minutes[(passed % MINUTES) as usize];
                bits.iter().for_each(|word| word.store(0, Ordering::Relaxed));
            }
        }
        minute
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_counts_once_for_five_minutes() {
        let users = Users::default();
        for minute in 0..3 {
            users.saw("ann", minute * MINUTE_MS);
        }
        users.saw("bob", 2 * MINUTE_MS);
        assert_eq!(users.seen(2 * MINUTE_MS), 2);
        assert_eq!(users.seen(6 * MINUTE_MS), 2, "the last sight was four minutes before");
        assert_eq!(users.seen(7 * MINUTE_MS), 0);
        users.saw("ann", 100 * MINUTE_MS);
        assert_eq!(users.seen(100 * MINUTE_MS), 1, "after a long pause, too");
    }

    #[test]
    fn many_users_are_told_within_some_per_cent() {
        let users = Users::default();
        for (upto, least, most) in [(1_000, 970, 1_030), (300_000, 291_000, 309_000)] {
            (0..upto).for_each(|user: u32| users.saw(&user.to_string(), 0));
            let seen = users.seen(0);
            assert!((least..=most).contains(&seen), "{upto}: {seen}");
        }
    }
}
