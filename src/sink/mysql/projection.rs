//! Events as rows. Nothing is decided here, and nothing is asked of the database: the same events
//! make the same rows.

use std::sync::Arc;

use serde::Serialize;

use super::batch::{Batch, Change, Document, Kind, OrderRow, OrderState, RecordRow, Rejected};
use super::names::{Lookup, Name, Names};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, ReservationId, Seq, TimeMs};
use crate::event::{End, Event, EventLine, Fact};
use crate::ledger::Pending;
use crate::mall::{CATEGORIES, OrderDetails, PRODUCTS};

/// About what the rows of an event take beside its texts, in bytes.
const EVENT_BYTES: usize = 512;

/// Turns events into rows, one after the other.
pub(super) struct Projector {
    names: Names,
}

/// The event at hand, as far as every row of it needs it.
#[derive(Clone, Copy)]
struct Cause<'a> {
    seq: Seq,
    at: TimeMs,
    kind: Kind,
    reservation: Option<ReservationId>,
    note: &'a str,
}

impl Projector {
    pub(super) fn new(lookup: Lookup) -> Self {
        Self { names: Names::new(lookup) }
    }

    /// Adds the rows of the next event to `batch`.
    ///
    /// # Errors
    /// `Corrupt` when the event speaks of an account that was never opened, or of quantities that
    /// cannot be.
    pub(super) fn apply(&mut self, batch: &mut Batch, seq: Seq, event: &Event<'_>) -> Result<()> {
        if batch.is_empty() {
            (batch.first_seq, batch.first_at) = (seq, event.at);
        }
        (batch.last_seq, batch.last_at) = (seq, event.at);
        batch.bytes += EVENT_BYTES + text_bytes(&event.fact);
        self.fact(batch, seq, event)
    }

    fn fact(&mut self, batch: &mut Batch, seq: Seq, event: &Event<'_>) -> Result<()> {
        let at = event.at;
        let cause = |kind, reservation, note| Cause { seq, at, kind, reservation, note };
        match &event.fact {
            Fact::AccountOpened { account, key, policy } => {
                self.names.learn(*account, key);
                // A stock or points account that is opened with units has received them.
                let limit = signed(policy.limit)?;
                self.change(batch, cause(Kind::Received, None, ""), *account, limit, limit)
            }
            Fact::Received { account, quantity, available, note } => self.change(
                batch,
                cause(Kind::Received, None, note),
                *account,
                signed(*quantity)?,
                *available,
            ),
            Fact::Adjusted { account, delta, available, note } => {
                self.change(batch, cause(Kind::Adjusted, None, note), *account, *delta, *available)
            }
            Fact::WrittenOff { account, quantity, available, note } => self.change(
                batch,
                cause(Kind::WrittenOff, None, note),
                *account,
                -signed(*quantity)?,
                *available,
            ),
            Fact::Reserved { reservation, confirmed, lines, .. } => {
                self.ordered(batch, seq, at, &event.fact)?;
                let kind = if *confirmed { Kind::Bought } else { Kind::Reserved };
                self.lines(batch, cause(kind, Some(*reservation), ""), lines)
            }
            Fact::Confirmed(end) => {
                self.end(batch, cause(Kind::Confirmed, Some(end.reservation), ""), end)
            }
            Fact::Released(end) => {
                self.end(batch, cause(Kind::Released, Some(end.reservation), ""), end)
            }
            Fact::Expired(end) => {
                self.end(batch, cause(Kind::Expired, Some(end.reservation), ""), end)
            }
            Fact::Returned { reservation, lines, note, .. } => {
                let cause = cause(Kind::Returned, Some(*reservation), note.as_ref());
                self.ended(batch, cause, *reservation, at, lines)?;
                self.lines(batch, cause, lines)
            }
            Fact::Document { collection, key, body } => {
                document(batch, seq, at, (collection, key), body.as_deref());
                Ok(())
            }
            Fact::PolicyChanged { .. }
            | Fact::Renewed { .. }
            | Fact::Noted { .. }
            | Fact::ClockMended { .. } => Ok(()),
        }
    }

    /// Adds an order that waits, of which only the reservation is known.
    ///
    /// # Errors
    /// As [`Projector::apply`].
    pub(super) fn pending(
        &mut self,
        batch: &mut Batch,
        seq: Seq,
        at: TimeMs,
        pending: &Pending,
    ) -> Result<()> {
        let lines = pending.lines.iter();
        let lines: Vec<EventLine> = lines
            .map(|line| EventLine {
                account: line.account.number(),
                quantity: line.quantity,
                ..EventLine::default()
            })
            .collect();
        if let Some(mut order) = self.order(pending.reservation, &lines)? {
            (order.seq, order.at) = (seq, at);
            (order.created_at, order.expires_at) = (at, pending.expires_at);
            batch.orders.push(order);
        }
        Ok(())
    }

