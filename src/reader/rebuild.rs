//! Making anew what follows the journal: history, and the snapshot of the ledger.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DirectoryReader, LedgerView};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::engine::files::absolute;
use crate::engine::files::snapshot;
use crate::engine::opening::loss::{self, Accepted};
use crate::event::{Event, Recorder};
use crate::history::{self, Store, StoreConfig};
use crate::vfs::directory::{self, Locked};
use crate::vfs::{RealVfs, Vfs};

/// How many rows of history wait in memory before they are written.
const WAITING_ROWS_MAX: usize = 200_000;

/// What was made anew.
#[derive(Debug)]
pub(crate) struct Rebuilt {
    /// The first and the last event that it shows.
    pub(crate) first_seq: Seq,
    pub(crate) last_seq: Seq,
    pub(crate) path: PathBuf,
    /// Where that is which was there before.
    pub(crate) set_aside: Option<PathBuf>,
}

/// A data directory that no engine has open, whose journal is durable as it is read.
struct Claimed {
    reader: DirectoryReader,
    _locked: Locked,
}

impl Claimed {
    /// # Errors
    /// `NotFound` when it is not a data directory, `AlreadyOpen` when somebody has it, `Corrupt`
    /// when the journal is damaged. Nothing is changed then.
    fn new(dir: &Path) -> Result<Self> {
        // Before the lock, whose file would be made where there is no data directory.
        DirectoryReader::open(dir)?;
        let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
        let locked = directory::lock(&vfs, &absolute(&*vfs, dir)?)?;
        let reader = DirectoryReader::open(dir)?;
        // What a killed engine had written and not synced must not be known elsewhere before it is
        // durable.
        let journal = dir.join("journal");
        let sync = || {
            for file in reader.files().iter().filter(|file| file.path.starts_with(&journal)) {
                vfs.open(&file.path)?.sync()?;
            }
            vfs.sync_dir(&journal)
        };
        sync().map_err(|error| Error::io(format_args!("syncing {}", journal.display()), error))?;
        Ok(Self { reader, _locked: locked })
    }
}

/// Makes history anew from snapshot, journal and archive. The one that was there is renamed when
/// the new one is whole.
///
/// # Errors
/// `NotFound` when `dir` is not a data directory, `AlreadyOpen` when somebody has it open,
/// `Unavailable` when the disk fails, `Corrupt` when an event of the journal is damaged. History is
/// as it was then. Behind a file of the archive that is damaged history begins anew.
pub(crate) fn rebuild_history(dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Rebuilt> {
    let claimed = Claimed::new(dir)?;
    let reader = &claimed.reader;
    let (mut first_seq, last_seq) = (reader.oldest_seq(), reader.last_seq());
    let (path, building) = (dir.join("store"), dir.join("store.rebuilding"));
    while let Some(damaged_through) = fill_history(reader, &building, first_seq, progress)? {
        first_seq = damaged_through + 1;
    }
    let set_aside = history::replace(&path, &building)?;
    Ok(Rebuilt { first_seq, last_seq, path, set_aside })
}

/// Makes history in an empty directory, from an event on. Where that meets a file of the archive
/// that is damaged, it returns the last event of the file, after which history has to begin.
fn fill_history(
    reader: &DirectoryReader,
    building: &Path,
    first_seq: Seq,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<Seq>> {
    let last_seq = reader.last_seq();
    history::remove(building)?;
    let store = Store::open(building, StoreConfig::default())?;
    if first_seq > 1 {
        let levels = reader.ledger_at(last_seq)?.levels();
        let quotas = levels.iter().filter(|level| !level.key.kind().has_history());
        store.begin_after(first_seq - 1, quotas.map(|level| level.account))?;
    }
    let mut events = reader.events(first_seq..=last_seq)?;
    let (total, mut done) = (events.left(), 0);
    while let Some(event) = events.next() {
        let (seq, event) = match (event, events.damaged_through()) {
            (Err(error), Some(damaged_through)) => {
                tracing::error!(%error, damaged_through, "history begins after a damaged file of the archive");
                store.close()?;
                return Ok(Some(damaged_through));
            }
            (event, _) => event?,
        };
        store.project(seq, &event)?;
        if let Some((seq, mark)) = events.marked() {
            store.mark(seq, mark);
        }
        done += 1;
        if store.memtable_len() >= WAITING_ROWS_MAX {
            store.flush(usize::MAX)?;
            while store.wants_merging() {
                store.merge(usize::MAX)?;
            }
        }
        progress(done, total);
    }
    store.close()?;
    Ok(None)
}

/// Sets aside what shows acknowledged records that the journal does not have; `None` when nothing
/// does.
///
/// # Errors
/// `NotFound` when `dir` is not a data directory, `Unavailable` when another process has it open or
/// the disk fails, `Corrupt` when the journal is damaged, or what is left is not a whole ledger.
/// Nothing is changed then.
pub(crate) fn accept_loss(dir: &Path) -> Result<Option<Accepted>> {
    let claimed = Claimed::new(dir)?;
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let accepted = loss::accept(&vfs, dir);
    drop(claimed);
    accepted
}

/// Makes the ledger's snapshot anew from journal and archive, and from the oldest snapshot where
/// they no longer reach back to the first event.
///
/// # Errors
/// As [`rebuild_history`], and `Corrupt` when an event contradicts those before it.
pub(crate) fn rebuild_snapshot(dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Rebuilt> {
    let claimed = Claimed::new(dir)?;
    let reader = &claimed.reader;
    let view = reader.ledger_anew(progress)?;
    let path = write_snapshot(dir, &view)?;
    Ok(Rebuilt { first_seq: reader.oldest_seq(), last_seq: view.seq(), path, set_aside: None })
}

/// Writes a snapshot of the ledger as it stood, into a data directory that nobody has open.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(crate) fn write_snapshot(dir: &Path, view: &LedgerView) -> Result<PathBuf> {
    snapshot::write_of(&RealVfs, dir, view.ledger(), &EndsAt(view.seq()), view.floor_ms())
}

/// The journal of a ledger that is only read.
struct EndsAt(Seq);

impl Recorder for EndsAt {
    fn admit(&self) -> Result<()> {
        Err(Error::closed())
    }

    /// Nothing is admitted, so nothing comes here.
    fn record(&self, _event: &Event<'_>) -> Seq {
        self.0
    }

    fn last_seq(&self) -> Seq {
        self.0
    }
}
