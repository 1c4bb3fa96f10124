//! A lack of file descriptors, which passes.

use std::time::Instant;

use crate::base::error::Result;

/// Told when it begins and when it is over.
#[derive(Default)]
pub(super) struct Shortage {
    began: Option<Instant>,
}

impl Shortage {
    /// The outcome, or `None` when it was a lack of descriptors, so that the same can be tried
    /// again.
    pub(super) fn passing<T>(&mut self, outcome: Result<T>) -> Result<Option<T>> {
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