    fn end(&mut self, batch: &mut Batch, cause: Cause<'_>, end: &End) -> Result<()> {
        self.ended(batch, cause, end.reservation, end.expires_at, &end.lines)?;
        self.lines(batch, cause, &end.lines)
    }

    /// A reservation that takes points and stock is an order.
    fn ordered(&mut self, batch: &mut Batch, seq: Seq, at: TimeMs, fact: &Fact<'_>) -> Result<()> {
        let Fact::Reserved { reservation, expires_at, confirmed, lines, details, .. } = fact else {
            return Ok(());
        };
        let Some(mut order) = self.order(*reservation, lines)? else {
            return Ok(());
        };
        if let Some(details) = OrderDetails::read(details) {
            (order.quantity, order.points_cost) = (details.quantity(), details.points_cost());
            order.snapshot = details.snapshot_json();
            order.delivery_info = details.delivery_json();
        }
        (order.is_new, order.seq, order.at) = (true, seq, at);
        (order.created_at, order.expires_at) = (at, *expires_at);
        if *confirmed {
            (order.state, order.exchanged_at) = (OrderState::Confirmed, Some(at));
            stands(batch, &order.user, seq, at, 1);
        }
        batch.order_of.insert(*reservation, batch.orders.len());
        batch.orders.push(order);
        Ok(())
    }

    /// What the lines alone say of an order: enough for a true row, should the one that was made
    /// with it be missing.
    fn order(
        &mut self,
        reservation: ReservationId,
        lines: &[EventLine],
    ) -> Result<Option<OrderRow>> {
        let (mut user, mut product) = (None, None);
        for line in lines {
            match self.names.of(line.account())? {
                Name::User(id) => user = user.or(Some((id, line.quantity))),
                Name::Product(id) => product = product.or(Some((id, line.quantity))),
                Name::Unseen => {}
            }
        }
        let (Some((user, points_cost)), Some((product, quantity))) = (user, product) else {
            return Ok(None);
        };
        Ok(Some(OrderRow {
            is_new: false,
            reservation,
            user,
            product,
            snapshot: "{}".to_owned(),
            quantity,
            points_cost,
            delivery_info: None,
            state: OrderState::Pending,
            created_at: 0,
            expires_at: 0,
            exchanged_at: None,
            cancelled_at: None,
            seq: 0,
            at: 0,
        }))
    }

    fn ended(
        &mut self,
        batch: &mut Batch,
        cause: Cause<'_>,
        reservation: ReservationId,
        expires_at: TimeMs,
        lines: &[EventLine],
    ) -> Result<()> {
        let index = match batch.order_of.get(&reservation) {
            Some(&index) => index,
            None => {
                let Some(mut order) = self.order(reservation, lines)? else {
                    return Ok(());
                };
                (order.created_at, order.expires_at) = (cause.at, expires_at);
                batch.order_of.insert(reservation, batch.orders.len());
                batch.orders.push(order);
                batch.orders.len() - 1
            }
        };
        let Cause { seq, at, kind, .. } = cause;
        let order = &mut batch.orders[index];
        (order.seq, order.at) = (seq, at);
        let user = Arc::clone(&order.user);
        match kind {
            Kind::Confirmed => {
                (order.state, order.exchanged_at) = (OrderState::Confirmed, Some(at))
            }
            Kind::Expired => (order.state, order.cancelled_at) = (OrderState::Expired, Some(at)),
            _ => (order.state, order.cancelled_at) = (OrderState::Cancelled, Some(at)),
        }
        match kind {
            Kind::Confirmed => stands(batch, &user, seq, at, 1),
            Kind::Returned => stands(batch, &user, seq, at, -1),
            _ => {}
        }
        Ok(())
    }

    /// One change for each account of the lines; two lines of one account count together.
    fn lines(&mut self, batch: &mut Batch, cause: Cause<'_>, lines: &[EventLine]) -> Result<()> {
        for (index, line) in lines.iter().enumerate() {
            let same = |other: &&EventLine| other.account == line.account;
            if lines[..index].iter().any(|other| same(&other)) {
                continue;
            }
            let mut whole = EventLine { quantity: 0, consumed: 0, ..*line };
            for line in lines[index..].iter().filter(same) {
                whole.quantity =
                    whole.quantity.checked_add(line.quantity).ok_or_else(impossible)?;
                whole.consumed =
                    whole.consumed.checked_add(line.consumed).ok_or_else(impossible)?;
                whole.available = line.available;
            }
            self.line(batch, cause, &whole)?;
        }
        Ok(())
    }

