//! The thread that carries durable events from the journal into the store.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crossbeam_utils::sync::{Parker, Unparker};

use super::core::Core;
use super::ended::Unseen;
use crate::base::Seq;
use crate::base::calls::Calls;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::sync::Mutex;
use crate::base::waiters::{Slot, Waiter, Waiters};
use crate::event;
use crate::history::Store;
use crate::journal::{Reader, park_until};

pub(super) const HISTORY_THREAD: &str = "stockhold-history";
/// How much of the journal is projected at once, in bytes.
const READ_BYTES: usize = 256 << 10;
/// How long events gather before they are projected, unless a reader asks for them.
const GATHER: Duration = Duration::from_millis(2);
/// How long the store may lag behind what reads see while the journal rests: each flush costs
/// several syncs.
const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// How long to wait when no file can be opened because too many are.
const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(100);
/// Keys moved to the store in one go.
const FLUSH_KEYS: usize = 5_000;
/// The same while there is more to project: what reads see must not wait for sled, which takes far
/// longer for an event.
const FLUSH_KEYS_BUSY: usize = 250;

/// How far the store shows the journal, and who waits for it.
pub(super) struct Progress {
    projected: AtomicU64,
    waiters: Mutex<Waiting>,
    follower: Mutex<Option<Unparker>>,
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Waiting {
    list: Waiters,
    /// Why nothing more will be shown.
    end: Option<End>,
}

/// Why history shows nothing more.
#[derive(Clone)]
pub(super) enum End {
    Closed,
    Failed(String),
}

impl End {
    fn error(&self) -> Error {
        match self {
            Self::Closed => Error::closed(),
            Self::Failed(why) => Error::unavailable(why.clone()),
        }
    }
}

impl Progress {
    pub(super) fn new(projected: Seq, calls: &Arc<Calls>) -> Self {
        Self {
            projected: AtomicU64::new(projected),
            waiters: Mutex::new(Waiting::default()),
            follower: Mutex::new(None),
            calls: Arc::clone(calls),
        }
    }

    pub(super) fn projected(&self) -> Seq {
        self.projected.load(Ordering::Acquire)
    }

    /// Ready when history shows `seq`, which must be durable or become so; otherwise `waiter` is
    /// told, in its `slot`.
    pub(super) fn poll(
        &self,
        seq: Seq,
        slot: &mut Slot,
        waiter: impl FnOnce() -> Waiter,
    ) -> Poll<Result<()>> {
        if self.projected() >= seq {
            return Poll::Ready(Ok(()));
        }
        let mut waiter = Some(waiter());
        // Dropped, like what is left in `waiter`, after the lock.
        let _replaced = {
            let mut waiters = self.waiters.lock();
            // Looked at again under the lock that `advance` takes after it has raised the number:
            // no wake-up is lost.
            if self.projected() >= seq {
                return Poll::Ready(Ok(()));
            }
            if let Some(end) = &waiters.end {
                return Poll::Ready(Err(end.error()));
            }
            waiter.take().and_then(|waiter| waiters.list.put(slot, seq, waiter))
        };
        self.hurry();
        Poll::Pending
    }

    /// Blocks until history shows `seq`.
    pub(super) fn wait(&self, seq: Seq) -> Result<()> {
        let mut slot = Slot::default();
        park_until(|parked| self.poll(seq, &mut slot, || Waiter::thread(parked)))
    }

    /// Gives back the place of somebody who no longer waits.
    pub(super) fn forget(&self, slot: &mut Slot) {
        if !slot.is_empty() {
            let gone = self.waiters.lock().list.take(slot);
            drop(gone);
        }
    }

    /// Lets the thread look now.
    pub(super) fn hurry(&self) {
        if let Some(follower) = &*self.follower.lock() {
            follower.unpark();
        }
    }

    /// Why nothing more will be shown; `None` while history follows.
    pub(super) fn end_error(&self) -> Option<Error> {
        self.waiters.lock().end.as_ref().map(End::error)
    }

    /// Whether history failed, and shows nothing more.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.waiters.lock().end, Some(End::Failed(_)))
    }

