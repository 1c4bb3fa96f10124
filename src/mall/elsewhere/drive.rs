//! Driving sagas to their ends, one step after another; each leaves something durable, here or there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::breaker::pause;
use super::guarded::random;
use super::kill;
use super::service::{Take, TakeRecord, TakeState, Trouble};
use super::step::{Standing, Step, next, part, take_key};
use super::table::{Entry, write};
use crate::base::ReservationId;
use crate::base::error::Error;
use crate::history::record::ReservationState;
use crate::ledger::{Confirm, ConfirmOutcome, Release, ReleaseOutcome};
use crate::mall::facts::{OrderFact, Saga, SagaTake};
use crate::mall::model::order_id;
use crate::mall::{Failure, Mall};

/// How many sagas are driven at once.
const DRIVEN_AT_ONCE: usize = 16;
/// The pauses of one saga that is driven in vain.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Its user may wait for what it gives back; a service that is down is left alone besides.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a saga is left alone that needs an operator.
const STUCK_PAUSE: Duration = Duration::from_secs(30);
/// How long somebody who is about to change an order is waited for.
const HELD: Duration = Duration::from_millis(20);
/// How often sagas are looked at whose orders wait for their users.
const LOOK: Duration = Duration::from_secs(1);
/// More steps than any saga takes.
const STEPS_MAX: usize = 32;

/// How far a saga came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Driven {
    /// The points are taken, and its user has to confirm it.
    Rests,
    /// Nothing is left to be done.
    Ended { standing: Standing, take: SagaTake },
    /// There is no such saga (any more).
    Unknown,
    /// It is to be tried again after this time.
    Later(Duration),
}

/// Why a saga does not go on.
enum Halt {
    Trouble(Trouble),
    Failure(Failure),
    Stuck(String),
    /// Somebody is about to change its order.
    Held,
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failure(error.into())
    }
}

impl Mall {
    /// Drives a saga as far as it goes now. One at a time drives it.
    pub(crate) async fn drive_saga(&self, order: ReservationId) -> Driven {
        let Some(entry) = self.shared.elsewhere.table.get(order) else {
            return Driven::Unknown;
        };
        let _turn = entry.turn.lock().await;
        let halt = match self.steps(order, &entry).await {
            Ok(driven) => {
                let mut state = entry.state.lock();
                state.rests = driven == Driven::Rests;
                (state.tries, state.trouble) = (0, None);
                return driven;
            }
            Err(halt) => halt,
        };
        let mut state = entry.state.lock();
        let (after, why) = match halt {
            Halt::Held => (HELD, None),
            Halt::Trouble(Trouble::LeftAlone(after)) => {
                (after, Some(Trouble::LeftAlone(after).to_string()))
            }
            Halt::Trouble(trouble @ (Trouble::Lost(_) | Trouble::Refused(_))) => {
                (pause(PAUSE_MIN, PAUSE_MAX, state.tries, random()), Some(trouble.to_string()))
            }
            Halt::Failure(failure) => {
                let after = pause(PAUSE_MIN, PAUSE_MAX, state.tries, random());
                (after, Some(format!("the ledger: {failure:?}")))
            }
            Halt::Stuck(why) => {
                tracing::error!(order = order_id(order), why, "a saga needs an operator");
                (STUCK_PAUSE, Some(why))
            }
        };
        state.tries = state.tries.saturating_add(u32::from(why.is_some()));
        state.trouble = why.or(state.trouble.take());
        state.due = Instant::now() + after;
        Driven::Later(after)
    }

    async fn steps(&self, order: ReservationId, entry: &Arc<Entry>) -> Result<Driven, Halt> {
        let mut is_told = false;
        for _ in 0..STEPS_MAX {
            kill::point().await;
            let standing = self.standing_of(order).await?;
            let (saga, unsent) = {
                let state = entry.state.lock();
                (state.saga.clone(), state.unsent)
            };
            if standing == Standing::Over && !is_told {
                self.tell_lack(order, &saga).await?;
                is_told = true;
            }
            match next(&saga, &order_id(order), standing, unsent) {
                Step::Rest => return Ok(Driven::Rests),
                Step::Done => return self.ended(order, standing, saga.take),
                Step::Stuck(why) => return Err(Halt::Stuck(why.to_owned())),
                step => {
                    let take = saga.take;
                    if self.step(order, entry, saga, step).await? {
                        return self.ended(order, standing, take);
                    }
                }
            }
        }
        Err(Halt::Stuck("it comes to no end".to_owned()))
    }

