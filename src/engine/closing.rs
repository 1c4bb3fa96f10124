//! The end of an engine. It runs in a thread of its own, since a disk may never answer: whoever
//! closes waits for it, and is told after a while what is left.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::base::error::{Error, ErrorKind, Result};
use crate::engine::core::Core;
use crate::engine::upkeep::checkpoint;

/// An error that can be told more than once.
type Outcome = Result<(), (ErrorKind, String)>;

/// How far closing has come.
#[derive(Debug, Default)]
pub(super) struct Closing {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    step: Step,
    /// How it went, once it is over.
    outcome: Option<Outcome>,
    /// How giving the directory up went, where that is done before the rest.
    given: Option<Outcome>,
    /// A caller has waited in vain; no other has to.
    given_up: bool,
}

/// What is done at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Everything, and a checkpoint for a fast start.
    Whole,
    /// The journal has it all.
    WithoutCheckpoint,
    /// As without a checkpoint, and the directory is given up as soon as it can be: what is left then is
    /// in nobody's way.
    #[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
    HandOver,
}

impl How {
    fn is_hand_over(self) -> bool {
        match self {
            Self::Whole | Self::WithoutCheckpoint => false,
            #[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
            Self::HandOver => true,
        }
    }
}

/// What closing is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Threads,
    Checkpoint,
    Journal,
    History,
    Done,
}

impl Step {
    fn text(self) -> &'static str {
        match self {
            Self::Threads => "ending its threads",
            Self::Checkpoint => "writing a checkpoint",
            Self::Journal => "writing the journal to its end",
            Self::History => "closing history",
            Self::Done => "done",
        }
    }
}

impl Closing {
    /// Closes `core`, whose `threads` were told to end, and waits for it, but no longer than
    /// `limit`.
    ///
    /// # Errors
    /// `Unavailable` when the disk failed, or did not answer in time.
    pub(super) fn begin(
        self: &Arc<Self>,
        core: &Arc<Core>,
        threads: Vec<JoinHandle<()>>,
        how: How,
        limit: Option<Duration>,
    ) -> Result<()> {
        let Some(limit) = limit else {
            let outcome = self.run(core, threads, how);
            self.end(outcome);
            return self.outcome();
        };
        let (closing, closed) = (Arc::clone(self), Arc::clone(core));
        let thread = thread::Builder::new().name("stockhold-close".into());
        let started = thread.spawn(move || {
            let outcome = closing.run(&closed, threads, how);
            // Before anybody hears of the end: a caller that closes and opens again must not meet
            // what this holds.
            drop(closed);
            closing.end(outcome);
        });
        let thread =
            started.map_err(|error| Error::io("starting a thread to close the engine", error))?;
        if how.is_hand_over() {
            // The thread goes on with what is left.
            return self.wait_given(limit);
        }
        let outcome = self.wait(limit);
        if self.state.lock().step == Step::Done {
            // It has told its outcome, and has nothing left to do.
            drop(thread.join());
        }
        outcome
    }

    /// Waits for a close that has begun, but no longer than `limit`.
    ///
    /// # Errors
    /// As [`Closing::begin`].
    pub(super) fn wait(&self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let mut state = self.state.lock();
        while state.step != Step::Done && !state.given_up {
            state.given_up =
                self.changed.wait_until(&mut state, end).timed_out() && state.step != Step::Done;
        }
        match state.step {
            Step::Done => {
                drop(state);
                self.outcome()
            }
            step => Err(Error::unavailable(format!(
                "the engine did not close within {limit:?}: it was still {}. What was acknowledged is in the journal; \
                 the directory stays locked until this process ends, or the disk answers",
                step.text()
            ))),
        }
    }

    /// Waits until the directory is given up, but no longer than `limit`.
    fn wait_given(&self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let mut state = self.state.lock();
        while state.given.is_none() && state.step != Step::Done {
            if self.changed.wait_until(&mut state, end).timed_out() {
                break;
            }
        }
        let given = state.given.clone().or_else(|| state.outcome.clone());
        let step = state.step;
        drop(state);
        let hangs = || {
            let what = format!("the directory was not given up within {limit:?}: {}", step.text());
            Err((ErrorKind::Unavailable, what))
        };
        given.unwrap_or_else(hangs).map_err(|(kind, message)| Error::new(kind, message))
    }

    fn end(&self, outcome: Result<()>) {
        let mut state = self.state.lock();
        let outcome = outcome.map_err(|error| (error.kind(), error.to_string()));
        (state.step, state.outcome) = (Step::Done, Some(outcome));
        drop(state);
        self.changed.notify_all();
    }

    /// How a close that is over went.
    pub(super) fn outcome(&self) -> Result<()> {
        let outcome = self.state.lock().outcome.clone();
        outcome.unwrap_or(Ok(())).map_err(|(kind, message)| Error::new(kind, message))
    }

    fn run(&self, core: &Core, threads: Vec<JoinHandle<()>>, how: How) -> Result<()> {
        let at = |step| self.state.lock().step = step;
        if how.is_hand_over() {
            at(Step::Journal);
            let closed = core.journal.close();
            release(core);
            let given = closed.as_ref().map(drop);
            self.state.lock().given =
                Some(given.map_err(|error| (error.kind(), error.to_string())));
            self.changed.notify_all();
        }
        at(Step::Threads);
        // A checkpoint would wait for what waits for room.
        core.journal.stop_waiting();
        let mut panicked = false;
        for thread in threads {
            panicked |= thread.join().is_err();
        }
        at(Step::Checkpoint);
        let is_whole = how == How::Whole;
        let written = if is_whole { checkpoint::write(core).map(drop) } else { Ok(()) };
        at(Step::Journal);
        let closed = core.journal.close();
        at(Step::History);
        let stored = core.history.store.get().map_or(Ok(()), |store| store.close());
        release(core);
        if panicked {
            return Err(Error::unavailable("a background thread of the engine had panicked"));
        }
        closed.and(written).and(stored)
    }
}

/// Gives the directory up. Calls from before that still write are waited for; later ones find it
/// released.
fn release(core: &Core) {
    core.files.directory.release();
    drop(core.checkpoints.generations.lock());
    drop(core.claims.lock());
}
