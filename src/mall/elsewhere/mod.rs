//! Points that another service keeps: an exchange is a saga over both books.
//!
//! Stock and limit are reserved here first; the intent is on record before the first call; then the
//! points are taken there, and the order is confirmed here. Whatever dies on the way, the saga's
//! document is there still, and whoever drives it (`drive`) goes on from what both books say (`step`).

#[cfg(any(test, feature = "bin"))]
mod book;
#[cfg(feature = "bin")]
mod books;
mod breaker;
mod drive;
mod exchange;
mod guarded;
mod kill;
mod sagas;
mod service;
#[cfg(test)]
mod simulation;
mod step;
mod table;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) use table::Held;

#[cfg(feature = "bin")]
pub(crate) use book::{Book, NotGivenBack};
#[cfg(feature = "bin")]
pub(crate) use books::{Ours, differences};
pub(crate) use breaker::BreakerConfig;
#[cfg(test)]
use drive::Driven;
pub(crate) use sagas::SagaShown;
#[cfg(all(test, feature = "bin"))]
pub(crate) use service::TakeState;
#[cfg(feature = "bin")]
pub(crate) use service::{Answering, PointsService, Take, TakeRecord, Trouble};
#[cfg(not(feature = "bin"))]
pub(crate) use service::{PointsService, Trouble};

use self::guarded::Guarded;
use self::table::Table;
use super::points::Balance;
use super::{Failure, Mall, User};
use crate::base::error::{Error, Result};
use crate::engine::Engine;

/// A service that keeps the points, and how it is met.
#[derive(Debug)]
#[cfg_attr(not(any(test, feature = "bin")), allow(dead_code, reason = "the program sets it"))]
pub(crate) struct PointsElsewhere {
    pub(crate) service: Arc<dyn PointsService>,
    pub(crate) breaker: BreakerConfig,
    /// How long an exchange waits for the service.
    pub(crate) patience: Duration,
    /// How many exchanges may wait for it.
    pub(crate) queue: usize,
}

/// The points of a mall that are not in its ledger.
pub(super) struct Elsewhere {
    /// `None` where the ledger keeps the points; sagas of before may wait all the same.
    there: Option<There>,
    table: Table,
}

struct There {
    service: Guarded,
    patience: Duration,
    places: Arc<Semaphore>,
}

impl Elsewhere {
    pub(super) fn load(engine: &Engine, points: Option<PointsElsewhere>) -> Self {
        let there = points.map(|points| There {
            service: Guarded::new(points.service, points.breaker),
            patience: points.patience,
            places: Arc::new(Semaphore::new(points.queue.min(Semaphore::MAX_PERMITS))),
        });
        let table = Table::load(engine);
        if there.is_none() && !table.is_empty() {
            tracing::warn!("orders wait for a points service, and none is set: points_service");
        }
        Self { there, table }
    }

    fn there(&self) -> Result<&There, Failure> {
        self.there.as_ref().ok_or(Failure::PointsUnavailable)
    }
}

impl There {
    /// A place among those who wait for the service.
    fn place(&self) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| Error::overloaded("too many exchanges wait for the points service"))
    }
}

impl Mall {
    /// Whether another service keeps the points.
    pub(crate) fn has_points_elsewhere(&self) -> bool {
        self.shared.elsewhere.there.is_some()
    }

    /// A place among those who wait for the points service, where there is one.
    pub(super) fn place_elsewhere(&self) -> Result<Option<OwnedSemaphorePermit>> {
        self.shared.elsewhere.there.as_ref().map(There::place).transpose()
    }

    /// Whether the points service answers as a rule; `None` where the ledger keeps the points.
    pub(crate) fn points_service_answers(&self) -> Option<bool> {
        self.shared.elsewhere.there.as_ref().map(|there| there.service.answers())
    }

    /// The user's points, wherever they are kept. Elsewhere only what can be spent is known.
    pub(crate) async fn balance_anywhere(&self, user: &User) -> Result<Balance, Failure> {
        let balance = self.balance(user)?;
        let Some(there) = &self.shared.elsewhere.there else {
            return Ok(balance);
        };
        let available = there.service.balance(user.id()).await.map_err(Failure::from)?;
        let available = i64::try_from(available).unwrap_or(i64::MAX);
        Ok(Balance { available, ..balance })
    }
}

impl Mall {
    /// What the user can spend, and 0 while the service does not answer that keeps the points: for pages
    /// that show much else.
    pub(crate) async fn balance_if_known(&self, user: &User) -> Result<i64, Failure> {
        match self.balance_anywhere(user).await {
            Err(Failure::PointsUnavailable) => Ok(0),
            balance => Ok(balance?.available),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        tracing::debug!(%trouble, "the points service was asked in vain");
        Self::PointsUnavailable
    }
}
