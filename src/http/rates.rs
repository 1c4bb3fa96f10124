//! What each user may ask of the disk in a minute.
//!
//! Each user has a place in every row of a fixed table, by a keyed hash, and each place says until
//! when what was asked there is paid off. A user who shares a place with a busy one has another in
//! the other row, and the better of the two counts: a user who is refused for others' requests has
//! met two of them. Nothing is ever evicted, so nobody wins anything by filling the table. (A
//! count-min sketch with conservative update, of the buckets of the generic cell rate algorithm.)

use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

const MINUTE_US: u64 = 60_000_000;
const ROWS: usize = 2;
const CELLS: usize = 1 << 16;

/// The bounds of every user.
pub(super) struct Rates {
    requests: Option<Rate>,
    bytes: Option<Rate>,
    hasher: foldhash::quality::RandomState,
    origin: Instant,
}

impl Rates {
    /// At most this many requests and bytes a minute for each user; `None` means no bound.
    pub(super) fn new(requests: Option<u64>, bytes: Option<u64>) -> Self {
        Self {
            requests: requests.map(Rate::new),
            bytes: bytes.map(Rate::new),
            hasher: foldhash::quality::RandomState::default(),
            origin: Instant::now(),
        }
    }

    /// Counts a request of `user` that may write this many bytes.
    ///
    /// # Errors
    /// How long to wait when that is too much.
    pub(super) fn charge(&self, user: &str, bytes: u64) -> Result<(), Duration> {
        let now_us = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.charge_at(user, bytes, now_us).map_err(Duration::from_micros)
    }

    fn charge_at(&self, user: &str, bytes: u64, now_us: u64) -> Result<(), u64> {
        let hash = self.hasher.hash_one(user);
        for (rate, units) in [(&self.requests, 1), (&self.bytes, bytes)] {
            if let Some(rate) = rate {
                rate.charge(hash, units, now_us)?;
            }
        }
        Ok(())
    }
}

struct Rate {
    per_minute: u64,
    /// For each place, when it is paid off, in microseconds. Held for a few reads and writes.
    paid_off_us: Mutex<Box<[u64]>>,
}

impl Rate {
    fn new(per_minute: u64) -> Self {
        Self {
            per_minute: per_minute.max(1),
            paid_off_us: Mutex::new(vec![0; ROWS * CELLS].into()),
        }
    }

    /// A user who has asked for nothing in a while may ask for a minute's worth at once; after that
    /// it comes as time goes by. More than a minute's worth counts as that much, so that everything
    /// can be asked for some time.
    fn charge(&self, hash: u64, units: u64, now_us: u64) -> Result<(), u64> {
        let cost_us =
            (u128::from(units) * u128::from(MINUTE_US)).div_ceil(u128::from(self.per_minute));
        let cost_us = u64::try_from(cost_us).unwrap_or(u64::MAX).min(MINUTE_US);
        let places: [usize; ROWS] =
            std::array::from_fn(|row| row * CELLS + (hash >> (32 * row)) as usize % CELLS);
        let mut paid_off_us = self.paid_off_us.lock();
        let least_us = places.iter().map(|&place| paid_off_us[place]).min().unwrap_or(0);
        let then_us = least_us.max(now_us).saturating_add(cost_us);
        let late_us = then_us.saturating_sub(now_us.saturating_add(MINUTE_US));
        if late_us > 0 {
            return Err(late_us);
        }
        for place in places {
            paid_off_us[place] = paid_off_us[place].max(then_us);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_minutes_worth_and_then_what_comes_with_time() {
        let rates = Rates::new(Some(3), None);
        for _ in 0..3 {
            assert_eq!(rates.charge_at("ann", 0, 0), Ok(()));
        }
        assert_eq!(rates.charge_at("ann", 0, 0), Err(20_000_000), "a third of a minute");
        assert_eq!(
            rates.charge_at("ben", 0, 0),
            Ok(()),
            "another user has an allowance of his own"
        );
        assert_eq!(rates.charge_at("ann", 0, 19_999_999), Err(1));
        assert_eq!(rates.charge_at("ann", 0, 20_000_000), Ok(()));
        assert_eq!(rates.charge_at("ann", 0, 20_000_000), Err(20_000_000));
        assert_eq!(
            rates.charge_at("ann", 0, 200_000_000),
            Ok(()),
            "it is never more than a minute's worth"
        );
    }

    #[test]
    fn bytes_are_bounded_for_themselves_and_the_largest_request_passes_some_time() {
        let rates = Rates::new(Some(1_000), Some(100));
        assert_eq!(rates.charge_at("ann", 60, 0), Ok(()));
        assert_eq!(rates.charge_at("ann", 60, 0), Err(12_000_000));
        assert_eq!(rates.charge_at("ben", 1_000, 0), Ok(()));
        assert_eq!(rates.charge_at("ben", 1, 0), Err(600_000));
    }

    /// Would catch a table that forgets whom it refused, or refuses everybody, when it is filled by
    /// many users.
    #[test]
    fn nobody_escapes_a_bound_by_filling_the_table() {
        let rates = Rates::new(Some(1), None);
        assert_eq!(rates.charge_at("ann", 0, 0), Ok(()));
        let others = 20_000;
        let refused = (0..others)
            .filter(|other| rates.charge_at(&format!("user-{other}"), 0, 0).is_err())
            .count();
        assert!(rates.charge_at("ann", 0, 0).is_err(), "she is still known");
        // A user is refused who meets others in both rows: fewer than one in ten, with a third of
        // all places taken.
        assert!(refused < others / 10, "{refused} of {others} were refused for nothing");
    }

    #[test]
    fn no_bound_is_none() {
        let rates = Rates::new(None, None);
        assert!((0..10_000).all(|_| rates.charge_at("ann", u64::MAX, 0).is_ok()));
    }
}
