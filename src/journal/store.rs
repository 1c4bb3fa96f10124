//! Which segments, spares and archive files there are, and who still needs them. Shared by the
//! writer, the readers and the recycler.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use super::archive::{self, Archived};
use super::segment::{self, Header, Segment};
use super::stopwatch::Stopwatch;
use super::{JournalConfig, recovery};
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::base::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::base::sync::{Condvar, Mutex, wait};
use crate::vfs::Vfs;
use crate::vfs::directory::Directory;

/// How many files may wait to become segments.
pub(super) const SPARES_MAX: usize = 2;

/// What the journal's directories hold. Locks are leaves: each is held for a look or a change,
/// never across I/O, and none while another is taken.
pub(super) struct SegmentStore {
    pub vfs: Arc<dyn Vfs>,
    pub dir: PathBuf,
    pub archive_dir: PathBuf,
    pub config: JournalConfig,
    pub files: Mutex<Files>,
    /// How often the writer has synced, for the status.
    pub syncs: AtomicU64,
    /// Bytes of the groups that were made durable.
    pub written_bytes: AtomicU64,
    /// How long the writer has been at its group.
    pub stopwatch: Stopwatch,
    spares: Mutex<Spares>,
    /// The writer waits for room on the disk.
    waits_for_room: AtomicBool,
    /// The journal is closing: waiting for room is over.
    closing: AtomicBool,
    /// A segment has gone, and that is not durable.
    names_unsynced: AtomicBool,
    errand: Mutex<Errand>,
    errand_changed: Condvar,
    /// The directory that the journal is in, when it has one to itself.
    directory: Option<Arc<Directory>>,
}

/// What the files hold, oldest first.
#[derive(Clone, Default)]
pub(super) struct Files {
    /// Never empty once the journal is open; the last is being written. A segment is recycled only
    /// while nobody else holds its `Arc`, so a reader keeps it as long as it reads and no longer.
    pub live: VecDeque<Arc<Segment>>,
    pub archived: VecDeque<Archived>,
    pub pins: BTreeMap<Box<str>, Seq>,
}

impl Files {
    /// The segment that holds `seq`, and the first number that is not in it. Segments without
    /// frames share their first number with the next, so the last that fits is the one.
    pub(super) fn segment_of(&self, seq: Seq) -> Option<(Arc<Segment>, Seq)> {
        let next = self.live.partition_point(|segment| segment.header.first_seq <= seq);
        let segment = self.live.get(next.checked_sub(1)?)?;
        let end_seq = self.live.get(next).map_or(Seq::MAX, |next| next.header.first_seq);
        Some((Arc::clone(segment), end_seq))
    }

    /// The oldest sealed segment if nobody needs it any more, and the first number that is not in
    /// it. Without a pin everything is needed: who follows the journal has not said so yet.
    pub(super) fn unneeded(&self) -> Option<(Arc<Segment>, Seq)> {
        let needed = *self.pins.values().min()?;
        let (first, second) = (self.live.front()?, self.live.get(1)?);
        let end_seq = second.header.first_seq;
        (end_seq <= needed).then(|| (Arc::clone(first), end_seq))
    }

    /// The size of the sealed segments that hold `seq` or what follows it.
    pub(super) fn sealed_bytes_from(&self, seq: Seq) -> u64 {
        let sealed = self.live.iter().zip(self.live.iter().skip(1));
        sealed
            .filter(|(_, next)| next.header.first_seq > seq)
            .map(|(segment, _)| segment.header.segment_bytes)
            .sum()
    }

    /// The oldest record from which everything up to now can be read.
    pub(super) fn oldest_seq(&self) -> Seq {
        let live = self.live.front().map_or(1, |segment| segment.header.first_seq);
        archive::oldest_seq(self.archived.iter(), live)
    }
}

struct Spares {
    ready: Vec<Spare>,
    /// One that could not be made a segment of, or not be made: the next try takes it again.
    unfinished: Option<u64>,
    next_number: u64,
}

/// A file that waits to become a segment.
#[derive(Clone, Copy)]
pub(super) struct Spare {
    pub number: u64,
    pub bytes: u64,
}

#[derive(Default)]
struct Errand {
    pending: bool,
    /// The recycler is at one.
    #[cfg_attr(not(feature = "bin"), allow(dead_code, reason = "who hands over asks"))]
    under_way: bool,
    /// None is begun.
    held: bool,
    stopping: bool,
}

impl SegmentStore {
    pub(super) fn new(
        vfs: Arc<dyn Vfs>,
        dir: PathBuf,
        archive_dir: PathBuf,
        config: JournalConfig,
        files: Files,
        directory: Option<Arc<Directory>>,
    ) -> Self {
        Self {
            vfs,
            dir,
            archive_dir,
            config,
            files: Mutex::new(files),
            syncs: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            stopwatch: Stopwatch::new(),
            spares: Mutex::new(Spares { ready: Vec::new(), unfinished: None, next_number: 0 }),
            waits_for_room: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            names_unsynced: AtomicBool::new(false),
            // Spares are missing at first.
            errand: Mutex::new(Errand { pending: true, ..Errand::default() }),
            errand_changed: Condvar::new(),
            directory,
        }
    }

