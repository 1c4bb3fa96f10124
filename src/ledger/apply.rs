//! Applying events: the one way the ledger changes, live and in replay. Nothing is decided here.

use super::NotPending;
use super::account::Account;
use super::idempotency::KeyRecord;
use super::shard::Shards;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, Seq, TimeMs};
use crate::event::{End, Event, EventLine, Fact, Part};

/// Applies an event to the shards that do not show it yet.
///
/// # Errors
/// `Corrupt` when the event contradicts the ledger. A live event never does, because it was decided
/// on this state.
pub(crate) fn apply(shards: &mut impl Shards, seq: Seq, event: &Event<'_>) -> Result<()> {
    let at = event.at;
    match &event.fact {
        Fact::AccountOpened { account, key, policy } => {
            if let Some(shard) = shards.shard_mut(account.shard()) {
                if account.index() != shard.accounts.len() {
                    return Err(Error::corrupt(format!("account {key} is opened out of order")));
                }
                shard.open_account(Account::new(key.clone(), *policy));
            }
        }
        Fact::PolicyChanged { account, policy, available, consumed } => {
            change(shards, *account, *available, |account| {
                account.set_policy(*policy, *consumed, at)
            })?;
        }
        Fact::Received { account, quantity, available, .. } => {
            change(shards, *account, *available, |account| account.receive(*quantity))?;
        }
        Fact::Adjusted { account, delta, available, .. } => {
            change(shards, *account, *available, |account| account.adjust(*delta))?;
        }
        Fact::WrittenOff { account, quantity, available, .. } => {
            change(shards, *account, *available, |account| account.write_off(*quantity))?;
        }
        Fact::Renewed { account, quantity, available, kept } => {
            change(shards, *account, *available, |account| account.renew(*quantity, *kept, at))?;
        }
        Fact::Reserved { reservation, owner, expires_at, confirmed, lines, .. } => {
            change_lines(shards, lines, |account, line| {
                account.take(line, *expires_at, *confirmed, at)
            })?;
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
        Fact::Confirmed(end) => apply_end(shards, end, NotPending::Confirmed, at)?,
        Fact::Released(end) => apply_end(shards, end, NotPending::Released, at)?,
        Fact::Expired(end) => apply_end(shards, end, NotPending::Expired, at)?,
        Fact::Returned { reservation, lines, consumed_at, part, .. } => {
            let written_off = part.as_ref().map_or(&[][..], |part| &part.written_off);
            change_lines(shards, lines, |account, line| {
                match written_off.contains(&line.account()) {
                    true => account.discard(line),
                    false => account.give_back(line, *consumed_at),
                }
            })?;
            if part.as_ref().is_none_or(Part::is_last)
                && let Some(home) = shards.shard_mut(reservation.shard())
            {
                home.ended.returned(*reservation);
            }
        }
        Fact::Transferred { from, to, quantity, from_available, to_available, .. } => {
            change(shards, *from, *from_available, |account| account.write_off(*quantity))?;
            change(shards, *to, *to_available, |account| account.receive(*quantity))?;
        }
        Fact::Extended { reservation, was, expires_at, lines } => {
            change_lines(shards, lines, |account, _| account.extend(*was, *expires_at))?;
            if let Some(home) = shards.shard_mut(reservation.shard()) {
                home.extend(*reservation, *expires_at)?;
            }
        }
        Fact::AccountClosed { account, .. } => {
            if let Some(shard) = shards.shard_mut(account.shard()) {
                shard.change(*account, Account::close)?;
                shard.publish(account.index());
            }
        }
        Fact::Noted { .. } | Fact::Document { .. } | Fact::ClockMended { .. } => {}
    }
    if let Some(record) = KeyRecord::of(seq, event) {
        shards.keys_mut(record.number).keep(record, at);
    }
    Ok(())
}

fn apply_end(shards: &mut impl Shards, end: &End, how: NotPending, at: TimeMs) -> Result<()> {
    change_lines(shards, &end.lines, |account, line| account.end(line, end.expires_at, at))?;
    match shards.shard_mut(end.reservation.shard()) {
        Some(home) => home.let_go(end.reservation, how),
        None => Ok(()),
    }
}

fn change_lines(
    shards: &mut impl Shards,
    lines: &[EventLine],
    apply_line: impl Fn(&mut Account, &EventLine) -> Result<()>,
) -> Result<()> {
    for line in lines {
        change_unseen(shards, line.account(), line.available, |account| apply_line(account, line))?;
    }
    // Only now: between two lines of one account there is a number that it never had.
    lines.iter().for_each(|line| publish(shards, line.account()));
    Ok(())
}

/// Changes one account and holds the result against what the event says came out.
fn change(
    shards: &mut impl Shards,
    id: AccountId,
    available: i64,
    change: impl FnOnce(&mut Account) -> Result<()>,
) -> Result<()> {
    change_unseen(shards, id, available, change)?;
    publish(shards, id);
    Ok(())
}

fn change_unseen(
    shards: &mut impl Shards,
    id: AccountId,
    available: i64,
    change: impl FnOnce(&mut Account) -> Result<()>,
) -> Result<()> {
    let Some(shard) = shards.shard_mut(id.shard()) else {
        return Ok(());
    };
    shard.change(id, |account| {
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

fn publish(shards: &mut impl Shards, id: AccountId) {
    if let Some(shard) = shards.shard_mut(id.shard()) {
        shard.publish(id.index());
    }
}
