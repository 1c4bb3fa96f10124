//! How many commands there were, by what became of them. Numbers of this process: they begin at 0
//! with each opening, and no event depends on them.
//!
//! What is decided under a shard's lock is counted in that shard, by plain additions. What is
//! answered without a lock, as nearly everything is in a sale, is counted in stripes that threads
//! share with few others.

use std::cell::Cell;
// The standard library's also under loom: counting is not a step of a model.
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

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

/// More stripes than cores that run callers at one time, so that two of them seldom share one.
const STRIPES: usize = 64;

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
        // Relaxed, here and below: the number is the whole message.
        self.stripe().refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a malformed command.
    pub(super) fn failed(&self, asked: Verb) {
        self.stripe().failed[asked as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn stripe(&self) -> &Stripe {
        &self.stripes[STRIPE.get()]
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

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The stripe of this thread.
    static STRIPE: Cell<usize> = Cell::new(NEXT_STRIPE.fetch_add(1, Ordering::Relaxed) % STRIPES);
}
