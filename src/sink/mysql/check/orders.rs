//! What the journal says of orders, and of users by their orders.

use std::collections::HashMap;
use std::sync::Arc;

use super::pages::{difference, text};
use crate::base::{ReservationId, Seq};
use crate::sink::mysql::batch::{Batch, OrderState};
use crate::sink::mysql::{tables, time};

/// What the journal says of orders, and of users by their orders.
pub(super) struct Journal {
    pub(super) orders: HashMap<ReservationId, Expected, foldhash::fast::RandomState>,
    pub(super) exchanges: HashMap<Arc<str>, (i64, Option<u64>), foldhash::fast::RandomState>,
    /// Whether it begins with the first event.
    pub(super) whole: bool,
}

/// An order as the journal leaves it, in little memory: some 100 bytes with its place in the table.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected {
    /// A hash of what never changes; `None` when the order was made before the oldest event.
    made: Option<u64>,
    state: Option<OrderState>,
    exchanged_at: Option<u64>,
    cancelled_at: Option<u64>,
    seq: Seq,
}

impl Journal {
    pub(super) fn take(&mut self, batch: &Batch) {
        for order in &batch.orders {
            let expected = self.orders.entry(order.reservation).or_default();
            if order.is_new {
                expected.made = Some(hash(&tables::order_made(order)));
            }
            expected.state = Some(order.state);
            expected.exchanged_at = order.exchanged_at.or(expected.exchanged_at);
            expected.cancelled_at = order.cancelled_at;
            expected.seq = order.seq;
        }
        for (id, change) in &batch.users {
            let (exchanges, last_at) = self.exchanges.entry(Arc::clone(id)).or_default();
            *exchanges += change.to.exchanges;
            *last_at = change.to.last_exchange_at.or(*last_at);
        }
    }
}

impl Expected {
    /// What a row, as it was read, says differently.
    pub(super) fn difference(&self, row: &[String]) -> Option<String> {
        let at = |at: Option<u64>| text(&time::optional(at));
        let (made, state) = row.split_at(8);
        // Whoever delivers says so in the status of an order that is confirmed.
        let is_delivered =
            self.state == Some(OrderState::Confirmed) && ["2", "3"].contains(&state[0].as_str());
        let number = self.state.map_or(String::new(), |state| state.number().to_string());
        let expected = [
            if is_delivered { state[0].clone() } else { number },
            self.state.map_or(String::new(), |state| state.name().to_owned()),
            at(self.exchanged_at),
            at(self.cancelled_at),
            self.seq.to_string(),
        ];
        let differs = difference(
            "status, state, exchanged_at, cancelled_at, seq",
            &expected.map(Some),
            state,
        );
        let same = self.made.is_none_or(|expected| expected == hash(made));
        let made =
            (!same).then(|| format!("it was not made as it stands: {}", made[1..].join(", ")));
        let told: Vec<String> = [made, differs].into_iter().flatten().collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

fn hash(values: &[String]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for value in values {
        hasher.update(&(value.len() as u64).to_le_bytes());
        hasher.update(value.as_bytes());
    }
    crate::base::halves(&hasher)[0]
}
