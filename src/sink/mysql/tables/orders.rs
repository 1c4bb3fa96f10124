//! `exchange_orders`: the orders, with what became of them.

use std::collections::HashMap;

use super::column::{Column, Compared, Fill};
use super::items::items;
use super::{Meeting, Record, Rows, Table};
use crate::base::{ReservationId, Seq, TimeMs};
use crate::mall::facts::{Fulfilment, OrderDetails};
use crate::mall::model::{OrderStatus, order_id, order_no};
use crate::mall::views::{OrderChange, OrderEnd, OrderStep, Returned, Subject};
use crate::sink::mysql::schema::{Kind, NOW};
use crate::sink::mysql::time::{datetime, optional};
use crate::sink::mysql::value::json;

/// An order that was made or changed.
#[derive(Debug)]
pub(in crate::sink::mysql) struct OrderRow {
    pub(in crate::sink::mysql) reservation: ReservationId,
    /// Whether it was made in this batch; otherwise its row is there, and only what changed is new.
    pub(in crate::sink::mysql) is_new: bool,
    /// `None` where only a note or a return in part tells of it.
    pub(in crate::sink::mysql) subject: Option<Subject>,
    /// `None` unless it was made in this batch.
    pub(in crate::sink::mysql) details: Option<OrderDetails>,
    pub(in crate::sink::mysql) created_at: TimeMs,
    pub(in crate::sink::mysql) state: OrderState,
    pub(in crate::sink::mysql) at: TimeMs,
}

/// What changes of an order, as its last event left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sink::mysql) struct OrderState {
    /// What its reservation became; `None` when that did not change.
    pub(in crate::sink::mysql) settled: Option<OrderStatus>,
    /// Its deadline; `None` where no event told it.
    pub(in crate::sink::mysql) expires_at: Option<TimeMs>,
    pub(in crate::sink::mysql) exchanged_at: Option<TimeMs>,
    pub(in crate::sink::mysql) cancelled_at: Option<TimeMs>,
    pub(in crate::sink::mysql) fulfilment: Fulfilment,
    /// How much of it went back, where that was not all at once.
    pub(in crate::sink::mysql) returned: Option<Returned>,
    pub(in crate::sink::mysql) seq: Seq,
}

impl OrderState {
    /// Where the order stands; `None` when that did not change. Once it is over, it stays so.
    pub(in crate::sink::mysql) fn status(&self) -> Option<OrderStatus> {
        // Taken apart as a whole: whatever facts tell besides is to have a column below.
        let Fulfilment {
            status,
            delivery_info: _,
            tracking_no: _,
            carrier: _,
            shipped_at: _,
            delivered_at: _,
            completed_at: _,
        } = &self.fulfilment;
        match self.settled {
            Some(settled) if !settled.holds() => Some(settled),
            settled => status.or(settled),
        }
    }

    /// What a later batch of events made of it.
    pub(in crate::sink::mysql) fn follow(&mut self, later: &Self) {
        self.fulfilment.follow(&later.fulfilment);
        if let Some(settled) = later.settled {
            self.settled = Some(settled);
            self.exchanged_at = later.exchanged_at.or(self.exchanged_at);
            self.cancelled_at = later.cancelled_at;
        }
        self.expires_at = later.expires_at.or(self.expires_at);
        self.returned = later.returned.or(self.returned);
        self.seq = later.seq;
    }

    fn settle(&mut self, how: OrderEnd, at: TimeMs) {
        self.settled = Some(how.status());
        match how {
            // It may have expired before, and is not over any more.
            OrderEnd::Confirmed => (self.exchanged_at, self.cancelled_at) = (Some(at), None),
            OrderEnd::Cancelled | OrderEnd::Expired | OrderEnd::Returned => {
                self.cancelled_at = Some(at);
            }
        }
    }
}

