//! What a request was answered, whatever kind of request it was: the oracle tells answers apart by
//! what happened.

use crate::base::{AccountId, ReservationId, TimeMs};
use crate::ledger::{
    ChangeOutcome, Changed, ConfirmOutcome, FirstAnswer, Outcome, RefundOutcome, Refusal,
    ReleaseOutcome, ReserveOutcome, Reserved,
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
    Recorded,
    Late { reservation: ReservationId, expires_at: TimeMs },
    NotPending { reservation: ReservationId },
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
            ConfirmOutcome::NotPending { reservation, .. } => Self::NotPending { reservation },
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
            ReleaseOutcome::NotPending { reservation, .. } => Self::NotPending { reservation },
        }
    }
}

impl From<RefundOutcome> for Said {
    fn from(outcome: RefundOutcome) -> Self {
        match outcome {
            RefundOutcome::Returned { reservation } => Self::Returned { reservation },
            RefundOutcome::Released { reservation } => Self::Released { reservation },
            RefundOutcome::StillPending { reservation }
            | RefundOutcome::NotConfirmed { reservation, .. } => Self::NotPending { reservation },
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
            // What a note says is history's to tell; it changes no account.
            FirstAnswer::Noted { .. } => Self::Recorded,
        }
    }
}

impl From<()> for Said {
    fn from((): ()) -> Self {
        Self::Recorded
    }
}
