//! Exchanges that wait for a disk that hangs: so many, and for so long.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::{Failure, Mall};
use crate::base::error::{Error, ErrorKind, Result};

/// How often to look whether the disk answers again.
const LOOK: Duration = Duration::from_millis(20);

/// The places of those who wait.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    places: Semaphore,
    places_max: usize,
    /// Nobody is to wait any more: the server stops.
    ended: watch::Sender<bool>,
}

impl Patience {
    pub(super) fn new(limit: Duration, places: usize) -> Self {
        let places_max = places.min(Semaphore::MAX_PERMITS);
        let places = Semaphore::new(places_max);
        Self { limit, places, places_max, ended: watch::Sender::new(false) }
    }

    fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    async fn ended(&self) {
        // The sender is here, so there is an end to wait for or none at all.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}

impl Mall {
    /// Until when an exchange that begins now waits for the disk.
    pub(super) fn patient_until(&self) -> Instant {
        Instant::now() + self.shared.patience.limit
    }

    /// Decides once the disk answers; nothing is decided while it does not. As long as the disk hangs
    /// and there is a place to wait, this waits until `late`.
    ///
    /// # Errors
    /// Those of `decide`.
    pub(super) async fn decide_patiently<T>(
        &self,
        late: Instant,
        decide: impl Fn() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        loop {
            match decide() {
                Err(Failure::Engine(error)) if error.kind() == ErrorKind::Stalled => {
                    self.disk_answers(late, error).await?;
                }
                decided => return decided,
            }
        }
    }

    /// Waits until the disk answers; `hangs` when it does not in time.
    async fn disk_answers(&self, late: Instant, hangs: Error) -> Result<()> {
        let patience = &self.shared.patience;
        let Some(_place) = patience.place() else { return Err(hangs) };
        let mut ended = pin!(patience.ended());
        loop {
            let left = late.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(hangs);
            }
            tokio::select! {
                () = &mut ended => return Err(hangs),
                () = tokio::time::sleep(LOOK.min(left)) => {}
            }
            match self.engine().check_ready() {
                Err(error) if error.kind() == ErrorKind::Stalled => {}
                // Whatever else is wrong is told by another try.
                Ok(()) | Err(_) => return Ok(()),
            }
        }
    }

    /// As [`Mall::durable`], for longer while there is a place to wait.
    pub(super) async fn durable_patiently<T>(
        &self,
        late: Instant,
        ticket: impl Future<Output = Result<T>>,
    ) -> Result<T, Failure> {
        let mut ticket = pin!(ticket);
        match self.durable(&mut ticket).await {
            Err(Failure::Unknown) => {}
            durable => return durable,
        }
        let patience = &self.shared.patience;
        let Some(_place) = patience.place() else { return Err(Failure::Unknown) };
        tokio::select! {
            durable = ticket => Ok(durable?),
            () = patience.ended() => Err(Failure::Unknown),
            () = tokio::time::sleep(late.saturating_duration_since(Instant::now())) => {
                Err(Failure::Unknown)
            }
        }
    }

    /// Whoever waits for a disk that hangs hears at once how it stands, from now on: the server stops.
    pub(crate) fn end_patience(&self) {
        self.shared.patience.ended.send_replace(true);
    }

    /// How many exchanges wait for a disk that hangs.
    pub(crate) fn exchanges_waiting(&self) -> usize {
        let patience = &self.shared.patience;
        patience.places_max - patience.places.available_permits()
    }
}

#[cfg(test)]
mod tests;
