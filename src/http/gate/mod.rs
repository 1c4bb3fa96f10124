//! The gate before all work: who is let in when more is asked than can be done.
//!
//! It stands behind the router and the check of the token, and before the body is read. Whoever
//! watches the server always passes, and operators have places of their own.

mod crowd;
mod places;
mod share;
mod waits;

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::crowd::Crowd;
pub(super) use self::places::Place;
use self::places::Places;
use self::share::{Came, ONE, Share, Wait, lets_in, us};
pub(super) use self::waits::watch;
use super::Limits;
use super::error::{ApiError, Code};
use super::guests::Address;

/// How many users an address stands for: they may share one, and one may pretend to be many.
const USERS_OF_AN_ADDRESS: u32 = 256;
/// How many it stands for who have no good token.
const NOBODIES_OF_AN_ADDRESS: u32 = 16;
/// How many requests of operators, and of whatever watches, are under way at one time.
const OPERATORS_MAX: usize = 256;
/// For how long an answer is held back that turns somebody away while more is asked than can be done: it
/// takes the processors' time as well, and who waits for an answer does not ask again meanwhile.
const HOLD: Duration = Duration::from_millis(250);
/// What stands for the share that everybody has.
const EVERYBODY: u32 = u32::MAX;

/// Who asks, as far as it counts here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker<'a> {
    /// A user, from its address where that tells users apart.
    User(&'a str, Option<Address>),
    /// A user for whom a service asks.
    Served(&'a str),
    /// Somebody without a good token.
    Nobody(Option<Address>),
    /// A program that asks for many.
    Program,
    /// Who runs or watches the server.
    Operator,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shed {
    /// More is asked than can be done, and more by this user or address than is its share.
    Share,
    /// So much is asked that some are turned away who ask for little.
    Load,
    /// The user has too many requests under way.
    User,
    /// Operators have.
    Operators,
}

impl Shed {
    pub(super) const ALL: [Self; 4] = [Self::Share, Self::Load, Self::User, Self::Operators];

    /// As metrics have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Load => "load",
            Self::User => "user",
            Self::Operators => "operators",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::Share => "more is asked than can be done, and more from here than from others",
            Self::Load => "more is asked than can be done",
            Self::User => "too many requests of this user are under way: user_requests_under_way",
            Self::Operators => "too many requests of operators are under way",
        }
    }
}

pub(super) struct Gate {
    share: Option<Mutex<Share>>,
    /// What is let in, as of the last look.
    now: AtomicU32,
    crowd: Crowd,
    places: Places,
    operators: AtomicUsize,
    /// What came since the last interval.
    requests: AtomicU64,
    heaviest: AtomicU32,
    draws: AtomicU64,
    shed: [AtomicU64; Shed::ALL.len()],
    /// The least wait of the last interval, in microseconds.
    wait_us: AtomicU64,
    origin: Instant,
}

/// A request that was let in, until it is dropped.
#[derive(Debug)]
pub(super) enum Admitted<'a> {
    Free,
    User(#[expect(dead_code, reason = "it is held")] Place<'a>),
    Operator(&'a AtomicUsize),
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        match self {
            Self::Free | Self::User(_) => {}
            Self::Operator(under_way) => drop(under_way.fetch_sub(1, Ordering::Relaxed)),
        }
    }
}

/// What was counted at the gate.
#[derive(Clone, Copy, Debug)]
pub(super) struct GateSeen {
    pub(super) shed: [(&'static str, u64); Shed::ALL.len()],
    pub(super) wait_us: u64,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            share: limits.overload_wait.map(|wait_max| Mutex::new(Share::new(wait_max))),
            now: AtomicU32::new(EVERYBODY),
            crowd: Crowd::default(),
            places: Places::new(limits.user_requests_under_way),
            operators: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            heaviest: AtomicU32::new(0),
            draws: AtomicU64::new(0),
            shed: Default::default(),
            wait_us: AtomicU64::new(0),
            origin: Instant::now(),
        }
    }

