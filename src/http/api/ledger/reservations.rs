//! Reservations of the generic API.

use super::accounts::noted;
use super::{facts, names, outcome, refused};
use crate::base::{AccountId, ReservationId};
use crate::engine::Engine;
use crate::history::record::{ReservationRecord, ReservationState};
use crate::http::body::{Optional, Sent};
use crate::http::call::LedgerCall;
use crate::http::error::{ApiError, Code};
use crate::http::reply::Answer;
use crate::ledger::{
    Confirm, Deadline, Extend, Reacquire, ReacquireOutcome, Refund, RefundOutcome, Release, Reserve,
};
use crate::mall::is_like_order;
use crate::wire::{
    ConfirmRequest, ExtendRequest, NewReservation, OwnerRequest, RefundRequest, Reservation,
    ReservationLine, ReservationStatus, Settled,
};

pub(in crate::http) async fn reserve(call: LedgerCall<'_>, body: Sent<NewReservation>) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let mall = &call.app.mall;
    let lines = names::lines(mall.engine(), &request.lines)?;
    let details = details(&request)?;
    let mut reserve = match names::deadline(request.ttl_ms, request.expires_at)? {
        Deadline::After(ttl_ms) => Reserve::new(&lines, ttl_ms),
        Deadline::At(expires_at) => Reserve::until(&lines, expires_at),
    };
    reserve.confirm = request.confirm.unwrap_or_default();
    let owner = names::owner(&call, request.owner.as_ref())?;
    let reserve = reserve.owner(owner).details(details).key(key);
    outcome::answer(&call, Some(owner), reserve.into()).await
}

/// What history is to keep. Nothing that the mall would take for one of its orders.
pub(super) fn details(request: &NewReservation) -> Result<&[u8], ApiError> {
    let details = request.details.as_deref().unwrap_or_default().as_bytes();
    match is_like_order(details) {
        true => Err(ApiError::invalid("$.details: these would be those of an order")),
        false => Ok(details),
    }
}

pub(in crate::http) async fn get(call: LedgerCall<'_, 1>) -> Answer {
    call.no_query()?;
    let (mall, reservation) = (&call.app.mall, names::reservation(call.path[0])?);
    mall.check_alive()?;
    mall.caught_up().await?;
    let engine = mall.engine().clone();
    let record = mall.read(move || engine.history().reservation(reservation)).await?;
    let record = record.ok_or_else(|| ApiError::new(Code::ReservationNotFound))?;
    Ok(call.success(&shown(mall.engine(), record)?))
}

fn shown(engine: &Engine, record: ReservationRecord) -> Result<Reservation, ApiError> {
    let key = |account: AccountId| {
        engine.key_of(account).ok_or_else(|| ApiError::new(Code::AccountNotFound))
    };
    let lines = record.lines.iter().map(|line| {
        Ok(ReservationLine {
            account: line.account,
            key: key(line.account)?,
            quantity: line.quantity,
            consumed: line.consumed,
            returned: line.returned,
        })
    });
    Ok(Reservation {
        reservation: record.reservation,
        status: match record.state {
            ReservationState::Pending => ReservationStatus::Pending,
            ReservationState::Confirmed => ReservationStatus::Confirmed,
            ReservationState::Released => ReservationStatus::Released,
            ReservationState::Expired => ReservationStatus::Expired,
            ReservationState::Returned => ReservationStatus::Returned,
        },
        owner: record.owner.map(key).transpose()?,
        lines: lines.collect::<Result<_, ApiError>>()?,
        created_at: record.created_at,
        expires_at: record.expires_at,
        ended_at: record.ended_at,
        returned_at: record.returned_at,
        details: facts::details(&record.details),
    })
}

pub(in crate::http) async fn confirm(
    call: LedgerCall<'_, 1>,
    body: Optional<ConfirmRequest>,
) -> Answer {
    call.no_query()?;
    let (request, key) = body.read_keyed(&call).await?;
    let reservation = names::reservation(call.path[0])?;
    let owner = names::owner(&call, request.owner.as_ref())?;
    let mut confirm = Confirm::new(reservation).owner(owner).key(key);
    confirm.quantities = request.quantities.as_deref();
    outcome::answer(&call, Some(owner), confirm.into()).await
}

