//! The time this process has been running. A timeout that counted the time for which the process
//! was stopped, or got no processor, would cut off clients whose bytes have been waiting to be
//! read.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A coarse clock that stands while the process does. Whoever sweeps the connections moves it on.
#[derive(Debug, Default)]
pub(super) struct RunningClock {
    now_ms: AtomicU64,
}

impl RunningClock {
    /// How long the process has been running, in milliseconds, as of the last step.
    pub(super) fn now_ms(&self) -> u64 {
        // Relaxed: the number is the whole message.
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Calls `look` every `tick`, until it is dropped. What passes between two ticks counts as two
    /// at most: in the rest of it the process did not run.
    pub(super) async fn run(&self, tick: Duration, mut look: impl FnMut(u64)) {
        let (mut last, mut now) = (Instant::now(), Duration::from_millis(self.now_ms()));
        loop {
            tokio::time::sleep(tick).await;
            let at = Instant::now();
            now += (at - last).min(2 * tick);
            last = at;
            let now_ms = now.as_millis() as u64;
            self.now_ms.store(now_ms, Ordering::Relaxed);
            look(now_ms);
        }
    }

    /// What `work` comes to, or `None` when the process has been running for `limit` and it has
    /// come to nothing.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let end_ms = self.now_ms().saturating_add(limit.as_millis() as u64);
        let mut work = std::pin::pin!(work);
        let mut left = limit;
        loop {
            if let Ok(done) = tokio::time::timeout(left, &mut work).await {
                return Some(done);
            }
            match end_ms.saturating_sub(self.now_ms()) {
                0 => return None,
                ms => left = Duration::from_millis(ms),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_lets_nobody_be_late() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let clock = RunningClock::default();
            let short = Duration::from_millis(1);
            // Nobody moves the clock: however late the work is, it is in time.
            let late = clock.within(short, tokio::time::sleep(20 * short));
            assert!(late.await.is_some(), "the process did not run meanwhile");
            let mut ticks = 0;
            let ended = tokio::select! {
                () = clock.run(short, |_| ticks += 1) => unreachable!("it has no end"),
                ended = clock.within(short, std::future::pending::<()>()) => ended,
            };
            assert!(ended.is_none() && ticks > 0, "it does end while the process runs");
        });
    }
}
