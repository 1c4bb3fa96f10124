//! The journal: numbered records that survive a crash in the order they were appended. It knows
//! nothing of what they mean. The format is `docs/format.md`, section Journal.
//!
//! | file | what it knows |
//! |---|---|
//! | `frame` | the bytes of one record |
//! | `group` | queue, group commit, waiting callers; no files |
//! | `segment` | the bytes of one file |
//! | `writer` | groups into segments |
//! | `recovery` | what the files mean after a crash |
//! | `found` | the journal before anything is written |
//! | `store` | which files there are and who needs them |
//! | `recycler` | spares and recycling, in the background |
//! | `archive`, `reader` | the past, for those who follow |
//! | `scan` | all of it, read from outside |
//! | `tail` | its end, followed from outside and taken over |
//! | `copies` | copies of segments, for backups |

mod archive;
#[cfg(feature = "bin")]
mod copies;
mod found;
mod frame;
mod group;
#[cfg(all(test, stockhold_loom))]
mod group_loom;
mod reader;
mod recovery;
mod recycler;
mod scan;
mod segment;
mod stopwatch;
mod store;
#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
mod tail;
#[cfg(all(test, not(stockhold_loom)))]
mod tests;
mod window;
mod writer;

#[cfg(all(test, not(stockhold_loom)))]
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use group::GroupCommit;
use store::SegmentStore;
use writer::SegmentWriter;

#[cfg(feature = "bin")]
pub(crate) use copies::{SegmentCopy, make_directories};
pub(crate) use found::{FoundJournal, KeptRecords};
pub(crate) use reader::Reader;
#[cfg(feature = "bin")]
pub(crate) use scan::{FileKind, JournalFile};
pub(crate) use scan::{JournalScan, ScannedRecords};
pub(crate) use segment::SEGMENT;
#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
pub(crate) use tail::JournalTail;

use crate::base::Seq;
use crate::base::calls::{Calls, DeadThread};
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::sync::atomic::Ordering;
use crate::base::waiters::{Slot, Waiter};
#[cfg(all(test, not(stockhold_loom)))]
use crate::vfs::Vfs;

/// Takes a record: number, kind, payload.
pub(crate) type EachRecord<'a> = dyn FnMut(Seq, u16, &[u8]) -> Result<()> + 'a;

type Commit = GroupCommit<SegmentWriter>;

/// The bounds of a journal.
#[derive(Clone, Debug)]
pub(crate) struct JournalConfig {
    /// The size that segment files grow to: a multiple of 4 KiB from 8 KiB to 1 GiB. May change
    /// between openings.
    pub segment_bytes: u64,
    /// How much may wait to be written before [`Journal::admit`] refuses.
    pub queue_bytes_max: usize,
    /// How much the archive may take; `None` keeps no archive.
    pub archive_bytes_max: Option<u64>,
    /// Lets an empty directory start at the record asked for, as after restoring a checkpoint
    /// elsewhere. Otherwise a journal that is gone is an error.
    pub restored: bool,
    /// After how long a group that is not durable counts as a disk that hangs.
    pub sync_limit: Duration,
    /// Starts no threads: what they would do is done by [`Journal::write_queued`] and
    /// [`Journal::run_errand`]. The salts of segments follow from this number, which must be
    /// another at each opening.
    pub stepped: Option<u64>,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            queue_bytes_max: 64 << 20,
            archive_bytes_max: Some(10 << 30),
            restored: false,
            sync_limit: Duration::from_secs(5),
            stepped: None,
        }
    }
}

impl JournalConfig {
    /// The longest payload every segment has room for, in bytes. A longer one fails the journal.
    pub(crate) fn payload_bytes_max(&self) -> usize {
        segment::first_bytes(self.segment_bytes) as usize
            - segment::HEADER_BYTES
            - frame::FRAME_HEADER_BYTES
            - frame::FRAME_ALIGN
    }

    fn check(&self) -> Result<()> {
        let block = segment::HEADER_BYTES as u64;
        if !(2 * block..=1 << 30).contains(&self.segment_bytes)
            || !self.segment_bytes.is_multiple_of(block)
        {
            return Err(Error::invalid(
                "a journal segment has 8 KiB to 1 GiB, in multiples of 4 KiB",
            ));
        }
        Ok(())
    }
}

/// What there is to know about a journal from outside.
#[derive(Clone, Debug)]
pub(crate) struct JournalStatus {
    pub segments: usize,
    pub spares: usize,
    /// The oldest record that can still be read, in a segment or in the archive.
    pub oldest_seq: Seq,
    pub durable_seq: Seq,
    pub last_seq: Seq,
    pub segment_bytes: u64,
    pub archive_bytes: u64,
    /// Groups written and synced since the journal was opened.
    pub syncs: u64,
    /// The bytes of those groups.
    pub written_bytes: u64,
    /// How many bytes wait to be written.
    pub queued_bytes: usize,
    pub poisoned: bool,
    /// A thread of the journal that died of a panic.
    pub dead_thread: Option<&'static str>,
    /// How long the disk has been at the group that it writes; `None` while it writes none.
    pub sync_age: Option<Duration>,
}

