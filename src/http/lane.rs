//! Long work beside the threads that sell: so much at a time, and so much waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::error::{ApiError, Code};
use crate::base::asked;
use crate::base::error::Error;

/// The long work of whoever comes by some listeners.
#[derive(Debug)]
pub(super) struct Lanes {
    /// For searches of the catalogue.
    pub(super) searches: Lane,
    /// For lists that take long to find or to write.
    pub(super) lists: Lane,
}

impl Lanes {
    /// In each of them so many may wait.
    pub(super) fn new(waiting_max: usize) -> Self {
        Self {
            searches: Lane::new("too many searches wait", waiting_max),
            lists: Lane::new("too many lists of orders wait", waiting_max),
        }
    }
}

/// One kind of long work.
#[derive(Debug)]
pub(super) struct Lane {
    /// What is said when too much waits.
    full: &'static str,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

impl Lane {
    /// A lane on half of the processors: the rest is left to those who sell.
    pub(super) fn new(full: &'static str, waiting_max: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            full,
            places: Arc::new(Semaphore::new(processors.div_ceil(2))),
            waiting: AtomicUsize::new(0),
            waiting_max,
        }
    }

    /// Does `work` on a thread of its own, once there is a place.
    ///
    /// # Errors
    /// `OVERLOADED` when too much waits already, and those of `work`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let waits = self.wait()?;
        // The semaphore is never closed.
        let place = self.places.clone().acquire_owned().await;
        drop(waits);
        // The place is kept until the work is done, though nobody may wait for it any more.
        let done = asked::carried(move || (work(), drop(place)).0);
        let done = tokio::task::spawn_blocking(done).await;
        done.unwrap_or_else(|failed| {
            Err(Error::unavailable("a background task failed").with_source(failed).into())
        })
    }

    fn wait(&self) -> Result<Waits<'_>, ApiError> {
        // Relaxed: the count is the whole message.
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.waiting_max {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(ApiError::new(Code::Overloaded).detail(self.full));
        }
        Ok(Waits(&self.waiting))
    }
}

/// One that waits, until it is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_full_lane_refuses_and_goes_on() {
        let lane = Lane { places: Arc::new(Semaphore::new(1)), ..Lane::new("too many", 1) };
        let (free, freed) = mpsc::channel::<()>();
        let long = lane.run(move || Ok(freed.recv().is_err()));
        let waiting = lane.run(|| Ok(true));
        tokio::pin!(long, waiting);
        // One works, one waits.
        assert!(
            futures_poll(&mut long).await && futures_poll(&mut waiting).await,
            "neither is done"
        );
        let refused = lane.run(|| Ok(true)).await.expect_err("one waits already");
        assert_eq!((refused.code, refused.detail.as_deref()), (Code::Overloaded, Some("too many")));
        drop(free);
        assert!(long.await.expect("it is done") && waiting.await.expect("it is done"));
        assert!(lane.run(|| Ok(true)).await.expect("there is room again"));
    }

    /// Whether a future is still pending when it is polled once.
    async fn futures_poll<F: Future + Unpin>(mut future: F) -> bool {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut future).poll(cx).is_pending())
        })
        .await
    }
}
