//! What the journal says of orders, and of users by their orders.

use std::collections::HashMap;
use std::sync::Arc;

use super::pages::difference;
use crate::base::ReservationId;
use crate::mall::model::OrderStatus;
use crate::sink::mysql::batch::Batch;
use crate::sink::mysql::tables::Compared;
use crate::sink::mysql::tables::orders::{OrderRow, OrderState, TABLE};

/// What the journal says of orders, and of users by their orders.
pub(super) struct Journal {
    pub(super) orders: HashMap<ReservationId, Expected, foldhash::fast::RandomState>,
    pub(super) exchanges: HashMap<Arc<str>, (i64, Option<u64>), foldhash::fast::RandomState>,
    /// Whether it begins with the first event.
    pub(super) whole: bool,
}

/// An order as the journal leaves it, in little memory: some 100 bytes with its place in the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    /// A hash of what never changes; `None` when the order was made before the oldest event.
    made: Option<u64>,
    state: OrderState,
}

/// The columns that never change.
pub(super) fn compared_made() -> Vec<&'static str> {
    TABLE.compared_names(&[Compared::Made])
}

/// The columns that are as the last event left them.
pub(super) fn compared_state() -> Vec<&'static str> {
    TABLE.compared_names(&[Compared::State])
}

impl Journal {
    pub(super) fn take(&mut self, batch: &Batch) {
        for order in batch.orders.iter() {
            let expected = match order.subject {
                Some(_) => self.orders.entry(order.reservation).or_default(),
                // A note alone does not say what the order was before it.
                None => match self.orders.get_mut(&order.reservation) {
                    Some(expected) => expected,
                    None => continue,
                },
            };
            if order.is_new {
                let made = TABLE.shown(&[Compared::Made], order);
                expected.made = Some(hash(&made.into_iter().flatten().collect::<Vec<_>>()));
            }
            expected.state.follow(&order.state);
        }
        for (id, user) in &batch.users {
            let (exchanges, last_at) = self.exchanges.entry(Arc::clone(id)).or_default();
            *exchanges += user.exchanges;
            *last_at = user.last_exchange_at.or(*last_at);
        }
    }
}

impl Expected {
    /// What a row, as it was read, says differently.
    pub(super) fn difference(self, id: ReservationId, row: &[String]) -> Option<String> {
        let columns = compared_state();
        let (made, state) = row.split_at(row.len().saturating_sub(columns.len()));
        let order = OrderRow { state: self.state, ..OrderRow::unknown(id) };
        let mut expected = TABLE.shown(&[Compared::State], &order);
        if order.state.expires_at.is_none()
            && let Some(place) = columns.iter().position(|column| *column == "expires_at")
        {
            expected[place] = None;
        }
        if order.state.status() == Some(OrderStatus::Confirmed)
            && let Some(place) = columns.iter().position(|column| *column == "status")
            // Whoever delivers says so in the status of an order that is confirmed.
            && ["2", "3"].contains(&state[place].as_str())
        {
            expected[place] = None;
        }
        let differs = difference(&columns, &expected, state);
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