/// The occasions on which an order is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink::mysql) enum Write {
    Made,
    /// It ended, or got another deadline. Where its row was set aside, what the event says of it is a
    /// row all the same.
    Ended,
    /// It ended, and what deadline it had is not known: in a return that 0.1.0 wrote.
    Over,
    /// Something was noted on it, or some of it went back, and no more is known.
    Noted,
    /// It waits, as the ledger has it; a row that is there says more.
    Base,
}

impl Record for OrderRow {
    type Write = Write;

    fn seq(&self) -> Seq {
        self.state.seq
    }
}

impl OrderRow {
    /// An order of which nothing is known yet.
    pub(in crate::sink::mysql) fn unknown(reservation: ReservationId) -> Self {
        Self {
            reservation,
            is_new: false,
            subject: None,
            details: None,
            created_at: 0,
            state: OrderState::default(),
            at: 0,
        }
    }

    /// The next step of its life.
    fn step(&mut self, seq: Seq, at: TimeMs, step: OrderStep) {
        (self.state.seq, self.at) = (seq, at);
        match step {
            OrderStep::Made { subject, expires_at, confirmed, details } => {
                self.is_new = true;
                (self.subject, self.details) = (Some(subject), details.map(|details| *details));
                self.created_at = at;
                self.state.expires_at = Some(expires_at);
                self.state.settled = Some(OrderStatus::Pending);
                if confirmed {
                    self.state.settle(OrderEnd::Confirmed, at);
                }
            }
            OrderStep::Ended { how, subject, expires_at } => {
                if self.subject.is_none() {
                    (self.subject, self.created_at) = (Some(subject), at);
                }
                self.state.expires_at = expires_at.or(self.state.expires_at);
                self.state.settle(how, at);
            }
            OrderStep::ReturnedInPart { subject, returned, is_over, expires_at } => {
                self.state.returned = Some(returned);
                if is_over {
                    if self.subject.is_none() {
                        (self.subject, self.created_at) = (Some(subject), at);
                    }
                    self.state.expires_at = expires_at.or(self.state.expires_at);
                    self.state.settle(OrderEnd::Returned, at);
                }
            }
            OrderStep::Extended { subject, expires_at } => {
                if self.subject.is_none() {
                    (self.subject, self.created_at) = (Some(subject), at);
                }
                self.state.expires_at = Some(expires_at);
                self.state.settled = Some(OrderStatus::Pending);
            }
            OrderStep::Noted(fact) => self.state.fulfilment.add(&fact, at),
        }
    }

    /// Whether it was sent, as far as the mall's own facts tell. Otherwise whoever delivers may have
    /// written what they know.
    fn is_shipped(&self) -> bool {
        self.state.fulfilment.shipped_at.is_some()
    }

    fn subject<'a, T>(&'a self, field: impl FnOnce(&'a Subject) -> T, otherwise: T) -> T {
        self.subject.as_ref().map_or(otherwise, field)
    }

    fn is_returned_in_part(&self) -> bool {
        self.state.returned.is_some()
    }

    fn write(&self) -> Write {
        match (self.is_new, &self.subject) {
            (true, _) => Write::Made,
            (false, Some(_)) if self.state.expires_at.is_some() => Write::Ended,
            (false, Some(_)) => Write::Over,
            (false, None) => Write::Noted,
        }
    }
}

/// The orders of a batch, each once.
#[derive(Debug, Default)]
pub(in crate::sink::mysql) struct Orders {
    all: Vec<OrderRow>,
    place_of: HashMap<ReservationId, usize, foldhash::fast::RandomState>,
}

impl Orders {
    pub(in crate::sink::mysql) fn step(&mut self, seq: Seq, at: TimeMs, change: OrderChange) {
        let OrderChange { reservation, step } = change;
        let place = *self.place_of.entry(reservation).or_insert_with(|| {
            self.all.push(OrderRow::unknown(reservation));
            self.all.len() - 1
        });
        self.all[place].step(seq, at, step);
    }

    /// An order that waits, as the ledger has it.
    pub(in crate::sink::mysql) fn waits(&mut self, row: OrderRow) {
        self.place_of.insert(row.reservation, self.all.len());
        self.all.push(row);
    }

