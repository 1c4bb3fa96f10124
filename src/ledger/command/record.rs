//! Requests to keep something beside the accounts.

use super::builders;
#[cfg(doc)]
use crate::base::BODY_BYTES_MAX;
use crate::base::{AccountId, IdempotencyKey, ReservationId};

/// Keeps a note with a reservation in history; no account changes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Note<'a> {
    /// The reservation.
    pub reservation: ReservationId,
    /// Opaque; at most [`BODY_BYTES_MAX`] bytes.
    pub body: &'a [u8],
}

impl<'a> Note<'a> {
    /// Keeps `body` with `reservation`.
    pub fn new(reservation: ReservationId, body: &'a [u8]) -> Self {
        Self { reservation, body }
    }
}

/// Writes a document beside the ledger, or removes it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct PutDocument<'a> {
    /// Its collection, such as `product`: 1 to 128 bytes.
    pub collection: &'a str,
    /// Its name in the collection: 1 to 128 bytes.
    pub name: &'a str,
    /// Its content, at most [`BODY_BYTES_MAX`] bytes; `None` removes it.
    pub body: Option<&'a [u8]>,
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> PutDocument<'a> {
    /// Writes `body` as the document `name` of `collection`.
    pub fn new(collection: &'a str, name: &'a str, body: &'a [u8]) -> Self {
        Self { collection, name, body: Some(body), key: None }
    }

    /// Removes the document `name` of `collection`.
    pub fn remove(collection: &'a str, name: &'a str) -> Self {
        Self { collection, name, body: None, key: None }
    }
}

builders!(['a] PutDocument<'a> { key });

/// A note on a reservation, and on whose behalf it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noting<'a> {
    pub(crate) reservation: ReservationId,
    pub(crate) body: &'a [u8],
    pub(crate) owner: Option<AccountId>,
    pub(crate) key: Option<IdempotencyKey>,
}
