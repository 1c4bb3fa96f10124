//! A points service behind a circuit breaker.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::breaker::{Breaker, BreakerConfig};
use super::service::{PointsService, Take, TakeRecord, Trouble};
use crate::mall::facts::GivingBack;

#[derive(Debug)]
pub(super) struct Guarded {
    service: Arc<dyn PointsService>,
    breaker: Mutex<Breaker>,
    /// What the breaker's times are since.
    began: Instant,
}

impl Guarded {
    pub(super) fn new(service: Arc<dyn PointsService>, config: BreakerConfig) -> Self {
        Self { service, breaker: Mutex::new(Breaker::new(config)), began: Instant::now() }
    }

    pub(super) async fn take(&self, take: &Take) -> Result<TakeRecord, Trouble> {
        self.call(self.service.take(take)).await
    }

    pub(super) async fn look(&self, key: &str) -> Result<Option<TakeRecord>, Trouble> {
        self.call(self.service.look(key)).await
    }

    pub(super) async fn give_back(&self, back: &GivingBack) -> Result<TakeRecord, Trouble> {
        self.call(self.service.give_back(back)).await
    }

    pub(super) async fn balance(&self, user_id: &str) -> Result<u64, Trouble> {
        self.call(self.service.balance(user_id)).await
    }

    /// Whether the service answers as a rule.
    pub(super) fn answers(&self) -> bool {
        self.breaker.lock().is_closed()
    }

    /// Makes a call, unless the service is left alone. A refusal is an answer.
    async fn call<T>(&self, call: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        self.breaker.lock().ask(self.began.elapsed()).map_err(Trouble::LeftAlone)?;
        let answer = call.await;
        let mut breaker = self.breaker.lock();
        let was_closed = breaker.is_closed();
        match &answer {
            Ok(_) | Err(Trouble::Refused(_)) => breaker.succeeded(),
            Err(Trouble::Lost(_) | Trouble::LeftAlone(_)) => {
                breaker.failed(self.began.elapsed(), random());
            }
        }
        match (was_closed, breaker.is_closed()) {
            (true, false) => tracing::warn!("the points service does not answer: it is left alone"),
            (false, true) => tracing::info!("the points service answers again"),
            (true, true) | (false, false) => {}
        }
        drop(breaker);
        answer
    }
}

/// Any number, for jitter.
pub(super) fn random() -> u64 {
    // Without random bytes pauses are whole, which is not an error.
    getrandom::u64().unwrap_or(u64::MAX)
}
