//! The thread that moves history from memory to sled, so that what reads see never waits for that.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_utils::sync::{Parker, Unparker};

use super::shortage::Shortage;
use crate::base::Seq;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::engine::core::Core;
use crate::history::Store;

pub(in crate::engine) const STORE_THREAD: &str = "stockhold-store";
/// How long sled may lag behind what reads see: the journal keeps what is not there, and each table costs
/// several syncs.
const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// How long to wait when no file can be opened because too many are.
const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(100);
/// Rows moved or merged before it is looked whether the engine stops.
const ROWS_AT_ONCE: usize = 20_000;

/// Where the thread is found, and how it ended.
#[derive(Default)]
pub(in crate::engine) struct Writer {
    thread: Mutex<Option<Unparker>>,
    /// It sleeps until somebody wakes it, since sled has everything.
    is_idle: AtomicBool,
    failed: Mutex<Option<(ErrorKind, String)>>,
}

impl Writer {
    /// There is more in memory, and perhaps too much. Cheap where the thread knows already.
    pub(super) fn tell(&self, is_much: bool) {
        if (is_much || self.is_idle.load(Ordering::SeqCst))
            && let Some(thread) = &*self.thread.lock()
        {
            thread.unpark();
        }
    }

    /// # Errors
    /// Why nothing more is moved to sled.
    pub(super) fn check(&self) -> Result<()> {
        match &*self.failed.lock() {
            Some((kind, why)) => Err(Error::new(*kind, why.clone())),
            None => Ok(()),
        }
    }

    fn fail(&self, error: &Error) {
        self.failed.lock().get_or_insert_with(|| (error.kind(), error.to_string()));
    }
}

/// Moves history to sled until the engine stops or history ends.
pub(in crate::engine) fn run(core: &Arc<Core>, parker: &Parker) {
    let Some(store) = core.history.store.awaited() else {
        return;
    };
    let writer = &core.history.writer;
    *writer.thread.lock() = Some(parker.unparker().clone());
    let written = catch_unwind(AssertUnwindSafe(|| {
        Writing { core, store, parker, written: Instant::now(), shortage: Shortage::default() }
            .run()
    }));
    match &written {
        Ok(Ok(())) => {}
        Ok(Err(error)) => writer.fail(error),
        Err(_) => writer.fail(&Error::unavailable("the thread that writes it panicked")),
    }
    // Its follower ends, too, and tells who waits.
    core.history.progress.hurry();
    if let Err(payload) = written {
        resume_unwind(payload);
    }
}

/// Moves what is left to sled as the engine stops, so that the journal need not keep it; nothing where
/// that is much: the journal has it all, and a close does not wait for what the next open can carry over.
///
/// # Errors
/// Those of the store, but not a lack of descriptors.
pub(super) fn write_the_rest(core: &Core, store: &Store) -> Result<()> {
    if core.history.is_much(store) {
        return Ok(());
    }
    while store.watermark() < store.projected() {
        match store.flush(ROWS_AT_ONCE) {
            Ok(watermark) => core.journal.set_pin("store", needed_from(watermark)),
            Err(error) if error.lacks_descriptors() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

struct Writing<'a> {
    core: &'a Core,
    store: &'a Store,
    parker: &'a Parker,
    /// When a table was written last.
    written: Instant,
    shortage: Shortage,
}

enum Step {
    /// Moves a table to sled.
    Flush,
    /// Merges what was moved before.
    Merge,
    /// Sleeps until there is something to do, and no longer than this.
    Rest { at_most: Option<Duration> },
}

impl Writing<'_> {
    fn run(mut self) -> Result<()> {
        while !self.is_over() {
            if flaw::is_made(Flaw::DiesWritingHistory) {
                panic!("a mistake made on purpose");
            }
            match self.next() {
                Step::Flush => self.flush()?,
                Step::Merge => {
                    let merged = self.store.merge(ROWS_AT_ONCE);
                    self.passing(merged)?;
                }
                Step::Rest { at_most } => self.rest(at_most),
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.core.is_stopped() || self.core.history.progress.end_error().is_some()
    }

    fn next(&self) -> Step {
        let (store, history) = (self.store, &self.core.history);
        if history.is_much(store) {
            return Step::Flush;
        }
        if store.must_merge() {
            return Step::Merge;
        }
        let is_behind = store.watermark() < store.projected();
        let left = FLUSH_EVERY.saturating_sub(self.written.elapsed());
        if is_behind && left.is_zero() {
            return Step::Flush;
        }
        let rests = store.projected() >= self.core.journal.durable_seq();
        if rests && store.wants_merging() {
            return Step::Merge;
        }
        let at_most =
            if is_behind { Some(left) } else { store.awaits_readers().then_some(FLUSH_EVERY) };
        Step::Rest { at_most }
    }

    /// Moves what is in memory now, until it is durable.
    fn flush(&mut self) -> Result<()> {
        let before = self.store.watermark();
        while !self.is_over() {
            let flushed = self.store.flush(ROWS_AT_ONCE);
            let Some(watermark) = self.passing(flushed)? else { continue };
            if watermark > before {
                self.core.journal.set_pin("store", needed_from(watermark));
                self.written = Instant::now();
                // It may wait for room in memory.
                self.core.history.progress.hurry();
            }
            if watermark > before || watermark == self.store.projected() {
                break;
            }
        }
        Ok(())
    }

    fn rest(&self, at_most: Option<Duration>) {
        let is_idle = &self.core.history.writer.is_idle;
        match at_most {
            Some(timeout) => self.parker.park_timeout(timeout),
            None => {
                is_idle.store(true, Ordering::SeqCst);
                // Looked at again after it was said: what comes now wakes this thread.
                if self.store.watermark() == self.store.projected() && !self.is_over() {
                    self.parker.park();
                }
                is_idle.store(false, Ordering::SeqCst);
            }
        }
    }

    /// `None`, after a pause, while files cannot be opened.
    fn passing<T>(&mut self, outcome: Result<T>) -> Result<Option<T>> {
        let passed = self.shortage.passing(outcome)?;
        if passed.is_none() {
            self.parker.park_timeout(DESCRIPTOR_PAUSE);
        }
        Ok(passed)
    }
}

/// The first record that history with this watermark needs: the last one that it shows, by which it
/// is known again.
pub(in crate::engine) fn needed_from(watermark: Seq) -> Seq {
    watermark.max(1)
}
