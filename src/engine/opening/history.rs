//! History as it is found, or why it is not opened.

use std::path::Path;

use crate::base::error::{ErrorKind, Result};
use crate::engine::EngineBuilder;
use crate::engine::files::belonging;
use crate::history::{Belongs, Shown, Store, StoreConfig};
use crate::journal::FoundJournal;
use crate::ledger::Ledger;

/// What became of history at the opening.
pub(super) enum Opened {
    Here(Box<Store>),
    /// Nobody wants it.
    Off,
    /// The disk is too full for it, and the engine opens without.
    NoRoom(String),
}

impl Opened {
    /// The store, and why there is none although it was asked for.
    pub(super) fn into_store(self) -> (Option<Store>, Option<String>) {
        match self {
            Self::Here(store) => (Some(*store), None),
            Self::Off => (None, None),
            Self::NoRoom(why) => (None, Some(why)),
        }
    }
}

/// Opens history, when it is asked for.
///
/// # Errors
/// `Corrupt` when it proves that acknowledged events are missing, `Unavailable` when the disk fails.
pub(super) fn open(
    settings: &EngineBuilder,
    dir: &Path,
    journal: &FoundJournal,
    ledger: &Ledger,
) -> Result<Opened> {
    if !settings.history {
        return Ok(Opened::Off);
    }
    match open_store(dir, journal, ledger, settings.accept_loss) {
        // Stock and orders that wait need no history.
        Err(error) if error.is_no_room() => {
            tracing::error!(%error, "history cannot be opened on a full disk: the engine opens without it");
            Ok(Opened::NoRoom(error.to_string()))
        }
        opened => opened.map(|store| Opened::Here(Box::new(store))),
    }
}

/// Opens history and lets it go on where it ends. A history that is new, or was set aside, begins
/// with the oldest event that is still kept: everything, unless the archive has dropped some.
fn open_store(
    dir: &Path,
    journal: &FoundJournal,
    ledger: &Ledger,
    accept_loss: bool,
) -> Result<Store> {
    let judge = |shown: &Shown| match belonging::judge(journal, shown) {
        // It shows more than its manifest, which was looked at before.
        Err(error) if accept_loss && error.kind() == ErrorKind::Corrupt => {
            Ok(Belongs::Elsewhere(error.to_string()))
        }
        judged => judged,
    };
    let store = Store::open_judged(&dir.join("store"), StoreConfig::default(), &judge)?;
    if let Some(set_aside) = store.set_aside() {
        tracing::error!(?set_aside, "history cannot be used; it is made anew from the journal");
    }
    let oldest_seq = journal.oldest_seq();
    if store.projected() + 1 < oldest_seq {
        tracing::warn!(oldest_seq, "history begins late: older events are no longer kept");
        let quotas = ledger.levels().into_iter().filter(|level| !level.key.kind().has_history());
        store.begin_after(oldest_seq - 1, quotas.map(|level| level.account))?;
    }
    Ok(store)
}
