//! The ledger as the files have it: the newest snapshot, and the journal after it.

use std::path::Path;
use std::sync::Arc;

use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::engine::files::belonging::lost;
use crate::engine::files::generations::{Generations, read_newest};
use crate::engine::{EngineBuilder, time};
use crate::event;
use crate::journal::FoundJournal;
use crate::ledger::{Ledger, Replay};

/// What was read. Nothing is written yet.
pub(super) struct Recovered {
    pub(super) ledger: Ledger,
    pub(super) generations: Generations,
    pub(super) found: FoundJournal,
    /// The newest time that the files know.
    pub(super) floor_ms: TimeMs,
}

/// Reads the ledger.
///
/// # Errors
/// `Corrupt` when the files hold what no crash explains, or acknowledged events are missing;
/// `Unavailable` when they cannot be read.
pub(super) fn recover(settings: &EngineBuilder, dir: &Path) -> Result<Recovered> {
    let (snapshot, generations) = read_newest(&*settings.vfs, dir)?;
    let ledger = Ledger::new(settings.limits, settings.clock.now_ms());
    let mut floor_ms = 0;
    let mut replay = Replay::new(&ledger);
    let (mut from_seq, mut shown_seq) = (1, 0);
    if let Some(snapshot) = snapshot {
        snapshot.load(&mut replay)?;
        (from_seq, shown_seq) = (snapshot.from_seq, snapshot.last_seq);
        floor_ms = snapshot.at;
    }
    let mut apply = |seq, kind, payload: &[u8]| {
        let event = event::decode(kind, payload)?;
        floor_ms = time::floor_after(floor_ms, &event);
        replay.apply(seq, &event).map_err(|error| Error::corrupt(format!("record {seq}: {error}")))
    };
    let (vfs, config) = (Arc::clone(&settings.vfs), settings.journal.clone());
    let found = FoundJournal::find(vfs, dir, config, from_seq, &mut apply)?;
    drop(replay);
    if found.last_seq() < shown_seq {
        let witness = format_args!("the checkpoint in {}", dir.display());
        return Err(lost(witness, shown_seq, found.last_seq()));
    }
    Ok(Recovered { ledger, generations, found, floor_ms })
}
