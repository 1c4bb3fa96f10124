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
                expected.made = Some(hash(made.into_iter().flatten()));
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
        let mut is_unknown = |name: &str| {
            if let Some(place) = columns.iter().position(|column| *column == name) {
                expected[place] = None;
            }
        };
        if order.state.expires_at.is_none() {
            is_unknown("expires_at");
        }
        // One that ended may have been confirmed first, before the oldest event.
        if self.made.is_none() && order.state.exchanged_at.is_none() {
            is_unknown("exchanged_at");
        }
        if order.state.status() == Some(OrderStatus::Confirmed)
            && let Some(place) = columns.iter().position(|column| *column == "status")
            // Whoever delivers says so in the status of an order that is confirmed.
            && ["2", "3"].contains(&state[place].as_str())
        {
            expected[place] = None;
        }
        let differs = difference(&columns, &expected, state);
        let found = TABLE.told(&[Compared::Made], made);
        let same = self.made.is_none_or(|expected| expected == hash(found));
        let made =
            (!same).then(|| format!("it was not made as it stands: {}", made[1..].join(", ")));
        let told: Vec<String> = [made, differs].into_iter().flatten().collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

fn hash(values: impl Iterator<Item: AsRef<str>>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for value in values {
        let value = value.as_ref();
        hasher.update(&(value.len() as u64).to_le_bytes());
        hasher.update(value.as_bytes());
    }
    crate::base::halves(&hasher)[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mall::views::{OrderChange, OrderEnd, OrderStep, Subject};

    fn ended(how: OrderEnd) -> OrderStep {
        let (user, product) = (Arc::from("ann"), Arc::from("tea"));
        let subject = Subject { user, product, quantity: 1, points_cost: 5 };
        OrderStep::Ended { how, subject, expires_at: Some(9_000) }
    }

    /// What the journal says of an order after these steps, each an event.
    fn told(steps: Vec<OrderStep>) -> (Batch, Journal) {
        let reservation = ReservationId::from_number(64);
        let mut batch = Batch::default();
        for (seq, step) in (1..).zip(steps) {
            batch.orders.step(seq, 1_000 * seq, OrderChange { reservation, step });
        }
        let (orders, exchanges) = (HashMap::default(), HashMap::default());
        let mut journal = Journal { orders, exchanges, whole: false };
        journal.take(&batch);
        (batch, journal)
    }

    #[test]
    fn an_order_that_was_returned_is_compared_as_far_as_the_journal_goes_back() {
        let (rows, _) = told(vec![ended(OrderEnd::Confirmed), ended(OrderEnd::Returned)]);
        let row = rows.orders.iter().next().expect("the order has a row");
        let made = TABLE.shown(&[Compared::Made], row);
        let shown = made.into_iter().chain(TABLE.shown(&[Compared::State], row));
        let row: Vec<String> = shown.map(Option::unwrap_or_default).collect();
        let at = |column: &str| {
            let place = compared_state().iter().position(|name| *name == column);
            compared_made().len() + place.expect("a column that is compared")
        };
        let (exchanged, status) = (at("exchanged_at"), at("status"));
        assert_ne!(row[exchanged], "null", "the table knows when it was confirmed");

        let difference = |steps: Vec<OrderStep>, row: &[String]| {
            let (_, journal) = told(steps);
            let (id, expected) = journal.orders.into_iter().next().expect("it is of an order");
            expected.difference(id, row)
        };
        // The same number of events, so that the sequence number is the same.
        let without = || vec![ended(OrderEnd::Returned), ended(OrderEnd::Returned)];
        assert_eq!(difference(without(), &row), None, "the journal begins after the confirmation");
        let mut wrong = row.clone();
        wrong[status] = "1".to_owned();
        assert!(difference(without(), &wrong).is_some(), "what it does know is compared");
        wrong = row;
        wrong[exchanged] = "null".to_owned();
        let with = vec![ended(OrderEnd::Confirmed), ended(OrderEnd::Returned)];
        assert!(difference(with, &wrong).is_some(), "so is a confirmation that it has");
    }
}
