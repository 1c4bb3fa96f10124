//! Waiting for the disk, but not for ever.

use std::future::Future;

use super::{Failure, Mall};
use crate::base::asked;
use crate::base::error::{Error, Result};
use crate::base::spans;

impl Mall {
    /// Waits until an outcome is durable. A disk that hangs leaves it unknown: it is decided, and
    /// nobody knows yet whether it will survive.
    pub(crate) async fn durable<T>(
        &self,
        ticket: impl Future<Output = Result<T>>,
    ) -> Result<T, Failure> {
        let _step = spans::step("journal.wait");
        match tokio::time::timeout(self.engine().sync_limit(), ticket).await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(Failure::Unknown),
        }
    }

    /// Waits until history shows everything acknowledged before.
    pub(crate) async fn caught_up(&self) -> Result<()> {
        let _step = spans::step("history.wait");
        match tokio::time::timeout(self.engine().sync_limit(), self.engine().catch_up()).await {
            Ok(caught_up) => caught_up,
            Err(_) => Err(self.late()),
        }
    }

    /// Reads from history beside the runtime's workers.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _step = spans::step("history.read");
        match tokio::time::timeout(self.engine().sync_limit(), blocking(read)).await {
            Ok(read) => read,
            Err(_) => Err(self.late()),
        }
    }

    /// Does something that blocks beside the runtime's workers. It goes on when nobody waits for it
    /// any more.
    pub(crate) async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let _step = spans::step("act");
        match tokio::time::timeout(self.engine().sync_limit(), blocking(act)).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(Failure::Unknown),
        }
    }

    /// Why history did not answer in time.
    fn late(&self) -> Error {
        match self.engine().check_ready() {
            Err(error) => error,
            Ok(()) => Error::overloaded("history is behind, or its disk slow"),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(asked::carried(work)).await {
        Ok(result) => result,
        Err(failed) => Err(Error::unavailable("a background task failed").with_source(failed)),
    }
}
