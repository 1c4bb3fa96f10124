//! Standard output.

use std::io::Write as _;

use crate::base::error::{Error, Result};

/// Prints to standard output, which may be a pipe that nobody reads any more: `println!` would
/// panic then.
///
/// # Errors
/// `Unavailable` when it cannot be written.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|cause| Error::io("printing", cause))
}
