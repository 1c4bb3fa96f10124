//! The catalogue as readers share it: parsed, found by id, and looked through.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::categories::Categories;
use super::item::Item;
use super::part::{Part, Placed, Row, hash};
use crate::base::AccountKey;
use crate::base::error::Result;
use crate::engine::Engine;
use crate::mall::facts::document::{self, Kept};
use crate::mall::model::{
    CATEGORIES, Category, Document, LEVELS, LEVELS_ID, MallLevels, PRODUCTS, Product,
};
use crate::mall::search::Keyword;

/// In how many parts products are kept: of 100,000 a change copies some two hundred.
const PARTS: usize = 512;

/// How many documents that cannot be read are named in an answer.
pub(crate) const UNREADABLE_MAX: usize = 100;

/// A document that cannot be read. It is left out, and stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Unreadable {
    pub(crate) collection: &'static str,
    pub(crate) id: String,
    /// For people.
    pub(crate) reason: String,
}

/// The catalogue at one moment.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) categories: Arc<Categories>,
    pub(crate) levels: Arc<Kept<MallLevels>>,
    parts: Box<[Arc<Part>]>,
    len: usize,
    unreadable: Arc<[Unreadable]>,
}

/// What becomes of a document.
#[derive(Debug)]
pub(crate) enum Change {
    Category(Arc<Kept<Category>>),
    NoCategory(String),
    Product(Arc<Item>),
    NoProduct(String),
    Levels(Arc<Kept<MallLevels>>),
}

impl Change {
    fn names(&self) -> (&'static str, &str) {
        match self {
            Self::Category(category) => (CATEGORIES, &category.content.id),
            Self::NoCategory(id) => (CATEGORIES, id),
            Self::Product(item) => (PRODUCTS, &item.product.id),
            Self::NoProduct(id) => (PRODUCTS, id),
            Self::Levels(_) => (LEVELS, LEVELS_ID),
        }
    }
}

impl Default for Shelf {
    fn default() -> Self {
        let empty = Arc::new(Part::default());
        Self {
            categories: Arc::default(),
            levels: Arc::new(Kept::unwritten(MallLevels::default())),
            parts: std::iter::repeat_n(empty, PARTS).collect(),
            len: 0,
            unreadable: Arc::default(),
        }
    }
}

impl Shelf {
    /// The product with this id, if it is for sale.
    pub(crate) fn item(&self, id: &str) -> Option<&Arc<Item>> {
        self.any_item(id).filter(|item| item.product.active)
    }

    /// The product with this id, for sale or not.
    pub(crate) fn any_item(&self, id: &str) -> Option<&Arc<Item>> {
        self.row(id).map(|row| &row.item)
    }

    pub(crate) fn category(&self, id: &str) -> Option<&Category> {
        self.categories.get(id).map(|category| &category.content)
    }

    /// How many products there are, for sale or not.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The documents of a collection that cannot be read: the first of them.
    pub(crate) fn unreadable_of(&self, collection: &str) -> Vec<&Unreadable> {
        let of_collection = self.unreadable.iter().filter(|it| it.collection == collection);
        of_collection.take(UNREADABLE_MAX).collect()
    }

    /// The documents that cannot be read.
    pub(crate) fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    pub(super) fn has_unreadable(&self, collection: &str, id: &str) -> bool {
        self.unreadable.iter().any(|it| (it.collection, &*it.id) == (collection, id))
    }

