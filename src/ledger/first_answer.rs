//! The first answer to a keyed request, as its retries hear it.

use super::outcome::of_another;
use super::{
    AtomicOutcome, ChangeOutcome, Changed, Command, ConfirmOutcome, ExtendOutcome, Outcome,
    ReacquireOutcome, RefundOutcome, ReleaseOutcome, ReserveOutcome, Reserved, TransferOutcome,
    Transferred,
};
use crate::base::error::Result;
use crate::base::{AccountId, ReservationId, TimeMs};

/// What a keyed request did when it was first made, as a retry hears it. Only what did something is
/// remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirstAnswer {
    /// A receipt, an adjustment or a write-off changed an account.
    Changed(Changed),
    /// A reservation was made.
    Reserved(Reserved),
    /// A reservation was confirmed.
    Confirmed {
        /// The reservation.
        reservation: ReservationId,
    },
    /// A reservation was released.
    Released {
        /// The reservation.
        reservation: ReservationId,
    },
    /// A confirmed reservation was returned, and nothing of it is left.
    Returned {
        /// The reservation.
        reservation: ReservationId,
    },
    /// A part of a confirmed reservation was returned.
    ReturnedInPart {
        /// The reservation.
        reservation: ReservationId,
    },
    /// A note with a condition was kept with a reservation.
    Noted {
        /// The reservation.
        reservation: ReservationId,
    },
    /// Units went from one account to another.
    Transferred(Transferred),
    /// A reservation got another deadline.
    Extended {
        /// The reservation.
        reservation: ReservationId,
        /// Its deadline.
        expires_at: TimeMs,
    },
    /// A reservation that had expired took its lines again, and was confirmed.
    Revived {
        /// The reservation.
        reservation: ReservationId,
    },
    /// A document was written, or removed.
    DocumentPut,
    /// An account got other rules.
    PolicySet {
        /// The account.
        account: AccountId,
    },
    /// Somebody took a place in a line.
    Queued {
        /// The account that has the line.
        account: AccountId,
        /// The place.
        place: u64,
    },
    /// Somebody gave up a place in a line.
    Dequeued {
        /// The account that has the line.
        account: AccountId,
        /// The place.
        place: u64,
    },
    /// Whoever answered in the engine's place told this.
    Answered(Box<[u8]>),
    /// Several commands happened together: what each did.
    Atomic(Vec<FirstAnswer>),
}

impl FirstAnswer {
    /// This answer as an outcome of `command`, which has the same key.
    ///
    /// # Errors
    /// `Conflict` when no such command can have been answered so.
    pub(super) fn to(self, command: &Command<'_>) -> Result<Outcome> {
        Ok(match (command, self) {
            (Command::Receive(_), Self::Changed(changed)) => Outcome::Receive(changed),
            (Command::Adjust(_), Self::Changed(changed)) => {
                Outcome::Adjust(ChangeOutcome::Changed(changed))
            }
            (Command::WriteOff(_), Self::Changed(changed)) => {
                Outcome::WriteOff(ChangeOutcome::Changed(changed))
            }
            (Command::Reserve(_), Self::Reserved(reserved)) => {
                Outcome::Reserve(ReserveOutcome::Reserved(reserved))
            }
            (
                Command::Confirm(_),
                Self::Confirmed { reservation } | Self::Revived { reservation },
            ) => Outcome::Confirm(ConfirmOutcome::Confirmed { reservation }),
            (Command::Release(_), Self::Released { reservation }) => {
                Outcome::Release(ReleaseOutcome::Released { reservation })
            }
            (Command::Release(_), Self::Returned { reservation }) => {
                Outcome::Release(ReleaseOutcome::Returned { reservation })
            }
            (Command::Transfer(_), Self::Transferred(transferred)) => {
                Outcome::Transfer(TransferOutcome::Transferred(transferred))
            }
            (Command::Extend(_), Self::Extended { reservation, expires_at }) => {
                Outcome::Extend(ExtendOutcome::Extended { reservation, expires_at })
            }
            _ => return Err(of_another()),
        })
    }

