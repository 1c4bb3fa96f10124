//! History in sled.
//!
//! ```text
//! project ──> active table ──(seal)──> sealed table ──(flush: batches, sync, manifest)──> sled
//!                   ^                        ^                                             ^
//!                   └──────── reads look here, then here, then here ───────────────────────┘
//! ```
//!
//! In sled each table is a run of blocks, and runs are merged now and then: sled spends ten times as
//! much on rows that it keeps one by one.
//!
//! Only durable events may be projected: the store must not know what a crash can take back.
//!
//! Lock order: `flusher`, `projector`, `tables`, the disk's. `tables` is held for a few map operations
//! and never across I/O; `projector` is held across the read of a record from sled, and only its one
//! follower thread waits for it.

mod block;
#[cfg(feature = "audit")]
mod copy;
mod cursor;
mod disk;
mod files;
mod flusher;
mod guarded;
mod key;
mod manifest;
mod merge;
mod open;
mod project;
mod quotas;
mod row;
mod run;
mod run_writer;
mod table;
mod value;
mod view;

use std::path::Path;

use disk::Disk;
use flusher::Flusher;
use key::{Key, KeyRange};
use project::Projector;
use quotas::QuotaSet;
use table::{Sealed, Tables};
use value::Value;

#[cfg(feature = "audit")]
pub(crate) use copy::{Copied, Row as CopiedRow, StoreCopy};
pub(crate) use manifest::MANIFEST;
pub(crate) use open::{SetAside, StoreConfig, set_aside, shown};
#[cfg(feature = "bin")]
pub(crate) use open::{remove, replace};

use crate::base::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::event::branch::{Branch, Mark};
use crate::history::record::{ChangeRecord, Course, ReservationRecord, Touched};
use crate::history::{Belongs, Shown};
use std::sync::Arc;

use crate::base::sync::Mutex;
use crate::base::{AccountId, ReservationId, Seq};

/// History on disk, with what is on its way there. One thread projects, one flushes (they may be
/// the same), any read.
#[derive(Debug)]
pub(crate) struct Store {
    /// `None` once closed.
    disk: Mutex<Option<Arc<Disk>>>,
    flusher: Mutex<Flusher>,
    projector: Mutex<Projector>,
    tables: Mutex<Tables>,
    set_aside: Option<SetAside>,
}

impl Store {
    /// Opens the store in `dir`, with its manifest beside it. A directory that is damaged, emptied,
    /// foreign or does not open in time is renamed and the store begins empty: [`Store::set_aside`]
    /// tells.
    ///
    /// # Errors
    /// `Unavailable` when another process has the directory or nothing can be written. Never for
    /// damage.
    #[cfg(any(test, feature = "bin"))]
    pub(crate) fn open(dir: &Path, config: StoreConfig) -> Result<Self> {
        Self::open_judged(dir, config, &|_| Ok(Belongs::Here))
    }

    /// As [`Store::open`], when `judge` says that what the store shows is of the journal at hand;
    /// otherwise it is set aside before anything else is read of it.
    ///
    /// # Errors
    /// As [`Store::open`], and those of `judge`; nothing is set aside then.
    pub(crate) fn open_judged(
        dir: &Path,
        config: StoreConfig,
        judge: &dyn Fn(&Shown) -> Result<Belongs>,
    ) -> Result<Self> {
        let opened = open::open(dir, config, judge)?;
        Ok(Self {
            disk: Mutex::new(Some(Arc::new(opened.disk))),
            flusher: Mutex::new(Flusher::new(config.alike_max)),
            projector: Mutex::new(Projector::new(opened.quotas, opened.manifest.rows)),
            tables: Mutex::new(Tables::new(opened.manifest.watermark, opened.manifest.branch)),
            set_aside: opened.set_aside,
        })
    }

    /// The store that was in the directory and is not used, and why.
    pub(crate) fn set_aside(&self) -> Option<&SetAside> {
        self.set_aside.as_ref()
    }

    /// Everything up to here is durable in sled.
    pub(crate) fn watermark(&self) -> Seq {
        self.tables.lock().watermark
    }

    /// Everything up to here is visible to reads.
    pub(crate) fn projected(&self) -> Seq {
        self.tables.lock().projected
    }

