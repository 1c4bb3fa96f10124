//! What a user likes, as it says itself, and as its newest orders and what it looked at tell it.

use std::collections::BTreeMap;

use super::together::{self, STANDING};
use crate::base::error::Result;
use crate::mall::facts::{Hundredths, Preferences};
use crate::mall::{Mall, OrderFilter, Shelf, User};

/// How many of a user's newest orders tell what it likes.
const ORDERS_MAX: usize = 60;
/// What an order counts less than the next newer one, in tenths.
const FADES_TO: u64 = 9;
/// A whole, of which weights are parts.
pub(super) const WHOLE: u64 = 1_000;

/// What a user likes.
#[derive(Debug, Default)]
pub(super) struct Taste {
    /// How much of what was taken is of a category; they come to a [`WHOLE`] at most.
    categories: BTreeMap<String, u64>,
    /// How much of what was looked at last is of a category; they come to half of a [`WHOLE`].
    viewed: BTreeMap<String, u64>,
    /// What a unit costs that it takes: the one in the middle.
    price: Option<u64>,
    /// What the user says.
    said: Preferences,
    /// How many took these with what the user took, and with which of it.
    pub(super) with_it: BTreeMap<String, together::With>,
}

impl Taste {
    /// Reads the user's newest orders that stand, and what others took with them, beside what it says.
    pub(super) fn read(mall: &Mall, user: &User, shelf: &Shelf, said: Preferences) -> Result<Self> {
        let filter = OrderFilter {
            user: Some(User::new(user.id())?),
            statuses: STANDING.to_vec(),
            ..OrderFilter::default()
        };
        let orders = mall.find_orders(&filter, None, ORDERS_MAX, |_| true)?;
        let (mut weights, mut prices, mut taken) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut weight = WHOLE;
        for order in orders.iter() {
            for product in order?.details.products() {
                let category = shelf.any_item(&product.id).map(|it| &it.product.category_id);
                let category = category.unwrap_or(&product.category_id);
                *weights.entry(category.clone()).or_insert(0) += weight;
                prices.push(product.points_price);
                if !taken.contains(&product.id) {
                    taken.push(product.id.clone());
                }
            }
            weight = weight * FADES_TO / 10;
        }
        prices.sort_unstable();
        Ok(Self {
            categories: parts_of(WHOLE, weights),
            viewed: viewed(mall, user, shelf)?,
            price: prices.get(prices.len() / 2).copied(),
            said,
            with_it: together::with(mall, user, &taken)?,
        })
    }

    /// How much the user likes a category. What it says of it, or of the one above it, goes before
    /// what its orders tell.
    pub(super) fn of_category(&self, shelf: &Shelf, id: &str) -> u64 {
        match self.said_of(shelf, id) {
            Some(weight) => u64::from(weight) * WHOLE / 100,
            None => self.taken_of(id).max(self.viewed.get(id).copied().unwrap_or(0)),
        }
    }

    /// How much of what the user takes is of a category.
    pub(super) fn taken_of(&self, id: &str) -> u64 {
        self.categories.get(id).copied().unwrap_or(0)
    }

    /// What the user says of a category.
    pub(super) fn said_of(&self, shelf: &Shelf, id: &str) -> Option<Hundredths> {
        let weights = &self.said.category_weights;
        let above = || shelf.category(id).and_then(|category| category.parent_id.as_deref());
        weights.get(id).or_else(|| weights.get(above()?)).copied()
    }

    pub(super) fn has_favourite(&self, product: &str) -> bool {
        self.said.has_favourite(product)
    }

    /// How near a price is to what the user is used to: a [`WHOLE`] when it is the same.
    pub(super) fn of_price(&self, price: u64) -> u64 {
        let Some(usual) = self.price else { return 0 };
        let (less, more) = (usual.min(price) + 1, usual.max(price) + 1);
        // Prices are at most 2^48.
        less * WHOLE / more
    }

    /// How little of what is within reach a price takes, as far as that matters to the user: a
    /// [`WHOLE`] for what costs nothing, where it matters most.
    pub(super) fn of_saving(&self, price: u64, reach: u64) -> u64 {
        let matters = u64::from(self.said.price_sensitivity.unwrap_or(0));
        let left = reach.saturating_sub(price);
        // Both are at most 2^48.
        left * WHOLE / (reach + 1) * matters / 100
    }
}

/// Of which categories the products are that the user looked at last.
fn viewed(mall: &Mall, user: &User, shelf: &Shelf) -> Result<BTreeMap<String, u64>> {
    let (mut weights, mut weight) = (BTreeMap::new(), WHOLE);
    for look in mall.browsed(user)?.iter().rev() {
        if let Some(item) = shelf.any_item(&look.id) {
            *weights.entry(item.product.category_id.clone()).or_insert(0) += weight;
        }
        weight = weight * FADES_TO / 10;
    }
    Ok(parts_of(WHOLE / 2, weights))
}

/// Weights, so that they come to a whole at most.
fn parts_of(whole: u64, weights: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let sum = weights.values().sum::<u64>().max(1);
    weights.into_iter().map(|(id, weight)| (id, weight * whole / sum)).collect()
}
