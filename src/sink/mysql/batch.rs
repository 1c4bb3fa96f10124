//! What a run of events makes of the tables: the last state of what changed, and every record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tables::categories::{self, CategoryRow};
use super::tables::levels::{self, LevelRow};
use super::tables::orders::{self, Orders};
use super::tables::preferences::{self, PreferencesRow, Said};
use super::tables::products::{self, ProductRow};
use super::tables::users::{self, UserRow};
use super::tables::{Keyed, RecordRow, Rows, inventory, points};
use crate::base::{Seq, TimeMs};
use crate::event::ChangeKind;
use crate::event::effects::AccountChange;
use crate::mall::model::MallLevels;
use crate::mall::views::{Change, Entry, Unreadable};

/// The rows of a run of events. A product, a user or an order that changed often is one row all the
/// same.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The first and the last event; 0 while there is none.
    pub(super) first_seq: Seq,
    pub(super) last_seq: Seq,
    pub(super) first_at: TimeMs,
    pub(super) last_at: TimeMs,
    /// Tells the last event from another one of the same number: see [`mark`](crate::event::mark).
    pub(super) mark: u64,
    pub(super) categories: BTreeMap<String, CategoryRow>,
    pub(super) products: BTreeMap<Arc<str>, ProductRow>,
    pub(super) users: BTreeMap<Arc<str>, UserRow>,
    pub(super) preferences: BTreeMap<Arc<str>, PreferencesRow>,
    /// Each number that a level may have, if levels were written.
    pub(super) levels: Vec<LevelRow>,
    pub(super) orders: Orders,
    pub(super) inventory: Vec<RecordRow>,
    pub(super) points: Vec<RecordRow>,
    /// What never was a row: a document that does not belong to the mall.
    pub(super) rejected: Vec<Rejected>,
    pub(super) bytes: usize,
}