    /// The first event that reads know of.
    ///
    /// # Errors
    /// `Closed` after [`Store::close`].
    pub(crate) fn first_seq(&self) -> Result<Seq> {
        Ok(self.disk()?.first_seq())
    }

    /// What the rows in memory take, in bytes. The engine bounds it by flushing, and by projecting
    /// no further.
    pub(crate) fn memtable_bytes(&self) -> u64 {
        self.tables.lock().bytes()
    }

    /// How many rows are not in sled yet.
    pub(crate) fn memtable_len(&self) -> usize {
        self.tables.lock().len()
    }

    /// Lets the next event be `seq + 1`, for a store that starts when the journal no longer has the
    /// beginning. `quotas` are the quota accounts opened up to `seq`; other accounts have a
    /// history.
    ///
    /// # Errors
    /// `Invalid` when events after `seq` are already here.
    pub(crate) fn begin_after(
        &self,
        seq: Seq,
        quotas: impl Iterator<Item = AccountId>,
    ) -> Result<()> {
        let disk = self.disk()?;
        let mut projector = self.projector.lock();
        let mut tables = self.tables.lock();
        if seq < tables.projected {
            return Err(Error::invalid(format!(
                "the store is at event {} already",
                tables.projected
            )));
        }
        disk.begin_at(seq + 1);
        quotas.for_each(|account| projector.add_quota(account));
        tables.projected = seq;
        Ok(())
    }

