//! The thread that carries durable events from the journal into the store.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crossbeam_utils::sync::{Parker, Unparker};

use super::core::Core;
use crate::error::{Error, Result};
use crate::event;
use crate::journal::Reader;
use crate::store::Store;
use crate::sync::Mutex;
use crate::types::Seq;

/// How much of the journal is projected at once, in bytes.
const READ_BYTES: usize = 256 << 10;
/// How long events gather before they are projected, unless a reader asks for them.
const GATHER: Duration = Duration::from_millis(2);
/// With so many keys waiting, projecting waits for the store: memory is bounded, reads of the newest are late.
const KEYS_MAX: usize = 4_000_000;
/// How long the store may lag behind what reads see while the journal rests: each flush costs several syncs.
const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// Keys moved to the store in one go.
const FLUSH_KEYS: usize = 5_000;

/// How far the store shows the journal, and who waits for it.
pub(super) struct Progress {
    projected: AtomicU64,
    waiters: Mutex<Waiters>,
    follower: Mutex<Option<Unparker>>,
}

struct Waiters {
    list: Vec<(Seq, Waker)>,
    /// Why nothing more will be shown.
    end: Option<String>,
}

impl Progress {
    pub(super) fn new(projected: Seq) -> Self {
        Self {
            projected: AtomicU64::new(projected),
            waiters: Mutex::new(Waiters { list: Vec::new(), end: None }),
            follower: Mutex::new(None),
        }
    }

    /// Ready when history shows `seq`, which must be durable or become so.
    pub(super) fn poll(&self, seq: Seq, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.projected.load(Ordering::Acquire) >= seq {
            return Poll::Ready(Ok(()));
        }
        {
            let mut waiters = self.waiters.lock();
            // Looked at again under the lock that `advance` takes after it has raised the number: no wake-up is lost.
            if self.projected.load(Ordering::Acquire) >= seq {
                return Poll::Ready(Ok(()));
            }
            if let Some(end) = &waiters.end {
                return Poll::Ready(Err(Error::unavailable(end.clone())));
            }
            waiters.list.push((seq, cx.waker().clone()));
        }
        if let Some(follower) = &*self.follower.lock() {
            follower.unpark();
        }
        Poll::Pending
    }

    /// Blocks until history shows `seq`.
    pub(super) fn wait(&self, core: &Arc<Core>, seq: Seq) -> Result<()> {
        super::history::CatchUp::up_to(core, seq).wait()
    }

    /// Whether nothing more will be shown.
    pub(super) fn has_ended(&self) -> bool {
        self.waiters.lock().end.is_some()
    }

    fn is_awaited(&self) -> bool {
        !self.waiters.lock().list.is_empty()
    }

    fn advance(&self, projected: Seq) {
        self.projected.store(projected, Ordering::Release);
        let woken: Vec<_> = self.waiters.lock().list.extract_if(.., |(seq, _)| *seq <= projected).collect();
        woken.into_iter().for_each(|(_, waker)| waker.wake());
    }

    fn end(&self, why: String) {
        let woken = {
            let mut waiters = self.waiters.lock();
            waiters.end.get_or_insert(why);
            std::mem::take(&mut waiters.list)
        };
        woken.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

struct Unpark(Unparker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Follows the journal until the engine stops or the store fails. A store that failed is set aside at the next open;
/// stock is never in danger.
pub(super) fn run(core: &Arc<Core>, parker: &Parker) {
    let Some(store) = &core.store else { return };
    *core.progress.follower.lock() = Some(parker.unparker().clone());
    let why = match follow(core, store, parker) {
        Ok(()) => "the engine is closed".to_owned(),
        Err(error) => {
            tracing::error!(%error, "history no longer follows the journal");
            format!("history no longer follows the journal: {error}")
        }
    };
    core.progress.end(why);
}

fn follow(core: &Arc<Core>, store: &Store, parker: &Parker) -> Result<()> {
    let waker = Waker::from(Arc::new(Unpark(parker.unparker().clone())));
    let mut reader = core.journal.reader(store.projected() + 1)?;
    let mut flushed = Instant::now();
    loop {
        let stopping = core.is_stopped();
        let mut count = 0;
        if store.memtable_len() < KEYS_MAX {
            count = project(&mut reader, store)?;
            core.progress.advance(store.projected());
        }
        let waiting = store.memtable_len();
        let resting = count == 0 && !core.progress.is_awaited();
        // From so many rows on, the store is written although the journal is busy; below, only when it rests.
        let full = waiting >= core.history_flush_rows.min(KEYS_MAX);
        let behind = store.watermark() < store.projected();
        if full || behind && resting && (stopping || flushed.elapsed() >= FLUSH_EVERY) {
            if stopping && full {
                // The journal has it all; a close does not wait for what the next open can carry over.
                return Ok(());
            }
            flush(core, store, &mut flushed)?;
        } else if stopping && count == 0 {
            return Ok(());
        } else if count == 0 {
            rest(core, store, parker, &waker, behind.then_some(FLUSH_EVERY));
        }
    }
}

fn flush(core: &Arc<Core>, store: &Store, flushed: &mut Instant) -> Result<()> {
    let before = store.watermark();
    let watermark = store.flush(FLUSH_KEYS)?;
    if watermark > before {
        core.journal.set_pin("store", watermark + 1);
        *flushed = Instant::now();
    }
    Ok(())
}

fn project(reader: &mut Reader, store: &Store) -> Result<usize> {
    reader.next_batch(READ_BYTES, &mut |seq, kind, payload| store.project(seq, &event::decode(kind, payload)?))
}

/// Sleeps until there is something to follow, and then a little longer, so that one round carries many events. With
/// something left to flush, no longer than until that is due.
fn rest(core: &Arc<Core>, store: &Store, parker: &Parker, waker: &Waker, flush_in: Option<Duration>) {
    let next = store.projected() + 1;
    let mut cx = Context::from_waker(waker);
    if core.journal.poll_durable(next, &mut cx).is_pending() && !core.is_stopped() {
        match flush_in {
            Some(timeout) => parker.park_timeout(timeout),
            None => parker.park(),
        }
    }
    if !core.progress.is_awaited() && !core.is_stopped() {
        parker.park_timeout(GATHER);
    }
}

/// Blocks on a future that needs no runtime.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let parker = Parker::new();
    let waker = Waker::from(Arc::new(Unpark(parker.unparker().clone())));
    let mut cx = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => parker.park(),
        }
    }
}
