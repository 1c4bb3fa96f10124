//! How long what callers hand over to be kept may be.

use crate::base::BODY_BYTES_MAX;
use crate::base::error::{Error, Result};
use crate::ledger::NAME_BYTES_MAX;

/// # Errors
/// `Invalid` for a note or a document that is too long.
pub(super) fn check_body(body: &[u8]) -> Result<()> {
    match body.len() {
        0..=BODY_BYTES_MAX => Ok(()),
        _ => {
            Err(Error::invalid(format!("a note or a document has at most {BODY_BYTES_MAX} bytes")))
        }
    }
}

/// # Errors
/// `Invalid` for a document's collection or key that is empty or too long.
pub(super) fn check_name(name: &str) -> Result<()> {
    match name.len() {
        1..=NAME_BYTES_MAX => Ok(()),
        _ => Err(Error::invalid(format!(
            "a document's collection and key have 1 to {NAME_BYTES_MAX} bytes"
        ))),
    }
}
