//! What became of commands, as it is written.

use super::refused;
use crate::base::AccountId;
use crate::http::call::LedgerCall;
use crate::http::error::ApiError;
use crate::http::reply::Answer;
use crate::ledger::{
    ChangeOutcome, Command, ConfirmOutcome, ExtendOutcome, Outcome, ReleaseOutcome, ReserveOutcome,
    TransferOutcome,
};
use crate::mall::Mall;
use crate::wire::{CommandDone, ReservationStatus, Reserved, Settled};

/// What an outcome is told with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// On whose behalf a reservation was asked for.
    pub(super) owner: Option<AccountId>,
}

/// What a command did, or why it did nothing.
pub(super) async fn told(
    mall: &Mall,
    Told { owner }: Told,
    outcome: Outcome,
) -> Result<CommandDone, ApiError> {
    let settled = |reservation, status| Ok(CommandDone::Settled(Settled { reservation, status }));
    let (reservation, why) = match outcome {
        Outcome::Receive(changed)
        | Outcome::Adjust(ChangeOutcome::Changed(changed))
        | Outcome::WriteOff(ChangeOutcome::Changed(changed)) => {
            return Ok(CommandDone::Changed(changed.into()));
        }
        Outcome::Transfer(TransferOutcome::Transferred(moved)) => {
            return Ok(CommandDone::Transferred(moved.into()));
        }
        Outcome::Reserve(ReserveOutcome::Reserved(reserved)) => {
            return Ok(CommandDone::Reserved(reserved.into()));
        }
        Outcome::Adjust(ChangeOutcome::Refused(refusal))
        | Outcome::WriteOff(ChangeOutcome::Refused(refusal))
        | Outcome::Transfer(TransferOutcome::Refused(refusal))
        | Outcome::Reserve(ReserveOutcome::Refused(refusal)) => {
            return Err(refused::units(refusal));
        }
        Outcome::Confirm(ConfirmOutcome::Confirmed { reservation }) => {
            return settled(reservation, ReservationStatus::Confirmed);
        }
        Outcome::Release(ReleaseOutcome::Released { reservation }) => {
            return settled(reservation, ReservationStatus::Released);
        }
        Outcome::Release(ReleaseOutcome::Returned { reservation }) => {
            return settled(reservation, ReservationStatus::Returned);
        }
        Outcome::Extend(ExtendOutcome::Extended { reservation, expires_at }) => {
            let status = ReservationStatus::Pending;
            return Ok(CommandDone::Reserved(Reserved { reservation, status, expires_at }));
        }
        Outcome::Confirm(ConfirmOutcome::Late { .. })
        | Outcome::Release(ReleaseOutcome::Late { .. })
        | Outcome::Extend(ExtendOutcome::Late { .. }) => return Err(mall.expire().await.into()),
        Outcome::Confirm(ConfirmOutcome::NotPending { reservation, why })
        | Outcome::Release(ReleaseOutcome::NotPending { reservation, why })
        | Outcome::Extend(ExtendOutcome::NotPending { reservation, why }) => (reservation, why),
    };
    Err(refused::not_so(mall, reservation, owner, why).await)
}

/// Executes a command, and answers with what it did.
pub(super) async fn answer<const N: usize>(
    call: &LedgerCall<'_, N>,
    owner: Option<AccountId>,
    command: Command<'_>,
) -> Answer {
    let mall = &call.app.mall;
    let ticket = mall.engine().execute(&command).map_err(refused::error)?;
    let outcome = mall.durable(ticket).await?;
    Ok(match told(mall, Told { owner }, outcome).await? {
        CommandDone::Changed(changed) => call.success(&changed),
        CommandDone::Transferred(moved) => call.success(&moved),
        CommandDone::Reserved(reserved) => call.success(&reserved),
        CommandDone::Settled(settled) => call.success(&settled),
    })
}
