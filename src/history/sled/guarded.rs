//! Calling sled.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::error::{Error, ErrorKind, Result};

/// Calls sled; a panic is `Corrupt` like the errors that mean damage.
pub(super) fn guarded<T>(what: &'static str, call: impl FnOnce() -> sled::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => {
            Err(Error::new(io_kind(&error), format!("{what}: {error}")).with_source(error))
        }
        Ok(Err(error)) => Err(Error::corrupt(format!("{what}: {error}"))),
        Err(_) => Err(Error::corrupt(format!("{what}: sled panicked"))),
    }
}

fn io_kind(error: &std::io::Error) -> ErrorKind {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}
