//! Sagas that wait, as operators see them and lend a hand.

use std::time::Duration;

use super::drive::Driven;
use super::table::{Entry, write};
use crate::base::error::Result;
use crate::base::{IdempotencyKey, ReservationId, TimeMs};
use crate::ledger::{Release, ReleaseOutcome, made_at_ms};
use crate::mall::facts::{Saga, SagaAct, SagaActKind};
use crate::mall::{Because, Failure, Mall};

/// A saga that waits.
#[derive(Clone, Debug)]
pub(crate) struct SagaShown {
    pub(crate) order: ReservationId,
    pub(crate) saga: Saga,
    /// How often it was driven in vain since it last came on, by this process.
    pub(crate) tries: u32,
    /// What was in the way then.
    pub(crate) trouble: Option<String>,
    /// Its points are taken, and its user has to confirm it.
    pub(crate) rests: bool,
    /// When it is tried again.
    pub(crate) next_try: Option<Duration>,
}

impl SagaShown {
    fn of(order: ReservationId, entry: &Entry) -> Self {
        let state = entry.state.lock();
        let left = state.due.saturating_duration_since(std::time::Instant::now());
        Self {
            order,
            saga: state.saga.clone(),
            tries: state.tries,
            trouble: state.trouble.clone(),
            rests: state.rests,
            next_try: (!state.rests).then_some(left),
        }
    }
}

impl Mall {
    /// The sagas that wait, the oldest orders first, after this one; and how many wait in all.
    pub(crate) fn sagas(
        &self,
        after: Option<ReservationId>,
        limit: usize,
    ) -> Result<(Vec<SagaShown>, usize)> {
        self.check_alive()?;
        let table = &self.shared.elsewhere.table;
        let shown = table.after(after).into_iter().take(limit);
        let shown = shown.map(|(order, entry)| SagaShown::of(order, &entry)).collect();
        Ok((shown, table.after(None).len()))
    }

    /// How many sagas wait that are not at rest, and when the oldest order among them was made.
    pub(crate) fn saga_backlog(&self) -> (u64, Option<TimeMs>) {
        let all = self.shared.elsewhere.table.after(None);
        let mut moving = all.iter().filter(|(_, entry)| !entry.state.lock().rests).peekable();
        let oldest = moving.peek().map(|(order, _)| made_at_ms(*order));
        (moving.count() as u64, oldest)
    }

    /// The saga of an order.
    pub(crate) fn saga(&self, order: ReservationId) -> Result<SagaShown, Failure> {
        self.check_alive()?;
        let entry = self.shared.elsewhere.table.get(order).ok_or(Failure::SagaNotFound)?;
        Ok(SagaShown::of(order, &entry))
    }

    /// Drives a saga on at once, in an operator's name; what waits of it then.
    pub(crate) async fn retry_saga(
        &self,
        order: ReservationId,
        by: &Because<'_>,
    ) -> Result<Option<SagaShown>, Failure> {
        self.put_act(order, by, SagaActKind::Retried).await?;
        Ok(self.driven(order).await)
    }

    /// Gives up an order whose saga waits, in an operator's name: its points go back. Of one that was
    /// confirmed meanwhile this is no longer possible; it can be refunded.
    pub(crate) async fn compensate_saga(
        &self,
        order: ReservationId,
        by: &Because<'_>,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<SagaShown>, Failure> {
        self.saga(order)?;
        if self.engine().pending(order).is_some() {
            self.put_act(order, by, SagaActKind::Compensated).await?;
            self.give_up_for(order, by, key).await?;
        } else {
            let status = self.any_order(order).await?.status;
            if status.holds() {
                return Err(Failure::OrderStatus(status));
            }
            self.put_act(order, by, SagaActKind::Compensated).await?;
        }
        Ok(self.driven(order).await)
    }

    async fn give_up_for(
        &self,
        order: ReservationId,
        by: &Because<'_>,
        key: Option<IdempotencyKey>,
    ) -> Result<(), Failure> {
        let release = self.engine().run::<ReleaseOutcome>(Release::new(order).key(key))?;
        match self.durable(release).await? {
            ReleaseOutcome::Released { .. } => self.say_why(order, by.cancelled(), key).await,
            ReleaseOutcome::Late { .. } => Err(self.expire().await),
            ReleaseOutcome::Returned { .. } | ReleaseOutcome::NotPending { .. } => {
                Err(Failure::OrderStatus(self.any_order(order).await?.status))
            }
        }
    }

    /// Drives a saga; what waits of it then.
    async fn driven(&self, order: ReservationId) -> Option<SagaShown> {
        match self.drive_saga(order).await {
            Driven::Ended { .. } | Driven::Unknown => None,
            Driven::Rests | Driven::Later(_) => self.saga(order).ok(),
        }
    }

    async fn put_act(
        &self,
        order: ReservationId,
        by: &Because<'_>,
        kind: SagaActKind,
    ) -> Result<(), Failure> {
        let entry = self.shared.elsewhere.table.get(order).ok_or(Failure::SagaNotFound)?;
        let _turn = entry.turn.lock().await;
        // It may have ended while this waited for its turn.
        self.saga(order)?;
        let (operator, reason) = (by.operator.to_owned(), by.reason.to_owned());
        let act = SagaAct { kind, operator, reason, at: self.now_ms() };
        let ticket = {
            let mut state = entry.state.lock();
            let mut saga = state.saga.clone();
            // The last hundred are enough to see who does what.
            if saga.acts.len() >= ACTS_MAX {
                saga.acts.remove(0);
            }
            saga.acts.push(act);
            let ticket = write(self.engine(), order, &saga)?;
            state.saga = saga;
            ticket
        };
        self.durable(ticket).await
    }
}

/// How many acts of operators a saga keeps.
const ACTS_MAX: usize = 100;
