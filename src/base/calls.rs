//! Calling the wakers of others. A waker is foreign code: it may block, panic, or drop the last
//! handle on the engine. So none is called under a lock of ours, nor on a thread that anything of
//! ours waits for: they are called on threads that do nothing else.
//!
//! One thread calls, one after another. A second one watches while there is a queue: should the
//! first not come back from a call, the second takes its place, so that a waker that blocks holds
//! up nobody but itself.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::base::error::{Error, Result};
use crate::base::waiters::Waiter;

/// How long one call may hold up those behind it.
const PATIENCE: Duration = Duration::from_millis(10);
/// How many calls may hang at one time before those behind them wait.
const WORKERS_MAX: usize = 64;

/// Calls wakers. Its lock is a leaf, and held for a look or a change only.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    state: Mutex<State>,
    /// There is something to call.
    work: Condvar,
    /// There is something to watch.
    watch: Condvar,
    /// A worker began a call, came back from one, or went.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waker>,
    /// How many calls were begun.
    begun: u64,
    watching: bool,
    stopping: bool,
    /// The threads that call; `None` without threads, and then the delivering one calls.
    caller: Option<u64>,
    /// Who watches the caller.
    deputy: Option<u64>,
    workers: Vec<Worker>,
    next_id: u64,
}

#[derive(Debug)]
struct Worker {
    id: u64,
    calling: bool,
    gone: bool,
    /// `None` until the thread is started, and once it is joined.
    handle: Option<JoinHandle<()>>,
}

impl State {
    fn worker(&mut self, id: u64) -> &mut Worker {
        self.workers
            .iter_mut()
            .find(|worker| worker.id == id)
            .expect("a worker is listed until it is joined")
    }

    fn is_calling(&self) -> bool {
        self.workers.iter().any(|worker| Some(worker.id) == self.caller && worker.calling)
    }

    /// Whether a worker is neither gone nor in somebody else's code, nor this thread.
    fn is_busy(&self, me: ThreadId) -> bool {
        let idle = |worker: &Worker| {
            worker.gone
                || worker.calling
                || worker.handle.as_ref().is_some_and(|handle| handle.thread().id() == me)
        };
        !self.workers.iter().all(idle)
    }
}

impl Calls {
    /// Starts the threads. Without them, wakers are called by [`Calls::after_locks`].
    ///
    /// # Errors
    /// `Unavailable` when a thread cannot be started.
    pub(crate) fn start(self: &Arc<Self>) -> Result<()> {
        let failed = |error| Error::io("starting a thread that calls wakers", error);
        let mut state = self.state.lock();
        state.caller = Some(self.hire(&mut state).map_err(failed)?);
        state.deputy = Some(self.hire(&mut state).map_err(failed)?);
        Ok(())
    }

    fn hire(self: &Arc<Self>, state: &mut State) -> std::io::Result<u64> {
        let id = state.next_id;
        let calls = Arc::clone(self);
        let handle =
            thread::Builder::new().name("stockhold-wakers".into()).spawn(move || calls.work(id))?;
        state.next_id += 1;
        state.workers.push(Worker { id, calling: false, gone: false, handle: Some(handle) });
        Ok(id)
    }

    /// Tells them: threads of ours at once, which only unparks them, the others by a call of their
    /// wakers, soon. May be called under locks; [`Calls::after_locks`] must follow without them.
    pub(crate) fn deliver(&self, woken: impl Iterator<Item = Waiter>) {
        let mut foreign = Vec::new();
        for waiter in woken {
            if waiter.is_ours { waiter.waker.wake() } else { foreign.push(waiter.waker) }
        }
        if foreign.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        state.waiting.extend(foreign);
        if state.is_calling() {
            self.ask_to_watch(&mut state);
        } else {
            self.work.notify_all();
        }
    }

    fn ask_to_watch(&self, state: &mut State) {
        if !state.watching {
            state.watching = true;
            self.watch.notify_all();
        }
    }

    /// Calls what was delivered, when there are no threads for it. The caller holds no lock.
    pub(crate) fn after_locks(&self) {
        loop {
            let waker = {
                let mut state = self.state.lock();
                if state.caller.is_some() {
                    return;
                }
                state.waiting.pop_front()
            };
            let Some(waker) = waker else { return };
            call(waker);
        }
    }

    /// Ends the threads, and waits for those that are not in somebody else's code: what was
    /// delivered is called all the same. May be called from a waker.
    pub(crate) fn stop(&self) {
        let gone = {
            let mut state = self.state.lock();
            state.stopping = true;
            self.work.notify_all();
            self.watch.notify_all();
            while state.is_busy(thread::current().id()) {
                self.changed.wait(&mut state);
            }
            let gone = state.workers.iter_mut().filter(|worker| worker.gone);
            gone.filter_map(|worker| worker.handle.take()).collect::<Vec<_>>()
        };
        for thread in gone {
            if thread.join().is_err() {
                tracing::error!("a thread that calls wakers had panicked");
            }
        }
    }

    fn work(self: &Arc<Self>, id: u64) {
        let mut state = self.state.lock();
        loop {
            let goes_on = if state.caller == Some(id) {
                self.call_next(&mut state, id)
            } else if state.deputy == Some(id) {
                self.keep_watch(&mut state, id)
            } else if state.deputy.is_none() && !state.stopping {
                // Its call hung, and it was relieved; now it watches.
                state.deputy = Some(id);
                true
            } else {
                false
            };
            if !goes_on {
                break;
            }
        }
        if state.caller == Some(id) {
            state.caller = None;
        }
        state.worker(id).gone = true;
        self.changed.notify_all();
    }