    pub(in crate::sink::mysql) fn iter(&self) -> impl Iterator<Item = &OrderRow> {
        self.all.iter()
    }

    pub(in crate::sink::mysql) fn len(&self) -> usize {
        self.all.len()
    }
}

/// What never changes of an order.
fn made(write: Write) -> Fill {
    match write {
        Write::Made | Write::Ended | Write::Over | Write::Noted | Write::Base => Fill::Once,
    }
}

/// The deadline, where it may have moved.
fn deadline(write: Write) -> Fill {
    match write {
        Write::Ended => Fill::Set,
        Write::Made | Write::Over | Write::Noted | Write::Base => Fill::Once,
    }
}

/// What an end tells, as far as it knows.
fn ended(write: Write, end: Fill) -> Fill {
    match write {
        Write::Ended | Write::Over => end,
        Write::Made | Write::Noted | Write::Base => Fill::Once,
    }
}

/// What facts tell, as far as they do.
fn noted(write: Write) -> Fill {
    match write {
        Write::Made => Fill::Set,
        Write::Ended | Write::Over | Write::Noted => Fill::SetIfKnown,
        Write::Base => Fill::Once,
    }
}

/// Where an order stands.
fn standing(write: Write) -> Fill {
    match write {
        Write::Made | Write::Ended | Write::Over | Write::Base => Fill::Set,
        Write::Noted => Fill::SetIfKnown,
    }
}

type C = Column<OrderRow>;

