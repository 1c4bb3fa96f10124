//! What becomes of requests: one type for each kind.

#[cfg(doc)]
use super::Command;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, ReservationId, TimeMs};

/// Why and where a request found too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The index of the first line that could not be taken.
    pub line: usize,
    /// That line's account.
    pub account: AccountId,
    /// What could be taken at that moment, in units; a backorder allowance counts.
    pub available: u64,
    /// When units may come back: the earliest deadline of a reservation that holds some, or a
    /// quota's renewal.
    pub next_release_at: Option<TimeMs>,
    /// Whether others wait in line for these units, so that nobody else may take any.
    pub has_line: bool,
}

/// An account was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The account.
    pub account: AccountId,
    /// What it has available after the change.
    pub available: i64,
}

/// What became of an adjustment or a write-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The account was changed.
    Changed(Changed),
    /// There was too little to take out.
    Refused(Refusal),
}

/// Units went from one account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// The account that they left.
    pub from: Changed,
    /// The account that they are in now.
    pub to: Changed,
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferOutcome {
    /// The units were moved.
    Transferred(Transferred),
    /// The account that they were to leave has too few: a backorder allowance is not units that
    /// could leave.
    Refused(Refusal),
}

/// What became of closing an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseOutcome {
    /// The account is closed, now or since before.
    Closed {
        /// The account.
        account: AccountId,
    },
    /// Something is left in it, and nothing was changed.
    NotEmpty {
        /// The account.
        account: AccountId,
        /// What is available; for a quota that does not matter.
        available: i64,
        /// What pending reservations hold.
        reserved: u64,
        /// Of what was consumed, what counts against a quota now; 0 of all other accounts.
        counting: u64,
        /// How many wait for its units.
        waiting: usize,
    },
}

/// A reservation was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// Its number.
    pub reservation: ReservationId,
    /// Its deadline.
    pub expires_at: TimeMs,
    /// Whether it was confirmed in the same step.
    pub confirmed: bool,
}

/// What became of a reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReserveOutcome {
    /// Everything was taken.
    Reserved(Reserved),
    /// Nothing was taken.
    Refused(Refusal),
}

impl ReserveOutcome {
    /// The reservation, or why there is none.
    ///
    /// # Errors
    /// The refusal.
    pub fn reserved(self) -> std::result::Result<Reserved, Refusal> {
        match self {
            Self::Reserved(reserved) => Ok(reserved),
            Self::Refused(refusal) => Err(refusal),
        }
    }
}

/// Why a reservation cannot be confirmed, released or extended.
///
/// Whether a number was given out, and how the newest 2,048 reservations of each 64th of the ledger
/// ended, is told from memory. What ended before is found by
/// [`Engine::confirm`](crate::Engine::confirm), [`release`](crate::Engine::release),
/// [`extend`](crate::Engine::extend) and [`refund`](crate::Engine::refund) in history, where that is on and shows it; by
/// [`execute`](crate::Engine::execute) and [`batch`](crate::Engine::batch), which never read a disk,
/// it is not. A restart forgets what ended before its checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotPending {
    /// No reservation has this number.
    NeverMade,
    /// It is confirmed.
    Confirmed,
    /// It was released.
    Released,
    /// It expired.
    Expired,
    /// It was confirmed, and all that it consumed was returned.
    Returned,
    /// It is on another's behalf than the request says, pending or not.
    Anothers,
    /// That can no longer be told: it ended, or its number was passed over.
    Unknown,
}

