//! What a user may do with an order.

use super::fact::may_be_given_back;
use super::{Order, Receipt};
use crate::base::error::Result;
use crate::base::{AccountId, IdempotencyKey, ReservationId};
use crate::engine::{Terms, Ticket};
use crate::ledger::{
    self, Confirm, ConfirmOutcome, FirstAnswer, Refund, RefundOutcome, Release, ReleaseOutcome,
};
use crate::mall::elsewhere::Held;
use crate::mall::facts::{OrderFact, ServiceWish};
use crate::mall::model::{OrderStatus, Wish};
use crate::mall::{Failure, Mall, Note, User};

/// What became of a request to end an order that waits.
enum Ending {
    Done,
    Late,
    /// Another try with the same key has returned it meanwhile.
    Returned,
    NotWaiting,
}

impl From<ConfirmOutcome> for Ending {
    fn from(outcome: ConfirmOutcome) -> Self {
        match outcome {
            ConfirmOutcome::Confirmed { .. } => Self::Done,
            ConfirmOutcome::Late { .. } => Self::Late,
            ConfirmOutcome::NotPending { .. } => Self::NotWaiting,
        }
    }
}

impl From<ReleaseOutcome> for Ending {
    fn from(outcome: ReleaseOutcome) -> Self {
        match outcome {
            ReleaseOutcome::Released { .. } => Self::Done,
            ReleaseOutcome::Late { .. } => Self::Late,
            ReleaseOutcome::Returned { .. } => Self::Returned,
            ReleaseOutcome::NotPending { .. } => Self::NotWaiting,
        }
    }
}

/// How an order was met that somebody wanted to end.
#[allow(clippy::large_enum_variant, reason = "it lives for one call")]
enum Settled {
    /// It is what was asked for, by this request or its first try.
    As(Receipt),
    /// It did not wait any more.
    Before { owner: AccountId, order: Box<Order> },
}

impl Mall {
    /// What an order of this user cost, as far as the answer to the request tells that made it: its
    /// first line takes the points, unless the user has ordered what costs nothing.
    pub(in crate::mall) fn cost_of(
        &self,
        user: &User,
        terms: Option<Terms>,
    ) -> Result<Option<u64>> {
        let orders_free = self.engine().account(&user.free_orders()?).is_some();
        // An order may have taken points with several ends: then the first line is not all.
        let is_told = !orders_free && !self.has_lots(user);
        Ok(terms.map(|terms| terms.units).filter(|_| is_told))
    }

    /// Makes a waiting order final. Confirming a confirmed order succeeds again.
    pub(crate) async fn confirm(
        &self,
        user: &User,
        reservation: ReservationId,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        self.pay_before_confirm(user, reservation).await?;
        let confirmed = (ServiceWish::Confirm, OrderStatus::Confirmed);
        let confirm = Confirm::new(reservation).key(key);
        let run = |owner| self.engine().run::<ConfirmOutcome>(confirm.owner(owner));
        match self.settle(user, reservation, key, confirmed, run).await? {
            Settled::As(receipt) => Ok(receipt),
            Settled::Before { order, .. } => match order.status.on_confirm() {
                Wish::Already => Ok(order.receipt()),
                Wish::TooLate => Err(Failure::Expired),
                Wish::GivesBack | Wish::Refused => Err(Failure::OrderStatus(order.status)),
            },
        }
    }

    /// Gives a waiting order up, or returns a confirmed one. Cancelling a cancelled order succeeds
    /// again.
    pub(crate) async fn cancel(
        &self,
        user: &User,
        reservation: ReservationId,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        let cancelled = (ServiceWish::Cancel, OrderStatus::Cancelled);
        let release = Release::new(reservation).key(key);
        let run = |owner| self.engine().run::<ReleaseOutcome>(release.owner(owner));
        match self.settle(user, reservation, key, cancelled, run).await? {
            Settled::As(receipt) => Ok(receipt),
            Settled::Before { owner, order } => match order.status.on_cancel() {
                Wish::Already => Ok(order.receipt()),
                Wish::GivesBack if !self.may_still_cancel(&order) => Err(Failure::CancelWindow),
                Wish::GivesBack => self.give_back(user, owner, *order, key).await,
                Wish::TooLate => Err(Failure::Expired),
                Wish::Refused => Err(Failure::OrderStatus(order.status)),
            },
        }
    }