/// An open journal. Whoever opens it holds the lock of the directory.
pub(crate) struct Journal {
    commit: Arc<Commit>,
    store: Arc<SegmentStore>,
    calls: Arc<Calls>,
    dead_thread: Arc<DeadThread>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Journal {
    /// Finds and starts a journal in a directory that nobody else has.
    ///
    /// # Errors
    /// Those of [`FoundJournal::find`] and [`FoundJournal::start`].
    #[cfg(all(test, not(stockhold_loom)))]
    pub(crate) fn open(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        config: JournalConfig,
        from_seq: Seq,
        replay: &mut EachRecord<'_>,
    ) -> Result<Arc<Journal>> {
        FoundJournal::find(vfs, dir, config, from_seq, replay)?.start(None)
    }

    /// A journal whose next record has the number `next_seq`, and goes into a segment of its own.
    fn begin(store: SegmentStore, next_seq: Seq) -> Result<Arc<Journal>> {
        let (queue_bytes_max, stepped) =
            (store.config.queue_bytes_max, store.config.stepped.is_some());
        let store = Arc::new(store);
        let is_new = store.files.lock().live.is_empty();
        let first = match store.start_first_segment(next_seq) {
            // What is there can be read, and the first group waits for room.
            Err(error) if error.is_no_room() && !is_new && store.may_wait_for_room(&error) => None,
            outcome => Some(outcome?),
        };
        let writer = SegmentWriter::new(Arc::clone(&store), first);
        let calls = Arc::new(Calls::default());
        let commit =
            Arc::new(GroupCommit::new(writer, next_seq, queue_bytes_max, Arc::clone(&calls)));
        let dead_thread = Arc::default();
        let journal = Self { commit, store, calls, dead_thread, threads: Mutex::new(Vec::new()) };
        if !stepped {
            journal.start_threads()?;
        }
        Ok(Arc::new(journal))
    }

    fn start_threads(&self) -> Result<()> {
        self.calls.start()?;
        let (commit, store) = (Arc::clone(&self.commit), Arc::clone(&self.store));
        self.start_thread("journal-writer", move || commit.run_writer())?;
        self.start_thread("journal-recycle", move || recycler::run(&store))
    }

    fn start_thread(&self, name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        let dead_thread = Arc::clone(&self.dead_thread);
        let thread =
            thread::Builder::new().name(name.into()).spawn(move || dead_thread.watch(name, run));
        self.threads
            .lock()
            .push(thread.map_err(|error| Error::io("starting a thread of the journal", error))?);
        Ok(())
    }

    /// Whether a record may be appended; asked before a decision is applied.
    ///
    /// # Errors
    /// `Overloaded` when the queue is full, `Stalled` while the disk hangs, `LowSpace` while it is
    /// full, `Poisoned` when the journal has failed, `Closed`.
    pub(crate) fn admit(&self) -> Result<()> {
        self.commit.admit()?;
        self.store.check_disk()
    }

    /// Enqueues a record and returns its number; after [`Journal::admit`] it cannot fail. `encode`
    /// appends the payload to the buffer, and must not look at or change what is in it. Short, and
    /// no I/O: callers hold the ledger's locks. The record is written when somebody waits for it or
    /// calls [`Journal::kick`].
    pub(crate) fn append(&self, kind: u16, encode: impl FnOnce(&mut Vec<u8>)) -> Seq {
        self.commit.append(kind, encode)
    }

    /// All records up to this one survive a crash.
    pub(crate) fn durable_seq(&self) -> Seq {
        self.commit.durable_seq()
    }

    /// The record appended last.
    pub(crate) fn last_seq(&self) -> Seq {
        self.commit.last_seq()
    }

    /// Blocks until `seq` is durable. When nobody is committing, commits on this thread: waking an
    /// idle core costs as much as a sync.
    ///
    /// # Errors
    /// `Poisoned` when the journal failed before `seq` was durable, `Closed` when it was closed
    /// before.
    pub(crate) fn wait(&self, seq: Seq) -> Result<()> {
        if self.commit.durable_seq() < seq {
            self.commit.try_lead();
        }
        let mut slot = Slot::default();
        park_until(|parked| self.commit.poll_durable(seq, &mut slot, || Waiter::thread(parked)))
    }

    /// Ready when `seq` is durable; otherwise wakes `cx` when it is, and makes sure it will be.
    /// Whoever drops `slot` before gives it to [`Journal::forget`].
    ///
    /// # Errors
    /// As [`Journal::wait`].
    pub(crate) fn poll_durable(
        &self,
        seq: Seq,
        slot: &mut Slot,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        self.commit.poll_durable(seq, slot, || Waiter::task(cx))
    }

    /// As [`Journal::poll_durable`] for a thread of ours that sleeps until `waker` unparks it.
    ///
    /// # Errors
    /// As [`Journal::wait`].
    pub(crate) fn poll_on_thread(
        &self,
        seq: Seq,
        slot: &mut Slot,
        waker: &Waker,
    ) -> Poll<Result<()>> {
        self.commit.poll_durable(seq, slot, || Waiter::thread(waker))
    }

    /// Gives back the place of somebody who no longer waits.
    pub(crate) fn forget(&self, slot: &mut Slot) {
        self.commit.forget(slot);
    }

    /// How many wait for the journal.
    #[cfg(all(test, feature = "history", not(stockhold_loom)))]
    pub(crate) fn waiter_count(&self) -> usize {
        self.commit.waiter_count()
    }

    /// Where wakers are called, until the journal is closed.
    pub(crate) fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    /// Makes sure that what was appended will be written, though nobody waits for it.
    pub(crate) fn kick(&self) {
        self.commit.kick();
    }

    /// What the writer thread does when it is woken; without threads, whoever steps the journal
    /// does it.
    #[cfg(any(test, feature = "bin"))]
    pub(crate) fn write_queued(&self) {
        self.commit.write_queued();
    }

    /// What the recycler does when it is sent on an errand.
    #[cfg(any(test, feature = "bin"))]
    pub(crate) fn run_errand(&self) {
        if self.store.take_errand() {
            recycler::run_one(&self.store);
        }
    }

    /// A reader that starts at `from_seq`.
    ///
    /// # Errors
    /// `NotFound` naming the oldest record there is when `from_seq` is gone.
    pub(crate) fn reader(&self, from_seq: Seq) -> Result<Reader> {
        Reader::new(self, from_seq)
    }

    /// Says that `name` still needs `seq` and what follows. Segments wholly below every pin are
    /// archived and recycled; without any pin nothing is.
    pub(crate) fn set_pin(&self, name: &str, seq: Seq) {
        self.store.files.lock().pins.insert(name.into(), seq);
        self.store.send_errand();
    }

    /// Tries again to prepare a segment, while the disk has had no room for one.
    pub(crate) fn look_for_room(&self) {
        if self.store.lacks_room() {
            self.store.send_errand();
        }
    }

    /// Waits for room on the disk no more: what does so fails, and with it the journal.
    pub(crate) fn stop_waiting(&self) {
        self.store.stop_waiting();
    }

    /// Says that `name` needs nothing any more.
    pub(crate) fn clear_pin(&self, name: &str) {
        self.store.files.lock().pins.remove(name);
        self.store.send_errand();
    }

    /// Lets the recycler rest, and waits until it does: see [`Journal::resume_errands`]. Segments that
    /// are needed meanwhile are prepared by the writer itself.
    #[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
    pub(crate) fn hold_errands(&self) {
        self.store.hold_errands();
    }

    /// Lets the recycler go on.
    #[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
    pub(crate) fn resume_errands(&self) {
        self.store.resume_errands();
    }

    /// The size of the sealed segments that hold `seq` or what follows it, in bytes.
    pub(crate) fn sealed_bytes_from(&self, seq: Seq) -> u64 {
        self.store.files.lock().sealed_bytes_from(seq)
    }

    /// Writes what was appended, refuses more, and ends the threads. A second call does nothing.
    ///
    /// # Errors
    /// `Poisoned` when the journal has failed.
    pub(crate) fn close(&self) -> Result<()> {
        self.stop_waiting();
        let outcome = self.commit.close();
        self.store.stop_errands();
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal had panicked");
            }
        }
        // Last: whoever waited is told first.
        self.calls.stop();
        outcome
    }

    /// How long the disk was at each group, those included that it failed at.
    #[cfg(feature = "server")]
    pub(crate) fn sync_times(&self) -> crate::base::times::TimesSeen {
        self.store.stopwatch.times()
    }

    /// The state of the journal at this moment.
    pub(crate) fn status(&self) -> JournalStatus {
        let (segments, oldest_seq, segment_bytes, archive_bytes) = {
            let files = self.store.files.lock();
            let segment_bytes = files.live.iter().map(|segment| segment.header.segment_bytes).sum();
            let archive_bytes = files.archived.iter().map(|file| file.bytes).sum();
            (files.live.len(), files.oldest_seq(), segment_bytes, archive_bytes)
        };
        JournalStatus {
            segments,
            spares: self.store.spare_count(),
            oldest_seq,
            durable_seq: self.durable_seq(),
            last_seq: self.last_seq(),
            segment_bytes,
            archive_bytes,
            // Relaxed: see `count_sync`.
            syncs: self.store.syncs.load(Ordering::Relaxed),
            written_bytes: self.store.written_bytes.load(Ordering::Relaxed),
            queued_bytes: self.commit.queued_bytes(),
            poisoned: self.commit.failed(),
            dead_thread: self.dead_thread.name(),
            sync_age: self.store.stopwatch.age(),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Whoever cares about the outcome has called `close`.
        let _ = self.close();
    }
}

/// Polls until it is ready; sleeps meanwhile until the waker that `poll` is given is called.
pub(crate) fn park_until<T>(mut poll: impl FnMut(&Waker) -> Poll<T>) -> T {
    PARKED.with(|parked| {
        loop {
            // A wake-up between the poll and the park is kept by the thread's token; a stale token
            // only costs another poll.
            match poll(parked) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    })
}

thread_local! {
    /// Wakes this thread from its park.
    static PARKED: Waker = Waker::from(Arc::new(Parked(thread::current())));
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
