//! What becomes of orders.

use std::sync::Arc;

use super::Views;
use super::names::{Name, Names};
use crate::base::error::Result;
use crate::base::{AccountId, ReservationId, TimeMs};
use crate::event::effects::{Ending, Life};
use crate::event::{EventLine, Part};
use crate::mall::facts::{OrderDetails, OrderFact};
use crate::mall::model::OrderStatus;

/// A step in the life of an order.
#[derive(Debug)]
pub(crate) struct OrderChange {
    pub(crate) reservation: ReservationId,
    pub(crate) step: OrderStep,
}

/// What happened to an order.
#[derive(Debug)]
pub(crate) enum OrderStep {
    Made {
        subject: Subject,
        expires_at: TimeMs,
        /// Whether it was confirmed in the same step.
        confirmed: bool,
        /// `None` when the mall did not write the reservation's details.
        details: Option<Box<OrderDetails>>,
    },
    Ended {
        how: OrderEnd,
        /// What the event itself says of the order: enough for a true row, should the one that was
        /// made with it be missing.
        subject: Subject,
        /// `None` where the event does not know it any more.
        expires_at: Option<TimeMs>,
    },
    /// Some of what it took was given back, not all at once.
    ReturnedInPart {
        /// What it consumed.
        subject: Subject,
        /// What is back by now.
        returned: Returned,
        /// Whether nothing is left of it.
        is_over: bool,
        /// `None` where the event does not know it any more.
        expires_at: Option<TimeMs>,
    },
    /// It waits until another time.
    Extended {
        subject: Subject,
        expires_at: TimeMs,
    },
    Noted(OrderFact),
}

/// What an order is about, as the lines of its reservation say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) user: Arc<str>,
    pub(crate) product: Arc<str>,
    pub(crate) quantity: u64,
    pub(crate) points_cost: u64,
}

/// How much of an order was given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Returned {
    pub(crate) quantity: u64,
    pub(crate) points: u64,
}

/// How an order is settled, or unsettled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderEnd {
    Confirmed,
    Cancelled,
    Expired,
    /// It was confirmed, and given back later.
    Returned,
}

impl OrderEnd {
    fn of(how: Ending) -> Self {
        match how {
            Ending::Confirmed => Self::Confirmed,
            Ending::Released => Self::Cancelled,
            Ending::Expired => Self::Expired,
        }
    }

    pub(crate) fn status(self) -> OrderStatus {
        match self {
            Self::Confirmed => OrderStatus::Confirmed,
            Self::Cancelled | Self::Returned => OrderStatus::Cancelled,
            Self::Expired => OrderStatus::Expired,
        }
    }
}

impl OrderChange {
    /// By how much the number of exchanges that stand changes, and for which user.
    pub(crate) fn standing(&self) -> Option<(&Arc<str>, i64)> {
        match &self.step {
            OrderStep::Made { subject, confirmed: true, .. } => Some((&subject.user, 1)),
            OrderStep::Ended { subject, how: OrderEnd::Confirmed, .. } => Some((&subject.user, 1)),
            OrderStep::Ended { subject, how: OrderEnd::Returned, .. }
            | OrderStep::ReturnedInPart { subject, is_over: true, .. } => Some((&subject.user, -1)),
            OrderStep::Made { confirmed: false, .. }
            | OrderStep::Ended { how: OrderEnd::Cancelled | OrderEnd::Expired, .. }
            | OrderStep::ReturnedInPart { is_over: false, .. }
            | OrderStep::Extended { .. }
            | OrderStep::Noted(_) => None,
        }
    }
}