    fn line(&mut self, batch: &mut Batch, cause: Cause<'_>, line: &EventLine) -> Result<()> {
        let whole = signed(line.quantity)?;
        let (delta, quantity, sales) = match cause.kind {
            Kind::Reserved => (-whole, line.quantity, 0),
            Kind::Bought => (-whole, line.quantity, whole),
            Kind::Confirmed => {
                let back = line.quantity.checked_sub(line.consumed).ok_or_else(impossible)?;
                (signed(back)?, line.consumed, signed(line.consumed)?)
            }
            Kind::Returned => (whole, line.quantity, -whole),
            _ => (whole, line.quantity, 0),
        };
        let name = self.names.of(line.account())?;
        if let Name::Product(id) = &name {
            batch.product(id, cause.seq, cause.at).sales += sales;
        }
        if let Name::User(id) = &name {
            batch.user(id, cause.seq, cause.at).reserved += match cause.kind {
                Kind::Reserved => whole,
                Kind::Confirmed | Kind::Released | Kind::Expired => -whole,
                _ => 0,
            };
        }
        record(batch, cause, line.account(), &name, (delta, quantity, line.available));
        Ok(())
    }

    /// A change of one account without a reservation.
    fn change(
        &mut self,
        batch: &mut Batch,
        cause: Cause<'_>,
        account: AccountId,
        delta: i64,
        available: i64,
    ) -> Result<()> {
        let name = self.names.of(account)?;
        record(batch, cause, account, &name, (delta, delta.unsigned_abs(), available));
        Ok(())
    }
}

/// An exchange stands from now on, or no longer.
fn stands(batch: &mut Batch, user: &Arc<str>, seq: Seq, at: TimeMs, by: i64) {
    let user = batch.user(user, seq, at);
    user.exchanges += by;
    if by > 0 {
        user.last_exchange_at = Some(at);
    }
}

/// What a product or a user has after an event, and the record of it.
fn record(
    batch: &mut Batch,
    cause: Cause<'_>,
    account: AccountId,
    name: &Name,
    (delta, quantity, available): (i64, u64, i64),
) {
    let Cause { seq, at, kind, reservation, note } = cause;
    let row = |owner: &Arc<str>| RecordRow {
        seq,
        account: account.number(),
        owner: Arc::clone(owner),
        kind,
        delta,
        available,
        quantity,
        reservation,
        note: note.to_owned(),
        at,
    };
    match name {
        Name::Product(id) => {
            batch.product(id, seq, at).stock = Some(available);
            // Opening an empty account is no movement; a confirm is one, of units that were taken
            // before.
            if delta != 0 || quantity != 0 {
                batch.inventory.push(row(id));
            }
        }
        Name::User(id) => {
            batch.user(id, seq, at).balance = Some(available);
            // Points move when they are taken; a confirm leaves the balance as it is.
            if delta != 0 {
                batch.points.push(row(id));
            }
        }
        Name::Unseen => {}
    }
}

/// A document of the catalogue, or that it is gone.
pub(super) fn document(
    batch: &mut Batch,
    seq: Seq,
    at: TimeMs,
    (collection, key): (&str, &str),
    body: Option<&[u8]>,
) {
    let refused = match collection {
        CATEGORIES => match body.map(serde_json::from_slice).transpose() {
            Ok(to) => {
                batch.categories.insert(key.to_owned(), Change { seq, at, to });
                None
            }
            Err(error) => Some(("product_categories", error)),
        },
        PRODUCTS => match body.map(serde_json::from_slice).transpose() {
            Ok(document) => {
                let document = document
                    .map_or(Document::Removed, |product| Document::Written(Box::new(product)));
                batch.product(&Arc::from(key), seq, at).document = document;
                None
            }
            Err(error) => Some(("products", error)),
        },
        _ => None,
    };
    if let Some((table, error)) = refused {
        let content = String::from_utf8_lossy(body.unwrap_or_default()).into_owned();
        let reason = format!("not a document of the mall: {error}");
        batch.rejected.push(Rejected { table, row_id: key.to_owned(), seq, content, reason });
    }
}

fn text_bytes(fact: &Fact<'_>) -> usize {
    match fact {
        Fact::Received { note, .. }
        | Fact::Adjusted { note, .. }
        | Fact::WrittenOff { note, .. } => note.len(),
        Fact::Returned { note, .. } => note.len(),
        Fact::Reserved { details, .. } => 2 * details.len(),
        Fact::Document { body, .. } => body.as_ref().map_or(0, |body| body.len()),
        _ => 0,
    }
}

fn signed(quantity: u64) -> Result<i64> {
    i64::try_from(quantity).map_err(|_| impossible())
}

fn impossible() -> Error {
    Error::corrupt("an event has quantities that cannot be")
}

/// A value as JSON; what cannot be written is null.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

#[cfg(test)]
pub(super) mod tests;
