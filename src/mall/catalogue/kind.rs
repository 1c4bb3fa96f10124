//! What categories and products do differently when they are changed.

use std::sync::Arc;

use super::categories::Categories;
use super::item::Item;
use super::shelf::{Change, Shelf};
use crate::base::AccountKey;
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::ledger::CloseOutcome;
use crate::mall::facts::document::{Kept, Stamp, Tag};
use crate::mall::model::{Category, Document, LEVELS_ID, MallLevels, Product, Violation};
use crate::mall::stock::locations;
use crate::mall::{Failure, References};

/// How many of those that refer to something are named.
const EXAMPLES_MAX: usize = 5;

/// A document on the shelf.
#[derive(Debug)]
pub(crate) struct Found<'a, T> {
    pub(in crate::mall) content: &'a T,
    pub(in crate::mall) stamp: &'a Stamp,
    pub(in crate::mall) tag: Tag,
}

pub(crate) trait Kind: Document {
    /// As it stands on the shelf.
    type Shown: Send + Sync + 'static;

    fn shown<'a>(shelf: &'a Shelf, id: &str) -> Option<&'a Arc<Self::Shown>>;

    fn found(shown: &Self::Shown) -> Found<'_, Self>;

    /// The answer where there is none.
    fn missing() -> Failure;

    /// Makes what follows from others follow, and says when they do not allow it.
    fn fit(self, categories: &Categories) -> Result<Self, Violation>;

    /// What was written before keeps when it was made, unless that is told.
    fn after(self, before: Option<&Self>, now_ms: u64) -> Self;

    /// What becomes of the shelf.
    fn change(engine: &Engine, kept: Kept<Self>) -> Result<Change>;

    fn removal(id: String) -> Change;

    /// Makes sure that nothing refers to it, now and later.
    ///
    /// # Errors
    /// `InUse`, and what the engine reports.
    fn let_go(shelf: &Shelf, engine: &Engine, shown: &Self::Shown) -> Result<(), Failure>;
}

impl Kind for Category {
    type Shown = Kept<Self>;

    fn shown<'a>(shelf: &'a Shelf, id: &str) -> Option<&'a Arc<Kept<Self>>> {
        shelf.categories.get(id)
    }

    fn found(shown: &Kept<Self>) -> Found<'_, Self> {
        Found { content: &shown.content, stamp: &shown.stamp, tag: shown.tag }
    }

    fn missing() -> Failure {
        Failure::CategoryNotFound
    }

    fn fit(mut self, categories: &Categories) -> Result<Self, Violation> {
        self.level = categories.level_of(&self)?;
        Ok(self)
    }

    fn after(self, _before: Option<&Self>, _now_ms: u64) -> Self {
        self
    }

    fn change(_engine: &Engine, kept: Kept<Self>) -> Result<Change> {
        Ok(Change::Category(Arc::new(kept)))
    }

    fn removal(id: String) -> Change {
        Change::NoCategory(id)
    }

    fn let_go(shelf: &Shelf, _engine: &Engine, shown: &Kept<Self>) -> Result<(), Failure> {
        let id = &*shown.content.id;
        let below: Vec<&str> = shelf.categories.below(id).collect();
        let products: Vec<&str> = shelf.products_of(id).map(|row| &*row.item.product.id).collect();
        if below.is_empty() && products.is_empty() {
            return Ok(());
        }
        let named = |ids: &[&str]| {
            let mut ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            ids.sort_unstable();
            ids.truncate(EXAMPLES_MAX);
            ids
        };
        Err(Failure::InUse(References::ToCategory {
            categories: below.len(),
            products: products.len(),
            category_ids: named(&below),
            product_ids: named(&products),
        }))
    }
}

/// There is one document of them, and there always is one.
impl Kind for MallLevels {
    type Shown = Kept<Self>;

    fn shown<'a>(shelf: &'a Shelf, id: &str) -> Option<&'a Arc<Kept<Self>>> {
        (id == LEVELS_ID).then_some(&shelf.levels)
    }

    fn found(shown: &Kept<Self>) -> Found<'_, Self> {
        Found { content: &shown.content, stamp: &shown.stamp, tag: shown.tag }
    }

    fn missing() -> Failure {
        Failure::Engine(Error::not_found("there is no such document of levels"))
    }

    fn fit(self, _categories: &Categories) -> Result<Self, Violation> {
        Ok(self)
    }

    fn after(self, _before: Option<&Self>, _now_ms: u64) -> Self {
        self
    }

    fn change(_engine: &Engine, kept: Kept<Self>) -> Result<Change> {
        Ok(Change::Levels(Arc::new(kept)))
    }

    fn removal(_id: String) -> Change {
        Change::Levels(Arc::new(Kept::unwritten(Self::default())))
    }

    fn let_go(_shelf: &Shelf, _engine: &Engine, _shown: &Kept<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

impl Kind for Product {
    type Shown = Item;

    fn shown<'a>(shelf: &'a Shelf, id: &str) -> Option<&'a Arc<Item>> {
        shelf.any_item(id)
    }

    fn found(shown: &Item) -> Found<'_, Self> {
        Found { content: &shown.product, stamp: &shown.stamp, tag: shown.tag }
    }

    fn missing() -> Failure {
        Failure::ProductNotFound
    }

    fn fit(self, categories: &Categories) -> Result<Self, Violation> {
        match categories.get(&self.category_id) {
            Some(_) => Ok(self),
            None => {
                let why = format!("the category {} does not exist", self.category_id);
                Err(Violation::new("$.categoryId", why))
            }
        }
    }

    fn after(mut self, before: Option<&Self>, now_ms: u64) -> Self {
        if self.created_at == 0 {
            self.created_at = before.map_or(now_ms, |before| before.created_at);
        }
        self
    }

    fn change(engine: &Engine, kept: Kept<Self>) -> Result<Change> {
        let stock = crate::mall::account(engine, &AccountKey::stock(&kept.content.id)?)?;
        Ok(Change::Product(Arc::new(Item::new(kept, stock))))
    }

    fn removal(id: String) -> Change {
        Change::NoProduct(id)
    }

    fn let_go(_shelf: &Shelf, engine: &Engine, shown: &Item) -> Result<(), Failure> {
        let level = engine.level(shown.stock)?;
        let (available, reserved, sold) = (level.available, level.reserved, level.consumed);
        let locations = locations(engine, &shown.product.id);
        let elsewhere = locations.iter().map(|it| it.available).fold(0, i64::saturating_add);
        let in_use = |available, reserved, elsewhere, waiting| {
            Failure::InUse(References::ToProduct { available, reserved, sold, elsewhere, waiting })
        };
        if (available, reserved, sold, elsewhere, level.waiting) != (0, 0, 0, 0, 0) {
            return Err(in_use(available, reserved, elsewhere, level.waiting));
        }
        // Who receives or orders it from now on is refused, whichever shelf is looked at. What is
        // sold from is closed last: a location that is gone begins anew when it is needed.
        for location in locations {
            match engine.close_account(location.account)?.wait()? {
                CloseOutcome::Closed { .. } => {}
                CloseOutcome::NotEmpty { available: elsewhere, .. } => {
                    return Err(in_use(available, reserved, elsewhere, 0));
                }
            }
        }
        match engine.close_account(shown.stock)?.wait()? {
            CloseOutcome::Closed { .. } => Ok(()),
            CloseOutcome::NotEmpty { available, reserved, waiting, .. } => {
                Err(in_use(available, reserved, 0, waiting))
            }
        }
    }
}