    /// Lets the ledger end an order that waits, as its user wishes.
    async fn settle<T: Into<Ending>>(
        &self,
        user: &User,
        reservation: ReservationId,
        key: Option<IdempotencyKey>,
        (wish, becomes): (ServiceWish, OrderStatus),
        run: impl FnOnce(AccountId) -> Result<Ticket<T>>,
    ) -> Result<Settled, Failure>
    where
        Ticket<T>: Future<Output = Result<T>>,
    {
        if let Some(receipt) = self.told_before(Some(user), key).await? {
            return Ok(Settled::As(receipt));
        }
        let owner = user.points(self.engine()).ok_or(Failure::OrderNotFound)?;
        // Looked at before: what it cost is forgotten with its end.
        let waiting = self.waiting(user, owner, reservation);
        if waiting.is_some() {
            self.put_service_on_record(user, reservation, wish)?;
        }
        // The lines of one whose points are kept elsewhere do not tell what it cost.
        let is_elsewhere = self.has_saga(reservation);
        let waiting = waiting.filter(|_| !is_elsewhere);
        let is_done = match self.durable(run(owner)?).await?.into() {
            Ending::Done => true,
            Ending::Late => return Err(self.expire().await),
            Ending::Returned => match self.told_before(Some(user), key).await? {
                Some(receipt) => return Ok(Settled::As(receipt)),
                None => false,
            },
            Ending::NotWaiting => false,
        };
        self.look_at_saga(reservation);
        if let Some(receipt) = waiting.filter(|_| is_done) {
            return Ok(Settled::As(receipt.now(becomes)));
        }
        let order = self.order(user, reservation).await?;
        Ok(match is_done {
            // A retry hears its first answer, whatever became of the order since.
            true => Settled::As(order.receipt().now(becomes)),
            false => Settled::Before { owner, order: Box::new(order) },
        })
    }

    /// The answer about an order that is past its deadline. Its expiry is durable first: should the
    /// process die and the machine's clock be set back, it would wait again otherwise, and who was
    /// told that it expired could confirm it.
    pub(crate) async fn expire(&self) -> Failure {
        let engine = self.engine().clone();
        let expired = self.act(move || {
            engine.expire_due()?;
            engine.decided().wait()
        });
        expired.await.map_or_else(|failure| failure, |_| Failure::Expired)
    }

    /// Whether its user may cancel a confirmed order, going by the time alone.
    fn may_still_cancel(&self, order: &Order) -> bool {
        let confirmed_at = order.exchanged_at.unwrap_or(order.created_at);
        let so_long = self.now_ms().saturating_sub(confirmed_at);
        self.config().cancel_window_ms.is_none_or(|window_ms| so_long < window_ms)
    }

    /// Puts on record that a service asks for something in the user's name, where one does.
    fn put_service_on_record(
        &self,
        user: &User,
        reservation: ReservationId,
        wish: ServiceWish,
    ) -> Result<()> {
        let Some(service) = user.service() else {
            return Ok(());
        };
        let body = OrderFact::Served { service: service.to_owned(), wish }.encode();
        // Before what it asks for, and not awaited: what follows in the journal is durable only
        // after it, so nothing is ever done by a service that is not on record.
        self.engine().note(ledger::Note::new(reservation, &body)).map(drop)
    }

