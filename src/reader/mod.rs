//! Reading a data directory from outside: its events, and the ledger as it stood.

#[cfg(feature = "bin")]
mod digest;
#[cfg(feature = "bin")]
mod rebuild;

use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::{AccountId, AccountKey, ReservationId, Seq, TimeMs, handle};
use crate::engine::files::claims;
use crate::engine::files::snapshot::{self, Snapshot};
use crate::engine::files::{absolute, newer};
#[cfg(feature = "bin")]
use crate::event::branch::Mark;
use crate::event::{self, Event};
#[cfg(feature = "bin")]
use crate::journal::JournalFile;
use crate::journal::{JournalScan, ScannedRecords};
use crate::ledger::{Ledger, Limits, Replay};
use crate::ledger::{Level, Pending};
use crate::vfs::directory::{Identity, identity_of};
use crate::vfs::{RealVfs, Vfs};

#[cfg(feature = "bin")]
pub(crate) use digest::Digest;
#[cfg(feature = "bin")]
pub(crate) use rebuild::{Rebuilt, accept_loss, rebuild_history, rebuild_snapshot, write_snapshot};

/// A data directory, read without its lock and without changing anything in it: events, and the
/// whole ledger as of any of them. For auditors, reports and whoever follows the ledger from
/// elsewhere.
///
/// A follower with a copy of its own is checked by comparing that copy with [`DirectoryReader::ledger_at`] its
/// watermark, and is loaded anew from [`DirectoryReader::ledger_at`] some event, followed by [`DirectoryReader::events`]
/// from the next one on.
///
/// The directory may be one in use, in this process or another; what an engine recycles under the
/// reader's hands is looked for again. The look ends at the last event that was written when it was
/// taken, and of a directory in use the newest few may not be durable yet: a crash could take them
/// back. Stop at [`Engine::durable_seq`](crate::Engine) where that matters. A copy of the directory
/// shows what it held when it was made.
///
/// ```
/// use stockhold::reader::DirectoryReader;
/// use stockhold::command::WriteOff;
/// use stockhold::{AccountKey, Engine, Policy, Receive};
///
/// # fn main() -> stockhold::Result<()> {
/// # let dir = tempfile::tempdir().expect("a temporary directory");
/// # let dir = dir.path();
/// let engine = Engine::builder(dir).open()?;
/// let tea = AccountKey::stock("tea")?;
/// let account = engine.open_account(&tea, Policy::strict())?;
/// engine.receive(Receive::new(account, 5).note("first delivery"))?.wait()?;
/// engine.write_off(WriteOff::new(account, 2).note("broken"))?.wait()?;
///
/// let reader = DirectoryReader::open(dir)?;
/// assert_eq!((reader.oldest_seq(), reader.last_seq()), (1, 3));
/// for event in reader.events(2..)? {
///     let (seq, event) = event?;
///     println!("{seq}: {event:?}");
/// }
/// let before = reader.ledger_at(2)?;
/// assert_eq!(before.level(&tea).map(|level| level.available), Some(5));
/// let now = reader.ledger_at(reader.last_seq())?;
/// assert_eq!(now.level(&tea).map(|level| level.available), Some(3));
/// # Ok(())
/// # }
/// ```
pub struct DirectoryReader {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    journal: JournalScan,
}

handle!(DirectoryReader, this { dir: this.dir });