/// A row that the tables do not show, with why.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) table: &'static str,
    pub(super) row_id: String,
    pub(super) seq: Seq,
    /// The row in JSON.
    pub(super) content: String,
    pub(super) reason: String,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.last_seq == 0
    }

    pub(super) fn event_count(&self) -> u64 {
        if self.is_empty() { 0 } else { self.last_seq - self.first_seq + 1 }
    }

    /// How many rows it makes.
    pub(super) fn row_count(&self) -> usize {
        self.categories.len()
            + self.products.len()
            + self.users.len()
            + self.preferences.len()
            + self.levels.len()
            + self.orders.len()
            + self.inventory.len()
            + self.points.len()
    }

    pub(super) fn product(&mut self, id: &Arc<str>, seq: Seq, at: TimeMs) -> &mut ProductRow {
        touched(&mut self.products, id, seq, at)
    }

    pub(super) fn user(&mut self, id: &Arc<str>, seq: Seq, at: TimeMs) -> &mut UserRow {
        touched(&mut self.users, id, seq, at)
    }

    fn likes(&mut self, id: &str, seq: Seq, at: TimeMs) -> &mut PreferencesRow {
        touched(&mut self.preferences, &Arc::from(id), seq, at)
    }

    /// Adds a change of the mall.
    pub(super) fn add(&mut self, seq: Seq, at: TimeMs, change: Change<'_>) {
        match change {
            // There is no table of those who wait.
            Change::Line(_) | Change::Alert(_) => {}
            Change::Order(order) => {
                if let Some((user, by)) = order.standing() {
                    self.user(user, seq, at).stands(by, at);
                }
                self.orders.step(seq, at, *order);
            }
            Change::Stock(movement) => {
                // What is elsewhere is not for sale.
                if movement.location.is_none() {
                    self.product(&movement.owner, seq, at).moved(&movement.change);
                }
                // Opening an empty account moves nothing; a confirm moves units that were taken
                // before, and a count that is right none.
                let AccountChange { kind, quantity, .. } = movement.change;
                if kind != ChangeKind::Received || quantity != 0 {
                    self.inventory.push(RecordRow::of(seq, at, &movement, &self.inventory));
                }
            }
            Change::Points(movement) => {
                self.user(&movement.owner, seq, at).moved(&movement.change);
                // Points move when they are taken; a confirm leaves the balance as it is.
                if movement.change.delta != 0 {
                    self.points.push(RecordRow::of(seq, at, &movement, &self.points));
                }
            }
            Change::Category(Entry { id, to: Ok(category) }) => {
                let id = id.to_owned();
                let before = self.categories.remove(&id).and_then(|row| row.updated_by);
                let (category, by) = match category.map(|kept| *kept) {
                    Some(kept) => (Some(Box::new(kept.content)), kept.stamp.updated_by),
                    None => (None, None),
                };
                let updated_by = by.or(before);
                let row = CategoryRow { id: id.clone(), category, updated_by, seq, at };
                self.categories.insert(id, row);
            }
            Change::Product(Entry { id, to: Ok(product) }) => {
                self.product(&Arc::from(id), seq, at).documented(product);
            }
            Change::Earned { user, by } => {
                let user = self.user(&user, seq, at);
                user.earned = user.earned.saturating_add(by);
            }
            Change::Levels(Entry { to: Ok(levels), .. }) => {
                let levels = levels.map_or_else(MallLevels::default, |kept| kept.content);
                self.levels = levels::all(&levels, seq);
            }
            Change::Levels(Entry { id, to: Err(unreadable) }) => {
                self.reject(levels::TABLE.name, id, seq, unreadable);
            }
            Change::Preferences(Entry { id, to: Ok(said) }) => {
                self.likes(id, seq, at).said = Said::of(said.map(|kept| kept.content));
            }
            Change::Browsed(Entry { id, to: Ok(browsed) }) => {
                self.likes(id, seq, at).browsed = Said::of(browsed.map(|kept| kept.content));
            }
            Change::Preferences(Entry { id, to: Err(unreadable) })
            | Change::Browsed(Entry { id, to: Err(unreadable) }) => {
                self.reject(preferences::TABLE.name, id, seq, unreadable);
            }
            Change::Category(Entry { id, to: Err(unreadable) }) => {
                self.reject(categories::TABLE.name, id, seq, unreadable);
            }
            Change::Product(Entry { id, to: Err(unreadable) }) => {
                self.reject(products::TABLE.name, id, seq, unreadable);
            }
        }
    }

    fn reject(&mut self, table: &'static str, id: &str, seq: Seq, unreadable: Unreadable<'_>) {
        let content = String::from_utf8_lossy(unreadable.body).into_owned();
        let (row_id, reason) = (id.to_owned(), unreadable.reason);
        self.rejected.push(Rejected { table, row_id, seq, content, reason });
    }

    /// Its rows, by statement: what others refer to comes first.
    pub(super) fn rows(&self) -> Vec<Rows> {
        let mut all = self.documents();
        all.push(products::stocks(self.products.values(), products::Write::Stock));
        all.push(users::rows(self.users.values(), users::Write::Change));
        all.extend(orders::rows(&self.orders));
        all.push(inventory::rows(&self.inventory));
        all.push(points::rows(&self.points));
        all.extend(preferences::rows(self.preferences.values()));
        all.extend(levels::rows(&self.levels));
        all.retain(|rows| !rows.rows.is_empty());
        all
    }

    /// Its rows, where it says how everything stands, not what changed.
    pub(super) fn base_rows(&self) -> Vec<Rows> {
        let mut all = self.documents();
        all.push(products::stocks(self.products.values(), products::Write::Base));
        all.push(users::rows(self.users.values(), users::Write::Base));
        all.push(orders::base_rows(&self.orders));
        all.extend(preferences::rows(self.preferences.values()));
        all.extend(levels::rows(&self.levels));
        all.retain(|rows| !rows.rows.is_empty());
        all
    }

    fn documents(&self) -> Vec<Rows> {
        let mut all = vec![categories::rows(self.categories.values())];
        all.extend(products::documents(self.products.values()));
        all
    }
}

fn touched<'a, T: Keyed>(
    all: &'a mut BTreeMap<Arc<str>, T>,
    id: &Arc<str>,
    seq: Seq,
    at: TimeMs,
) -> &'a mut T {
    let row = all.entry(Arc::clone(id)).or_insert_with(|| T::new(id));
    row.touch(seq, at);
    row
}