    /// Returns the points, the limit and the stock of a confirmed order.
    async fn give_back(
        &self,
        user: &User,
        owner: AccountId,
        order: Order,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        const WHY: &str = "订单取消";
        let (engine, reservation) = (self.engine(), order.reservation);
        let note = Note { operator: user.service(), reason: WHY }.text();
        let refund = Refund::new(reservation).owner(owner).note(&note).key(key);
        let held = self.hold_saga(&order)?;
        let ticket = engine.refund_when(refund, may_be_given_back)?;
        let outcome = self.durable(ticket).await?;
        held.into_iter().for_each(Held::done);
        if let RefundOutcome::Returned { .. } = outcome {
            return Ok(order.receipt().now(OrderStatus::Cancelled));
        }
        // Another cancel was faster: the order is cancelled, which is what was asked.
        let order = self.order(user, reservation).await?;
        match order.status.on_cancel() {
            Wish::Already => Ok(order.receipt()),
            Wish::GivesBack | Wish::TooLate | Wish::Refused => {
                Err(Failure::OrderStatus(order.status))
            }
        }
    }

    /// What the first try of a request with this key was told, from the ledger's window: mostly
    /// nothing else need be there any more.
    pub(super) async fn told_before(
        &self,
        user: Option<&User>,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<Receipt>, Failure> {
        let first = key.map_or(Ok(None), |key| self.engine().first_execution(key))?;
        let Some((ticket, terms)) = first else {
            return Ok(None);
        };
        let (reservation, status) = match self.durable(ticket).await? {
            FirstAnswer::Confirmed { reservation } | FirstAnswer::Revived { reservation } => {
                (reservation, OrderStatus::Confirmed)
            }
            FirstAnswer::Released { reservation } | FirstAnswer::Returned { reservation } => {
                (reservation, OrderStatus::Cancelled)
            }
            FirstAnswer::Extended { reservation, .. } if terms.is_some() => {
                (reservation, OrderStatus::Pending)
            }
            FirstAnswer::Changed(_)
            | FirstAnswer::Extended { .. }
            | FirstAnswer::Reserved(_)
            | FirstAnswer::ReturnedInPart { .. }
            | FirstAnswer::Noted { .. }
            | FirstAnswer::Transferred(_)
            | FirstAnswer::DocumentPut
            | FirstAnswer::PolicySet { .. }
            | FirstAnswer::Queued { .. }
            | FirstAnswer::Dequeued { .. }
            | FirstAnswer::Answered(_)
            | FirstAnswer::Atomic(_) => return Ok(None),
        };
        let Some(terms) = terms else {
            // Of an order of which some was back already the last return does not say what it cost.
            let order = match user {
                Some(user) => self.order(user, reservation).await?,
                None => self.any_order(reservation).await?,
            };
            return Ok(Some(order.receipt().now(status)));
        };
        let points_cost = match user {
            Some(user) => match self.cost_of(user, Some(terms))? {
                Some(points_cost) => points_cost,
                None => self.order(user, reservation).await?.details.points_cost,
            },
            None => match self.any_order(reservation).await {
                Ok(order) => order.details.points_cost,
                Err(Failure::OrderNotFound) => terms.units,
                Err(failure) => return Err(failure),
            },
        };
        let expires_at = terms.expires_at;
        Ok(Some(Receipt { reservation, status, points_cost, expires_at, is_kept: true }))
    }

    /// An order that waits, from memory.
    fn waiting(
        &self,
        user: &User,
        owner: AccountId,
        reservation: ReservationId,
    ) -> Option<Receipt> {
        let pending =
            self.engine().pending(reservation).filter(|pending| pending.owner == Some(owner))?;
        let accounts = self.points_accounts(user, owner);
        let points = pending.lines.iter().filter(|line| accounts.contains(&line.account));
        let points_cost = points.map(|line| line.quantity).sum();
        Some(Receipt {
            reservation,
            status: OrderStatus::Pending,
            points_cost,
            expires_at: pending.expires_at,
            is_kept: false,
        })
    }
}
