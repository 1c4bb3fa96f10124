//! What a command must be before any lock is taken: well-formed, and about what exists.

use super::shard::bit;
use super::{Gauge, Ledger};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, BODY_BYTES_MAX, LINES_MAX, QUANTITY_MAX, TTL_MS_MAX};
use crate::ledger::counts::Verb;
use crate::ledger::{
    Adjust, Command, Confirm, Deadline, Extend, Receive, Release, Transfer, WriteOff,
};

/// A command that can be executed, and the shards that it names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validated<'c, 'a> {
    pub(super) command: &'c Command<'a>,
    /// One bit a shard. What a reservation holds is not known from its number, so the shards of its
    /// lines are not among them.
    pub(super) footprint: u64,
}

impl Ledger {
    /// Rejects what is malformed or names what does not exist. This comes before any refusal, which
    /// would hide it.
    ///
    /// # Errors
    /// `Invalid` or `NotFound`.
    pub(crate) fn validate<'c, 'a>(&self, command: &'c Command<'a>) -> Result<Validated<'c, 'a>> {
        self.check_command(command).inspect_err(|_| self.unlocked.failed(Verb::of(command)))
    }

    /// As [`Ledger::validate`], for somebody who counts otherwise what fails.
    pub(super) fn check_command<'c, 'a>(
        &self,
        command: &'c Command<'a>,
    ) -> Result<Validated<'c, 'a>> {
        check_form(command)?;
        Ok(Validated { command, footprint: self.footprint(command)? })
    }

    /// The shards that a command names. What a reservation holds is not known from its number.
    fn footprint(&self, command: &Command<'_>) -> Result<u64> {
        let mut mask = command.key().map_or(0, |key| bit(self.key_space.shard_of(key.number())));
        match command {
            Command::Receive(Receive { account, .. })
            | Command::Adjust(Adjust { account, .. })
            | Command::WriteOff(WriteOff { account, .. }) => {
                self.check_account(*account)?;
                mask |= bit(account.shard());
            }
            Command::Reserve(reserve) => {
                for line in reserve.lines {
                    self.check_account(line.account)?;
                    mask |= bit(line.account.shard());
                }
                reserve.owner.map_or(Ok(()), |owner| self.check_owner(owner))?;
            }
            Command::Confirm(Confirm { reservation, .. })
            | Command::Release(Release { reservation, .. })
            | Command::Extend(Extend { reservation, .. }) => {
                mask |= bit(reservation.shard());
            }
            Command::Transfer(Transfer { from, to, .. }) => {
                for account in [from, to] {
                    self.check_account(*account)?;
                    mask |= bit(account.shard());
                }
            }
        }
        Ok(mask)
    }

    /// On behalf of an account that is closed nothing happens any more.
    pub(super) fn check_owner(&self, owner: AccountId) -> Result<()> {
        match self.gauge(owner) {
            Some(gauge) if gauge.takeable() == Gauge::CLOSED => {
                Err(Error::not_found(format!("account number {} is closed", owner.number())))
            }
            _ => self.check_account(owner),
        }
    }
}

/// Rejects what no state could make right.
///
/// # Errors
/// `Invalid`, naming the bound.
fn check_form(command: &Command<'_>) -> Result<()> {
    let quantity_fits = |quantity: u64| match quantity {
        1..=QUANTITY_MAX => Ok(()),
        _ => Err(Error::invalid(format!("a quantity is 1 to {QUANTITY_MAX} units"))),
    };
    let note_fits = |note: &str| match note.len() {
        0..=BODY_BYTES_MAX => Ok(()),
        _ => Err(Error::invalid(format!("a note has at most {BODY_BYTES_MAX} bytes"))),
    };
    let ttl_fits = |deadline: Deadline| match deadline {
        Deadline::After(1..=TTL_MS_MAX) | Deadline::At(_) => Ok(()),
        Deadline::After(_) => {
            Err(Error::invalid(format!("a time to live is 1 to {TTL_MS_MAX} milliseconds")))
        }
    };
    match command {
        Command::Receive(Receive { quantity, note, .. })
        | Command::WriteOff(WriteOff { quantity, note, .. }) => {
            quantity_fits(*quantity)?;
            note_fits(note)
        }
        Command::Adjust(Adjust { delta, counted, note, .. }) => {
            match counted {
                None => quantity_fits(delta.unsigned_abs())?,
                Some(0..=QUANTITY_MAX) => {}
                Some(_) => {
                    return Err(Error::invalid(format!("a count is of 0 to {QUANTITY_MAX} units")));
                }
            }
            note_fits(note)
        }
        Command::Reserve(reserve) => {
            if !(1..=LINES_MAX).contains(&reserve.lines.len()) {
                return Err(Error::invalid(format!("a reservation has 1 to {LINES_MAX} lines")));
            }
            ttl_fits(reserve.deadline)?;
            if reserve.details.len() > BODY_BYTES_MAX {
                return Err(Error::invalid(format!("details have at most {BODY_BYTES_MAX} bytes")));
            }
            reserve.lines.iter().try_for_each(|line| quantity_fits(line.quantity))
        }
        Command::Confirm(Confirm { quantities: Some(parts), .. }) => match parts.len() {
            1..=LINES_MAX if parts.iter().all(|part| *part == 0) => {
                Err(Error::invalid("a confirm of nothing is a release"))
            }
            1..=LINES_MAX => {
                parts.iter().filter(|part| **part > 0).try_for_each(|part| quantity_fits(*part))
            }
            _ => Err(Error::invalid(format!("a confirm in part names 1 to {LINES_MAX} lines"))),
        },
        Command::Confirm(Confirm { quantities: None, .. }) | Command::Release(_) => Ok(()),
        Command::Extend(Extend { deadline, .. }) => ttl_fits(*deadline),
        Command::Transfer(Transfer { from, to, quantity, note, .. }) => {
            if from == to {
                return Err(Error::invalid("a transfer is between two accounts"));
            }
            quantity_fits(*quantity)?;
            note_fits(note)
        }
    }
}
