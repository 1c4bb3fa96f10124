//! The ledger as the files have it: the newest snapshot, and the journal after it.

use std::path::Path;
use std::sync::Arc;

use super::standby::{Recovered, Standby};
use crate::base::Seq;
use crate::base::error::Result;
use crate::engine::EngineBuilder;
use crate::engine::files::belonging::lost;
use crate::engine::files::generations::read_newest;
use crate::journal::FoundJournal;

/// Reads the ledger.
///
/// # Errors
/// `Corrupt` when the files hold what no crash explains, or acknowledged events are missing;
/// `Unavailable` when they cannot be read.
pub(super) fn recover(settings: &EngineBuilder, dir: &Path) -> Result<Recovered> {
    let (snapshot, generations) = read_newest(&*settings.vfs, dir)?;
    let mut standby = Standby::new(settings.limits, settings.clock.now_ms());
    if let Some(snapshot) = &snapshot {
        standby.load(snapshot)?;
    }
    drop(snapshot);
    let (from_seq, shown_seq) = (standby.needed_from(), standby.shown_seq());
    let (vfs, config) = (Arc::clone(&settings.vfs), settings.journal.clone());
    let found = standby.apply(|apply| FoundJournal::find(vfs, dir, config, from_seq, apply))?;
    check_shown(dir, shown_seq, found.last_seq())?;
    Ok(standby.promote(generations, found))
}

/// Whether the journal, which ends at `last_seq`, has what the checkpoint shows.
///
/// # Errors
/// `Corrupt` when it has not: acknowledged records are missing.
pub(super) fn check_shown(dir: &Path, shown_seq: Seq, last_seq: Seq) -> Result<()> {
    if last_seq < shown_seq {
        let witness = format_args!("the checkpoint in {}", dir.display());
        return Err(lost(witness, shown_seq, last_seq));
    }
    Ok(())
}