    /// Takes stock of the spares on disk; those of a size that is not needed, unfinished or too
    /// many are removed.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub(super) fn find_spares(&self) -> Result<()> {
        let failed =
            |error| Error::io(format_args!("looking for spares in {}", self.dir.display()), error);
        let sizes = [self.first_bytes(), self.next_bytes()];
        let mut ready = Vec::new();
        let mut next_number = 0;
        for name in self.vfs.list(&self.dir).map_err(failed)? {
            let path = self.dir.join(&name);
            let Some(number) = segment::parse_spare_name(&name) else {
                if name.starts_with("spare-") {
                    self.vfs.remove(&path).map_err(failed)?;
                }
                continue;
            };
            next_number = next_number.max(number + 1);
            let bytes = self.vfs.open_read(&path).and_then(|file| file.len()).map_err(failed)?;
            if sizes.contains(&bytes) && ready.len() < SPARES_MAX {
                ready.push(Spare { number, bytes });
            } else {
                self.vfs.remove(&path).map_err(failed)?;
            }
        }
        self.vfs.sync_dir(&self.dir).map_err(failed)?;
        *self.spares.lock() = Spares { ready, unfinished: None, next_number };
        Ok(())
    }

    pub(super) fn spare_count(&self) -> usize {
        self.spares.lock().ready.len()
    }

    pub(super) fn names_are_unsynced(&self) -> bool {
        // Relaxed: only the recycler reads and writes it.
        self.names_unsynced.load(Ordering::Relaxed)
    }

    pub(super) fn set_names_unsynced(&self, unsynced: bool) {
        self.names_unsynced.store(unsynced, Ordering::Relaxed);
    }

    /// A number no spare has had since the journal was opened.
    pub(super) fn new_spare_number(&self) -> u64 {
        let mut spares = self.spares.lock();
        spares.next_number += 1;
        spares.next_number - 1
    }

    /// Offers a spare whose name is durable.
    pub(super) fn offer_spare(&self, spare: Spare) {
        self.spares.lock().ready.push(spare);
    }

    /// Whether a spare is ready for when the segment that is written is full.
    pub(super) fn has_next_spare(&self) -> bool {
        let bytes = self.next_bytes();
        self.spares.lock().ready.iter().any(|spare| spare.bytes == bytes)
    }

    /// The size of the segment after the one that is written.
    pub(super) fn next_bytes(&self) -> u64 {
        segment::grown_bytes(self.last_bytes(), self.config.segment_bytes)
    }

    /// The size of the segment that is written; 0 when there is none.
    fn last_bytes(&self) -> u64 {
        self.files.lock().live.back().map_or(0, |last| last.header.segment_bytes)
    }

    /// Starts the first segment of an opening, of the size of the last: that one was not full.
    ///
    /// # Errors
    /// As [`Self::start_segment`].
    pub(super) fn start_first_segment(&self, first_seq: Seq) -> Result<Arc<Segment>> {
        self.start(first_seq, self.first_bytes())
    }

    fn first_bytes(&self) -> u64 {
        let full = self.config.segment_bytes;
        self.last_bytes().clamp(segment::first_bytes(full), full)
    }

    /// Starts the segment whose first frame will be `first_seq` and makes it the one that is
    /// written. Makes a spare itself when the recycler has none ready.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub(super) fn start_segment(&self, first_seq: Seq) -> Result<Arc<Segment>> {
        self.start(first_seq, self.next_bytes())
    }

    fn start(&self, first_seq: Seq, bytes: u64) -> Result<Arc<Segment>> {
        self.check_directory()?;
        let last = self.files.lock().live.back().map(Arc::clone);
        if let Some(last) = &last {
            self.check_successor(last)?;
        }
        let index = last.map_or(0, |last| last.header.index + 1);
        let salt = segment::new_salt(self.config.stepped, index)?;
        let header = Header { index, first_seq, salt, segment_bytes: bytes };
        let number = self.take_spare(bytes)?;
        let started = segment::start_segment(&*self.vfs, &self.dir, number, header);
        if started.is_err() {
            self.spares.lock().unfinished = Some(number);
        }
        let segment = Arc::new(started?);
        self.files.lock().live.push_back(Arc::clone(&segment));
        self.send_errand();
        Ok(segment)
    }

    /// Whether the disk answers.
    ///
    /// # Errors
    /// `Stalled` when it has been at one group for longer than it may, `LowSpace` while it has no
    /// room for the journal.
    pub(super) fn check_disk(&self) -> Result<()> {
        if self.lacks_room() {
            return Err(Error::low_space("the disk has no room for the journal's next segment"));
        }
        match self.stopwatch.age().filter(|&age| age >= self.config.sync_limit) {
            None => Ok(()),
            Some(age) => {
                Err(Error::stalled(format!("the disk has not answered for {} s", age.as_secs())))
            }
        }
    }

    /// Whether the disk has no room for the next segment.
    pub(super) fn lacks_room(&self) -> bool {
        // Relaxed, here and below: the flag is the whole message.
        self.waits_for_room.load(Ordering::Relaxed)
    }

    /// Notes that there is no room for a segment, and whether somebody may wait until there is: not
    /// in a journal that closes, nor in one that is stepped.
    pub(super) fn may_wait_for_room(&self, error: &Error) -> bool {
        let may_wait = self.config.stepped.is_none() && !self.closing.load(Ordering::Relaxed);
        if may_wait && !self.waits_for_room.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the disk is full: everything waits until there is room for the journal");
        }
        may_wait
    }

    /// Notes that there is room for a segment, or that it is waited for no more.
    pub(super) fn has_room(&self) {
        if self.waits_for_room.swap(false, Ordering::Relaxed) {
            tracing::warn!("the journal no longer waits for room on the disk");
        }
    }

    /// Ends every wait for room.
    pub(super) fn stop_waiting(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// A spare of this size to make a segment of. One that is made again after a failure has the
    /// same number, so that failures leave no files behind.
    fn take_spare(&self, bytes: u64) -> Result<u64> {
        let (ready, unfinished) = {
            let mut spares = self.spares.lock();
            let fitting = spares.ready.iter().position(|spare| spare.bytes == bytes);
            let ready = fitting.map(|at| spares.ready.remove(at).number);
            (ready, if ready.is_none() { spares.unfinished.take() } else { None })
        };
        if let Some(number) = ready {
            return Ok(number);
        }
        let number = unfinished.unwrap_or_else(|| self.new_spare_number());
        let created = segment::create_spare(&*self.vfs, &self.dir, number, bytes);
        if created.is_err() {
            self.spares.lock().unfinished = Some(number);
        }
        created.map(|()| number)
    }

    /// Whether this is still the process and the opening that has the directory.
    ///
    /// # Errors
    /// `Unavailable` when it is not.
    pub(super) fn check_directory(&self) -> Result<()> {
        self.directory.as_ref().map_or(Ok(()), |directory| directory.check())
    }

    /// Whether this is still the process that opened the journal.
    ///
    /// # Errors
    /// `Unavailable` in a fork.
    pub(super) fn check_process(&self) -> Result<()> {
        self.directory.as_ref().map_or(Ok(()), |directory| directory.check_process())
    }

    /// Whether nobody has begun the segment after `last`, into which nobody but this journal
    /// writes. Who opens a journal starts a segment: what comes into the one before it from then
    /// on, the next opening drops.
    ///
    /// # Errors
    /// `Unavailable` when there is such a segment, or nobody can say.
    pub(super) fn check_successor(&self, last: &Segment) -> Result<()> {
        let path = self.dir.join(segment::segment_name(last.header.index + 1));
        match self.vfs.has(&path) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Error::unavailable(format!(
                "another process has opened the journal and begun {}: what is written here would be lost",
                path.display()
            ))),
            Err(error) => Err(Error::io(format_args!("looking for {}", path.display()), error)),
        }
    }

    pub(super) fn count_sync(&self, bytes: usize) {
        // Relaxed: counts for the status, nothing is published with them.
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Tells the recycler to look at spares and segments.
    pub(super) fn send_errand(&self) {
        self.errand.lock().pending = true;
        self.errand_changed.notify_all();
    }

    /// Lets the recycler finish the file it works on and return.
    pub(super) fn stop_errands(&self) {
        self.errand.lock().stopping = true;
        self.errand_changed.notify_all();
    }

    /// Lets the recycler begin nothing, and waits until it has finished the file it works on.
    #[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
    pub(super) fn hold_errands(&self) {
        let mut errand = self.errand.lock();
        errand.held = true;
        while errand.under_way {
            wait(&self.errand_changed, &mut errand);
        }
    }

    /// Lets the recycler go on.
    #[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
    pub(super) fn resume_errands(&self) {
        self.errand.lock().held = false;
        self.errand_changed.notify_all();
    }

    pub(super) fn stopping(&self) -> bool {
        self.errand.lock().stopping
    }

    /// Waits for an errand; false when there will be none any more.
    pub(super) fn next_errand(&self) -> bool {
        let mut errand = self.errand.lock();
        errand.under_way = false;
        self.errand_changed.notify_all();
        while (!errand.pending || errand.held) && !errand.stopping {
            wait(&self.errand_changed, &mut errand);
        }
        errand.pending = false;
        errand.under_way = !errand.stopping;
        !errand.stopping
    }

    /// Whether there is an errand, which is then taken.
    #[cfg(any(test, feature = "bin"))]
    pub(super) fn take_errand(&self) -> bool {
        std::mem::take(&mut self.errand.lock().pending)
    }

    /// Where a frame of a live segment is damaged.
    pub(super) fn damaged(segment: &Segment, offset: u64, seq: Seq) -> Error {
        recovery::corrupt(&segment.path, offset as usize, &format!("record {seq} is damaged"))
    }
}