pub(in crate::sink::mysql) const TABLE: Table<OrderRow> = Table {
    name: "exchange_orders",
    columns: &[
        C::must("id", Kind::Id(36), "", |row| order_id(row.reservation).into())
            .once()
            .compared(Compared::Made),
        C::must("order_no", Kind::Id(32), "UNIQUE", |row| order_no(row.reservation).into())
            .fill(made)
            .compared(Compared::Made),
        C::must("user_id", Kind::Id(64), "", |row| row.subject(|it| &*it.user, "").into())
            .fill(made)
            .compared(Compared::Made),
        C::must("product_id", Kind::Id(64), "", |row| row.subject(|it| &*it.product, "").into())
            .fill(made)
            .compared(Compared::Made),
        C::must("product_snapshot", Kind::Json, "", |row| {
            row.details.as_ref().map_or("{}".to_owned(), |it| json(&it.product.shown())).into()
        })
        .fill(made)
        .about("the product as it was ordered"),
        C::must("quantity", Kind::Big, "", |row| {
            let taken = row.subject(|it| it.quantity, 0);
            row.details.as_ref().map_or(taken, |it| it.quantity).into()
        })
        .fill(made)
        .compared(Compared::Made),
        C::must("points_cost", Kind::Big, "", |row| {
            let taken = row.subject(|it| it.points_cost, 0);
            row.details.as_ref().map_or(taken, |it| it.points_cost).into()
        })
        .fill(made)
        .compared(Compared::Made),
        C::or("status", Kind::Small, "DEFAULT 0", |row| {
            row.state.status().map(OrderStatus::number).into()
        })
        .fill(standing)
        .compared(Compared::State)
        .about("0 waiting, 1 confirmed, 2 shipped, 3 completed, -1 cancelled or expired"),
        C::nullable("delivery_info", Kind::Json, |row| {
            let details = row.details.as_ref().and_then(|it| it.delivery_info.as_ref());
            row.state.fulfilment.delivery_info.as_ref().or(details).map(json).into()
        })
        .fill(noted)
        .about("where it goes by now"),
        C::nullable("tracking_no", Kind::Name(100), |row| {
            row.state.fulfilment.tracking_no.clone().into()
        })
        .fill(noted)
        .compared_where(OrderRow::is_shipped)
        .shipping(),
        C::or("delivery_status", Kind::Small, "DEFAULT 0", |row| {
            let status = row.state.fulfilment.delivery_status();
            Some(status).filter(|status| *status > 0 || row.is_new).into()
        })
        .fill(noted)
        .compared_where(OrderRow::is_shipped)
        .shipping()
        .about("0 not sent, 1 under way, 2 delivered"),
        C::nullable("exchanged_at", Kind::Time, |row| optional(row.state.exchanged_at))
            .fill(|write| ended(write, Fill::SetIfKnown))
            .compared(Compared::State)
            .about("when it was confirmed"),
        C::nullable("shipped_at", Kind::Time, |row| optional(row.state.fulfilment.shipped_at))
            .fill(noted)
            .compared_where(OrderRow::is_shipped)
            .shipping(),
        C::nullable("delivered_at", Kind::Time, |row| optional(row.state.fulfilment.delivered_at))
            .fill(noted)
            .compared_where(OrderRow::is_shipped)
            .shipping(),
        C::must("expires_at", Kind::Time, "", |row| {
            datetime(row.state.expires_at.unwrap_or(row.created_at))
        })
        .fill(deadline)
        .compared(Compared::State),
        C::must("created_at", Kind::Time, NOW, |row| datetime(row.created_at))
            .fill(made)
            .compared(Compared::Made),
        C::must("updated_at", Kind::Time, NOW, |row| datetime(row.at)),
        C::nullable("state", Kind::Id(16), |row| row.state.status().map(OrderStatus::name).into())
            .fill(standing)
            .compared(Compared::State)
            .about("where it stands, in a word"),
        C::nullable("cancelled_at", Kind::Time, |row| optional(row.state.cancelled_at))
            .fill(|write| ended(write, Fill::Set))
            .compared(Compared::State)
            .about("when it was given up, returned or expired"),
        C::late("carrier", Kind::Name(64), |row| row.state.fulfilment.carrier.clone().into())
            .fill(noted)
            .compared_where(OrderRow::is_shipped)
            .shipping()
            .about("who carries it"),
        C::late("completed_at", Kind::Time, |row| optional(row.state.fulfilment.completed_at))
            .fill(noted)
            .compared_where(OrderRow::is_shipped)
            .shipping(),
        C::late("returned_quantity", Kind::Big, |row| {
            row.state.returned.map(|it| it.quantity).into()
        })
        .fill(noted)
        .compared_where(OrderRow::is_returned_in_part)
        .about("how many units went back, where they did in parts"),
        C::late("returned_points", Kind::Big, |row| row.state.returned.map(|it| it.points).into())
            .fill(noted)
            .compared_where(OrderRow::is_returned_in_part)
            .about("how many points went back, where they did in parts"),
        C::late("service_id", Kind::Id(64), |row| {
            row.details.as_ref().and_then(|it| it.service.as_deref()).into()
        })
        .fill(made)
        .about("which service made it in its user's name"),
        C::late("items", Kind::Json, |row| row.details.as_ref().and_then(items).into())
            .fill(made)
            .compared(Compared::Made)
            .about("the products of a basket; null where the order is of one"),
        C::seq().compared(Compared::State),
    ],
    indexed: &["order_no", "user_id", "product_id", "status", "expires_at", "created_at"],
    marks: &["state", "cancelled_at"],
    is_shared: false,
    is_kept: false,
};

/// The orders that were made, that ended, and of which no more is known than a note or a return in
/// part.
pub(in crate::sink::mysql) fn rows(orders: &Orders) -> [Rows; 4] {
    [
        (Write::Made, Meeting::Refused),
        (Write::Ended, Meeting::Changed),
        (Write::Over, Meeting::Changed),
        (Write::Noted, Meeting::ChangedOnly),
    ]
    .map(|(write, meeting)| {
        sorted(TABLE.rows(write, meeting, orders.iter().filter(|row| row.write() == write)))
    })
}

/// The orders that wait.
pub(in crate::sink::mysql) fn base_rows(orders: &Orders) -> Rows {
    sorted(TABLE.rows(Write::Base, Meeting::Kept, orders.iter()))
}

/// In the order of the table, which is mostly that of time.
fn sorted(mut rows: Rows) -> Rows {
    rows.rows.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    rows
}
