//! How many commands there were, by what became of them. Numbers of this process: they begin at 0
//! with each opening, and no event depends on them.
//!
//! What is decided under a shard's lock is counted in that shard, by plain additions. What is
//! answered without a lock, as nearly everything is in a sale, is counted in stripes: a thread has
//! one of its own, as long as there are enough.

// The standard library's also under loom: counting is not a step of a model.
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::{
    ChangeOutcome, Command, ConfirmOutcome, ExtendOutcome, Outcome, ReleaseOutcome, ReserveOutcome,
    TransferOutcome,
};

/// Declares an enum whose variants are counted under names.
macro_rules! counted {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant,)+ }

        impl $name {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)+];
            const COUNT: usize = Self::ALL.len();

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

counted! {
    /// What was asked.
    Verb {
        Receive = "receive",
        Adjust = "adjust",
        WriteOff = "write_off",
        Reserve = "reserve",
        Confirm = "confirm",
        Release = "release",
        Return = "return",
        Reacquire = "reacquire",
        Transfer = "transfer",
        Extend = "extend",
        Atomic = "atomic",
    }
}

counted! {
    /// What became of it.
    Became {
        Done = "done",
        Refused = "refused",
        Late = "late",
        NotPending = "not_pending",
        Repeated = "repeated",
        Failed = "failed",
    }
}

impl Verb {
    pub(super) fn of(command: &Command<'_>) -> Self {
        match command {
            Command::Receive { .. } => Self::Receive,
            Command::Adjust { .. } => Self::Adjust,
            Command::WriteOff { .. } => Self::WriteOff,
            Command::Reserve(_) => Self::Reserve,
            Command::Confirm { .. } => Self::Confirm,
            Command::Release { .. } => Self::Release,
            Command::Transfer { .. } => Self::Transfer,
            Command::Extend { .. } => Self::Extend,
        }
    }
}

impl Became {
    /// What became of a command that did nothing.
    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Receive(_)
            | Outcome::Adjust(ChangeOutcome::Changed(_))
            | Outcome::WriteOff(ChangeOutcome::Changed(_))
            | Outcome::Reserve(ReserveOutcome::Reserved(_))
            | Outcome::Confirm(ConfirmOutcome::Confirmed { .. })
            | Outcome::Transfer(TransferOutcome::Transferred(_))
            | Outcome::Extend(ExtendOutcome::Extended { .. })
            | Outcome::Release(ReleaseOutcome::Released { .. } | ReleaseOutcome::Returned { .. }) => {
                Self::Done
            }
            Outcome::Adjust(ChangeOutcome::Refused(_))
            | Outcome::WriteOff(ChangeOutcome::Refused(_))
            | Outcome::Transfer(TransferOutcome::Refused(_))
            | Outcome::Reserve(ReserveOutcome::Refused(_)) => Self::Refused,
            Outcome::Confirm(ConfirmOutcome::Late { .. })
            | Outcome::Extend(ExtendOutcome::Late { .. })
            | Outcome::Release(ReleaseOutcome::Late { .. }) => Self::Late,
            Outcome::Confirm(ConfirmOutcome::NotPending { .. })
            | Outcome::Extend(ExtendOutcome::NotPending { .. })
            | Outcome::Release(ReleaseOutcome::NotPending { .. }) => Self::NotPending,
        }
    }
}

/// Commands by what was asked and what became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    commands: [[u64; Became::COUNT]; Verb::COUNT],
    /// Reservations that lapsed.
    pub(crate) expired: u64,
}

impl Counts {
    pub(super) fn add(&mut self, asked: Verb, became: Became) {
        self.commands[asked as usize][became as usize] += 1;
    }

    pub(super) fn include(&mut self, other: &Self) {
        let theirs = other.commands.iter().flatten();
        self.commands.iter_mut().flatten().zip(theirs).for_each(|(ours, more)| *ours += more);
        self.expired += other.expired;
    }

    pub(crate) fn of(&self, asked: Verb, became: Became) -> u64 {
        self.commands[asked as usize][became as usize]
    }
}

/// As many as a word has bits.
const STRIPES: usize = u64::BITS as usize;

/// The stripe of the threads that found every other taken.
const SHARED: usize = STRIPES - 1;

/// Commands that were answered without a lock.
#[derive(Debug)]
pub(super) struct Unlocked {
    stripes: Box<[CachePadded<Stripe>]>,
}

#[derive(Debug, Default)]
struct Stripe {
    refused: AtomicU64,
    failed: [AtomicU64; Verb::COUNT],
}

impl Default for Unlocked {
    fn default() -> Self {
        Self { stripes: (0..STRIPES).map(|_| CachePadded::default()).collect() }
    }
}

impl Unlocked {
    /// Counts a reserve that found too little.
    pub(super) fn refused(&self) {
        self.count(|stripe| &stripe.refused);
    }

    /// Counts a malformed command.
    pub(super) fn failed(&self, asked: Verb) {
        self.count(|stripe| &stripe.failed[asked as usize]);
    }

    fn count(&self, counter: impl FnOnce(&Stripe) -> &AtomicU64) {
        // A thread that is ending has given its stripe back.
        let place = OWN.try_with(|own| own.0).unwrap_or(SHARED);
        let counter = counter(&self.stripes[place]);
        // Relaxed, here and below: the number is the whole message.
        if place == SHARED {
            counter.fetch_add(1, Ordering::Relaxed);
        } else {
            // Nobody else writes here, so nothing is lost between the two, and no bus is locked.
            counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    pub(super) fn add_to(&self, counts: &mut Counts) {
        for stripe in &self.stripes {
            let [reserve, refused] = [Verb::Reserve as usize, Became::Refused as usize];
            counts.commands[reserve][refused] += stripe.refused.load(Ordering::Relaxed);
            for (counted, failed) in counts.commands.iter_mut().zip(&stripe.failed) {
                counted[Became::Failed as usize] += failed.load(Ordering::Relaxed);
            }
        }
    }
}

/// The stripes that threads have, one bit each.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// The place of a thread's own stripe, in every ledger, or [`SHARED`].
struct Own(usize);

impl Own {
    fn take() -> Self {
        let next = |taken: u64| {
            let place = taken.trailing_ones() as usize;
            (place < SHARED).then(|| taken | 1 << place)
        };
        // Acquire: what its last owner counted is there.
        let before = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, next);
        Self(before.map_or(SHARED, |taken| taken.trailing_ones() as usize))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.0 != SHARED {
            TAKEN.fetch_and(!(1 << self.0), Ordering::Release);
        }
    }
}

thread_local! {
    static OWN: Own = Own::take();
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    fn refused(unlocked: &Unlocked) -> u64 {
        let mut counts = Counts::default();
        unlocked.add_to(&mut counts);
        counts.of(Verb::Reserve, Became::Refused)
    }

    #[test]
    fn nothing_is_lost_between_threads_that_come_and_go_nor_among_more_than_have_a_stripe() {
        let unlocked = Unlocked::default();
        for _ in 0..3 {
            let all = Barrier::new(STRIPES + 6);
            thread::scope(|scope| {
                for _ in 0..STRIPES + 6 {
                    scope.spawn(|| {
                        unlocked.refused();
                        all.wait();
                        (1..500).for_each(|_| unlocked.refused());
                    });
                }
            });
        }
        assert_eq!(refused(&unlocked), 3 * 500 * (STRIPES as u64 + 6));
    }

    #[test]
    fn a_stripe_has_one_owner_at_a_time() {
        let (mine, other) = (Own::take(), Own::take());
        assert!(mine.0 == SHARED || mine.0 != other.0);
    }
}