    /// One call, or the wait for one; false at the end.
    fn call_next(&self, state: &mut MutexGuard<'_, State>, id: u64) -> bool {
        let Some(waker) = state.waiting.pop_front() else {
            if state.stopping {
                return false;
            }
            self.work.wait(state);
            return true;
        };
        state.begun += 1;
        state.worker(id).calling = true;
        self.changed.notify_all();
        if !state.waiting.is_empty() {
            self.ask_to_watch(state);
        }
        MutexGuard::unlocked(state, || call(waker));
        state.worker(id).calling = false;
        self.changed.notify_all();
        true
    }

    /// Watches the caller while there is a queue; false at the end.
    fn keep_watch(self: &Arc<Self>, state: &mut MutexGuard<'_, State>, id: u64) -> bool {
        if state.waiting.is_empty() {
            state.watching = false;
            if state.stopping {
                return false;
            }
            self.watch.wait(state);
            return true;
        }
        if !state.watching {
            self.watch.wait(state);
            return true;
        }
        let begun = state.begun;
        self.watch.wait_for(state, PATIENCE);
        if state.begun == begun && state.is_calling() && !state.waiting.is_empty() {
            (state.caller, state.deputy) = (Some(id), None);
            self.appoint_deputy(state);
        }
        true
    }

    fn appoint_deputy(self: &Arc<Self>, state: &mut State) {
        state.workers.retain(|worker| !worker.gone);
        if state.workers.len() >= WORKERS_MAX {
            return;
        }
        match self.hire(state) {
            Ok(id) => state.deputy = Some(id),
            Err(error) => {
                tracing::error!(%error, "no thread could be started to watch the calling of wakers")
            }
        }
    }
}

/// Which of our own threads died of a panic, if one did: what it would do is done no more.
#[derive(Debug, Default)]
pub(crate) struct DeadThread(OnceLock<&'static str>);

impl DeadThread {
    /// Runs what the thread `name` does, and notes a panic before it goes on.
    pub(crate) fn watch(&self, name: &'static str, run: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
            tracing::error!(name, "a thread of the engine panicked");
            self.0.get_or_init(|| name);
            resume_unwind(payload);
        }
    }

    pub(crate) fn name(&self) -> Option<&'static str> {
        self.0.get().copied()
    }
}

/// A waker's panic is its owner's fault, and nobody else's misfortune.
fn call(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        // Dropping it could panic once more.
        std::mem::forget(payload);
        tracing::error!("a waker panicked");
    }
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use std::sync::mpsc;
    use std::task::Wake;

    use super::*;

    struct Run<F: Fn() + Send + Sync>(F);

    impl<F: Fn() + Send + Sync> Wake for Run<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }

    fn task(run: impl Fn() + Send + Sync + 'static) -> Waiter {
        Waiter { waker: Waker::from(Arc::new(Run(run))), is_ours: false }
    }

    fn started() -> Arc<Calls> {
        let calls = Arc::new(Calls::default());
        calls.start().expect("threads start");
        calls
    }

    #[test]
    fn a_waker_that_blocks_holds_up_nobody_else_and_a_stop_does_not_wait_for_it() {
        let calls = started();
        let (open, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let (told, heard) = mpsc::channel();
        let hang = {
            let told = told.clone();
            move || {
                // Until the sender is dropped.
                gate.lock().recv().expect_err("nothing is sent");
                told.send("late").expect("the test listens");
            }
        };
        calls.deliver(
            [task(hang), task(move || told.send("next").expect("the test listens"))].into_iter(),
        );
        assert_eq!(heard.recv(), Ok("next"), "those behind it are called");
        calls.stop();
        drop(open);
        assert_eq!(heard.recv(), Ok("late"), "it comes back in its own time");
        assert_eq!(heard.recv(), Err(mpsc::RecvError), "and nothing is left");
    }

    #[test]
    fn a_waker_that_panics_is_forgotten() {
        let calls = started();
        let (told, heard) = mpsc::channel();
        let panics = task(|| panic!("a waker of the test"));
        calls.deliver([panics, task(move || told.send(()).expect("the test listens"))].into_iter());
        assert_eq!(heard.recv(), Ok(()));
        calls.stop();
    }

    #[test]
    fn everything_that_was_delivered_is_called_though_it_stops() {
        let calls = started();
        let (told, heard) = mpsc::channel();
        let wakers: Vec<_> = (0..100)
            .map(|number| {
                let told = told.clone();
                task(move || told.send(number).expect("the test listens"))
            })
            .collect();
        drop(told);
        calls.deliver(wakers.into_iter());
        calls.stop();
        assert_eq!(heard.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn without_threads_whoever_delivers_calls() {
        let calls = Calls::default();
        let (told, heard) = mpsc::channel();
        calls.deliver(std::iter::once(task(move || told.send(()).expect("the test listens"))));
        assert_eq!(heard.try_recv(), Err(mpsc::TryRecvError::Empty), "not under the locks");
        calls.after_locks();
        assert_eq!(heard.recv(), Ok(()));
    }
}
