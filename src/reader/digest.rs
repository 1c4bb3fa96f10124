//! What tells a ledger as it stood from any other.

use std::fmt;

use serde::Serialize;

use super::LedgerView;
use crate::base::error::{Error, Result};

/// BLAKE3 of everything that a ledger shows: its accounts by key, the pending reservations by
/// number, the documents by collection and key. Two directories of one release have the same where
/// they stand alike, however they came there; another release may show more and have another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl LedgerView {
    /// What tells it from any other.
    ///
    /// # Errors
    /// `Unavailable` when something of it cannot be written.
    pub(crate) fn digest(&self) -> Result<Digest> {
        let mut hasher = blake3::Hasher::new();
        let mut levels = self.levels();
        levels.sort_by(|a, b| (&a.key, a.account).cmp(&(&b.key, b.account)));
        levels.iter().try_for_each(|level| add(&mut hasher, level))?;
        let mut pending = self.all_pending();
        pending.sort_by_key(|pending| pending.reservation);
        pending.iter().try_for_each(|pending| add(&mut hasher, pending))?;
        for collection in self.collections() {
            for document in self.documents(&collection) {
                add(&mut hasher, &(&collection, document))?;
            }
        }
        Ok(Digest(hasher.finalize().into()))
    }
}

fn add(hasher: &mut blake3::Hasher, shown: &impl Serialize) -> Result<()> {
    let bytes = rmp_serde::to_vec(shown)
        .map_err(|cause| Error::unavailable("a ledger cannot be written").with_source(cause))?;
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(&bytes);
    Ok(())
}
