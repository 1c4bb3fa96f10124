//! Requests about accounts.

use super::builders;
use crate::base::{AccountId, IdempotencyKey};
#[cfg(doc)]
use crate::base::{BODY_BYTES_MAX, QUANTITY_MAX};
use crate::event::Policy;

/// Adds units to an account.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Receive<'a> {
    /// The account.
    pub account: AccountId,
    /// How many units, 1 to [`QUANTITY_MAX`].
    pub quantity: u64,
    /// Why, for history.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Receive<'a> {
    /// Adds `quantity` units to `account`.
    pub fn new(account: AccountId, quantity: u64) -> Self {
        Self { account, quantity, note: "", key: None }
    }
}

/// Corrects an account after a count: up or down, never below what is reserved. Either by so many
/// units, or to what was counted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Adjust<'a> {
    /// The account.
    pub account: AccountId,
    /// By how many units; not 0. Of no meaning where there is a count.
    pub delta: i64,
    /// How many units there are, 0 to [`QUANTITY_MAX`]: see [`Adjust::counted`].
    pub counted: Option<u64>,
    /// Why, for history.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Adjust<'a> {
    /// Changes what `account` has available by `delta` units.
    pub fn new(account: AccountId, delta: i64) -> Self {
        Self { account, delta, counted: None, note: "", key: None }
    }

    /// Makes what `account` has available and what is reserved of it come to `units`: reserved units
    /// are still there to be counted. What is missing or too much is decided as the adjustment
    /// is, so that no reservation falls between the two. A count that finds what is there changes
    /// nothing, and is on record all the same; one that finds less than is reserved is refused. A
    /// quota cannot be counted.
    pub fn counted(account: AccountId, units: u64) -> Self {
        Self { account, delta: 0, counted: Some(units), note: "", key: None }
    }
}

/// Takes units out for good: broken, stolen, past their date.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct WriteOff<'a> {
    /// The account.
    pub account: AccountId,
    /// How many units, 1 to [`QUANTITY_MAX`].
    pub quantity: u64,
    /// Why, for history.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> WriteOff<'a> {
    /// Takes `quantity` units out of `account`.
    pub fn new(account: AccountId, quantity: u64) -> Self {
        Self { account, quantity, note: "", key: None }
    }
}

/// Moves units that one account has available to another of the same kind, in one step.
///
/// They count as written off where they were and as received where they are. Quotas have no units
/// of their own that could be moved.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Transfer<'a> {
    /// Where the units are.
    pub from: AccountId,
    /// Where they go: another account of the same kind, and for kinds of your own of the same name.
    pub to: AccountId,
    /// How many units, 1 to [`QUANTITY_MAX`].
    pub quantity: u64,
    /// Why, for the history of both accounts.
    pub note: &'a str,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Transfer<'a> {
    /// Moves `quantity` units from `from` to `to`.
    pub fn new(from: AccountId, to: AccountId, quantity: u64) -> Self {
        Self { from, to, quantity, note: "", key: None }
    }
}

/// Gives an account other rules.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct SetPolicy {
    /// The account.
    pub account: AccountId,
    /// Its rules from now on.
    pub policy: Policy,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl SetPolicy {
    /// Gives `account` the rules of `policy`.
    pub fn new(account: AccountId, policy: Policy) -> Self {
        Self { account, policy, key: None }
    }
}

builders!(['a] Receive<'a> { note, key });
builders!(['a] Adjust<'a> { note, key });
builders!(['a] WriteOff<'a> { note, key });
builders!(['a] Transfer<'a> { note, key });
builders!([] SetPolicy { key });
