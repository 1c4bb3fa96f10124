//! What a request was answered, whatever kind of request it was: the oracle tells answers apart by
//! what happened.

use crate::base::{AccountId, ReservationId, TimeMs};
use crate::engine::NoteOutcome;
use crate::ledger::{
    ChangeOutcome, Changed, CloseOutcome, ConfirmOutcome, ExtendOutcome, FirstAnswer, GrantOutcome,
    JoinOutcome, LeaveOutcome, NotPending, Outcome, ReacquireOutcome, RefundOutcome, Refusal,
    ReleaseOutcome, ReserveOutcome, Reserved, TransferOutcome, Transferred,
};

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the outcomes that it is made of")]
pub enum Said {
    Changed { account: AccountId, available: i64 },
    Reserved { reservation: ReservationId, expires_at: TimeMs, confirmed: bool },
    Refused(Refusal),
    Confirmed { reservation: ReservationId },
    Released { reservation: ReservationId },
    Returned { reservation: ReservationId },
    ReturnedInPart { reservation: ReservationId },
    TooMuch { reservation: ReservationId, account: AccountId, left: u64 },
    Transferred { from: (AccountId, i64), to: (AccountId, i64) },
    Extended { reservation: ReservationId, expires_at: TimeMs },
    Revived { reservation: ReservationId },
    Closed { account: AccountId },
    NotEmpty { account: AccountId, available: i64, reserved: u64, counting: u64, waiting: usize },
    Waiting { place: u64, ahead: usize },
    Before { place: u64 },
    Available { units: u64 },
    Full { places: usize },
    Left { place: u64 },
    NotWaiting,
    NotFirst,
    Recorded,
    Late { reservation: ReservationId, expires_at: TimeMs },
    NotPending { reservation: ReservationId, why: NotPending },
    StillPending { reservation: ReservationId },
    Noted { reservation: ReservationId },
    Unmet { reservation: ReservationId },
}

impl From<Changed> for Said {
    fn from(changed: Changed) -> Self {
        Self::Changed { account: changed.account, available: changed.available }
    }
}

impl From<Reserved> for Said {
    fn from(Reserved { reservation, expires_at, confirmed }: Reserved) -> Self {
        Self::Reserved { reservation, expires_at, confirmed }
    }
}

impl From<Transferred> for Said {
    fn from(Transferred { from, to }: Transferred) -> Self {
        Self::Transferred { from: (from.account, from.available), to: (to.account, to.available) }
    }
}

