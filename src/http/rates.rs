//! What each user may ask of the disk in a minute, and each address of the server.
//!
//! For each of them the table has until when what was asked is paid off (the buckets of the generic cell
//! rate algorithm), and is updated conservatively: others who share a place only ever raise it.
//!
//! Answers say what is left as draft-ietf-httpapi-ratelimit-headers-10 has it.

use std::fmt::Write as _;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;

use super::Limits;
use super::rows::{PARTS, Rows};

const MINUTE_US: u64 = 60_000_000;
const PLACES: usize = 1 << 16;

/// The bounds of every user and of every address; `None` means no bound.
pub(super) struct Rates {
    requests: Option<Rate>,
    bytes: Option<Rate>,
    reads: Option<Rate>,
    addresses: Option<Rate>,
    origin: Instant,
}

impl Rates {
    pub(super) fn new(limits: &Limits) -> Self {
        let rate = |name, unit, limit: Option<u64>| limit.map(|it| Rate::new(name, unit, it));
        Self {
            requests: rate("user", None, limits.user_requests_per_minute),
            bytes: rate("user-bytes", Some("content-bytes"), limits.user_bytes_per_minute),
            reads: rate("user-reads", None, limits.user_reads_per_minute),
            addresses: rate("address", None, limits.address_requests_per_minute),
            origin: Instant::now(),
        }
    }

    /// Counts a request of `user` that may write this many bytes.
    ///
    /// # Errors
    /// How long to wait when that is too much.
    pub(super) fn charge(&self, user: &str, bytes: u64, told: &Counted) -> Result<(), Duration> {
        let of_user = [(&self.requests, 1), (&self.bytes, bytes)];
        self.charge_at(of_user, user, self.now_us(), told).map_err(Duration::from_micros)
    }

    /// Counts a request for `user` that only reads.
    ///
    /// # Errors
    /// How long to wait when that is too much.
    pub(super) fn charge_read(&self, user: &str, told: &Counted) -> Result<(), Duration> {
        if self.reads.is_none() {
            return Ok(());
        }
        let of_reads = [(&self.reads, 1)];
        self.charge_at(of_reads, user, self.now_us(), told).map_err(Duration::from_micros)
    }

    /// Counts a request from `address`.
    ///
    /// # Errors
    /// How long to wait when that is too much.
    pub(super) fn charge_address(
        &self,
        address: impl Hash,
        told: &Counted,
    ) -> Result<(), Duration> {
        if self.addresses.is_none() {
            return Ok(());
        }
        let of_address = [(&self.addresses, 1)];
        self.charge_at(of_address, address, self.now_us(), told).map_err(Duration::from_micros)
    }

    fn charge_at<const N: usize>(
        &self,
        rates: [(&Option<Rate>, u64); N],
        who: impl Hash,
        now_us: u64,
        told: &Counted,
    ) -> Result<(), u64> {
        for (rate, units) in rates {
            if let Some(rate) = rate {
                let charged = rate.charge(&who, units, now_us);
                let paid_off_us = match charged {
                    Ok(paid_off_us) => paid_off_us,
                    // There is nothing left that this request could have.
                    Err(_) => now_us + MINUTE_US,
                };
                told.tell(rate, paid_off_us.saturating_sub(now_us));
                charged.map_err(|late_us| late_us.max(1)).map(drop)?;
            }
        }
        Ok(())
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

struct Rate {
    name: &'static str,
    per_minute: u64,
    /// As `RateLimit-Policy` has it.
    policy: String,
    /// When each has paid off, in microseconds.
    paid_off_us: Rows<AtomicU64>,
    /// Held for a few reads and writes by whoever is counted: what one asks at one time is counted one
    /// after the other, and others have other locks.
    stripes: Box<[CachePadded<Mutex<()>>]>,
}

impl Rate {
    fn new(name: &'static str, unit: Option<&str>, per_minute: u64) -> Self {
        let per_minute = per_minute.max(1);
        let unit = unit.map(|unit| format!(";qu=\"{unit}\"")).unwrap_or_default();
        Self {
            name,
            per_minute,
            policy: format!("\"{name}\";q={per_minute};w=60{unit}"),
            paid_off_us: Rows::new(PLACES),
            stripes: std::iter::repeat_with(CachePadded::default).take(PARTS).collect(),
        }
    }

    /// A user who has asked for nothing in a while may ask for a minute's worth at once; after that
    /// it comes as time goes by. More than a minute's worth counts as that much, so that everything
    /// can be asked for some time. When it will be paid off; otherwise how long to wait.
    fn charge(&self, who: impl Hash, units: u64, now_us: u64) -> Result<u64, u64> {
        let cost_us =
            (u128::from(units) * u128::from(MINUTE_US)).div_ceil(u128::from(self.per_minute));
        let cost_us = u64::try_from(cost_us).unwrap_or(u64::MAX).min(MINUTE_US);
        let (places, stripe) = self.paid_off_us.of(who);
        let _one_by_one = self.stripes[stripe].lock();
        // Relaxed: for one user the lock orders them; others, who share one of the places, only ever
        // raise it.
        let paid_off = places.map(|place| place.load(Ordering::Relaxed));
        let least_us = paid_off.into_iter().min().unwrap_or(0);
        let then_us = least_us.max(now_us).saturating_add(cost_us);
        let late_us = then_us.saturating_sub(now_us.saturating_add(MINUTE_US));
        if late_us > 0 {
            return Err(late_us);
        }
        for place in places {
            place.fetch_max(then_us, Ordering::Relaxed);
        }
        Ok(then_us)
    }
}

/// What a request was counted against, for the head of its answer.
#[derive(Debug, Default)]
pub(super) struct Counted(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    policy: String,
    limit: String,
}

impl Counted {
    /// Of this rate, what is paid off after `debt_us`.
    fn tell(&self, rate: &Rate, debt_us: u64) {
        let rest_us = MINUTE_US.saturating_sub(debt_us);
        let rest = u128::from(rest_us) * u128::from(rate.per_minute) / u128::from(MINUTE_US);
        let whole_after_s = debt_us.div_ceil(1_000_000);
        let mut told = self.0.lock();
        let Told { policy, limit } = &mut *told;
        let comma = if policy.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(policy, "{comma}{}", rate.policy);
        let _ = write!(limit, "{comma}\"{}\";r={rest};t={whole_after_s}", rate.name);
    }

    /// Says it in the head of an answer.
    pub(super) fn say(self, headers: &mut HeaderMap) {
        let Told { policy, limit } = self.0.into_inner();
        if policy.is_empty() {
            return;
        }
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", limit)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
