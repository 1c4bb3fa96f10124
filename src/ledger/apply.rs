//! Applying events: the one way the ledger changes, live and in replay. Nothing is decided here.

use super::account::Account;
use super::idempotency::KeyRecord;
use super::shard::Shards;
use super::{NotPending, Waiting};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, Seq, TimeMs};
use crate::event::{End, Event, EventLine, Fact, Part};

/// Where facts change accounts.
pub(super) trait Accounts {
    /// Changes an account and holds it to invariant 1. Does nothing where the account shows the
    /// change already.
    ///
    /// # Errors
    /// Those of `change`, and `Corrupt` when there is no such account, or it does not add up.
    fn change(
        &mut self,
        id: AccountId,
        change: impl FnOnce(&mut Account) -> Result<()>,
    ) -> Result<()>;
}

impl<S: Shards> Accounts for S {
    fn change(
        &mut self,
        id: AccountId,
        change: impl FnOnce(&mut Account) -> Result<()>,
    ) -> Result<()> {
        self.shard_mut(id.shard()).map_or(Ok(()), |shard| shard.change(id, change))
    }
}

/// Applies an event to the shards that do not show it yet.
///
/// # Errors
/// `Corrupt` when the event contradicts the ledger. A live event never does, because it was decided
/// on this state.
pub(crate) fn apply(shards: &mut impl Shards, seq: Seq, event: &Event<'_>) -> Result<()> {
    let at = event.at;
    for fact in event.facts() {
        change_accounts(shards, fact, at)?;
        change_reservations(shards, fact)?;
    }
    // Only now: between two lines of one account, or two facts of one event, there is a number that
    // it never had.
    event.facts().iter().for_each(|fact| publish_changed(shards, fact));
    if let Some(record) = KeyRecord::of(seq, event) {
        shards.keys_mut(record.number).keep(record, at);
    }
    Ok(())
}

/// What a fact does to accounts, held against what it says came out.
///
/// # Errors
/// As [`apply`].
pub(super) fn change_accounts(
    accounts: &mut impl Accounts,
    fact: &Fact<'_>,
    at: TimeMs,
) -> Result<()> {
    match fact {
        Fact::PolicyChanged { account, policy, available, consumed } => {
            change(accounts, *account, *available, |account| {
                account.set_policy(*policy, *consumed, at)
            })
        }
        Fact::Received { account, quantity, available, .. } => {
            change(accounts, *account, *available, |account| account.receive(*quantity))
        }
        Fact::Adjusted { account, delta, available, .. } => {
            change(accounts, *account, *available, |account| account.adjust(*delta))
        }
        Fact::WrittenOff { account, quantity, available, .. } => {
            change(accounts, *account, *available, |account| account.write_off(*quantity))
        }
        Fact::Renewed { account, quantity, available, kept } => {
            change(accounts, *account, *available, |account| account.renew(*quantity, *kept, at))
        }
        Fact::Reserved { expires_at, confirmed, lines, .. } => {
            change_lines(accounts, lines, |account, line| {
                account.take(line, *expires_at, *confirmed, at)
            })
        }
        Fact::Confirmed(end) | Fact::Released(end) | Fact::Expired(end) => {
            change_lines(accounts, &end.lines, |account, line| {
                account.end(line, end.expires_at, at)
            })
        }
        Fact::Returned { lines, consumed_at, part, .. } => {
            let written_off = part.as_deref().map_or(&[][..], |part| &part.written_off);
            change_lines(accounts, lines, |account, line| {
                match written_off.contains(&line.account()) {
                    true => account.discard(line),
                    false => account.give_back(line, *consumed_at),
                }
            })
        }
        Fact::Transferred { from, to, quantity, from_available, to_available, .. } => {
            change(accounts, *from, *from_available, |account| account.write_off(*quantity))?;
            change(accounts, *to, *to_available, |account| account.receive(*quantity))
        }
        Fact::Revived { expires_at, lines, .. } => {
            change_lines(accounts, lines, |account, line| account.take(line, *expires_at, true, at))
        }
        Fact::Extended { was, expires_at, lines, .. } => {
            change_lines(accounts, lines, |account, _| account.extend(*was, *expires_at))
        }
        Fact::AccountClosed { account, .. } => accounts.change(*account, Account::close),
        Fact::Queued { account, place, owner, body } => {
            let waiting =
                Waiting { place: *place, owner: *owner, since: at, body: body.as_ref().into() };
            accounts.change(*account, |account| account.join(waiting))
        }
        Fact::Dequeued { account, place, owner, reservation, .. } => {
            let served = reservation.map(|_| at);
            accounts.change(*account, |account| account.leave(*place, *owner, served))
        }
        Fact::AccountOpened { .. }
        | Fact::Noted { .. }
        | Fact::Document { .. }
        | Fact::ClockMended { .. }
        | Fact::Answered { .. }
        | Fact::Atomic(_) => Ok(()),
    }
}