/// What became of a confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfirmOutcome {
    /// The reservation is now confirmed.
    Confirmed {
        /// The reservation.
        reservation: ReservationId,
    },
    /// Too late: the deadline has passed. Nothing was changed by this request, and nothing is
    /// written for it: call [`Engine::expire_due`](crate::Engine::expire_due) before telling
    /// somebody who must never hear otherwise, though the process dies and the machine's clock is
    /// set back.
    Late {
        /// The reservation.
        reservation: ReservationId,
        /// The deadline that passed.
        expires_at: TimeMs,
    },
    /// The reservation is not pending, or is on another's behalf.
    NotPending {
        /// The reservation.
        reservation: ReservationId,
        /// Why.
        why: NotPending,
    },
}

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseOutcome {
    /// The reservation is now released.
    Released {
        /// The reservation.
        reservation: ReservationId,
    },
    /// A refund with the same idempotency key had returned what the reservation consumed.
    Returned {
        /// The reservation.
        reservation: ReservationId,
    },
    /// Too late: the deadline has passed. See [`ConfirmOutcome::Late`].
    Late {
        /// The reservation.
        reservation: ReservationId,
        /// The deadline that passed.
        expires_at: TimeMs,
    },
    /// The reservation is not pending, or is on another's behalf.
    NotPending {
        /// The reservation.
        reservation: ReservationId,
        /// Why.
        why: NotPending,
    },
}

/// What became of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendOutcome {
    /// The reservation has this deadline now.
    Extended {
        /// The reservation.
        reservation: ReservationId,
        /// Its deadline.
        expires_at: TimeMs,
    },
    /// Too late: the deadline that it had has passed. See [`ConfirmOutcome::Late`].
    Late {
        /// The reservation.
        reservation: ReservationId,
        /// The deadline that passed.
        expires_at: TimeMs,
    },
    /// The reservation is not pending, or is on another's behalf.
    NotPending {
        /// The reservation.
        reservation: ReservationId,
        /// Why.
        why: NotPending,
    },
}

/// What became of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefundOutcome {
    /// What the reservation consumed was returned, and nothing of it is left.
    Returned {
        /// The reservation.
        reservation: ReservationId,
    },
    /// What was asked for was returned, and the reservation is confirmed still with the rest.
    ReturnedInPart {
        /// The reservation.
        reservation: ReservationId,
    },
    /// More was asked for than is left to return, and nothing was changed.
    TooMuch {
        /// The reservation.
        reservation: ReservationId,
        /// The first account of which it was too much.
        account: AccountId,
        /// How many units of it are left.
        left: u64,
    },
    /// A release with the same idempotency key had given the reservation up before it was
    /// confirmed.
    Released {
        /// The reservation.
        reservation: ReservationId,
    },
    /// The reservation waits still: release it instead.
    StillPending {
        /// The reservation.
        reservation: ReservationId,
    },
    /// The reservation is not confirmed (any more), or is on another's behalf.
    NotConfirmed {
        /// The reservation.
        reservation: ReservationId,
        /// Why; [`NotPending::Confirmed`] only where a condition of the caller's did not hold.
        why: NotPending,
    },
}

/// What became of a request to revive a reservation that expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReacquireOutcome {
    /// The reservation took its lines again, and is confirmed.
    Revived {
        /// The reservation.
        reservation: ReservationId,
    },
    /// A confirm with the same idempotency key had confirmed the reservation before it expired.
    Confirmed {
        /// The reservation.
        reservation: ReservationId,
    },
    /// Nothing was taken: this line is not to be had at this moment. Its place is that in the
    /// reservation; of an account that is closed, nothing is.
    Refused(Refusal),
    /// The reservation waits still: confirm it instead.
    StillPending {
        /// The reservation.
        reservation: ReservationId,
    },
    /// The reservation did not expire, is confirmed by now, or is on another's behalf.
    NotExpired {
        /// The reservation.
        reservation: ReservationId,
        /// Why.
        why: NotPending,
    },
}

/// What became of commands that were to happen together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtomicOutcome {
    /// All of them happened, in their order: what became of each.
    Done(Vec<Outcome>),
    /// None of them happened, because one of them could not.
    Refused {
        /// Which of them: its place in the order, from 0.
        index: usize,
        /// What it was answered: a refusal, or that it came too late. It counts what the commands
        /// before it would have done.
        outcome: Outcome,
    },
}