    /// This answer as an outcome of a refund with the same key.
    ///
    /// # Errors
    /// `Conflict` when no refund can have been answered so.
    pub(crate) fn to_refund(&self) -> Result<RefundOutcome> {
        match *self {
            Self::Returned { reservation } => Ok(RefundOutcome::Returned { reservation }),
            Self::ReturnedInPart { reservation } => {
                Ok(RefundOutcome::ReturnedInPart { reservation })
            }
            Self::Released { reservation } => Ok(RefundOutcome::Released { reservation }),
            Self::Changed(_)
            | Self::Reserved(_)
            | Self::Confirmed { .. }
            | Self::Noted { .. }
            | Self::Transferred(_)
            | Self::Extended { .. }
            | Self::Revived { .. }
            | Self::DocumentPut
            | Self::PolicySet { .. }
            | Self::Queued { .. }
            | Self::Dequeued { .. }
            | Self::Answered(_)
            | Self::Atomic(_) => Err(of_another()),
        }
    }

    /// This answer as an outcome of a request with the same key to revive a reservation.
    ///
    /// # Errors
    /// `Conflict` when no such request can have been answered so.
    pub(crate) fn to_reacquire(&self) -> Result<ReacquireOutcome> {
        match *self {
            Self::Revived { reservation } => Ok(ReacquireOutcome::Revived { reservation }),
            Self::Confirmed { reservation } => Ok(ReacquireOutcome::Confirmed { reservation }),
            Self::Changed(_)
            | Self::Reserved(_)
            | Self::Released { .. }
            | Self::Returned { .. }
            | Self::ReturnedInPart { .. }
            | Self::Noted { .. }
            | Self::Transferred(_)
            | Self::Extended { .. }
            | Self::DocumentPut
            | Self::PolicySet { .. }
            | Self::Queued { .. }
            | Self::Dequeued { .. }
            | Self::Answered(_)
            | Self::Atomic(_) => Err(of_another()),
        }
    }

    /// Whether this is the answer to a note with the same key.
    ///
    /// # Errors
    /// `Conflict` when no note can have been answered so.
    pub(crate) fn to_note(&self) -> Result<()> {
        match self {
            Self::Noted { .. } => Ok(()),
            Self::Changed(_)
            | Self::Reserved(_)
            | Self::Confirmed { .. }
            | Self::Released { .. }
            | Self::Returned { .. }
            | Self::ReturnedInPart { .. }
            | Self::Transferred(_)
            | Self::Extended { .. }
            | Self::Revived { .. }
            | Self::DocumentPut
            | Self::PolicySet { .. }
            | Self::Queued { .. }
            | Self::Dequeued { .. }
            | Self::Answered(_)
            | Self::Atomic(_) => Err(of_another()),
        }
    }

    /// This answer as the outcome of these commands together, which have the same key.
    ///
    /// # Errors
    /// `Conflict` when no such commands can have been answered so.
    pub(super) fn to_atomic(&self, commands: &[Command<'_>]) -> Result<AtomicOutcome> {
        match self {
            Self::Atomic(answers) if answers.len() == commands.len() => {
                let outcomes = answers.iter().zip(commands);
                let outcomes = outcomes.map(|(answer, command)| answer.clone().to(command));
                Ok(AtomicOutcome::Done(outcomes.collect::<Result<_>>()?))
            }
            _ => Err(of_another()),
        }
    }

    /// The place that a join with the same key took.
    ///
    /// # Errors
    /// `Conflict` when no join can have been answered so.
    pub(super) fn to_place(&self, of: AccountId) -> Result<u64> {
        match *self {
            Self::Queued { account, place } if account == of => Ok(place),
            _ => Err(of_another()),
        }
    }

    /// The place that a leave with the same key gave up.
    ///
    /// # Errors
    /// `Conflict` when no leave can have been answered so.
    pub(super) fn to_left(&self, of: AccountId) -> Result<u64> {
        match *self {
            Self::Dequeued { account, place } if account == of => Ok(place),
            _ => Err(of_another()),
        }
    }

    /// What was told under the same key.
    ///
    /// # Errors
    /// `Conflict` when the key did something else.
    pub(crate) fn into_answer(self) -> Result<Box<[u8]>> {
        match self {
            Self::Answered(answer) => Ok(answer),
            _ => Err(of_another()),
        }
    }

    /// Whether it is that of a document that was put.
    ///
    /// # Errors
    /// `Conflict` when it is another's.
    pub(super) fn to_document(&self) -> Result<()> {
        if *self == Self::DocumentPut { Ok(()) } else { Err(of_another()) }
    }

    /// Whether it is that of other rules for this account.
    ///
    /// # Errors
    /// `Conflict` when it is another's.
    pub(super) fn to_policy(&self, of: AccountId) -> Result<()> {
        if *self == (Self::PolicySet { account: of }) { Ok(()) } else { Err(of_another()) }
    }
}