pub(in crate::http) async fn release(
    call: LedgerCall<'_, 1>,
    body: Optional<OwnerRequest>,
) -> Answer {
    call.no_query()?;
    let (request, key) = body.read_keyed(&call).await?;
    let reservation = names::reservation(call.path[0])?;
    let owner = names::owner(&call, request.owner.as_ref())?;
    let release = Release::new(reservation).owner(owner).key(key);
    outcome::answer(&call, Some(owner), release.into()).await
}

pub(in crate::http) async fn extend(call: LedgerCall<'_, 1>, body: Sent<ExtendRequest>) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let reservation = names::reservation(call.path[0])?;
    let owner = names::owner(&call, request.owner.as_ref())?;
    let extend = match names::deadline(request.ttl_ms, request.expires_at)? {
        Deadline::After(ttl_ms) => Extend::new(reservation, ttl_ms),
        Deadline::At(expires_at) => Extend::until(reservation, expires_at),
    };
    outcome::answer(&call, Some(owner), extend.owner(owner).key(key).into()).await
}

pub(in crate::http) async fn reacquire(
    call: LedgerCall<'_, 1>,
    body: Optional<OwnerRequest>,
) -> Answer {
    call.no_query()?;
    let (request, key) = body.read_keyed(&call).await?;
    let (mall, reservation) = (&call.app.mall, names::reservation(call.path[0])?);
    let owner = names::owner(&call, request.owner.as_ref())?;
    let reacquire = Reacquire::new(reservation).owner(owner).key(key);
    let ticket = mall.engine().reacquire(reacquire)?;
    match mall.durable(ticket).await? {
        ReacquireOutcome::Revived { .. } | ReacquireOutcome::Confirmed { .. } => {
            settled(&call, reservation, ReservationStatus::Confirmed)
        }
        ReacquireOutcome::Refused(refusal) => Err(refused::units(refusal)),
        ReacquireOutcome::StillPending { .. } => Err(refused::state(ReservationStatus::Pending)),
        ReacquireOutcome::NotExpired { why, .. } => {
            Err(refused::not_so(mall, reservation, Some(owner), why).await)
        }
    }
}

pub(in crate::http) async fn refund(
    call: LedgerCall<'_, 1>,
    body: Optional<RefundRequest>,
) -> Answer {
    call.no_query()?;
    let (request, key) = body.read_keyed(&call).await?;
    let (mall, reservation) = (&call.app.mall, names::reservation(call.path[0])?);
    let owner = names::owner(&call, request.owner.as_ref())?;
    let engine = mall.engine();
    let part = request.lines.map(|lines| names::lines(engine, &lines)).transpose()?;
    let written_off = request.written_off.unwrap_or_default();
    let written_off = written_off.iter().map(|account| names::changeable(engine, account));
    let written_off = written_off.collect::<Result<Vec<_>, _>>()?;
    let note = noted(&call, request.note.as_deref())?;
    let mut refund = Refund::new(reservation).owner(owner).note(&note).key(key);
    refund.part = part.as_deref();
    let ticket = engine.refund(refund.written_off(&written_off))?;
    let settled = |status| settled(&call, reservation, status);
    match mall.durable(ticket).await? {
        RefundOutcome::Returned { .. } => settled(ReservationStatus::Returned),
        RefundOutcome::ReturnedInPart { .. } => settled(ReservationStatus::Confirmed),
        RefundOutcome::Released { .. } => settled(ReservationStatus::Released),
        RefundOutcome::TooMuch { account, left, .. } => Err(refused::too_much(account, left)),
        RefundOutcome::StillPending { .. } => Err(refused::state(ReservationStatus::Pending)),
        RefundOutcome::NotConfirmed { why, .. } => {
            Err(refused::not_so(mall, reservation, Some(owner), why).await)
        }
    }
}

fn settled(
    call: &LedgerCall<'_, 1>,
    reservation: ReservationId,
    status: ReservationStatus,
) -> Answer {
    Ok(call.success(&Settled { reservation, status }))
}
