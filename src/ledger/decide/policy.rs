//! Deciding about an account as a whole: its rules, and whether it can be closed.

use super::existing;
use super::stock::check_received;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, TimeMs};
use crate::event::{Fact, Policy, Window};
use crate::ledger::CloseOutcome;
use crate::ledger::shard::LockedShards;

/// Other rules for an account; `None` when they are those that it has.
///
/// # Errors
/// `Invalid` when its limit would come to more than an account can receive.
pub(in crate::ledger) fn change_policy(
    locked: &LockedShards<'_>,
    id: AccountId,
    policy: Policy,
    now: TimeMs,
) -> Result<Option<Fact<'static>>> {
    let account = existing(locked, id)?;
    let was = account.policy;
    if policy == was {
        return Ok(None);
    }
    if account.waiting() > 0 && (policy.limit > 0 || policy.window != Window::Never) {
        return Err(Error::invalid(format!("others wait for {}: it grants no units", account.key)));
    }
    let more = policy.limit.saturating_sub(was.limit).saturating_sub(account.owed);
    check_received(account, more)?;
    let (consumed, available) = account.under(policy, now);
    Ok(Some(Fact::PolicyChanged { account: id, policy, available, consumed: Some(consumed) }))
}

/// Closing an account where nothing is left.
///
/// # Errors
/// `NotFound` when there is no such account.
pub(in crate::ledger) fn close(
    locked: &LockedShards<'_>,
    id: AccountId,
    now: TimeMs,
) -> Result<(CloseOutcome, Option<Fact<'static>>)> {
    let done = CloseOutcome::Closed { account: id };
    if locked.account(id).is_some_and(|account| account.is_closed) {
        return Ok((done, None));
    }
    let account = existing(locked, id)?;
    if let Some(counting) = account.close_hindrance(now) {
        let (available, reserved) = (account.available, account.reserved);
        let waiting = account.waiting();
        let left = CloseOutcome::NotEmpty { account: id, available, reserved, counting, waiting };
        return Ok((left, None));
    }
    Ok((done, Some(Fact::AccountClosed { account: id, key: account.key.clone() })))
}
