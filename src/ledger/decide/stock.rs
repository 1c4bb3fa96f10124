//! Deciding what changes an account alone, or moves units between two.

use std::borrow::Cow;

use super::{Decision, existing};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, RECEIVED_MAX, TimeMs};
use crate::event::Fact;
use crate::ledger::account::Account;
use crate::ledger::view::View;
use crate::ledger::{
    Adjust, ChangeOutcome, Changed, Outcome, Receive, Refusal, Transfer, TransferOutcome,
    Transferred, WriteOff,
};

pub(super) fn receive<'a>(
    locked: &impl View,
    request: &Receive<'a>,
    now: TimeMs,
) -> Result<Decision<'a>> {
    let Receive { account: id, quantity, note, .. } = *request;
    let account = existing(locked, id)?;
    check_received(account, quantity)?;
    let available = account.available_after(quantity);
    let fact = Fact::Received { account: id, quantity, available, note: Cow::Borrowed(note) };
    Ok(Decision::fact(now, fact, Outcome::Receive(Changed { account: id, available })))
}

/// What an account ever received stays a number that one line can be about.
pub(super) fn check_received(account: &Account, more: u64) -> Result<()> {
    match account.received.saturating_add(more) {
        // An account of an earlier release that has more is corrected downwards all the same.
        _ if more == 0 => Ok(()),
        0..=RECEIVED_MAX => Ok(()),
        _ => Err(Error::invalid(format!(
            "{} cannot receive more than {RECEIVED_MAX} units in all",
            account.key
        ))),
    }
}

pub(super) fn adjust<'a>(
    locked: &impl View,
    request: &Adjust<'a>,
    now: TimeMs,
) -> Result<Decision<'a>> {
    let Adjust { account: id, delta, counted, note, .. } = *request;
    let account = existing(locked, id)?;
    let delta = counted.map_or(Ok(delta), |units| found(account, units))?;
    let up = u64::try_from(delta).unwrap_or(0);
    check_received(account, up)?;
    if delta < 0
        && let Some(refusal) = refuse_removal(account, id, delta.unsigned_abs(), now)
    {
        return Ok(Decision::Nothing(Outcome::Adjust(ChangeOutcome::Refused(refusal))));
    }
    let available = account.available_after(up) + delta.min(0);
    let fact = Fact::Adjusted { account: id, delta, available, note: Cow::Borrowed(note) };
    let changed = ChangeOutcome::Changed(Changed { account: id, available });
    Ok(Decision::fact(now, fact, Outcome::Adjust(changed)))
}

/// By how much a count of `units` changes what an account has.
fn found(account: &Account, units: u64) -> Result<i64> {
    if account.is_granted() {
        return Err(Error::invalid(format!(
            "{} is a quota: there is nothing to count",
            account.key
        )));
    }
    // Both are bounded, what is there by what was ever received.
    Ok(units as i64 - account.available - account.reserved as i64)
}

pub(super) fn write_off<'a>(
    locked: &impl View,
    request: &WriteOff<'a>,
    now: TimeMs,
) -> Result<Decision<'a>> {
    let WriteOff { account: id, quantity, note, .. } = *request;
    let account = existing(locked, id)?;
    if let Some(refusal) = refuse_removal(account, id, quantity, now) {
        return Ok(Decision::Nothing(Outcome::WriteOff(ChangeOutcome::Refused(refusal))));
    }
    let available = account.available - quantity as i64;
    let fact = Fact::WrittenOff { account: id, quantity, available, note: Cow::Borrowed(note) };
    let changed = ChangeOutcome::Changed(Changed { account: id, available });
    Ok(Decision::fact(now, fact, Outcome::WriteOff(changed)))
}

pub(super) fn transfer<'a>(
    locked: &impl View,
    request: &Transfer<'a>,
    now: TimeMs,
) -> Result<Decision<'a>> {
    let Transfer { from: from_id, to: to_id, quantity, note, .. } = *request;
    let (from, to) = (existing(locked, from_id)?, existing(locked, to_id)?);
    check_transfer(from, to)?;
    check_received(to, quantity)?;
    if let Some(refusal) = refuse_removal(from, from_id, quantity, now) {
        return Ok(Decision::Nothing(Outcome::Transfer(TransferOutcome::Refused(refusal))));
    }
    let from_available = from.available - quantity as i64;
    let to_available = to.available_after(quantity);
    let fact = Fact::Transferred {
        from: from_id,
        to: to_id,
        quantity,
        from_available,
        to_available,
        note: Cow::Borrowed(note),
    };
    let transferred = Transferred {
        from: Changed { account: from_id, available: from_available },
        to: Changed { account: to_id, available: to_available },
    };
    Ok(Decision::fact(now, fact, Outcome::Transfer(TransferOutcome::Transferred(transferred))))
}

/// Units keep their kind, and what a rule grants cannot be given away.
fn check_transfer(from: &Account, to: &Account) -> Result<()> {
    let granted = [from, to].into_iter().find(|account| account.is_granted());
    if let Some(account) = granted {
        return Err(Error::invalid(format!(
            "{} is a quota: its units cannot be transferred",
            account.key
        )));
    }
    if from.key.kind_name() != to.key.kind_name() {
        return Err(Error::invalid(format!(
            "{} and {} are of different kinds: nothing can be transferred between them",
            from.key, to.key
        )));
    }
    Ok(())
}

/// The refusal of taking units out for good: a backorder allowance is not units that could leave.
fn refuse_removal(account: &Account, id: AccountId, quantity: u64, now: TimeMs) -> Option<Refusal> {
    let available = account.available.max(0) as u64;
    (available < quantity).then(|| {
        let next_release_at = account.next_release_at(now);
        Refusal { line: 0, account: id, available, next_release_at, has_line: false }
    })
}