impl AtomicOutcome {
    /// What became of each command, or which one could not happen, and why.
    ///
    /// # Errors
    /// The index of that command, and what it was answered.
    pub fn done(self) -> std::result::Result<Vec<Outcome>, (usize, Outcome)> {
        match self {
            Self::Done(outcomes) => Ok(outcomes),
            Self::Refused { index, outcome } => Err((index, outcome)),
        }
    }
}

/// What became of a [`Command`]: of each kind, what that kind answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Of a receipt.
    Receive(Changed),
    /// Of an adjustment.
    Adjust(ChangeOutcome),
    /// Of a write-off.
    WriteOff(ChangeOutcome),
    /// Of a reserve.
    Reserve(ReserveOutcome),
    /// Of a confirm.
    Confirm(ConfirmOutcome),
    /// Of a release.
    Release(ReleaseOutcome),
    /// Of a transfer.
    Transfer(TransferOutcome),
    /// Of an extension.
    Extend(ExtendOutcome),
}

impl Outcome {
    /// How an account was changed by a receipt, an adjustment or a write-off.
    pub fn changed(self) -> Option<Changed> {
        match self {
            Self::Receive(changed)
            | Self::Adjust(ChangeOutcome::Changed(changed))
            | Self::WriteOff(ChangeOutcome::Changed(changed)) => Some(changed),
            Self::Adjust(ChangeOutcome::Refused(_))
            | Self::WriteOff(ChangeOutcome::Refused(_))
            | Self::Reserve(_)
            | Self::Confirm(_)
            | Self::Release(_)
            | Self::Transfer(_)
            | Self::Extend(_) => None,
        }
    }

    /// Why nothing was taken by a reserve, an adjustment, a write-off or a transfer.
    pub fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Adjust(ChangeOutcome::Refused(refusal))
            | Self::WriteOff(ChangeOutcome::Refused(refusal))
            | Self::Reserve(ReserveOutcome::Refused(refusal))
            | Self::Transfer(TransferOutcome::Refused(refusal)) => Some(refusal),
            Self::Receive(_)
            | Self::Adjust(ChangeOutcome::Changed(_))
            | Self::WriteOff(ChangeOutcome::Changed(_))
            | Self::Reserve(ReserveOutcome::Reserved(_))
            | Self::Transfer(TransferOutcome::Transferred(_))
            | Self::Confirm(_)
            | Self::Release(_)
            | Self::Extend(_) => None,
        }
    }

    /// The reservation that a reserve made.
    pub fn reserved(self) -> Option<Reserved> {
        match self {
            Self::Reserve(outcome) => outcome.reserved().ok(),
            Self::Receive(_)
            | Self::Adjust(_)
            | Self::WriteOff(_)
            | Self::Confirm(_)
            | Self::Release(_)
            | Self::Transfer(_)
            | Self::Extend(_) => None,
        }
    }
}

/// The error for a key that was used for another request.
pub(super) fn of_another() -> Error {
    Error::conflict("the idempotency key was used for another request")
}

/// An operation's outcome is found in the arm of its name; `Conflict` when it is not there.
macro_rules! outcomes {
    ($($outcome:ty: $($name:ident)|+),*) => {$(
        impl TryFrom<Outcome> for $outcome {
            type Error = Error;

            fn try_from(outcome: Outcome) -> Result<Self> {
                match outcome {
                    $(Outcome::$name(outcome))|+ => Ok(outcome),
                    _ => Err(of_another()),
                }
            }
        }
    )*};
}

outcomes!(
    Changed: Receive,
    ChangeOutcome: Adjust | WriteOff,
    ReserveOutcome: Reserve,
    ConfirmOutcome: Confirm,
    ReleaseOutcome: Release,
    TransferOutcome: Transfer,
    ExtendOutcome: Extend
);