impl Views {
    /// The order behind a reservation: one that takes points and stock.
    pub(super) fn order(&mut self, life: &Life<'_>) -> Result<Option<OrderChange>> {
        match *life {
            Life::Made(made) => {
                let subject = self.subject(made.lines)?;
                Ok(subject.map(|subject| OrderChange {
                    reservation: made.reservation,
                    step: OrderStep::Made {
                        subject,
                        expires_at: made.expires_at,
                        confirmed: made.confirmed,
                        details: OrderDetails::read(made.details).map(Box::new),
                    },
                }))
            }
            Life::Ended { how, end } => {
                let (how, expires_at) = (OrderEnd::of(how), Some(end.expires_at));
                self.ended(end.reservation, &end.lines, how, expires_at)
            }
            Life::Extended { reservation, expires_at, lines } => {
                let step = |subject| OrderStep::Extended { subject, expires_at };
                let subject = self.subject(lines)?;
                Ok(subject.map(|subject| OrderChange { reservation, step: step(subject) }))
            }
            Life::Revived { reservation, expires_at, lines, owner: _ } => {
                self.ended(reservation, lines, OrderEnd::Confirmed, Some(expires_at))
            }
            Life::Returned { reservation, lines, expires_at, part } => {
                let known = Some(expires_at).filter(|at| *at > 0);
                match part {
                    None => self.ended(reservation, lines, OrderEnd::Returned, known),
                    Some(part) => self.returned(reservation, part, known),
                }
            }
            Life::Noted { reservation, body } => Ok(OrderFact::read(body)
                .map(|fact| OrderChange { reservation, step: OrderStep::Noted(fact) })),
        }
    }

    fn ended(
        &mut self,
        reservation: ReservationId,
        lines: &[EventLine],
        how: OrderEnd,
        expires_at: Option<TimeMs>,
    ) -> Result<Option<OrderChange>> {
        let step = |subject| OrderStep::Ended { how, subject, expires_at };
        let subject = self.subject(lines)?;
        Ok(subject.map(|subject| OrderChange { reservation, step: step(subject) }))
    }

    fn returned(
        &mut self,
        reservation: ReservationId,
        part: &Part,
        expires_at: Option<TimeMs>,
    ) -> Result<Option<OrderChange>> {
        let consumed = part.lines.iter().map(|line| (line.account, line.consumed));
        let Some(subject) = subject(&mut self.names, consumed)? else {
            return Ok(None);
        };
        let back = part.lines.iter().map(|line| (line.account, line.returned));
        let back = self::subject(&mut self.names, back)?;
        let returned = back.map_or(Returned::default(), |back| Returned {
            quantity: back.quantity,
            points: back.points_cost,
        });
        let is_over = part.is_last();
        let step = OrderStep::ReturnedInPart { subject, returned, is_over, expires_at };
        Ok(Some(OrderChange { reservation, step }))
    }

    pub(super) fn subject(&mut self, lines: &[EventLine]) -> Result<Option<Subject>> {
        subject(&mut self.names, lines.iter().map(|line| (line.account(), line.quantity)))
    }
}

/// What the lines of a reservation say of an order.
pub(super) fn subject(
    names: &mut Names,
    lines: impl Iterator<Item = (AccountId, u64)>,
) -> Result<Option<Subject>> {
    let (mut points, mut stock): (Option<(Arc<str>, u64)>, _) = (None, None);
    for (account, quantity) in lines {
        match names.of(account)? {
            // Of points with several ends there is a line for each.
            Name::User(user) => {
                let (user, so_far) = points.take().unwrap_or((user, 0));
                points = Some((user, so_far.saturating_add(quantity)));
            }
            Name::FreeOrders(user) => points = points.or(Some((user, 0))),
            Name::Product(product) => {
                // Of a basket the first product, and the units of all.
                let (first, units) = stock.take().unwrap_or((product, 0_u64));
                stock = Some((first, units.saturating_add(quantity)));
            }
            // Nothing is ordered from a location.
            Name::Location { .. } | Name::NotEarned(_) | Name::Unseen => {}
        }
    }
    Ok(points.zip(stock).map(|((user, points_cost), (product, quantity))| Subject {
        user,
        product,
        quantity,
        points_cost,
    }))
}
