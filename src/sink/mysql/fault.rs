//! What went wrong, as far as it decides what to do next.

use std::borrow::Cow;

use mysql_async::Error as MysqlError;

use super::errors::{Meaning, meaning};
use crate::base::error::Error;

/// Why a mirror stopped what it did.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database refused it for now, and the connection stands: try the same again, the whole
    /// transaction.
    Busy(String),
    /// There is no connection, or none whose state is known: connect anew, and look how far the
    /// tables came.
    Lost(String),
    /// Only an operator can help: try again, slowly.
    Misconfigured(String),
    /// The database does not let this user in, and counts the tries: try again a few times an hour.
    Denied(String),
    /// Another mirror has taken over: wait for its end.
    Fenced(String),
    /// The tables cannot be brought up to date from the journal.
    ReloadNeeded(String),
    /// The ledger's side failed.
    Ledger(Error),
}

impl Fault {
    pub(super) fn message(&self) -> Cow<'_, str> {
        match self {
            Self::Busy(message)
            | Self::Lost(message)
            | Self::Misconfigured(message)
            | Self::Denied(message)
            | Self::Fenced(message)
            | Self::ReloadNeeded(message) => Cow::Borrowed(message),
            Self::Ledger(error) => Cow::Owned(error.to_string()),
        }
    }

    /// The same, naming the database that it is about: a fault of its side may be of one of many.
    pub(super) fn at(mut self, place: &str) -> Self {
        match &mut self {
            Self::Busy(message)
            | Self::Lost(message)
            | Self::Misconfigured(message)
            | Self::Denied(message)
            | Self::Fenced(message)
            | Self::ReloadNeeded(message) => *message = format!("{place}: {message}"),
            Self::Ledger(_) => {}
        }
        self
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Ledger(error) => error,
            Self::Misconfigured(message) | Self::Denied(message) => Error::invalid(message),
            Self::Fenced(message) | Self::ReloadNeeded(message) => Error::conflict(message),
            Self::Busy(message) | Self::Lost(message) => Error::unavailable(message),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ledger(error)
    }
}

impl From<MysqlError> for Fault {
    fn from(error: MysqlError) -> Self {
        // A row that the database refuses is met where it is written; elsewhere our own statement
        // is at fault.
        match meaning(&error) {
            Meaning::Soon | Meaning::LostTransaction => Self::Busy(error.to_string()),
            Meaning::LostConnection => Self::Lost(error.to_string()),
            Meaning::Row | Meaning::Operator => Self::Misconfigured(error.to_string()),
            Meaning::Login => Self::Denied(error.to_string()),
        }
    }
}
