//! Opening and closing for callers that must not block, as the tasks of an async runtime: the work
//! is done on a thread of its own, and a future tells how it went.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use parking_lot::Mutex;

use crate::base::error::{Error, Result};
use crate::engine::{Engine, EngineBuilder};

impl EngineBuilder {
    /// As [`EngineBuilder::open`], on a thread of its own: it reads a checkpoint and the end of the
    /// journal, which may take seconds. The opening begins now, polled or not, and any runtime may
    /// poll it.
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, sync::Arc, task::{Context, Poll, Wake, Waker}, thread};
    /// # struct Unpark(thread::Thread);
    /// # impl Wake for Unpark { fn wake(self: Arc<Self>) { self.0.unpark(); } }
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// #     let waker = Waker::from(Arc::new(Unpark(thread::current())));
    /// #     let mut future = pin!(future);
    /// #     loop {
    /// #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
    /// #             Poll::Ready(output) => return output,
    /// #             Poll::Pending => thread::park(),
    /// #         }
    /// #     }
    /// # }
    /// # use stockhold::Engine;
    /// # fn main() -> stockhold::Result<()> { block_on(async {
    /// let engine = Engine::in_memory().open_async().await?;
    /// assert_eq!(engine.pending_count(), 0);
    /// engine.close_async().await
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// The future's are those of [`EngineBuilder::open`], and `Unavailable` when the thread cannot be
    /// started.
    pub fn open_async(self) -> Opening {
        Opening(Background::start("stockhold-open", move || self.open()))
    }
}

impl Engine {
    /// As [`Engine::close`], on a thread of its own. The closing begins now, polled or not; dropping
    /// the future does not end it.
    ///
    /// Dropping the last handle of an engine that is not closed blocks as [`Engine::close`] does, so
    /// a task awaits this first.
    ///
    /// # Errors
    /// The future's are those of [`Engine::close`], and `Unavailable` when the thread cannot be
    /// started.
    pub fn close_async(&self) -> ClosingDown {
        let engine = self.clone();
        ClosingDown(Background::start("stockhold-closing", move || {
            let outcome = engine.close();
            drop(engine);
            outcome
        }))
    }
}

/// An engine that is being opened: see [`EngineBuilder::open_async`]. Dropped before it resolves, it
/// lets its thread close again what it opened.
#[must_use = "the engine is there only once this resolves"]
pub struct Opening(pub(in crate::engine) Background<Engine>);

/// An engine that is being closed: see [`Engine::close_async`].
#[must_use = "the engine is closed only once this resolves"]
pub struct ClosingDown(Background<()>);

impl Future for Opening {
    type Output = Result<Engine>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl Future for ClosingDown {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Opening").finish_non_exhaustive()
    }
}

impl fmt::Debug for ClosingDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClosingDown").finish_non_exhaustive()
    }
}

/// Work on its own thread, and the caller that waits for the result.
pub(in crate::engine) struct Background<T: Send + 'static>(
    pub(in crate::engine) Arc<Mutex<Stage<T>>>,
);

pub(in crate::engine) enum Stage<T> {
    /// At work, and the waker to call when it is over.
    Working(Option<Waker>),
    Done(Result<T>),
    /// The result was taken, or its future was dropped.
    Over,
}

impl<T: Send + 'static> Background<T> {
    pub(in crate::engine) fn start(
        name: &'static str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Self {
        let stage = Arc::new(Mutex::new(Stage::Working(None)));
        let theirs = Arc::clone(&stage);
        let started = thread::Builder::new().name(name.into()).spawn(move || {
            // A waiting caller must learn of a panic, too.
            let outcome = catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|_| Err(Error::unavailable(format!("the thread {name} panicked"))));
            finish(&theirs, outcome);
        });
        if let Err(error) = started {
            let error = Error::io(format_args!("starting the thread {name}"), error);
            *stage.lock() = Stage::Done(Err(error));
        }
        Self(stage)
    }

    pub(in crate::engine) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        // Wakers are foreign code: cloned before the lock, dropped after it.
        let mut waker = Some(cx.waker().clone());
        let mut stage = self.0.lock();
        let (outcome, replaced) = match &mut *stage {
            Stage::Working(waiting) => (None, mem::replace(waiting, waker.take())),
            Stage::Done(_) => (Some(mem::replace(&mut *stage, Stage::Over)), None),
            Stage::Over => {
                drop(stage);
                return Poll::Ready(Err(Error::invalid("it was told already how this went")));
            }
        };
        drop(stage);
        drop(replaced);
        match outcome {
            Some(Stage::Done(outcome)) => Poll::Ready(outcome),
            _ => Poll::Pending,
        }
    }
}

/// Tells how it went; a result that nobody takes is dropped on this thread.
fn finish<T>(stage: &Mutex<Stage<T>>, outcome: Result<T>) {
    let mut stage = stage.lock();
    if matches!(*stage, Stage::Over) {
        drop(stage);
        return drop(outcome);
    }
    let before = mem::replace(&mut *stage, Stage::Done(outcome));
    drop(stage);
    if let Stage::Working(Some(waker)) = before {
        waker.wake();
    }
}

impl<T: Send + 'static> Drop for Background<T> {
    fn drop(&mut self) {
        let left = mem::replace(&mut *self.0.lock(), Stage::Over);
        if let Stage::Done(Ok(value)) = left {
            // Dropping an engine blocks, and whoever drops a future must not. Without a thread it
            // is dropped here all the same.
            drop(thread::Builder::new().name("stockhold-drop".into()).spawn(move || drop(value)));
        }
    }
}