    /// Forgets everything, and lets the next event be `seq + 1`: see [`Store::begin_after`]. What
    /// it had of the time before would be half of a story: a reservation that was confirmed there
    /// may have been returned in what cannot be read.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub(crate) fn begin_anew_after(
        &self,
        seq: Seq,
        quotas: impl Iterator<Item = AccountId>,
    ) -> Result<()> {
        {
            let mut flusher = self.flusher.lock();
            let mut projector = self.projector.lock();
            self.disk()?.clear()?;
            *flusher = flusher.anew();
            *projector = Projector::new(QuotaSet::default(), 0);
            *self.tables.lock() = Tables::new(0, Branch::default());
        }
        self.begin_after(seq, quotas)
    }

    /// Makes the event `seq` visible to reads. An event that is already is ignored.
    ///
    /// # Errors
    /// `Invalid` when an event before it is missing; `Corrupt` or `Unavailable` when the record it
    /// changes cannot be read. Nothing is changed then.
    pub(crate) fn project(&self, seq: Seq, event: &Event<'_>) -> Result<()> {
        let mut projector = self.projector.lock();
        let next = self.projected() + 1;
        if seq < next {
            return Ok(());
        }
        if seq > next {
            return Err(Error::invalid(format!("the store expects event {next}, not {seq}")));
        }
        let rows = projector.apply(seq, event, |reservation| self.find(reservation))?;
        let mut tables = self.tables.lock();
        tables.insert(rows);
        tables.projected = seq;
        Ok(())
    }

    /// Says what tells the event that was projected last from others with its number. One that was
    /// not is ignored.
    pub(crate) fn mark(&self, seq: Seq, mark: Mark) {
        let mut tables = self.tables.lock();
        if tables.projected == seq && !tables.branch.is_marked(seq) {
            tables.branch.follow(seq, mark);
        }
    }

    /// Moves at most `budget` rows into sled. When that was the last of what was projected as
    /// the moving began, it is made durable and the watermark advances. Returns the watermark.
    ///
    /// # Errors
    /// `Unavailable` when a write or a sync fails, now or before; `Corrupt` when the store is known
    /// to be damaged; `Closed` after [`Store::close`].
    pub(crate) fn flush(&self, budget: usize) -> Result<Seq> {
        let mut flusher = self.flusher.lock();
        let disk = self.disk()?;
        let Some(sealed) = self.sealed() else {
            return Ok(self.watermark());
        };
        let moved = flusher.move_rows(&disk, &sealed, budget.max(1))?;
        self.tables.lock().moved(moved.rows);
        if moved.is_all {
            let done = self.tables.lock().unseal(sealed.through);
            drop(done);
        }
        Ok(self.watermark())
    }

    /// Whether there are so many runs that they are to be merged, or merged ones are to be removed.
    pub(crate) fn wants_merging(&self) -> bool {
        let flusher = self.flusher.lock();
        self.disk().is_ok_and(|disk| flusher.wants_merging(&disk))
    }

    /// Whether they are to be merged although there is more to do.
    pub(crate) fn must_merge(&self) -> bool {
        let flusher = self.flusher.lock();
        self.disk().is_ok_and(|disk| flusher.must_merge(&disk))
    }

    /// Whether merged runs are still there, since somebody reads them.
    pub(crate) fn awaits_readers(&self) -> bool {
        self.flusher.lock().awaits_readers()
    }

    /// Goes on merging runs, by at most `budget` rows.
    ///
    /// # Errors
    /// As [`Store::flush`]; `Corrupt` when what is merged is damaged.
    pub(crate) fn merge(&self, budget: usize) -> Result<()> {
        let mut flusher = self.flusher.lock();
        let disk = self.disk()?;
        self.noting_damage(|| flusher.merge(&disk, budget.max(1)))
    }

    /// The table to be moved; `None` when sled has everything.
    fn sealed(&self) -> Option<Arc<Sealed>> {
        let mut projector = self.projector.lock();
        let mut tables = self.tables.lock();
        if let Some(sealed) = tables.sealed() {
            return Some(sealed);
        }
        if tables.projected == tables.watermark {
            return None;
        }
        let quotas = projector.quota_rows(tables.projected);
        tables.insert(quotas.into_iter());
        Some(tables.seal(projector.row_count()))
    }

    /// A reservation with its whole life.
    ///
    /// # Errors
    /// `Corrupt`, naming the key, when it fails its checksum (the store is then set aside when it
    /// is next opened); `Unavailable` when sled cannot read; `Closed` after [`Store::close`].
    pub(crate) fn reservation(
        &self,
        reservation: ReservationId,
    ) -> Result<Option<ReservationRecord>> {
        Ok(self.find(reservation)?.map(|(_, record)| record))
    }

    /// The reservations of `owner` below `before`, the newest `limit` of them, newest first, as
    /// their numbers tell.
    ///
    /// # Errors
    /// As [`Store::reservation`].
    pub(crate) fn reservations_of(
        &self,
        owner: AccountId,
        before: Option<ReservationId>,
        limit: usize,
    ) -> Result<Vec<ReservationRecord>> {
        let mut records = Vec::new();
        for key in self.scan(Key::owner_before(owner, before), limit)?.into_keys() {
            records.extend(self.reservation(key.indexed_reservation())?);
        }
        Ok(records)
    }

    /// Everybody's reservations below `before`, the newest `limit` of them, newest first, as their
    /// numbers tell.
    ///
    /// # Errors
    /// As [`Store::reservation`].
    pub(crate) fn reservations(
        &self,
        before: Option<ReservationId>,
        limit: usize,
    ) -> Result<Vec<ReservationRecord>> {
        let disk = self.disk()?;
        let Some(range) = Key::reservations_before(before).filter(|_| limit > 0) else {
            return Ok(Vec::new());
        };
        // A reservation stays once it is made, so that of which table and of when its key is makes
        // no difference; what it is by now is looked up.
        let mut keys = self.tables.lock().keys_back(range, limit);
        let runs = disk.runs();
        keys.extend(self.noting_damage(|| disk.view(&runs).keys_back(range, limit))?);
        let newest = keys.into_iter().rev().take(limit).filter_map(Key::as_reservation);
        let mut records = Vec::new();
        for reservation in newest {
            records.extend(self.reservation(reservation)?);
        }
        Ok(records)
    }

    /// The changes of `account` by events below `before`, the newest `limit` of them, newest first;
    /// more where the last event among them changed it several times.
    ///
    /// # Errors
    /// As [`Store::reservation`].
    pub(crate) fn changes_of(
        &self,
        account: AccountId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<ChangeRecord>> {
        let mut rows = self.scan(Key::changes_before(account, before), limit)?;
        // Whoever reads on does so before an event, so none is told in part.
        if let Some((last, _)) = rows.last_key_value().filter(|_| rows.len() == limit) {
            let event = Key::changes_by(account, last.changed_by());
            rows.extend(self.scan(Some(event), usize::MAX)?);
        }
        self.decode_changes(&rows)
    }

    /// The changes of `account` by one event, the last first.
    ///
    /// # Errors
    /// As [`Store::reservation`].
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the mall looks for records"))]
    pub(crate) fn changes_by(&self, account: AccountId, seq: Seq) -> Result<Vec<ChangeRecord>> {
        let rows = self.scan(Some(Key::changes_by(account, seq)), usize::MAX)?;
        self.decode_changes(&rows)
    }

    /// The events below `before` that changed accounts in this way, the newest `limit` of them,
    /// newest first; as far as the index goes back.
    ///
    /// # Errors
    /// As [`Store::reservation`].
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the mall looks for records"))]
    pub(crate) fn touched(
        &self,
        course: Course,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<Touched>> {
        let rows = self.scan(Key::events_before(course, before), limit)?;
        self.noting_damage(|| {
            let touched = rows
                .iter()
                .map(|(key, value)| row::decode_touched(*key, value.seq(), value.payload()));
            touched.collect()
        })
    }

    fn decode_changes(&self, rows: &table::Rows) -> Result<Vec<ChangeRecord>> {
        self.noting_damage(|| {
            let changes = rows
                .iter()
                .map(|(key, value)| row::decode_change(*key, value.seq(), value.payload()));
            changes.collect()
        })
    }

    /// The bytes of the store's files.
    pub(crate) fn measure(&self) -> std::io::Result<u64> {
        self.disk().map_or(Ok(0), |disk| disk.measure())
    }

    /// Makes everything that was projected durable, and gives sled up. Reads are `Closed` from here
    /// on.
    ///
    /// # Errors
    /// As [`Store::flush`]; the store is closed all the same.
    pub(crate) fn close(&self) -> Result<()> {
        let flushed = self.flush_all();
        // A merge under way reads, and whoever reads keeps sled open.
        let mut flusher = self.flusher.lock();
        *flusher = flusher.anew();
        let disk = self.disk.lock().take();
        drop(flusher);
        let let_go = disk.map_or(Ok(()), disk::let_go);
        match flushed {
            Err(error) if error.kind() == ErrorKind::Closed => let_go,
            flushed => flushed.and(let_go),
        }
    }

    fn flush_all(&self) -> Result<()> {
        let end = self.projected();
        while self.flush(usize::MAX)? < end {}
        Ok(())
    }

    fn find(&self, reservation: ReservationId) -> Result<Option<(Seq, ReservationRecord)>> {
        let key = Key::reservation(reservation);
        let disk = self.disk()?;
        let waiting = self.tables.lock().get(key);
        self.noting_damage(|| {
            let decode = |seq, payload: &[u8]| {
                Ok(Some((seq, row::decode_reservation(key, reservation, payload)?)))
            };
            if let Some(value) = waiting {
                return decode(value.seq(), value.payload());
            }
            let runs = disk.runs();
            let found = disk.view(&runs).get(key)?;
            found.map_or(Ok(None), |found| decode(found.seq, found.payload()))
        })
    }

    /// The first `limit` rows of a range of rows that never change once they are written. Sled may
    /// have moved on since the tables were read, and hold part of what came later; that part is
    /// left out, so that the rows are those of one moment without a gap.
    fn scan(&self, range: Option<KeyRange>, limit: usize) -> Result<table::Rows> {
        let disk = self.disk()?;
        let Some(range) = range.filter(|_| limit > 0) else {
            return Ok(table::Rows::new());
        };
        let (mut found, projected) = {
            let tables = self.tables.lock();
            (tables.range(range, limit), tables.projected)
        };
        let runs = disk.runs();
        let mut left = limit;
        self.noting_damage(|| {
            let mut rows = disk.view(&runs).rows(range)?;
            while left > 0
                && let Some(row) = rows.next()?
            {
                if row.seq <= projected {
                    found.entry(row.key).or_insert_with(|| Value::new(row.seq, row.payload()));
                    left -= 1;
                }
            }
            Ok(())
        })?;
        while found.len() > limit {
            found.pop_last();
        }
        Ok(found)
    }

    fn noting_damage<T>(&self, read: impl FnOnce() -> Result<T>) -> Result<T> {
        let result = read();
        if matches!(&result, Err(error) if error.kind() == ErrorKind::Corrupt)
            && let Ok(disk) = self.disk()
        {
            disk.mark_damaged();
        }
        result
    }

    fn disk(&self) -> Result<Arc<Disk>> {
        self.disk.lock().clone().ok_or_else(Error::closed)
    }
}

#[cfg(test)]
mod tests;
