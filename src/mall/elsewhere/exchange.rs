//! Orders whose points are taken elsewhere while somebody waits.

use std::time::Instant;

use super::drive::Driven;
use super::kill;
use super::step::Standing;
use super::table::Held;
use crate::base::ReservationId;
use crate::base::error::Error;
use crate::ledger::{Release, ReleaseOutcome};
use crate::mall::facts::{OrderFact, Saga, SagaTake};
use crate::mall::model::OrderStatus;
use crate::mall::{Exchange, Failure, Mall, Order, Receipt, Shortage, User};

/// What became of the points of an order while somebody waited.
enum Paid {
    /// They are taken; and the order is confirmed, where it was to be.
    Taken,
    /// The user has only so many.
    Lacking(u64),
    /// The order has ended otherwise.
    Over,
    /// The service has not answered in time.
    TooLate,
}

impl Mall {
    /// Takes the points of an order that an exchange has reserved, by this try or an earlier one with
    /// its key; the answer to it. `None` when the earlier try was given up for its points: then
    /// another order is to be made.
    pub(in crate::mall) async fn pay_exchange(
        &self,
        user: &User,
        request: &Exchange<'_>,
        made: Receipt,
        was_before: bool,
    ) -> Result<Option<Receipt>, Failure> {
        let status = if request.confirm { OrderStatus::Confirmed } else { OrderStatus::Pending };
        let answer = made.now(status);
        if was_before {
            let order = self.order(user, made.reservation).await?;
            if !order.details.elsewhere {
                return Ok(Some(made));
            }
            let lacked =
                order.facts.iter().any(|(_, it)| matches!(it, OrderFact::PointsLacked { .. }));
            match order.status {
                OrderStatus::Pending => {}
                OrderStatus::Cancelled | OrderStatus::Expired if lacked => return Ok(None),
                // Nobody was told that it is confirmed.
                OrderStatus::Cancelled | OrderStatus::Expired
                    if request.confirm && order.exchanged_at.is_none() =>
                {
                    return Ok(None);
                }
                OrderStatus::Confirmed
                | OrderStatus::Shipped
                | OrderStatus::Completed
                | OrderStatus::Cancelled
                | OrderStatus::Expired => return Ok(Some(answer)),
            }
        }
        let (order, points) = (made.reservation, made.points_cost);
        let table = &self.shared.elsewhere.table;
        let were_moving = table.is_moving(user.id(), order);
        // What another order is to give back may be enough.
        let lacking = |balance| match were_moving || table.is_moving(user.id(), order) {
            true => Failure::PointsUnavailable,
            false => self.points_lacking(request, points, balance),
        };
        match self.pay(user, order, points, request.confirm, false).await? {
            Paid::Taken => Ok(Some(answer)),
            Paid::Lacking(balance) => Err(lacking(balance)),
            Paid::Over => Err(lacking(self.balance_lacked(order).await?)),
            Paid::TooLate => match self.give_up(order).await? {
                Standing::Confirmed { .. } => Ok(Some(answer)),
                Standing::Waiting | Standing::Over => Err(Failure::PointsUnavailable),
            },
        }
    }

    /// The balance that was too little for an order that has ended. Its saga may have been driven to its
    /// end beside whoever waited, and what the service said of it is on record with the order.
    async fn balance_lacked(&self, order: ReservationId) -> Result<u64, Failure> {
        let order = self.any_order(order).await?;
        let lacked = order.facts.iter().find_map(|(_, fact)| match fact {
            OrderFact::PointsLacked { balance, .. } => Some(*balance),
            _ => None,
        });
        match lacked {
            Some(balance) => balance.ok_or(Failure::PointsUnavailable),
            None => Err(Failure::OrderStatus(order.status)),
        }
    }

