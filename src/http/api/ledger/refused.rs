//! What the ledger did not do, as codes.

use crate::base::error::{Error, ErrorKind};
use crate::base::{AccountId, ReservationId};
use crate::history::record::ReservationState;
use crate::http::error::{ApiError, Code, FailureWire};
use crate::ledger::{NotPending, Refusal};
use crate::mall::Mall;
use crate::wire::{Found, Refused, ReservationStatus, StatusFound};

/// An account that a request names may be closed by the time that it is decided.
pub(super) fn error(error: Error) -> ApiError {
    match error.kind() {
        ErrorKind::NotFound => ApiError::new(Code::AccountNotFound).detail(error.to_string()),
        _ => error.into(),
    }
}

pub(super) fn units(refusal: Refusal) -> ApiError {
    let Refusal { line, account, available, next_release_at, has_line: _ } = refusal;
    let data = Refused { line: line as u64, account, available, next_release_at };
    ApiError::with(Code::InsufficientUnits, FailureWire::Found(Found::Units(data)))
}

/// It stands where what was asked for is not done.
pub(super) fn state(status: ReservationStatus) -> ApiError {
    let data = StatusFound { status, account: None, left: None };
    ApiError::with(Code::ReservationState, FailureWire::Found(Found::Status(data)))
}

/// More was to be returned than is left.
pub(super) fn too_much(account: AccountId, left: u64) -> ApiError {
    let status = ReservationStatus::Confirmed;
    let data = StatusFound { status, account: Some(account), left: Some(left) };
    ApiError::with(Code::ReservationState, FailureWire::Found(Found::Status(data)))
}

/// Why a reservation is not what the request takes it for. What this tells is durable.
pub(super) async fn not_so(
    mall: &Mall,
    reservation: ReservationId,
    owner: Option<AccountId>,
    why: NotPending,
) -> ApiError {
    let why = match why {
        NotPending::Unknown => match look_back(mall, reservation, owner).await {
            Ok(why) => why,
            Err(error) => return error.into(),
        },
        known => known,
    };
    let status = match why {
        NotPending::NeverMade => return ApiError::new(Code::ReservationNotFound),
        NotPending::Anothers => {
            return ApiError::new(Code::Forbidden)
                .detail("the reservation is on behalf of another account: name it as the owner");
        }
        NotPending::Expired => return mall.expire().await.into(),
        NotPending::Confirmed => ReservationStatus::Confirmed,
        NotPending::Released => ReservationStatus::Released,
        NotPending::Returned => ReservationStatus::Returned,
        NotPending::Unknown => ReservationStatus::Unknown,
    };
    match mall.durable(mall.engine().decided()).await {
        Ok(()) => state(status),
        Err(failure) => failure.into(),
    }
}

/// How a reservation ended, as history tells it.
async fn look_back(
    mall: &Mall,
    reservation: ReservationId,
    owner: Option<AccountId>,
) -> Result<NotPending, Error> {
    mall.caught_up().await?;
    let engine = mall.engine().clone();
    let read = move || {
        let history = engine.history();
        Ok((history.reservation(reservation)?, history.first_seq()?))
    };
    Ok(match mall.read(read).await? {
        (Some(record), _) if owner.is_some() && record.owner != owner => NotPending::Anothers,
        (Some(record), _) => match record.state {
            ReservationState::Pending => NotPending::Unknown,
            ReservationState::Confirmed => NotPending::Confirmed,
            ReservationState::Released => NotPending::Released,
            ReservationState::Expired => NotPending::Expired,
            ReservationState::Returned => NotPending::Returned,
        },
        (None, 1) => NotPending::NeverMade,
        (None, _) => NotPending::Unknown,
    })
}
