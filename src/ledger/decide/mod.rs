//! Deciding: from a command and the locked state to an event, or to an outcome that changes
//! nothing.

mod end;
mod policy;
mod queue;
mod refund;
mod reserve;
mod revive;
mod stock;

use super::account::Account;
use super::view::View;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey, TimeMs};
use crate::event::{Event, Fact};
use crate::ledger::{Command, Outcome};

pub(super) use end::give_back;
pub(super) use policy::{change_policy, close};
pub(super) use queue::{join, leave};
pub(super) use refund::{Returning, give_back_consumed};
pub(super) use reserve::{deadline, reserve_past};
pub(super) use revive::{Reviving, take_again};

/// What a command comes to.
#[allow(
    clippy::large_enum_variant,
    reason = "the large variant is the common one, and it lives for one call"
)]
pub(super) enum Decision<'a> {
    /// These facts happen, in this order; the last one is the command's own. Its event is made here,
    /// where it stays until it is recorded, as of nobody's request yet: moving it costs.
    Facts { renewals: Vec<Fact<'static>>, event: Event<'a>, outcome: Outcome },
    /// Nothing happens.
    Nothing(Outcome),
}

impl<'a> Decision<'a> {
    fn fact(now: TimeMs, fact: Fact<'a>, outcome: Outcome) -> Self {
        Self::Facts { renewals: Vec::new(), event: Event { at: now, request: None, fact }, outcome }
    }
}

/// Decides on the shards of the command's footprint, all held.
///
/// # Errors
/// `Invalid` or `Overloaded`; nothing is changed here in any case.
#[inline]
pub(super) fn decide<'a>(
    locked: &impl View,
    command: &Command<'a>,
    now: TimeMs,
    reservations_max: usize,
) -> Result<Decision<'a>> {
    match command {
        Command::Receive(request) => stock::receive(locked, request, now),
        Command::Adjust(request) => stock::adjust(locked, request, now),
        Command::WriteOff(request) => stock::write_off(locked, request, now),
        Command::Reserve(request) => reserve::reserve(locked, request, now, reservations_max),
        Command::Confirm(request) => end::confirm(locked, request, now),
        Command::Release(request) => Ok(end::release(locked, request, now)),
        Command::Transfer(request) => stock::transfer(locked, request, now),
        Command::Extend(request) => end::extend(locked, request, now),
    }
}

/// # Errors
/// `NotFound` when there is no such account, or when it is closed.
fn existing(locked: &impl View, account: AccountId) -> Result<&Account> {
    match locked.account(account) {
        Some(found) if !found.is_closed => Ok(found),
        Some(found) => Err(closed(&found.key, account)),
        None => Err(Error::not_found(format!("there is no account number {}", account.number()))),
    }
}

/// The error for a request about an account that is closed.
pub(super) fn closed(key: &AccountKey, account: AccountId) -> Error {
    Error::not_found(format!("account number {}, {key}, is closed", account.number()))
}