    /// Takes the points of an order that waits and is to be confirmed, unless they are taken or kept
    /// here.
    pub(in crate::mall) async fn pay_before_confirm(
        &self,
        user: &User,
        reservation: ReservationId,
    ) -> Result<(), Failure> {
        let Some(there) = &self.shared.elsewhere.there else {
            return Ok(());
        };
        if self.engine().pending(reservation).is_none() {
            return Ok(());
        }
        let order = self.order(user, reservation).await?;
        if !order.details.elsewhere || order.status != OrderStatus::Pending {
            return Ok(());
        }
        let _place = there.place()?;
        let points = order.details.points_cost;
        match self.pay(user, reservation, points, false, true).await? {
            Paid::Taken | Paid::Over => Ok(()),
            Paid::Lacking(balance) => {
                Err(Failure::InsufficientPoints(Shortage::of(points, balance, None)))
            }
            // It waits on, and may be confirmed later.
            Paid::TooLate => Err(Failure::PointsUnavailable),
        }
    }

    async fn pay(
        &self,
        user: &User,
        order: ReservationId,
        points: u64,
        confirms: bool,
        was_known: bool,
    ) -> Result<Paid, Failure> {
        let elsewhere = &self.shared.elsewhere;
        let late = Instant::now() + elsewhere.there()?.patience;
        let saga = Saga {
            user_id: user.id().to_owned(),
            points,
            confirms,
            take: SagaTake::Unknown,
            giving_back: None,
            begun_at: self.now_ms(),
            acts: Vec::new(),
            was_known,
        };
        kill::point().await;
        // Nobody asks for points of an order that waits and has no saga.
        let (_, ticket) = elsewhere.table.begin(self.engine(), order, saga, true)?;
        if let Some(ticket) = ticket {
            self.durable(ticket).await?;
        }
        loop {
            let after = match self.drive_saga(order).await {
                Driven::Rests => return Ok(Paid::Taken),
                Driven::Ended { take: SagaTake::Refused { balance }, .. } => {
                    return Ok(Paid::Lacking(balance));
                }
                Driven::Ended { standing, .. } => return Ok(paid(standing)),
                // Somebody else has driven it to its end.
                Driven::Unknown => return Ok(paid(self.standing_of(order).await?)),
                Driven::Later(after) => after,
            };
            let left = late.saturating_duration_since(Instant::now());
            tokio::time::sleep(after.min(left)).await;
            if after >= left {
                return Ok(Paid::TooLate);
            }
        }
    }

    /// Gives an order up whose points were not taken in time; how it stands then. What the service may
    /// have taken all the same goes back.
    async fn give_up(&self, order: ReservationId) -> Result<Standing, Failure> {
        let release = self.engine().run::<ReleaseOutcome>(Release::new(order))?;
        let released = self.durable(release).await?;
        kill::point().await;
        self.look_at_saga(order);
        if let ReleaseOutcome::Released { .. } = released {
            let lacked = OrderFact::PointsLacked { balance: None, was_known: false };
            self.say_why(order, lacked, None).await?;
            return Ok(Standing::Over);
        }
        self.standing_of(order).await
    }

    /// The saga of an order, where it has one, is driven soon.
    pub(in crate::mall) fn look_at_saga(&self, order: ReservationId) {
        let table = &self.shared.elsewhere.table;
        if let Some(entry) = table.get(order) {
            let mut state = entry.state.lock();
            (state.due, state.rests) = (Instant::now(), false);
            drop(state);
            table.woken.notify_one();
        }
    }

    /// Whether the points of a waiting order are another service's.
    pub(in crate::mall) fn has_saga(&self, order: ReservationId) -> bool {
        self.shared.elsewhere.table.get(order).is_some()
    }

    /// Somebody is about to give something back of an order that was confirmed. What came of it is
    /// looked at afterwards; nothing, where its points are kept here.
    pub(in crate::mall) fn hold_saga(&self, order: &Order) -> Result<Option<Held<'_>>, Error> {
        if !order.details.elsewhere {
            return Ok(None);
        }
        let saga = Saga {
            user_id: order.details.user.clone(),
            points: order.details.points_cost,
            confirms: false,
            take: SagaTake::Taken,
            giving_back: None,
            begun_at: self.now_ms(),
            acts: Vec::new(),
            was_known: true,
        };
        self.shared.elsewhere.table.hold(self.engine(), order.reservation, saga).map(Some)
    }
}

fn paid(standing: Standing) -> Paid {
    match standing {
        Standing::Confirmed { .. } => Paid::Taken,
        Standing::Waiting | Standing::Over => Paid::Over,
    }
}
