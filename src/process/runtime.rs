//! The threads that serve and call.

use crate::base::error::{Error, Result};

/// A runtime for the commands that serve or call.
///
/// # Errors
/// `Unavailable` when its threads cannot be started.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|cause| Error::io("the runtime did not start", cause))
}