impl DirectoryReader {
    /// Looks at the data directory `dir`.
    ///
    /// # Errors
    /// `NotFound` when it is not a data directory, `Corrupt` naming file and offset when its
    /// journal holds what no crash explains, `Unavailable` when it cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        Self::open_on(Arc::new(RealVfs), dir.as_ref())
    }

    pub(crate) fn open_on(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Self> {
        // The process may go elsewhere before all of it is read.
        let dir = absolute(&*vfs, dir)?;
        newer::check(&*vfs, &dir)?;
        let journal = JournalScan::open(Arc::clone(&vfs), &dir)?;
        Ok(Self { vfs, dir, journal })
    }

    /// Which data directory it is, and which opening was its last; `None` before the first one, and
    /// of a copy that nobody has opened yet.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be read.
    pub fn identity(&self) -> Result<Option<Identity>> {
        identity_of(&*self.vfs, &self.dir)
    }

    /// The oldest event that is kept; one more than the last when there is none.
    pub fn oldest_seq(&self) -> Seq {
        self.journal.oldest_seq()
    }

    /// The last event that was written when the look was taken; 0 when there is none.
    pub fn last_seq(&self) -> Seq {
        self.journal.last_seq()
    }

    /// The random number of a follower's [`Claim`](crate::engine::Claim); `None` when it has none.
    ///
    /// # Errors
    /// `Invalid` for a name that no claim has, `Corrupt` when its file is damaged, `Unavailable`
    /// when it cannot be read.
    pub fn claim_id(&self, name: &str) -> Result<Option<u128>> {
        claims::read_id(&*self.vfs, &self.dir, name)
    }

    /// The files that hold the events, oldest first.
    #[cfg(feature = "bin")]
    pub(crate) fn files(&self) -> Vec<JournalFile> {
        self.journal.files()
    }

    /// The events of a range in their order, from the journal and the archive. A range without a
    /// start begins with the oldest event that is kept; one that goes too far ends with the last.
    ///
    /// # Errors
    /// `NotFound` when the first event of the range is older than what is kept, naming the oldest,
    /// or beyond the end.
    pub fn events(&self, seqs: impl RangeBounds<Seq>) -> Result<EventRange> {
        let from_seq = match seqs.start_bound() {
            Bound::Included(&seq) => seq,
            Bound::Excluded(&seq) => seq.saturating_add(1),
            Bound::Unbounded => self.oldest_seq(),
        };
        let through = match seqs.end_bound() {
            Bound::Included(&seq) => seq,
            Bound::Excluded(&seq) => seq.saturating_sub(1),
            Bound::Unbounded => Seq::MAX,
        };
        Ok(EventRange { records: self.journal.records(from_seq, through)?, mark: 0, failed: false })
    }

    /// The last event before the first one that is later than `time`: [`DirectoryReader::ledger_at`] it is the
    /// ledger as it stood then. Events of one moment can stand a few milliseconds out of order; the
    /// first file of the journal that begins after `time` ends the search.
    ///
    /// # Errors
    /// `NotFound` when everything that is kept is later and something older is not kept; those of
    /// [`EventRange`].
    pub fn seq_at(&self, time: TimeMs) -> Result<Seq> {
        let files = self.journal.files();
        let mut starts: Vec<Seq> = files
            .iter()
            .filter(|file| file.end_seq > file.first_seq)
            .map(|f| f.first_seq)
            .collect();
        starts.retain(|seq| *seq >= self.oldest_seq());
        starts.sort_unstable();
        starts.dedup();
        let mut failed = None;
        let begins_by_then = |seq: &Seq| match self.time_of(*seq) {
            Ok(at) => at <= time,
            Err(error) => {
                failed.get_or_insert(error);
                false
            }
        };
        let later = starts.partition_point(begins_by_then);
        if let Some(error) = failed {
            return Err(error);
        }
        let Some(start) = later.checked_sub(1).and_then(|at| starts.get(at)) else {
            return match self.oldest_seq() {
                1 => Ok(0),
                oldest => Err(Error::not_found(format!(
                    "what happened by that time is no longer kept: the oldest event there is, {oldest}, is later"
                ))),
            };
        };
        let mut seq = start.saturating_sub(1);
        for event in self.events(*start..)? {
            let (next, event) = event?;
            if event.at > time {
                break;
            }
            seq = next;
        }
        Ok(seq)
    }

    fn time_of(&self, seq: Seq) -> Result<TimeMs> {
        let found = self.events(seq..=seq)?.next();
        let (_, event) =
            found.unwrap_or_else(|| Err(Error::not_found(format!("event {seq} is not there"))))?;
        Ok(event.at)
    }

    /// The whole ledger after the event `seq`; 0 is the empty one. It comes from the newest
    /// snapshot that shows nothing later, and the events since.
    ///
    /// # Errors
    /// `NotFound` when `seq` is beyond the end, or older than what can be made of what is kept,
    /// naming the oldest; `Corrupt` when an event that is needed is damaged or contradicts the
    /// ledger; `Unavailable` when it cannot be read.
    pub fn ledger_at(&self, seq: Seq) -> Result<LedgerView> {
        self.ledger_at_with(seq, &mut |_, _| ())
    }

    /// As [`DirectoryReader::ledger_at`], telling how many events of how many are applied.
    pub(crate) fn ledger_at_with(
        &self,
        seq: Seq,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<LedgerView> {
        let last_seq = self.last_seq();
        if seq > last_seq {
            let what =
                format!("event {seq} is not written yet: the journal ends at event {last_seq}");
            return Err(Error::not_found(what));
        }
        self.replay(self.newest_snapshot(seq)?, seq, progress)
    }

    /// The ledger at the end, from as far back as the events go: no snapshot is used, unless they
    /// no longer reach back to the first; then the oldest is.
    #[cfg(feature = "bin")]
    pub(super) fn ledger_anew(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<LedgerView> {
        let snapshot = match self.oldest_seq() {
            1 => None,
            _ => self.usable_snapshots()?.last().transpose()?,
        };
        if snapshot.is_none() && self.oldest_seq() > 1 {
            return Err(self.no_beginning(self.last_seq()));
        }
        self.replay(snapshot, self.last_seq(), progress)
    }

    fn replay(
        &self,
        snapshot: Option<Snapshot>,
        seq: Seq,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<LedgerView> {
        let ledger = Ledger::new(Limits::default(), 0);
        let mut replay = Replay::new(&ledger);
        let (mut from_seq, mut at, mut floor_ms) = (1, 0, 0);
        if let Some(snapshot) = &snapshot {
            snapshot.load(&mut replay)?;
            (from_seq, at, floor_ms) = (snapshot.from_seq, snapshot.at, snapshot.at);
        }
        let mut records = self.journal.records(from_seq, seq)?;
        let total = records.left();
        while records.next(&mut |seq, kind, payload| {
            let event = event::decode(kind, payload)?;
            (at, floor_ms) = (event.at, floor_ms.max(event.at));
            replay
                .apply(seq, &event)
                .map_err(|error| Error::corrupt(format!("record {seq}: {error}")))
        })? {
            progress(total - records.left(), total);
        }
        drop(replay);
        if total == 0 && seq >= self.oldest_seq() {
            at = self.time_of(seq)?;
        }
        Ok(LedgerView { ledger, seq, at, floor_ms })
    }

    /// The snapshots from which the journal goes on, newest first. A damaged one is left to the
    /// auditor to tell; one that a running engine removed meanwhile is older than those there are.
    fn usable_snapshots(&self) -> Result<impl DoubleEndedIterator<Item = Result<Snapshot>>> {
        let oldest_seq = self.oldest_seq();
        let paths = snapshot::list(&*self.vfs, &self.dir)?;
        Ok(paths.into_iter().filter_map(move |path| match snapshot::read(&*self.vfs, &path) {
            Ok(snapshot) => (snapshot.from_seq >= oldest_seq).then_some(Ok(snapshot)),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    /// The newest snapshot that shows nothing later than `seq` and from which the journal goes on;
    /// `None` when everything is kept from the first event on.
    ///
    /// # Errors
    /// `NotFound` when there is neither.
    fn newest_snapshot(&self, seq: Seq) -> Result<Option<Snapshot>> {
        let mut oldest_state = None;
        for snapshot in self.usable_snapshots()? {
            let snapshot = snapshot?;
            if snapshot.last_seq <= seq {
                return Ok(Some(snapshot));
            }
            oldest_state = Some(snapshot.last_seq);
        }
        match (self.oldest_seq(), oldest_state) {
            (1, _) => Ok(None),
            (_, Some(oldest)) => Err(Error::not_found(format!(
                "the ledger as of event {seq} is no longer kept; the oldest that can be made is as of event {oldest}"
            ))),
            (_, None) => Err(self.no_beginning(seq)),
        }
    }

    fn no_beginning(&self, seq: Seq) -> Error {
        Error::not_found(format!(
            "the ledger as of event {seq} cannot be made: no usable snapshot is kept, and the oldest event there is has \
             the number {}",
            self.oldest_seq()
        ))
    }
}

/// The events of a range. See [`DirectoryReader::events`].
///
/// Each item is an event, or what kept it from being read: `NotFound` when it is gone meanwhile,
/// `Corrupt` when it is damaged, `Unavailable` when its file cannot be read. Nothing comes after an
/// error.
pub struct EventRange {
    records: ScannedRecords,
    #[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "the mirror asks for it"))]
    mark: u64,
    failed: bool,
}

handle!(EventRange, this { failed: this.failed });

impl EventRange {
    /// How many events are left.
    pub fn left(&self) -> u64 {
        if self.failed { 0 } else { self.records.left() }
    }
}

impl EventRange {
    /// Tells the event that was read last from another one of its number: see [`event::mark`].
    #[cfg(feature = "mysql")]
    pub(crate) fn mark(&self) -> u64 {
        self.mark
    }
}

#[cfg(feature = "bin")]
impl EventRange {
    /// The last event that was read, and what tells it from others with its number.
    pub(super) fn marked(&self) -> Option<(Seq, Mark)> {
        self.records.marked()
    }

    /// Where the next event is in a file of the archive that is damaged: the last event of that
    /// file.
    pub(super) fn damaged_through(&self) -> Option<Seq> {
        self.records.damaged_through()
    }
}

impl Iterator for EventRange {
    type Item = Result<(Seq, Event<'static>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let mut found = None;
        let mark = &mut self.mark;
        let read = self.records.next(&mut |seq, kind, payload| {
            *mark = event::mark(seq, payload);
            found = Some((seq, event::decode(kind, payload)?.into_owned()));
            Ok(())
        });
        match read {
            Ok(_) => found.map(Ok),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

/// The whole ledger as it stood after one event; see [`DirectoryReader::ledger_at`]. Nothing in it changes any
/// more.
pub struct LedgerView {
    ledger: Ledger,
    seq: Seq,
    at: TimeMs,
    /// The newest time it knows of: that of an event, or of the snapshot that it was made from.
    #[cfg_attr(
        not(feature = "bin"),
        allow(dead_code, reason = "who writes snapshots of the past needs it")
    )]
    floor_ms: TimeMs,
}

handle!(LedgerView, this { seq: this.seq, at: this.at });

impl LedgerView {
    /// The event after which it stood like this.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// When that event happened; when it is no longer kept, when the snapshot was taken that shows
    /// it; 0 before the first.
    pub fn at(&self) -> TimeMs {
        self.at
    }

    /// The account with this key, if it was open.
    pub fn account(&self, key: &AccountKey) -> Option<AccountId> {
        self.ledger.account(key)
    }

    /// An account as it stood.
    pub fn level(&self, key: &AccountKey) -> Option<Level> {
        self.level_of(self.account(key)?)
    }

    /// An account as it stood, by its number.
    pub fn level_of(&self, account: AccountId) -> Option<Level> {
        self.ledger.level(account).ok()
    }

    /// Every account, by number within each shard.
    pub fn levels(&self) -> Vec<Level> {
        self.ledger.levels()
    }

    /// A reservation that was pending.
    pub fn pending(&self, reservation: ReservationId) -> Option<Pending> {
        self.ledger.pending(reservation)
    }

    /// Every reservation that was pending, by number. One whose deadline has passed is pending
    /// until its end is an event.
    pub fn all_pending(&self) -> Vec<Pending> {
        self.ledger.all_pending()
    }

    /// The names of the collections of documents.
    pub fn collections(&self) -> Vec<String> {
        self.ledger.collections()
    }

    /// The documents of a collection, by key.
    pub fn documents(&self, collection: &str) -> Vec<(String, Vec<u8>)> {
        self.ledger.documents(collection)
    }

    #[cfg(feature = "bin")]
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// No clock of an engine on this ledger may show less.
    #[cfg(feature = "bin")]
    pub(super) fn floor_ms(&self) -> TimeMs {
        self.floor_ms
    }
}
