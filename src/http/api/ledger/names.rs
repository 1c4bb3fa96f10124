//! Accounts and reservations as requests name them, and which of them a caller may change.

use crate::base::{AccountId, AccountKey, ReservationId};
use crate::engine::Engine;
use crate::event::Policy;
use crate::http::call::LedgerCall;
use crate::http::error::{ApiError, Code};
use crate::ledger::{Deadline, Line};
use crate::mall::is_of_mall;
use crate::wire::{AccountRef, TakenLine, read_reservation};

/// The kind of the accounts on whose behalf callers make reservations.
const CALLER: &str = "caller";

/// The account of a path.
pub(super) fn account(text: &str) -> Result<AccountRef, ApiError> {
    text.parse().map_err(ApiError::from)
}

/// The reservation of a path.
pub(super) fn reservation(text: &str) -> Result<ReservationId, ApiError> {
    read_reservation(text).ok_or_else(|| ApiError::invalid("a reservation is named by its number"))
}

/// An account that is there, whoever keeps it.
pub(super) fn find(engine: &Engine, named: &AccountRef) -> Result<AccountId, ApiError> {
    let found = match named {
        AccountRef::Key(key) => engine.account(key),
        AccountRef::Number(account) => engine.key_of(*account).map(|_| *account),
    };
    found.ok_or_else(|| ApiError::new(Code::AccountNotFound).detail(named.to_string()))
}

/// An account that a caller may change.
pub(super) fn changeable(engine: &Engine, named: &AccountRef) -> Result<AccountId, ApiError> {
    of_caller(engine, named, check_changeable)
}

/// # Errors
/// MALL_ACCOUNT and FORBIDDEN.
pub(super) fn check_changeable(key: &AccountKey) -> Result<(), ApiError> {
    check_not_of_mall(key)?;
    match key.kind_name() {
        CALLER => Err(ApiError::new(Code::Forbidden)
            .detail(format!("{key} stands for a caller and has no units"))),
        _ => Ok(()),
    }
}

/// The account on whose behalf a caller acts: one that it names, or its own.
pub(super) fn owner<const N: usize>(
    call: &LedgerCall<'_, N>,
    named: Option<&AccountRef>,
) -> Result<AccountId, ApiError> {
    let engine = call.app.mall.engine();
    if let Some(named) = named {
        return of_caller(engine, named, check_not_of_mall);
    }
    let key = AccountKey::custom(CALLER, &[call.identity().user.id()])?;
    match engine.account(&key) {
        Some(account) => Ok(account),
        None => Ok(engine.open_account(&key, Policy::strict())?),
    }
}

fn check_not_of_mall(key: &AccountKey) -> Result<(), ApiError> {
    match is_of_mall(key) {
        true => Err(ApiError::new(Code::MallAccount).detail(key.to_string())),
        false => Ok(()),
    }
}

/// An account that is there and whose key passes this check. The check is first: who may not change
/// an account need not hear whether it exists.
fn of_caller(
    engine: &Engine,
    named: &AccountRef,
    check: fn(&AccountKey) -> Result<(), ApiError>,
) -> Result<AccountId, ApiError> {
    let of_number;
    let key = match named {
        AccountRef::Key(key) => Some(key),
        AccountRef::Number(account) => {
            of_number = engine.key_of(*account);
            of_number.as_ref()
        }
    };
    key.map_or(Ok(()), check)?;
    find(engine, named)
}

/// Lines of accounts that a caller may change.
pub(super) fn lines(engine: &Engine, named: &[TakenLine]) -> Result<Vec<Line>, ApiError> {
    let line = |line: &TakenLine| {
        let account = changeable(engine, &line.account)?;
        Ok(Line { account, quantity: line.quantity })
    };
    named.iter().map(line).collect()
}

/// The one deadline that a request gives.
pub(super) fn deadline(ttl_ms: Option<u64>, expires_at: Option<u64>) -> Result<Deadline, ApiError> {
    match (ttl_ms, expires_at) {
        (Some(ttl_ms), None) => Ok(Deadline::After(ttl_ms)),
        (None, Some(expires_at)) => Ok(Deadline::At(expires_at)),
        (None, None) | (Some(_), Some(_)) => {
            Err(ApiError::invalid("there is one of ttlMs and expiresAt"))
        }
    }
}
