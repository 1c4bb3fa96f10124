//! Events as rows. Nothing is decided here, and nothing is asked of the database: the same events
//! make the same rows.

use std::sync::Arc;

use serde::Serialize;

use super::batch::{Batch, Change, Document, OrderRow, OrderState, RecordRow, Rejected};
use super::names::{Lookup, Name, Names};
use crate::base::error::Result;
use crate::base::{ReservationId, Seq, TimeMs};
use crate::event::effects::{AccountChange, Effects, Ending, Life, Made, Opened, Written};
use crate::event::{ChangeKind, Event, EventLine, Fact};
use crate::ledger::Pending;
use crate::mall::{CATEGORIES, OrderDetails, PRODUCTS};

/// About what the rows of an event take beside its texts, in bytes.
const EVENT_BYTES: usize = 512;

/// Turns events into rows, one after the other.
pub(super) struct Projector {
    names: Names,
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
        self.effects(batch, seq, event)
    }

    fn effects(&mut self, batch: &mut Batch, seq: Seq, event: &Event<'_>) -> Result<()> {
        let (at, effects) = (event.at, Effects::of(event)?);
        if let Some(Opened { account, key, units }) = effects.opened {
            let name = self.names.learn(account, key);
            // A stock or points account that is opened with units has received them.
            let opened = AccountChange {
                account,
                kind: ChangeKind::Received,
                delta: units,
                held: 0,
                consumed: 0,
                available: units,
                quantity: units.unsigned_abs(),
                reservation: None,
                note: "",
            };
            change(batch, seq, at, &opened, &name);
        }
        match effects.reservation {
            Some(Life::Made(made)) => self.ordered(batch, seq, at, &made)?,
            Some(Life::Ended { how, end }) => {
                let end = (end.reservation, end.expires_at, &end.lines[..]);
                self.ended(batch, seq, at, end, OrderEnd::of(how))?;
            }
            Some(Life::Returned { reservation, lines, .. }) => {
                self.ended(batch, seq, at, (reservation, at, lines), OrderEnd::Returned)?;
            }
            Some(Life::Noted { .. }) | None => {}
        }
        for each in &effects.changes {
            let name = self.names.of(each.account)?;
            change(batch, seq, at, each, &name);
        }
        if let Some(Written { collection, key, body }) = effects.document {
            document(batch, seq, at, (collection, key), body);
        }
        Ok(())
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

    /// A reservation that takes points and stock is an order.
    fn ordered(&mut self, batch: &mut Batch, seq: Seq, at: TimeMs, made: &Made<'_>) -> Result<()> {
        let Some(mut order) = self.order(made.reservation, made.lines)? else {
            return Ok(());
        };
        if let Some(details) = OrderDetails::read(made.details) {
            (order.quantity, order.points_cost) = (details.quantity(), details.points_cost());
            order.snapshot = details.snapshot_json();
            order.delivery_info = details.delivery_json();
        }
        (order.is_new, order.seq, order.at) = (true, seq, at);
        (order.created_at, order.expires_at) = (at, made.expires_at);
        if made.confirmed {
            (order.state, order.exchanged_at) = (OrderState::Confirmed, Some(at));
            stands(batch, &order.user, seq, at, 1);
        }
        batch.order_of.insert(made.reservation, batch.orders.len());
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
        seq: Seq,
        at: TimeMs,
        (reservation, expires_at, lines): (ReservationId, TimeMs, &[EventLine]),
        how: OrderEnd,
    ) -> Result<()> {
        let index = match batch.order_of.get(&reservation) {
            Some(&index) => index,
            None => {
                let Some(mut order) = self.order(reservation, lines)? else {
                    return Ok(());
                };
                (order.created_at, order.expires_at) = (at, expires_at);
                batch.order_of.insert(reservation, batch.orders.len());
                batch.orders.push(order);
                batch.orders.len() - 1
            }
        };
        let order = &mut batch.orders[index];
        (order.seq, order.at) = (seq, at);
        let user = Arc::clone(&order.user);
        match how {
            OrderEnd::Confirmed => {
                (order.state, order.exchanged_at) = (OrderState::Confirmed, Some(at));
                stands(batch, &user, seq, at, 1);
            }
            OrderEnd::Expired => {
                (order.state, order.cancelled_at) = (OrderState::Expired, Some(at));
            }
            OrderEnd::Released => {
                (order.state, order.cancelled_at) = (OrderState::Cancelled, Some(at));
            }
            OrderEnd::Returned => {
                (order.state, order.cancelled_at) = (OrderState::Cancelled, Some(at));
                stands(batch, &user, seq, at, -1);
            }
        }
        Ok(())
    }
}

/// What becomes of an order.
#[derive(Clone, Copy)]
enum OrderEnd {
    Confirmed,
    Released,
    Expired,
    Returned,
}

impl OrderEnd {
    fn of(how: Ending) -> Self {
        match how {
            Ending::Confirmed => Self::Confirmed,
            Ending::Released => Self::Released,
            Ending::Expired => Self::Expired,
        }
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
fn change(batch: &mut Batch, seq: Seq, at: TimeMs, change: &AccountChange<'_>, name: &Name) {
    let AccountChange { account, kind, delta, available, quantity, reservation, .. } = *change;
    let row = |owner: &Arc<str>| RecordRow {
        seq,
        account: account.number(),
        owner: Arc::clone(owner),
        kind,
        delta,
        available,
        quantity,
        reservation,
        note: change.note.to_owned(),
        at,
    };
    match name {
        Name::Product(id) => {
            let product = batch.product(id, seq, at);
            product.stock = Some(available);
            product.sales += change.consumed;
            // Opening an empty account is no movement; a confirm is one, of units that were taken
            // before.
            if delta != 0 || quantity != 0 {
                batch.inventory.push(row(id));
            }
        }
        Name::User(id) => {
            let user = batch.user(id, seq, at);
            user.balance = Some(available);
            user.reserved += change.held;
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
        | Fact::WrittenOff { note, .. }
        | Fact::Returned { note, .. } => note.len(),
        Fact::Reserved { details, .. } => 2 * details.len(),
        Fact::Document { body, .. } => body.as_ref().map_or(0, |body| body.len()),
        Fact::Noted { body, .. } => body.len(),
        Fact::AccountOpened { .. }
        | Fact::PolicyChanged { .. }
        | Fact::Renewed { .. }
        | Fact::Confirmed(_)
        | Fact::Released(_)
        | Fact::Expired(_)
        | Fact::ClockMended { .. } => 0,
    }
}

/// A value as JSON; what cannot be written is null.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

#[cfg(test)]
pub(super) mod tests;