impl From<ChangeOutcome> for Said {
    fn from(outcome: ChangeOutcome) -> Self {
        match outcome {
            ChangeOutcome::Changed(changed) => changed.into(),
            ChangeOutcome::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl From<ReserveOutcome> for Said {
    fn from(outcome: ReserveOutcome) -> Self {
        match outcome {
            ReserveOutcome::Reserved(reserved) => reserved.into(),
            ReserveOutcome::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl From<ConfirmOutcome> for Said {
    fn from(outcome: ConfirmOutcome) -> Self {
        match outcome {
            ConfirmOutcome::Confirmed { reservation } => Self::Confirmed { reservation },
            ConfirmOutcome::Late { reservation, expires_at } => {
                Self::Late { reservation, expires_at }
            }
            ConfirmOutcome::NotPending { reservation, why } => {
                Self::NotPending { reservation, why }
            }
        }
    }
}

impl From<ReleaseOutcome> for Said {
    fn from(outcome: ReleaseOutcome) -> Self {
        match outcome {
            ReleaseOutcome::Released { reservation } => Self::Released { reservation },
            ReleaseOutcome::Returned { reservation } => Self::Returned { reservation },
            ReleaseOutcome::Late { reservation, expires_at } => {
                Self::Late { reservation, expires_at }
            }
            ReleaseOutcome::NotPending { reservation, why } => {
                Self::NotPending { reservation, why }
            }
        }
    }
}

impl From<ExtendOutcome> for Said {
    fn from(outcome: ExtendOutcome) -> Self {
        match outcome {
            ExtendOutcome::Extended { reservation, expires_at } => {
                Self::Extended { reservation, expires_at }
            }
            ExtendOutcome::Late { reservation, expires_at } => {
                Self::Late { reservation, expires_at }
            }
            ExtendOutcome::NotPending { reservation, why } => Self::NotPending { reservation, why },
        }
    }
}

impl From<CloseOutcome> for Said {
    fn from(outcome: CloseOutcome) -> Self {
        match outcome {
            CloseOutcome::Closed { account } => Self::Closed { account },
            CloseOutcome::NotEmpty { account, available, reserved, counting, waiting } => {
                Self::NotEmpty { account, available, reserved, counting, waiting }
            }
        }
    }
}

impl From<JoinOutcome> for Said {
    fn from(outcome: JoinOutcome) -> Self {
        match outcome {
            JoinOutcome::Waiting { place, ahead } => Self::Waiting { place, ahead },
            JoinOutcome::Before { place } => Self::Before { place },
            JoinOutcome::Available { units } => Self::Available { units },
            JoinOutcome::Full { places } => Self::Full { places },
        }
    }
}

impl From<LeaveOutcome> for Said {
    fn from(outcome: LeaveOutcome) -> Self {
        match outcome {
            LeaveOutcome::Left { place } => Self::Left { place },
            LeaveOutcome::NotWaiting => Self::NotWaiting,
        }
    }
}

impl From<GrantOutcome> for Said {
    fn from(outcome: GrantOutcome) -> Self {
        match outcome {
            GrantOutcome::Granted(reserved) => reserved.into(),
            GrantOutcome::Refused(refusal) => Self::Refused(refusal),
            GrantOutcome::NotFirst => Self::NotFirst,
        }
    }
}

impl From<RefundOutcome> for Said {
    fn from(outcome: RefundOutcome) -> Self {
        match outcome {
            RefundOutcome::Returned { reservation } => Self::Returned { reservation },
            RefundOutcome::ReturnedInPart { reservation } => Self::ReturnedInPart { reservation },
            RefundOutcome::TooMuch { reservation, account, left } => {
                Self::TooMuch { reservation, account, left }
            }
            RefundOutcome::Released { reservation } => Self::Released { reservation },
            RefundOutcome::StillPending { reservation } => Self::StillPending { reservation },
            RefundOutcome::NotConfirmed { reservation, why } => {
                Self::NotPending { reservation, why }
            }
        }
    }
}

impl From<ReacquireOutcome> for Said {
    fn from(outcome: ReacquireOutcome) -> Self {
        match outcome {
            ReacquireOutcome::Revived { reservation } => Self::Revived { reservation },
            ReacquireOutcome::Confirmed { reservation } => Self::Confirmed { reservation },
            ReacquireOutcome::Refused(refusal) => Self::Refused(refusal),
            ReacquireOutcome::StillPending { reservation } => Self::StillPending { reservation },
            ReacquireOutcome::NotExpired { reservation, why } => {
                Self::NotPending { reservation, why }
            }
        }
    }
}

impl From<NoteOutcome> for Said {
    fn from(outcome: NoteOutcome) -> Self {
        match outcome {
            NoteOutcome::Noted { reservation } => Self::Noted { reservation },
            NoteOutcome::Unmet { reservation } => Self::Unmet { reservation },
        }
    }
}

impl From<Outcome> for Said {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Receive(changed) => changed.into(),
            Outcome::Adjust(outcome) | Outcome::WriteOff(outcome) => outcome.into(),
            Outcome::Reserve(outcome) => outcome.into(),
            Outcome::Confirm(outcome) => outcome.into(),
            Outcome::Release(outcome) => outcome.into(),
            Outcome::Extend(outcome) => outcome.into(),
            Outcome::Transfer(TransferOutcome::Transferred(transferred)) => transferred.into(),
            Outcome::Transfer(TransferOutcome::Refused(refusal)) => Self::Refused(refusal),
        }
    }
}

impl From<FirstAnswer> for Said {
    fn from(answer: FirstAnswer) -> Self {
        match answer {
            FirstAnswer::Changed(changed) => changed.into(),
            FirstAnswer::Reserved(reserved) => reserved.into(),
            FirstAnswer::Confirmed { reservation } => Self::Confirmed { reservation },
            FirstAnswer::Released { reservation } => Self::Released { reservation },
            FirstAnswer::Returned { reservation } => Self::Returned { reservation },
            FirstAnswer::ReturnedInPart { reservation } => Self::ReturnedInPart { reservation },
            FirstAnswer::Noted { reservation } => Self::Noted { reservation },
            FirstAnswer::Extended { reservation, expires_at } => {
                Self::Extended { reservation, expires_at }
            }
            FirstAnswer::Revived { reservation } => Self::Revived { reservation },
            FirstAnswer::Transferred(transferred) => transferred.into(),
            FirstAnswer::Queued { place, .. } => Self::Before { place },
            FirstAnswer::Dequeued { place, .. } => Self::Left { place },
            FirstAnswer::DocumentPut
            | FirstAnswer::PolicySet { .. }
            | FirstAnswer::Answered(_)
            | FirstAnswer::Atomic(_) => Self::Recorded,
        }
    }
}

/// Which answer it is does not matter here.
impl From<Box<[u8]>> for Said {
    fn from(_: Box<[u8]>) -> Self {
        Self::Recorded
    }
}

impl From<()> for Said {
    fn from((): ()) -> Self {
        Self::Recorded
    }
}
