//! What went wrong, as far as it decides what to do next.

use std::borrow::Cow;
use std::io;

use mysql_async::{Error as MysqlError, IoError};

use crate::error::Error;

/// Why a mirror stopped what it did.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database refused it for now, and the connection stands: try the same again.
    Busy(String),
    /// There is no connection, or none whose state is known: connect anew, and look how far the tables came.
    Lost(String),
    /// Only an operator can help: try again, slowly.
    Misconfigured(String),
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
            | Self::Fenced(message)
            | Self::ReloadNeeded(message) => Cow::Borrowed(message),
            Self::Ledger(error) => Cow::Owned(error.to_string()),
        }
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Ledger(error) => error,
            Self::Misconfigured(message) => Error::invalid(message),
            Self::Fenced(message) | Self::ReloadNeeded(message) => Error::conflict(message),
            fault => Error::unavailable(fault.message().into_owned()),
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
        // A row that the database refuses is met where it is written; elsewhere our own statement is at fault.
        match class(&error) {
            Class::Transient if is_answer(&error) => Self::Busy(error.to_string()),
            Class::Transient => Self::Lost(error.to_string()),
            Class::Config | Class::Row => Self::Misconfigured(error.to_string()),
        }
    }
}

/// What an error of the database is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The moment: a lost connection, a deadlock, a full disk, a server that only reads.
    Transient,
    /// The row that was written.
    Row,
    /// The settings, the rights or the tables.
    Config,
}

/// Errors that belong to the row although their SQLSTATE is the general one.
const ROW_CODES: [u16; 8] = [
    1264, // out of range
    1265, // truncated
    1366, // a character that the column does not know
    1406, // too long
    1690, // out of range in an expression
    3140, // not JSON
    3819, // a check constraint
    4025, // a check constraint of MariaDB
];

/// Errors of settings and tables whose SQLSTATE says something else.
const CONFIG_CODES: [u16; 5] = [
    1046, // no database was named
    1049, // no such database
    1364, // a column of somebody else's without a default
    1698, // access denied
    1820, // the password must be changed
];

/// Errors of the moment whose SQLSTATE says something else.
const TRANSIENT_CODES: [u16; 6] = [
    1040, // too many connections
    1053, // the server stops
    1129, // the host is blocked for now
    1203, // the user has too many connections
    1205, // a lock was not given in time
    1213, // a deadlock
];

/// Whether the server answered, and goes on listening.
fn is_answer(error: &MysqlError) -> bool {
    const ENDS: [u16; 3] = [1053, 1317, 1927];
    matches!(error, MysqlError::Server(error) if !ENDS.contains(&error.code) && !error.state.starts_with("08"))
}

pub(super) fn class(error: &MysqlError) -> Class {
    match error {
        MysqlError::Server(error) => class_of(error.code, &error.state),
        MysqlError::Url(_) => Class::Config,
        // A certificate that is not trusted does not become so by waiting.
        MysqlError::Io(IoError::Tls(_)) => Class::Config,
        MysqlError::Io(IoError::Io(error)) if is_about_certificates(error) => Class::Config,
        _ => Class::Transient,
    }
}

/// Failures of a handshake come as those of the wire.
fn is_about_certificates(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData && error.to_string().contains("certificate")
}

fn class_of(code: u16, state: &str) -> Class {
    if TRANSIENT_CODES.contains(&code) {
        return Class::Transient;
    }
    if CONFIG_CODES.contains(&code) {
        return Class::Config;
    }
    if ROW_CODES.contains(&code) {
        return Class::Row;
    }
    match state.get(..2) {
        // Data, integrity, and what a trigger signals.
        Some("22" | "23" | "45") => Class::Row,
        // Rights, names and syntax.
        Some("28" | "3D" | "42") => Class::Config,
        _ => Class::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_error_says_what_to_do() {
        for (code, state, class) in [
            (1205, "HY000", Class::Transient),
            (1213, "40001", Class::Transient),
            (1040, "08004", Class::Transient),
            (1290, "HY000", Class::Transient), // read-only
            (1114, "HY000", Class::Transient), // the table is full
            (1021, "HY000", Class::Transient), // the disk is full
            (1927, "70100", Class::Transient), // the connection was killed
            (1203, "42000", Class::Transient),
            (1406, "22001", Class::Row),
            (1366, "HY000", Class::Row),
            (1062, "23000", Class::Row),
            (1644, "45000", Class::Row),
            (4025, "23000", Class::Row),
            (1045, "28000", Class::Config),
            (1049, "42000", Class::Config),
            (1142, "42000", Class::Config),
            (1146, "42S02", Class::Config),
            (1054, "42S22", Class::Config),
            (1364, "HY000", Class::Config),
        ] {
            assert_eq!(class_of(code, state), class, "ERROR {code} ({state})");
        }
    }
}