    /// How many wait.
    #[cfg(all(test, feature = "history", not(stockhold_loom)))]
    pub(super) fn waiter_count(&self) -> usize {
        self.waiters.lock().list.len()
    }

    /// What to say where there is no history.
    pub(super) fn off(&self) -> Error {
        let off = || Error::unavailable("history is off: the engine was opened without it");
        self.waiters.lock().end.as_ref().map_or_else(off, End::error)
    }

    pub(super) fn is_awaited(&self) -> bool {
        !self.waiters.lock().list.is_empty()
    }

    fn advance(&self, projected: Seq) {
        self.projected.store(projected, Ordering::Release);
        let woken = self.waiters.lock().list.reached(projected);
        self.calls.deliver(woken);
        self.calls.after_locks();
    }

    /// Nothing more will be shown, and why.
    pub(super) fn end(&self, why: End) {
        let woken = {
            let mut waiters = self.waiters.lock();
            waiters.end.get_or_insert(why);
            waiters.list.take_all()
        };
        self.calls.deliver(woken);
        self.calls.after_locks();
    }
}

struct Unpark(Unparker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Follows the journal until the engine stops or the store fails. A store that failed is set aside
/// at the next open; stock is never in danger.
pub(super) fn run(core: &Arc<Core>, parker: &Parker) {
    let Some(store) = &core.store else { return };
    *core.progress.follower.lock() = Some(parker.unparker().clone());
    // Whoever waits must hear of a panic too.
    let followed = catch_unwind(AssertUnwindSafe(|| follow(core, store, parker)));
    let end = match &followed {
        Ok(Ok(())) => End::Closed,
        Ok(Err(error)) => End::Failed(format!("history no longer follows the journal: {error}")),
        Err(_) => {
            End::Failed("history no longer follows the journal: its thread panicked".to_owned())
        }
    };
    if let End::Failed(why) = &end {
        tracing::error!(why, "history ended");
    }
    core.progress.end(end);
    core.deferred.end(core);
    if let Err(payload) = followed {
        resume_unwind(payload);
    }
}

fn follow(core: &Arc<Core>, store: &Store, parker: &Parker) -> Result<()> {
    let waker = Waker::from(Arc::new(Unpark(parker.unparker().clone())));
    let mut reader = core.journal.reader(store.projected() + 1)?;
    let mut unseen = Unseen::default();
    let mut flushed = Instant::now();
    let mut shortage = Shortage::default();
    loop {
        let stopping = core.is_stopped();
        let mut count = 0;
        if !is_full(core, store) {
            let projected = match project(core, &mut reader, store) {
                Err(error) => begin_after_damage(core, store, &mut reader, error),
                projected => projected,
            };
            let projected = shortage.passing(projected)?;
            core.progress.advance(store.projected());
            match projected {
                Some(projected) => count = projected,
                // The journal has it all; a close does not wait for descriptors.
                None if stopping => return Ok(()),
                None => {
                    parker.park_timeout(DESCRIPTOR_PAUSE);
                    continue;
                }
            }
        }
        count += core.deferred.decide(core, store, &mut unseen);
        let waiting = store.memtable_len();
        let resting = count == 0 && !core.is_awaited();
        // From so many rows on, the store is written although the journal is busy; below, only when
        // it rests.
        let full = waiting >= core.history_flush_rows || is_full(core, store);
        let behind = store.watermark() < store.projected();
        if full || behind && resting && (stopping || flushed.elapsed() >= FLUSH_EVERY) {
            if stopping && full {
                // The journal has it all; a close does not wait for what the next open can carry
                // over.
                return Ok(());
            }
            let busy = count > 0 && !is_full(core, store);
            let keys = if busy { FLUSH_KEYS_BUSY } else { FLUSH_KEYS };
            match shortage.passing(flush(core, store, keys, &mut flushed))? {
                Some(()) => {}
                None if stopping => return Ok(()),
                None => parker.park_timeout(DESCRIPTOR_PAUSE),
            }
        } else if stopping && count == 0 {
            return Ok(());
        } else if count == 0 {
            rest(core, store, parker, &waker, behind.then_some(FLUSH_EVERY));
        }
    }
}

/// A lack of descriptors, which passes: told when it begins and when it is over.
#[derive(Default)]
struct Shortage {
    began: Option<Instant>,
}

impl Shortage {
    /// The outcome, or `None` when it was a lack of descriptors, so that the same can be tried
    /// again.
    fn passing<T>(&mut self, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Err(error) if error.lacks_descriptors() => {
                if self.began.is_none() {
                    tracing::warn!(%error, "history waits until files can be opened again");
                }
                self.began.get_or_insert_with(Instant::now);
                Ok(None)
            }
            Err(error) => Err(error),
            Ok(done) => {
                if let Some(began) = self.began.take() {
                    tracing::info!(seconds = began.elapsed().as_secs(), "history goes on");
                }
                Ok(Some(done))
            }
        }
    }
}

