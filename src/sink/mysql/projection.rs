//! Events as rows: the changes that the mall's views tell, in a batch. The database
//! is not read: the same events make the same rows.

use std::sync::Arc;

use super::balances::Balances;
use super::batch::Batch;
use super::tables::orders::{OrderRow, OrderState};
use crate::base::error::Result;
use crate::base::{AccountKind, Seq};
use crate::event::effects::Written;
use crate::event::{Event, Fact};
use crate::mall::facts::{BROWSED, PREFERENCES};
use crate::mall::model::{CATEGORIES, LEVELS, MOVED, NOT_EARNED, OrderStatus, PRODUCTS};
use crate::mall::views::{Lookup, Views, entry};
use crate::reader::LedgerView;

/// About what the rows of an event take beside its texts, in bytes.
const EVENT_BYTES: usize = 512;

/// Turns events into rows, one after the other.
pub(super) struct Projector {
    views: Views,
    balances: Balances,
}

impl Projector {
    pub(super) fn new(lookup: Lookup, balances: Balances) -> Self {
        Self { views: Views::new(lookup), balances }
    }

    /// The next event need not be the one after the last.
    pub(super) fn begin_anew(&mut self) {
        self.balances.begin_anew();
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
        let mut changes = self.views.changes(event)?;
        self.balances.over_all(seq, event, &mut changes)?;
        for change in changes {
            batch.add(seq, event.at, change);
        }
        Ok(())
    }

    /// How a ledger stands, with the orders that wait. Earlier records and orders are no
    /// longer known.
    ///
    /// # Errors
    /// As [`Projector::apply`].
    pub(super) fn base(&mut self, ledger: &LedgerView) -> Result<Batch> {
        let (seq, at, mut batch) = (ledger.seq(), ledger.at(), standing(ledger));
        for pending in ledger.all_pending() {
            if let Some(subject) = self.views.pending(&pending)? {
                let settled = Some(OrderStatus::Pending);
                batch.orders.waits(OrderRow {
                    subject: Some(subject),
                    created_at: at,
                    state: OrderState {
                        settled,
                        expires_at: Some(pending.expires_at),
                        seq,
                        ..OrderState::default()
                    },
                    at,
                    ..OrderRow::unknown(pending.reservation)
                });
            }
        }
        Ok(batch)
    }
}

/// What the documents and accounts of a ledger say.
pub(super) fn standing(ledger: &LedgerView) -> Batch {
    let (seq, at) = (ledger.seq(), ledger.at());
    let mut batch =
        Batch { first_seq: seq, last_seq: seq, first_at: at, last_at: at, ..Batch::default() };
    for collection in [CATEGORIES, PRODUCTS, PREFERENCES, BROWSED, LEVELS] {
        for (key, body) in ledger.documents(collection) {
            let written = Written { collection, key: &key, body: Some(&body) };
            if let Some(change) = entry(&written) {
                batch.add(seq, at, change);
            }
        }
    }
    for level in ledger.levels() {
        let owner = Arc::from(level.key.owner());
        match level.key.kind() {
            AccountKind::Stock if level.key.location().is_some() => {}
            AccountKind::Stock => {
                let product = batch.product(&owner, seq, at);
                product.stock = Some(level.available);
                product.sales = i64::try_from(level.consumed).unwrap_or(i64::MAX);
            }
            AccountKind::Points => {
                let user = batch.user(&owner, seq, at);
                // Points that end are in accounts of their own.
                let balance = user.balance.unwrap_or(0);
                user.balance = Some(balance.saturating_add(level.available));
                let reserved = i64::try_from(level.reserved).unwrap_or(i64::MAX);
                user.reserved = user.reserved.saturating_add(reserved);
                user.earned = user.earned.saturating_add_unsigned(level.received);
            }
            AccountKind::Custom if matches!(level.key.kind_name(), NOT_EARNED | MOVED) => {
                let user = batch.user(&owner, seq, at);
                user.earned = user.earned.saturating_sub_unsigned(level.received);
            }
            AccountKind::Quota | AccountKind::Custom => {}
        }
    }
    batch
}

fn text_bytes(fact: &Fact<'_>) -> usize {
    match fact {
        Fact::Received { note, .. }
        | Fact::Adjusted { note, .. }
        | Fact::WrittenOff { note, .. }
        | Fact::Returned { note, .. }
        | Fact::Dequeued { note, .. } => note.len(),
        Fact::Transferred { note, .. } => 2 * note.len(),
        Fact::Reserved { details, .. } => 2 * details.len(),
        Fact::Document { body, .. } => body.as_ref().map_or(0, |body| body.len()),
        Fact::Noted { body, .. } | Fact::Queued { body, .. } => body.len(),
        Fact::AccountOpened { .. }
        | Fact::AccountClosed { .. }
        | Fact::PolicyChanged { .. }
        | Fact::Renewed { .. }
        | Fact::Confirmed(_)
        | Fact::Released(_)
        | Fact::Expired(_)
        | Fact::Extended { .. }
        | Fact::Revived { .. }
        // None of what was told is shown.
        | Fact::Answered { .. }
        | Fact::ClockMended { .. } => 0,
        Fact::Atomic(parts) => parts.iter().map(|part| EVENT_BYTES + text_bytes(part)).sum(),
    }
}

#[cfg(test)]
pub(super) mod tests;
