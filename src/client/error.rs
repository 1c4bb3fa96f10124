//! Why a call did not do what it was asked.

use std::fmt;

use crate::base::error::Error;
use crate::wire::Found;

/// What the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// The code to act on, such as `INSUFFICIENT_UNITS`.
    pub code: String,
    /// For people.
    pub message: String,
    /// What was found.
    pub found: Option<Found>,
}

/// Why a call did not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The server refused; nothing was changed.
    Refused(Refusal),
    /// The deadline came before an answer that says what became of the request: the message says what
    /// stood in the way of the last try. It may have been done; asked again with the same key, it is
    /// done once.
    Deadline(String),
    /// The answer is none that this client knows.
    Unreadable(String),
    /// The request cannot be made.
    Invalid(Error),
}

impl ClientError {
    /// The code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.code),
            Self::Deadline(_) | Self::Unreadable(_) | Self::Invalid(_) => None,
        }
    }

    /// What a refusal found.
    pub fn found(&self) -> Option<Found> {
        match self {
            Self::Refused(refusal) => refusal.found,
            Self::Deadline(_) | Self::Unreadable(_) | Self::Invalid(_) => None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal { status, code, message, .. }) => {
                write!(f, "{code} ({status}): {message}")
            }
            Self::Deadline(last) => write!(f, "no answer before the deadline: {last}"),
            Self::Unreadable(what) => write!(f, "an answer cannot be read: {what}"),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Invalid(error) => Some(error),
            Self::Refused(_) | Self::Deadline(_) | Self::Unreadable(_) => None,
        }
    }
}

impl From<Error> for ClientError {
    fn from(error: Error) -> Self {
        Self::Invalid(error)
    }
}
