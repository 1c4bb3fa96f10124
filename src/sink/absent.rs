//! What stands in for the mirror in a program without the feature `mysql`.

use std::convert::Infallible;

use super::{Database, MirrorConfig, MirrorView};
use crate::base::error::{Error, Result};
use crate::engine::Engine;

/// The name of the mirror's claim on the journal.
pub(crate) const CLAIM: &str = "mirror";

/// # Errors
/// `Invalid`: this program knows no databases.
pub(crate) fn check_database(_: &Database) -> Result<()> {
    Err(Error::invalid("mirror_url is set, but this program was built without the feature `mysql`"))
}

/// The type of the mirror in a build that has none.
pub(crate) struct Mirror(Infallible);

impl Mirror {
    /// # Errors
    /// `Invalid`: this program cannot mirror.
    pub(crate) fn start(_: &Engine, config: MirrorConfig) -> Result<Self> {
        Err(check_database(&config.database).err().unwrap_or_else(Error::closed))
    }

    pub(crate) fn view(&self) -> MirrorView {
        match self.0 {}
    }

    pub(crate) fn stop(self) {
        match self.0 {}
    }
}
