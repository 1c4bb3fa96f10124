//! Requests of those who wait for units of an account.

use super::{Reserve, builders};
use crate::base::{AccountId, IdempotencyKey};
#[cfg(doc)]
use crate::base::{PLACE_BYTES_MAX, PLACES_MAX};

/// Waits in the line for units of an account, which has none left.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Join<'a> {
    /// The account.
    pub account: AccountId,
    /// Who waits; each has one place in a line.
    pub owner: AccountId,
    /// How many places the line may have with this one, at most [`PLACES_MAX`].
    pub places_max: usize,
    /// Opaque; kept with the place, at most [`PLACE_BYTES_MAX`] bytes.
    pub body: &'a [u8],
    /// The request's name: a retry takes no second place, though the first was given up since.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Join<'a> {
    /// A place for `owner` at the end of the line of `account`, which has at most `places_max`.
    pub fn new(account: AccountId, owner: AccountId, places_max: usize) -> Self {
        Self { account, owner, places_max, body: &[], key: None }
    }

    /// With this beside the place.
    pub fn body(mut self, body: &'a [u8]) -> Self {
        self.body = body;
        self
    }
}

builders!(['a] Join<'a> { key });

/// Gives up a place in a line.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Leave<'a> {
    /// The account.
    pub account: AccountId,
    /// Whose place it is.
    pub owner: AccountId,
    /// Only when it is this place; `None` is whichever the owner has.
    pub place: Option<u64>,
    /// Why, for whoever reads the events.
    pub note: &'a str,
    /// The request's name: a retry gives up no place that was taken since.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Leave<'a> {
    /// Gives up the place that `owner` has in the line of `account`.
    pub fn new(account: AccountId, owner: AccountId) -> Self {
        Self { account, owner, place: None, note: "", key: None }
    }

    /// Only this place, and not one that was taken later.
    pub fn place(mut self, place: u64) -> Self {
        self.place = Some(place);
        self
    }
}

builders!(['a] Leave<'a> { note, key });

/// Makes a reservation for who is the first in a line: it takes past the line, and the place is
/// given up in the same step.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Grant<'a> {
    /// The account that has the line.
    pub account: AccountId,
    /// The place, which must be the first.
    pub place: u64,
    /// What to take; one of its lines is of the account. It has no key: the place is given up once.
    pub reserve: Reserve<'a>,
}

impl<'a> Grant<'a> {
    /// Lets the first in the line of `account`, which is `place`, have what `reserve` takes.
    pub fn new(account: AccountId, place: u64, reserve: Reserve<'a>) -> Self {
        Self { account, place, reserve }
    }
}