    /// Every product, in no order that means anything.
    pub(in crate::mall) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.parts.iter().flat_map(|part| part.rows())
    }

    /// Every product, for sale or not, by their ids.
    pub(crate) fn items(&self) -> Vec<&Arc<Item>> {
        let mut items: Vec<_> = self.rows().map(|row| &row.item).collect();
        items.sort_unstable_by(|one, other| one.product.id.cmp(&other.product.id));
        items
    }

    /// Every product with this keyword in its name or its description.
    pub(in crate::mall) fn find<'a>(&'a self, keyword: &Keyword, mut found: impl FnMut(&'a Row)) {
        self.parts.iter().for_each(|part| part.find(keyword, &mut found));
    }

    /// The products right in a category, in no order that means anything.
    pub(super) fn products_of<'a>(&'a self, category: &'a str) -> impl Iterator<Item = &'a Row> {
        let category_hash = hash(category);
        self.rows().filter(move |row| row.is_in(category, category_hash))
    }

    /// What lists read of the product with this id.
    pub(in crate::mall) fn row(&self, id: &str) -> Option<&Row> {
        self.parts[place(id)].row(id)
    }

    /// The catalogue after these changes. What they leave alone is shared.
    pub(super) fn with(&self, changes: &[Change]) -> Self {
        let (mut categories, mut levels) = (Arc::clone(&self.categories), Arc::clone(&self.levels));
        let mut of_parts: HashMap<usize, Vec<(&str, Placed)>> = HashMap::new();
        let mut to_product = |id, to| of_parts.entry(place(id)).or_default().push((id, to));
        for change in changes {
            match change {
                Change::Category(category) => {
                    Arc::make_mut(&mut categories).put(Arc::clone(category));
                }
                Change::NoCategory(id) => Arc::make_mut(&mut categories).remove(id),
                Change::Product(item) => to_product(&*item.product.id, Some(Arc::clone(item))),
                Change::NoProduct(id) => to_product(id, None),
                Change::Levels(kept) => levels = Arc::clone(kept),
            }
        }
        if !Arc::ptr_eq(&categories, &self.categories) {
            Arc::make_mut(&mut categories).order();
        }
        let (mut parts, mut len) = (self.parts.clone(), self.len);
        for (place, changes) in of_parts {
            let part = parts[place].with(&changes);
            len = len + part.len() - parts[place].len();
            parts[place] = Arc::new(part);
        }
        Self { categories, levels, parts, len, unreadable: self.still_unreadable(changes) }
    }

    fn still_unreadable(&self, changes: &[Change]) -> Arc<[Unreadable]> {
        if self.unreadable.is_empty() {
            return Arc::clone(&self.unreadable);
        }
        let is_left = |it: &&Unreadable| {
            !changes.iter().any(|change| change.names() == (it.collection, &*it.id))
        };
        self.unreadable.iter().filter(is_left).cloned().collect()
    }
}

/// The part in which a product is.
fn place(id: &str) -> usize {
    // The low bits: a part is searched by the whole hash.
    hash(id) as usize % PARTS
}

/// Reads the catalogue.
pub(super) fn read_shelf(engine: &Engine) -> Result<Shelf> {
    let mut unreadable = Vec::new();
    let categories = Arc::new(Categories::of(read_all(engine, &mut unreadable)));
    let mut changes = Vec::new();
    for kept in read_all::<MallLevels>(engine, &mut unreadable) {
        match kept.content.check() {
            Ok(()) => changes.push(Change::Levels(Arc::new(kept))),
            Err(why) => leave_out(LEVELS, kept.content.id, why.to_string(), &mut unreadable),
        }
    }
    for kept in read_all::<Product>(engine, &mut unreadable) {
        match AccountKey::stock(&kept.content.id) {
            Ok(key) => {
                let stock = crate::mall::account(engine, &key)?;
                changes.push(Change::Product(Arc::new(Item::new(kept, stock))));
            }
            Err(_) => {
                let why = "its id cannot name an account".to_owned();
                leave_out(PRODUCTS, kept.content.id, why, &mut unreadable);
            }
        }
    }
    let empty = Shelf { categories, unreadable: unreadable.into(), ..Shelf::default() };
    Ok(empty.with(&changes))
}

/// The documents of a collection that can be read. One that cannot must not keep the others from
/// being sold.
fn read_all<T: Document>(engine: &Engine, unreadable: &mut Vec<Unreadable>) -> Vec<Kept<T>> {
    let mut all: Vec<Kept<T>> = Vec::new();
    for (id, body) in engine.documents(T::COLLECTION) {
        match document::read::<T>(&body) {
            Ok(kept) if kept.content.id() == id => all.push(kept),
            Ok(kept) => {
                let why = format!("it says that its id is {}", kept.content.id());
                leave_out(T::COLLECTION, id, why, unreadable);
            }
            Err(why) => leave_out(T::COLLECTION, id, why, unreadable),
        }
    }
    all
}

fn leave_out(
    collection: &'static str,
    id: String,
    reason: String,
    unreadable: &mut Vec<Unreadable>,
) {
    tracing::error!(
        collection,
        id,
        cause = reason,
        "a document of the catalogue cannot be read, and is left out"
    );
    unreadable.push(Unreadable { collection, id, reason });
}