/// What a fact does to reservations, and to the list of accounts.
fn change_reservations(shards: &mut impl Shards, fact: &Fact<'_>) -> Result<()> {
    match fact {
        Fact::AccountOpened { account, key, policy } => {
            if let Some(shard) = shards.shard_mut(account.shard()) {
                if account.index() != shard.accounts.len() {
                    return Err(Error::corrupt(format!("account {key} is opened out of order")));
                }
                shard.open_account(Account::new(key.clone(), *policy));
            }
        }
        Fact::Reserved { reservation, owner, expires_at, confirmed, lines, .. } => {
            if let Some(home) = shards.shard_mut(reservation.shard()) {
                match confirmed {
                    true => {
                        home.reservations.skip(*reservation);
                        home.ended.add(*reservation, *owner, NotPending::Confirmed);
                    }
                    false => home.hold(*reservation, *owner, *expires_at, lines),
                }
            }
        }
        Fact::Confirmed(end) => let_go(shards, end, NotPending::Confirmed)?,
        Fact::Released(end) => let_go(shards, end, NotPending::Released)?,
        Fact::Expired(end) => let_go(shards, end, NotPending::Expired)?,
        Fact::Returned { reservation, part, .. } => {
            if part.as_deref().is_none_or(Part::is_last)
                && let Some(home) = shards.shard_mut(reservation.shard())
            {
                home.ended.returned(*reservation);
            }
        }
        Fact::Extended { reservation, expires_at, .. } => {
            if let Some(home) = shards.shard_mut(reservation.shard()) {
                home.extend(*reservation, *expires_at)?;
            }
        }
        Fact::Revived { reservation, owner, .. } => {
            if let Some(home) = shards.shard_mut(reservation.shard()) {
                home.ended.revived(*reservation, *owner);
            }
        }
        Fact::Queued { account, .. } => {
            if let Some(shard) = shards.shard_mut(account.shard()) {
                shard.waiting += 1;
            }
        }
        Fact::Dequeued { account, .. } => {
            if let Some(shard) = shards.shard_mut(account.shard()) {
                shard.waiting = shard.waiting.saturating_sub(1);
            }
        }
        Fact::PolicyChanged { .. }
        | Fact::Received { .. }
        | Fact::Adjusted { .. }
        | Fact::WrittenOff { .. }
        | Fact::Renewed { .. }
        | Fact::Transferred { .. }
        | Fact::AccountClosed { .. }
        | Fact::Noted { .. }
        | Fact::Document { .. }
        | Fact::ClockMended { .. }
        | Fact::Answered { .. }
        | Fact::Atomic(_) => {}
    }
    Ok(())
}

fn let_go(shards: &mut impl Shards, end: &End, how: NotPending) -> Result<()> {
    match shards.shard_mut(end.reservation.shard()) {
        Some(home) => home.let_go(end.reservation, how),
        None => Ok(()),
    }
}

/// Changes one account and holds the result against what the event says came out.
fn change(
    accounts: &mut impl Accounts,
    id: AccountId,
    available: i64,
    change: impl FnOnce(&mut Account) -> Result<()>,
) -> Result<()> {
    accounts.change(id, |account| {
        change(account)?;
        if account.available != available {
            return Err(Error::corrupt(format!(
                "{} has {} units available where the event says {available}",
                account.key, account.available
            )));
        }
        Ok(())
    })
}

fn change_lines(
    accounts: &mut impl Accounts,
    lines: &[EventLine],
    apply_line: impl Fn(&mut Account, &EventLine) -> Result<()>,
) -> Result<()> {
    lines.iter().try_for_each(|line| {
        change(accounts, line.account(), line.available, |account| apply_line(account, line))
    })
}

/// Lets everybody see what can be taken of the accounts that a fact changed.
fn publish_changed(shards: &mut impl Shards, fact: &Fact<'_>) {
    match fact {
        Fact::PolicyChanged { account, .. }
        | Fact::Received { account, .. }
        | Fact::Adjusted { account, .. }
        | Fact::WrittenOff { account, .. }
        | Fact::Renewed { account, .. }
        | Fact::AccountClosed { account, .. }
        | Fact::Queued { account, .. }
        | Fact::Dequeued { account, .. } => publish(shards, *account),
        Fact::Reserved { lines, .. }
        | Fact::Confirmed(End { lines, .. })
        | Fact::Released(End { lines, .. })
        | Fact::Expired(End { lines, .. })
        | Fact::Returned { lines, .. }
        | Fact::Revived { lines, .. }
        | Fact::Extended { lines, .. } => {
            lines.iter().for_each(|line| publish(shards, line.account()));
        }
        Fact::Transferred { from, to, .. } => {
            [*from, *to].into_iter().for_each(|account| publish(shards, account));
        }
        // Opening publishes for itself.
        Fact::AccountOpened { .. }
        | Fact::Noted { .. }
        | Fact::Document { .. }
        | Fact::ClockMended { .. }
        | Fact::Answered { .. }
        | Fact::Atomic(_) => {}
    }
}

fn publish(shards: &mut impl Shards, id: AccountId) {
    if let Some(shard) = shards.shard_mut(id.shard()) {
        shard.publish(id.index());
    }
}