    /// Lets a request in, or says why not. Nothing of it was done then.
    ///
    /// # Errors
    /// `OVERLOADED`.
    pub(super) fn admit(&self, asker: Asker<'_>) -> Result<Admitted<'_>, ApiError> {
        let now_ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.admit_at(asker, now_ms)
    }

    fn admit_at(&self, asker: Asker<'_>, now_ms: u64) -> Result<Admitted<'_>, ApiError> {
        self.look_at(asker, now_ms).map_err(|shed| {
            // Relaxed, as all here: each number is the whole message.
            self.shed[shed as usize].fetch_add(1, Ordering::Relaxed);
            let is_overloaded = self.now.load(Ordering::Relaxed) != EVERYBODY;
            let hold = if is_overloaded { HOLD } else { Duration::ZERO };
            ApiError::new(Code::Overloaded).detail(shed.detail()).held_back(hold)
        })
    }

    fn look_at(&self, asker: Asker<'_>, now_ms: u64) -> Result<Admitted<'_>, Shed> {
        if let Asker::Operator = asker {
            let under_way = self.operators.fetch_add(1, Ordering::Relaxed);
            let place = Admitted::Operator(&self.operators);
            return if under_way < OPERATORS_MAX { Ok(place) } else { Err(Shed::Operators) };
        }
        self.check_share(asker, now_ms)?;
        let place = match asker {
            Asker::User(user, _) => self.places.enter(user).map_err(|()| Shed::User)?,
            Asker::Served(_) | Asker::Nobody(_) | Asker::Program | Asker::Operator => None,
        };
        Ok(place.map_or(Admitted::Free, Admitted::User))
    }

    fn check_share(&self, asker: Asker<'_>, now_ms: u64) -> Result<(), Shed> {
        if self.share.is_none() {
            return Ok(());
        }
        let weight = self.weight(asker, now_ms);
        self.requests.fetch_add(1, Ordering::Relaxed);
        if self.heaviest.load(Ordering::Relaxed) < weight {
            self.heaviest.fetch_max(weight, Ordering::Relaxed);
        }
        let share = self.now.load(Ordering::Relaxed);
        if share == EVERYBODY || lets_in(Some(share), weight, self.draw()) {
            return Ok(());
        }
        Err(if share >= ONE { Shed::Share } else { Shed::Load })
    }

    /// How much was asked of late by whoever asks.
    fn weight(&self, asker: Asker<'_>, now_ms: u64) -> u32 {
        match asker {
            Asker::User(user, from) => {
                let own = self.crowd.count(user, now_ms);
                let all = from.map_or(0, |from| self.crowd.count(from, now_ms));
                own.max(all / USERS_OF_AN_ADDRESS)
            }
            Asker::Served(user) => self.crowd.count(user, now_ms),
            Asker::Nobody(from) => {
                let all = from.map_or(0, |from| self.crowd.count(("nobody", from), now_ms));
                ONE.max(all / NOBODIES_OF_AN_ADDRESS)
            }
            Asker::Program | Asker::Operator => ONE,
        }
    }

    /// Any number (SplitMix64).
    fn draw(&self) -> u32 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut it = self.draws.fetch_add(STEP, Ordering::Relaxed);
        it = (it ^ it >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ it >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (it >> 32) as u32
    }

    pub(super) fn seen(&self) -> GateSeen {
        let shed = |shed: Shed| (shed.name(), self.shed[shed as usize].load(Ordering::Relaxed));
        GateSeen { shed: Shed::ALL.map(shed), wait_us: self.wait_us.load(Ordering::Relaxed) }
    }

    /// Something was ready and waited. Whether to look again soon.
    fn saw(&self, wait: Wait) -> bool {
        let Some(share) = &self.share else { return false };
        let mut share = share.lock();
        let came = || Came {
            requests: self.requests.swap(0, Ordering::Relaxed),
            heaviest: self.heaviest.swap(0, Ordering::Relaxed),
        };
        let least_us = share.saw(us(self.origin.elapsed()), wait, came);
        if let Some(least_us) = least_us {
            self.wait_us.store(least_us, Ordering::Relaxed);
            let now = share.share().unwrap_or(EVERYBODY);
            match (self.now.swap(now, Ordering::Relaxed), now) {
                (EVERYBODY, EVERYBODY) => {}
                (EVERYBODY, _) => tracing::warn!("more is asked than can be done: some is refused"),
                (_, EVERYBODY) => tracing::info!("everything that is asked is done again"),
                (_, _) => {}
            }
        }
        share.share().is_some() || share.is_long(wait)
    }
}

#[cfg(test)]
mod tests;
