//! Group commit: the queue of frames, the watermark of what is durable, and those who wait for it.
//! Knows nothing of files, so that loom can try every interleaving of it (`group_loom.rs`).
//!
//! Lock order: `writing`, then `queue` or `waiters`; the last two are never held together. No lock
//! but `writing` is held across I/O, and none at all while a waker is cloned, called or dropped:
//! see [`Calls`].

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::Poll;

use crossbeam_utils::CachePadded;

use super::frame;
use crate::base::Seq;
use crate::base::calls::Calls;
use crate::base::error::{Error, Result};
use crate::base::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait};
use crate::base::waiters::{Slot, Waiter, Waiters};

/// What a buffer may keep after a burst, in bytes.
const IDLE_BUFFER_BYTES_MAX: usize = 4 << 20;

/// Where groups of frames are made durable.
pub(super) trait Sink {
    /// Makes a prefix of `frames` durable, at least one frame; the first has the number
    /// `first_seq`. Fills in checksums in place.
    ///
    /// # Errors
    /// Any error is final: the sink is not called again.
    fn commit(&mut self, frames: &mut [u8], first_seq: Seq) -> Result<Committed>;
}

/// What one call of [`Sink::commit`] made durable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Committed {
    pub bytes: usize,
    pub last_seq: Seq,
}

/// Why nothing more will be committed.
#[derive(Clone)]
enum End {
    Closed,
    Failed(String),
}

impl End {
    fn error(&self) -> Error {
        match self {
            End::Closed => Error::closed(),
            End::Failed(message) => Error::poisoned(message.clone()),
        }
    }
}

struct Queue {
    bytes: Vec<u8>,
    /// The number of the first frame in `bytes`; `next_seq` when there is none.
    first_seq: Seq,
    next_seq: Seq,
    closing: bool,
    end: Option<End>,
}

#[derive(Debug)]
struct Glance {
    queued_bytes: AtomicUsize,
    /// The queue is closing or has ended.
    refusing: AtomicBool,
    /// The writer thread runs, and will look at the queue once more before it sleeps.
    writer_awake: AtomicBool,
}

struct Waiting {
    list: Waiters,
    end: Option<End>,
}

struct Writing<S> {
    sink: S,
    /// The second buffer: swapped with the queue's, so that appending goes on during the write.
    bytes: Vec<u8>,
}

pub(super) struct GroupCommit<S> {
    queue: Mutex<Queue>,
    /// What every caller asks of the queue, readable without its lock; changed under it.
    glance: CachePadded<Glance>,
    work: Condvar,
    /// Held by whoever leads a commit: the writer thread, or a caller that found it free.
    writing: Mutex<Writing<S>>,
    durable: AtomicU64,
    waiters: Mutex<Waiting>,
    calls: Arc<Calls>,
    queue_bytes_max: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leader {
    Caller,
    Thread,
}

impl<S: Sink> GroupCommit<S> {
    /// A queue whose next frame has the number `next_seq`; all before it are durable.
    pub(super) fn new(sink: S, next_seq: Seq, queue_bytes_max: usize, calls: Arc<Calls>) -> Self {
        let queue =
            Queue { bytes: Vec::new(), first_seq: next_seq, next_seq, closing: false, end: None };
        let glance = Glance {
            queued_bytes: AtomicUsize::new(0),
            refusing: AtomicBool::new(false),
            writer_awake: AtomicBool::new(false),
        };
        Self {
            queue: Mutex::new(queue),
            glance: CachePadded::new(glance),
            work: Condvar::new(),
            writing: Mutex::new(Writing { sink, bytes: Vec::new() }),
            durable: AtomicU64::new(next_seq - 1),
            waiters: Mutex::new(Waiting { list: Waiters::default(), end: None }),
            calls,
            queue_bytes_max,
        }
    }

    /// Whether a frame may be appended. The bound is exceeded by at most what callers append who
    /// were admitted at the same moment; the group being written is not counted.
    ///
    /// # Errors
    /// `Overloaded` when the queue is full, `Poisoned` after a failure, `Closed` after
    /// [`Self::close`].
    pub(super) fn admit(&self) -> Result<()> {
        // Relaxed: a caller that comes a moment late is told by the queue itself, or exceeds the
        // bound as above.
        let refusing = self.glance.refusing.load(Ordering::Relaxed);
        if !refusing && self.glance.queued_bytes.load(Ordering::Relaxed) < self.queue_bytes_max {
            return Ok(());
        }
        let queue = self.queue.lock();
        match &queue.end {
            Some(end) => Err(end.error()),
            None if queue.closing => Err(Error::closed()),
            None if queue.bytes.len() >= self.queue_bytes_max => Err(Error::overloaded(
                "the journal's queue is full: the disk is slower than the requests",
            )),
            None => Ok(()),
        }
    }

