//! How a reservation ended, as history tells it: for callers so late that memory does not tell any
//! more.

use crate::base::error::Result;
use crate::base::{AccountId, ReservationId, Seq};
use crate::engine::core::Core;
use crate::history::Store;
use crate::history::record::ReservationState;
use crate::ledger::NotPending;

/// How a reservation that is not pending ended, as far as history shows it by now.
pub(in crate::engine) fn not_pending(
    core: &Core,
    id: ReservationId,
    owner: Option<AccountId>,
    why: NotPending,
) -> NotPending {
    if why != NotPending::Unknown {
        return why;
    }
    let asked = core.journal.last_seq();
    let Some(store) = core.history.store.awaited() else {
        return why;
    };
    let found = match store.reservation(id) {
        Ok(Some(record)) if owner.is_some() && owner != record.owner => Ok(NotPending::Anothers),
        // History shows it pending while it has not caught up with its end.
        Ok(Some(record)) => Ok(ended(record.state).unwrap_or(why)),
        Ok(None) => missing(store, asked),
        Err(error) => Err(error),
    };
    found.unwrap_or_else(|error| {
        tracing::warn!(%error, "history cannot tell how a reservation ended");
        why
    })
}

/// How a reservation in this state ended; `None` while it is pending.
pub(in crate::engine) fn ended(state: ReservationState) -> Option<NotPending> {
    match state {
        ReservationState::Pending => None,
        ReservationState::Confirmed => Some(NotPending::Confirmed),
        ReservationState::Released => Some(NotPending::Released),
        ReservationState::Expired => Some(NotPending::Expired),
        ReservationState::Returned => Some(NotPending::Returned),
    }
}

/// What it means that history does not know a reservation that was made before the event `by`.
///
/// # Errors
/// Those of history.
pub(in crate::engine) fn missing(store: &Store, by: Seq) -> Result<NotPending> {
    let shows_all = store.first_seq()? == 1 && store.projected() >= by;
    Ok(if shows_all { NotPending::NeverMade } else { NotPending::Unknown })
}