    /// Nothing is left to be done.
    fn ended(
        &self,
        order: ReservationId,
        standing: Standing,
        take: SagaTake,
    ) -> Result<Driven, Halt> {
        match self.shared.elsewhere.table.end(self.engine(), order)? {
            true => Ok(Driven::Ended { standing, take }),
            false => Err(Halt::Held),
        }
    }

    /// Takes a step; whether nothing is left after it.
    async fn step(
        &self,
        order: ReservationId,
        entry: &Entry,
        saga: Saga,
        step: Step,
    ) -> Result<bool, Halt> {
        let id = order_id(order);
        match step {
            Step::Rest | Step::Done | Step::Stuck(_) => {}
            Step::Ask => {
                let service = &self.shared.elsewhere.there()?.service;
                match service.look(&id).await? {
                    Some(record) => self.take_told(order, entry, saga, &record).await?,
                    None => self.take(order, entry, saga).await?,
                }
            }
            Step::Take => self.take(order, entry, saga).await?,
            Step::Confirm => {
                let confirm = Confirm::new(order);
                // Whatever it came to, the ledger has decided, and is asked how it stands.
                self.durable(self.engine().run::<ConfirmOutcome>(confirm)?).await?;
            }
            Step::Release => {
                self.durable(self.engine().run::<ReleaseOutcome>(Release::new(order))?).await?;
            }
            Step::Compare { returned } => {
                let service = &self.shared.elsewhere.there()?.service;
                let record = service.look(&id).await?;
                let back = record.map(|it| it.returned).ok_or_else(|| {
                    Halt::Stuck("the service knows nothing of the points it took".to_owned())
                })?;
                match returned.checked_sub(back) {
                    None => {
                        return Err(Halt::Stuck(format!(
                            "the service gave {back} points back, and {returned} are due"
                        )));
                    }
                    Some(0) => return Ok(true),
                    Some(points) => {
                        let back = part(&id, returned, points);
                        let saga = Saga { giving_back: Some(back), ..saga };
                        self.put_saga(order, entry, saga).await?;
                    }
                }
            }
            Step::Intend(back) => {
                let saga = Saga { giving_back: Some(back), ..saga };
                self.put_saga(order, entry, saga).await?;
            }
            Step::GiveBack(back) => {
                let service = &self.shared.elsewhere.there()?.service;
                service.give_back(&back).await?;
                let take = if back.closes { SagaTake::Closed } else { saga.take };
                self.put_saga(order, entry, Saga { giving_back: None, take, ..saga }).await?;
            }
        }
        Ok(false)
    }

    async fn take(&self, order: ReservationId, entry: &Entry, saga: Saga) -> Result<(), Halt> {
        let service = &self.shared.elsewhere.there()?.service;
        let tries = entry.state.lock().tries;
        let key = take_key(&order_id(order), tries);
        let take = Take { key, user_id: saga.user_id.clone(), points: saga.points };
        // Before it is sent: nobody knows then how far it came.
        let was_unsent = std::mem::replace(&mut entry.state.lock().unsent, false);
        match service.take(&take).await {
            Ok(record) => self.take_told(order, entry, saga, &record).await,
            Err(trouble) => {
                if matches!(trouble, Trouble::LeftAlone(_)) {
                    entry.state.lock().unsent = was_unsent;
                }
                Err(trouble.into())
            }
        }
    }

    /// The service has said how the take stands.
    async fn take_told(
        &self,
        order: ReservationId,
        entry: &Entry,
        saga: Saga,
        record: &TakeRecord,
    ) -> Result<(), Halt> {
        let take = match record.state {
            TakeState::Taken if record.taken == saga.points => SagaTake::Taken,
            TakeState::Taken => {
                let (taken, due) = (record.taken, saga.points);
                return Err(Halt::Stuck(format!(
                    "the service took {taken} points in place of {due}"
                )));
            }
            TakeState::Refused => SagaTake::Refused { balance: record.balance.unwrap_or(0) },
            TakeState::Closed => SagaTake::Closed,
        };
        self.put_saga(order, entry, Saga { take, ..saga }).await
    }