    /// Enqueues a frame and returns its number. After the end the frame is dropped: whoever waits
    /// for it is told so.
    pub(super) fn append(&self, kind: u16, encode: impl FnOnce(&mut Vec<u8>)) -> Seq {
        let mut queue = self.queue.lock();
        let seq = queue.next_seq;
        if queue.end.is_none() {
            frame::append(&mut queue.bytes, seq, kind, encode);
            self.glance.queued_bytes.store(queue.bytes.len(), Ordering::Relaxed);
        }
        queue.next_seq = seq + 1;
        seq
    }

    pub(super) fn durable_seq(&self) -> Seq {
        // Acquire: pairs with the Release in `publish`, so that who sees the number also sees the
        // segment list the frames are found through.
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn last_seq(&self) -> Seq {
        self.queue.lock().next_seq - 1
    }

    /// How many bytes wait to be written.
    pub(super) fn queued_bytes(&self) -> usize {
        // Relaxed: the number is the whole message.
        self.glance.queued_bytes.load(Ordering::Relaxed)
    }

    /// Whether a write or a sync has failed.
    pub(super) fn failed(&self) -> bool {
        matches!(self.queue.lock().end, Some(End::Failed(_)))
    }

    /// Whether `seq` is durable; otherwise `waiter` is told when it is, or never will be. It has
    /// the place `slot`, however often it asks; see [`Self::forget`].
    ///
    /// No wake-up is lost. (1) The check and the registration are under the waiters' lock, and the
    /// leader takes that lock after it has raised the watermark: either the entry is there for it
    /// to find, or the check comes after and sees the watermark. The same holds for the end. (2) A
    /// frame that is still queued when we kick will be written: the writer thread looks at the
    /// queue under its lock before it clears `writer_awake`. A frame that is not, somebody has
    /// taken, and that leader publishes.
    pub(super) fn poll_durable(
        &self,
        seq: Seq,
        slot: &mut Slot,
        waiter: impl FnOnce() -> Waiter,
    ) -> Poll<Result<()>> {
        if self.durable_seq() >= seq {
            return Poll::Ready(Ok(()));
        }
        let mut waiter = Some(waiter());
        // Dropped, like what is left in `waiter`, after the lock.
        let _replaced = {
            let mut waiters = self.waiters.lock();
            if self.durable_seq() >= seq {
                return Poll::Ready(Ok(()));
            }
            if let Some(end) = &waiters.end {
                return Poll::Ready(Err(end.error()));
            }
            waiter.take().and_then(|waiter| waiters.list.put(slot, seq, waiter))
        };
        self.kick();
        Poll::Pending
    }

    /// Gives a slot back, whose owner waits no longer.
    pub(super) fn forget(&self, slot: &mut Slot) {
        if !slot.is_empty() {
            let gone = self.waiters.lock().list.take(slot);
            drop(gone);
        }
    }

    /// How many wait.
    #[cfg(all(test, feature = "history", not(stockhold_loom)))]
    pub(super) fn waiter_count(&self) -> usize {
        self.waiters.lock().list.len()
    }

    /// Makes sure that what is queued now will be written.
    pub(super) fn kick(&self) {
        // Relaxed: the flag is cleared under the queue's lock, of an empty queue. That was before
        // this caller's frame came, and then the lock it took to append shows it; or after, and
        // then somebody has taken the frame.
        if self.glance.writer_awake.load(Ordering::Relaxed) {
            return;
        }
        let queue = self.queue.lock();
        if self.writer_is_awake(&queue) || queue.bytes.is_empty() {
            return;
        }
        self.glance.writer_awake.store(true, Ordering::Relaxed);
        drop(queue);
        self.work.notify_one();
    }

    /// Relaxed: the queue's lock orders it.
    fn writer_is_awake(&self, _locked: &Queue) -> bool {
        self.glance.writer_awake.load(Ordering::Relaxed)
    }

    /// Commits what is queued on the caller's thread, unless somebody is committing already.
    ///
    /// One round is enough for the caller: its frame is in the queue, or a leader before it took it
    /// and has finished, since it no longer holds `writing`. What was queued meanwhile needs no
    /// handing over: its owners find `writing` free and lead, or find it taken and have kicked the
    /// thread.
    pub(super) fn try_lead(&self) {
        if let Some(mut writing) = self.writing.try_lock() {
            self.round(&mut writing, Leader::Caller);
            drop(writing);
            self.calls.after_locks();
        }
    }

    /// The writer thread: sleeps until kicked, then leads until the queue is empty. Returns at the
    /// end.
    pub(super) fn run_writer(&self) {
        loop {
            {
                let mut queue = self.queue.lock();
                while !self.writer_is_awake(&queue) && queue.end.is_none() {
                    wait(&self.work, &mut queue);
                }
                if queue.end.is_some() {
                    return;
                }
            }
            self.write_queued();
        }
    }

    /// Leads until the queue is empty, as the writer thread.
    pub(super) fn write_queued(&self) {
        {
            let mut writing = self.writing.lock();
            while self.round(&mut writing, Leader::Thread) {}
        }
        self.calls.after_locks();
    }

    /// Commits what is queued and admits nothing more. An append that was admitted before and comes
    /// after is told that the journal is closed.
    ///
    /// # Errors
    /// `Poisoned` when the journal has failed.
    pub(super) fn close(&self) -> Result<()> {
        {
            let mut queue = self.queue.lock();
            queue.closing = true;
            self.glance.refusing.store(true, Ordering::Relaxed);
        }
        {
            let mut writing = self.writing.lock();
            while self.round(&mut writing, Leader::Caller) {}
            self.end(End::Closed);
        }
        self.calls.after_locks();
        match &self.waiters.lock().end {
            Some(end @ End::Failed(_)) => Err(end.error()),
            _ => Ok(()),
        }
    }

    /// One group: takes the whole queue, commits it, publishes. False when there was nothing to do.
    fn round(&self, writing: &mut Writing<S>, leader: Leader) -> bool {
        let Some(first_seq) = self.take(&mut writing.bytes, leader) else {
            return false;
        };
        let unwinding = FailOnUnwind(self);
        let outcome = self.commit_all(writing, first_seq);
        mem::forget(unwinding);
        if let Err(error) = outcome {
            self.fail(&error);
        }
        writing.bytes.clear();
        writing.bytes.shrink_to(IDLE_BUFFER_BYTES_MAX);
        true
    }

    fn take(&self, bytes: &mut Vec<u8>, leader: Leader) -> Option<Seq> {
        let mut queue = self.queue.lock();
        if queue.bytes.is_empty() || queue.end.is_some() {
            if leader == Leader::Thread {
                self.glance.writer_awake.store(false, Ordering::Relaxed);
            }
            return None;
        }
        mem::swap(&mut queue.bytes, bytes);
        self.glance.queued_bytes.store(0, Ordering::Relaxed);
        let next_seq = queue.next_seq;
        Some(mem::replace(&mut queue.first_seq, next_seq))
    }

    fn commit_all(&self, writing: &mut Writing<S>, mut first_seq: Seq) -> Result<()> {
        let mut rest = &mut writing.bytes[..];
        while !rest.is_empty() {
            let committed = writing.sink.commit(rest, first_seq)?;
            self.publish(committed.last_seq);
            first_seq = committed.last_seq + 1;
            rest = &mut rest[committed.bytes..];
        }
        Ok(())
    }

    fn publish(&self, durable: Seq) {
        // Release: pairs with the Acquire in `durable_seq`.
        self.durable.store(durable, Ordering::Release);
        let woken = self.waiters.lock().list.reached(durable);
        self.calls.deliver(woken);
    }

    /// The one place where the journal is poisoned: a write or a sync failed, and nobody knows what
    /// of it is on the disk. It is never retried, since the kernel may have dropped the pages that
    /// failed.
    fn fail(&self, error: &dyn fmt::Display) {
        tracing::error!(%error, "the journal failed; nothing more is accepted");
        self.end(End::Failed(format!(
            "the journal failed and accepts nothing until it is reopened: {error}"
        )));
    }

    /// The first end stays. Called while holding `writing`, so no leader is at work.
    fn end(&self, end: End) {
        {
            let mut queue = self.queue.lock();
            queue.end.get_or_insert_with(|| end.clone());
            queue.bytes = Vec::new();
            self.glance.refusing.store(true, Ordering::Relaxed);
        }
        self.work.notify_all();
        let woken = {
            let mut waiters = self.waiters.lock();
            waiters.end.get_or_insert(end);
            waiters.list.take_all()
        };
        self.calls.deliver(woken);
    }
}

/// A panic while committing has lost frames that were taken from the queue: nothing may follow
/// them.
struct FailOnUnwind<'a, S: Sink>(&'a GroupCommit<S>);

impl<S: Sink> Drop for FailOnUnwind<'_, S> {
    fn drop(&mut self) {
        self.0.fail(&"a panic during a commit");
    }
}
