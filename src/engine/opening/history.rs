//! History as it is found, or why it is not opened.

use std::path::Path;

use crate::base::error::{ErrorKind, Result};
use crate::engine::EngineBuilder;
use crate::engine::files::belonging;
use crate::engine::following::place::{OpenStore, StorePlace};
use crate::history::{self, Belongs, Shown, Store, StoreConfig};
use crate::journal::KeptRecords;
use crate::ledger::Ledger;

/// What became of history at the opening.
pub(super) enum Opened {
    Here(Box<Store>),
    /// Nobody wants it.
    Off,
    /// The disk is too full for it, and the engine opens without.
    NoRoom(String),
    /// It is opened once the engine is.
    Later(OpenStore),
}

/// When history is opened.
pub(super) enum When {
    /// Before the engine is, so that what it proves can refuse the opening.
    Now,
    /// While the engine works already, once this returns. What the manifest says is looked at before
    /// all the same.
    #[cfg_attr(not(feature = "bin"), allow(dead_code, reason = "for a successor"))]
    After(Box<dyn FnOnce() + Send>),
}

impl Opened {
    /// The place of the store, and why there is none although it was asked for.
    pub(super) fn into_place(self) -> (StorePlace, Option<String>) {
        match self {
            Self::Here(store) => (StorePlace::of(Some(*store)), None),
            Self::Off => (StorePlace::of(None), None),
            Self::NoRoom(why) => (StorePlace::of(None), Some(why)),
            Self::Later(open) => (StorePlace::later(open), None),
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
    journal: &KeptRecords,
    ledger: &Ledger,
    when: When,
) -> Result<Opened> {
    if !settings.history {
        return Ok(Opened::Off);
    }
    let may_begin = match when {
        When::Now => None,
        When::After(may_begin) => Some(may_begin),
    };
    if let Some(may_begin) = may_begin {
        if let Some(shown) = history::shown(&dir.join("store"))? {
            belonging::judge(journal, &shown)?;
        }
        let (dir, journal) = (dir.to_owned(), journal.clone());
        return Ok(Opened::Later(Box::new(move |ledger| {
            may_begin();
            open_store(&dir, &journal, ledger, false)
        })));
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
    journal: &KeptRecords,
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