    /// Puts on record what is known of a saga by now, and waits until it is durable.
    async fn put_saga(&self, order: ReservationId, entry: &Entry, saga: Saga) -> Result<(), Halt> {
        let ticket = {
            let mut state = entry.state.lock();
            // What operators did meanwhile stays.
            let saga =
                Saga { acts: state.saga.acts.clone(), confirms: state.saga.confirms, ..saga };
            let ticket = write(self.engine(), order, &saga)?;
            state.saga = saga;
            ticket
        };
        self.durable(ticket).await?;
        Ok(())
    }

    /// Keeps with an order that is over that its points could not be had, once: a retry of its exchange
    /// is a new try then.
    async fn tell_lack(&self, order: ReservationId, saga: &Saga) -> Result<(), Failure> {
        let balance = match saga.take {
            SagaTake::Unknown => None,
            SagaTake::Refused { balance } => Some(balance),
            SagaTake::Taken | SagaTake::Closed => return Ok(()),
        };
        let lacked = OrderFact::PointsLacked { balance, was_known: saga.was_known };
        self.say_why(order, lacked, None).await
    }

    /// How an order stands in the ledger. An end is durable when this tells of it.
    pub(super) async fn standing_of(&self, order: ReservationId) -> Result<Standing, Failure> {
        if let Some(pending) = self.engine().pending(order) {
            if self.now_ms() < pending.expires_at {
                return Ok(Standing::Waiting);
            }
            match self.expire().await {
                Failure::Expired => {}
                failure => return Err(failure),
            }
        }
        self.caught_up().await?;
        let engine = self.engine().clone();
        let record = self.read(move || engine.history().reservation(order)).await?;
        let record = record.ok_or(Failure::OrderNotFound)?;
        Ok(match record.state {
            ReservationState::Pending => Standing::Waiting,
            ReservationState::Confirmed => {
                let order = crate::mall::orders::order_of(&record, self.now_ms())?;
                Standing::Confirmed { returned: order.returned_points }
            }
            ReservationState::Released | ReservationState::Expired | ReservationState::Returned => {
                Standing::Over
            }
        })
    }

    /// Resolves when some saga can be driven at once, or it is time to look.
    pub(crate) async fn saga_due(&self) {
        let table = &self.shared.elsewhere.table;
        let now = Instant::now();
        let due = |entry: &Entry| {
            let state = entry.state.lock();
            (!state.rests && entry.turn.try_lock().is_ok()).then_some(state.due)
        };
        let due = table.after(None).iter().filter_map(|(_, entry)| due(entry)).min();
        let pause = due.map_or(LOOK, |due| due.saturating_duration_since(now)).clamp(HELD, LOOK);
        let slept = tokio::time::timeout(pause, table.woken.notified());
        drop(slept.await);
    }

    /// Drives those sagas that are due, some at a time.
    pub(crate) async fn drive_due_sagas(&self) {
        let mut running = JoinSet::new();
        for (order, entry) in self.shared.elsewhere.table.after(None) {
            if !self.is_due(order, &entry) {
                continue;
            }
            if running.len() >= DRIVEN_AT_ONCE {
                drop(running.join_next().await);
            }
            let mall = self.clone();
            running.spawn(async move {
                // What came of it is on record.
                mall.drive_saga(order).await;
            });
        }
        while running.join_next().await.is_some() {}
    }

    fn is_due(&self, order: ReservationId, entry: &Entry) -> bool {
        // Whoever has it drives it.
        if entry.turn.try_lock().is_err() {
            return false;
        }
        let (rests, due) = {
            let state = entry.state.lock();
            (state.rests, state.due)
        };
        match rests {
            true => {
                let pending = self.engine().pending(order);
                pending.is_none_or(|pending| pending.expires_at <= self.now_ms())
            }
            false => due <= Instant::now(),
        }
    }
}