fn flush(core: &Arc<Core>, store: &Store, keys: usize, flushed: &mut Instant) -> Result<()> {
    let before = store.watermark();
    let watermark = store.flush(keys)?;
    if watermark > before {
        core.journal.set_pin("store", needed_from(watermark));
        *flushed = Instant::now();
    }
    Ok(())
}

/// Lets history begin after a file of the archive that is damaged: what can be read from there on
/// is whole, and it would otherwise wait for ever for what cannot. An error of another kind stays
/// one. Answers that there is more to do.
fn begin_after_damage(
    core: &Arc<Core>,
    store: &Store,
    reader: &mut Reader,
    error: Error,
) -> Result<usize> {
    let Some(last_seq) = reader.damaged_through() else {
        return Err(error);
    };
    tracing::error!(
        %error,
        lost_through = last_seq,
        "history begins after a damaged file of the archive: reservations that ended before are unknown. Put the file back \
         from a copy and run `stockhold rebuild` to have them again"
    );
    let levels = core.ledger.levels();
    let quotas = levels.iter().filter(|level| !level.key.kind().has_history());
    store.begin_anew_after(last_seq, quotas.map(|level| level.account))?;
    *reader = core.journal.reader(last_seq + 1)?;
    Ok(1)
}

/// The first record that history with this watermark needs: the last one that it shows, by which it
/// is known again.
pub(super) fn needed_from(watermark: Seq) -> Seq {
    watermark.max(1)
}

/// Whether history has as much in memory as it may: then projecting waits for sled, and reads of the
/// newest are late.
fn is_full(core: &Core, store: &Store) -> bool {
    store.memtable_bytes() >= core.history_memory_max
}

/// Makes the next events visible, until history has as much in memory as it may.
fn project(core: &Core, reader: &mut Reader, store: &Store) -> Result<usize> {
    if flaw::is_made(Flaw::DiesInHistory) {
        panic!("a mistake made on purpose");
    }
    let (mut count, mut full) = (0, false);
    let projected = reader.next_batch(READ_BYTES, &mut |seq, kind, payload| {
        full = is_full(core, store);
        if full {
            // Ends the batch; the next one begins with this event.
            return Err(Error::overloaded("history has as much in memory as it may"));
        }
        store.project(seq, &event::decode(kind, payload)?)?;
        count += 1;
        Ok(())
    });
    if let Some((seq, mark)) = reader.marked() {
        store.mark(seq, mark);
    }
    if full { Ok(count) } else { projected }
}

/// Sleeps until there is something to follow, and then a little longer, so that one round carries
/// many events. With something left to flush, no longer than until that is due.
fn rest(
    core: &Arc<Core>,
    store: &Store,
    parker: &Parker,
    waker: &Waker,
    flush_in: Option<Duration>,
) {
    let next = store.projected() + 1;
    let mut slot = Slot::default();
    if core.journal.poll_on_thread(next, &mut slot, waker).is_pending() && !core.is_stopped() {
        match flush_in {
            Some(timeout) => parker.park_timeout(timeout),
            None => parker.park(),
        }
    }
    core.journal.forget(&mut slot);
    if !core.is_awaited() && !core.is_stopped() {
        parker.park_timeout(GATHER);
    }
}
