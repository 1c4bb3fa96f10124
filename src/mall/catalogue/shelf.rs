//! The catalogue as readers share it: parsed, ordered, and looked through.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use serde::de::DeserializeOwned;

use crate::base::error::Result;
use crate::base::{AccountId, AccountKey, TimeMs};
use crate::engine::Engine;
use crate::mall::facts::document;
use crate::mall::model::{CATEGORIES, Category, PRODUCTS, Product};
use crate::mall::search::{SearchText, fold};

/// How old the sales counts that order a list may be, in milliseconds.
const SALES_AGE_MS_MAX: u64 = 1_000;

/// A product on the shelf, with what belongs to it looked up once.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) product: Product,
    /// The account of its stock.
    pub(crate) stock: AccountId,
    pub(crate) category_name: String,
    pub(crate) category_icon: Option<String>,
    /// Its name and its description as searches compare them.
    folded: Arc<[Box<str>; 2]>,
    /// Units sold as last read from the ledger; at most [`SALES_AGE_MS_MAX`] old when a list is
    /// ordered by it.
    sales: AtomicU64,
}

impl Item {
    pub(in crate::mall) fn sales(&self) -> u64 {
        // Relaxed: a number to show and to order by; nothing is published with it.
        self.sales.load(Ordering::Relaxed)
    }
}

/// The catalogue at one moment.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// By level, then sort order, then id.
    pub(crate) categories: Vec<Category>,
    pub(crate) items: Vec<Arc<Item>>,
    by_id: HashMap<String, usize, foldhash::fast::RandomState>,
    sales_read_at: AtomicU64,
    /// The items that are for sale, by their index, in the order of a list as of when sales were
    /// read.
    ranking: RwLock<Arc<[usize]>>,
    text: SearchText,
}

impl Shelf {
    /// The product with this id, if it is for sale.
    pub(crate) fn item(&self, id: &str) -> Option<&Arc<Item>> {
        self.any_item(id).filter(|item| item.product.active)
    }

    /// The product with this id, for sale or not.
    pub(crate) fn any_item(&self, id: &str) -> Option<&Arc<Item>> {
        self.by_id.get(id).map(|&index| &self.items[index])
    }

    pub(crate) fn category(&self, id: &str) -> Option<&Category> {
        self.categories.iter().find(|category| category.id == id)
    }

    /// The items that are for sale, by their index, in the order of a list.
    pub(in crate::mall) fn ranking(&self) -> Arc<[usize]> {
        self.ranking.read().clone()
    }

    /// For each item whether `keyword` is in its name or its description.
    pub(in crate::mall) fn find(&self, keyword: &str) -> Vec<bool> {
        self.text.find(keyword, self.items.len())
    }

    /// Whether `id` is `root` or below it. The walk is bounded, so that a loop in the data cannot
    /// hang it.
    pub(crate) fn is_within(&self, id: &str, root: &str) -> bool {
        let mut at = Some(id);
        for _ in 0..=self.categories.len() {
            match at {
                None => return false,
                Some(id) if id == root => return true,
                Some(id) => {
                    at = self.category(id).and_then(|category| category.parent_id.as_deref())
                }
            }
        }
        false
    }

    /// Reads the sales counts anew when they are old. One caller reads, the others take what is
    /// there.
    pub(crate) fn refresh_sales(&self, engine: &Engine, now_ms: TimeMs) -> Result<()> {
        let read_at = self.sales_read_at.load(Ordering::Relaxed);
        if read_at != 0 && now_ms < read_at.saturating_add(SALES_AGE_MS_MAX) {
            return Ok(());
        }
        if self
            .sales_read_at
            .compare_exchange(read_at, now_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            for item in &self.items {
                item.sales.store(engine.level(item.stock)?.consumed, Ordering::Relaxed);
            }
            self.rank();
        }
        Ok(())
    }

    /// Orders what is for sale: by sort order, sales, then newest.
    fn rank(&self) {
        // The key is taken once: sales move while we sort, and an order must not change under the
        // sort.
        let keyed = self.items.iter().enumerate().filter(|(_, item)| item.product.active).map(
            |(index, item)| {
                let product = &item.product;
                (
                    (
                        Reverse(product.sort_order),
                        Reverse(item.sales()),
                        Reverse(product.created_at),
                        &product.id,
                    ),
                    index,
                )
            },
        );
        let mut keyed: Vec<_> = keyed.collect();
        keyed.sort_unstable();
        *self.ranking.write() = keyed.into_iter().map(|(_, index)| index).collect();
    }
}

/// Reads the catalogue. What did not change since `before` is not folded again.
pub(super) fn read_shelf(engine: &Engine, before: &Shelf) -> Result<Shelf> {
    let mut categories: Vec<Category> = read_all(engine, CATEGORIES);
    categories.sort_by(|a, b| (a.level, a.sort_order, &a.id).cmp(&(b.level, b.sort_order, &b.id)));
    let mut shelf = Shelf { categories, ..Shelf::default() };
    for product in read_all::<Product>(engine, PRODUCTS) {
        let Ok(key) = AccountKey::stock(&product.id) else {
            leave_out(PRODUCTS, &product.id, &"its id cannot name an account");
            continue;
        };
        let stock = crate::mall::account(engine, &key)?;
        let category = shelf.category(&product.category_id);
        let item = Item {
            stock,
            category_name: category.map(|category| category.name.clone()).unwrap_or_default(),
            category_icon: category.and_then(|category| category.icon.clone()),
            folded: folded(&product, before),
            sales: AtomicU64::new(0),
            product,
        };
        let index = shelf.items.len();
        shelf.by_id.insert(item.product.id.clone(), index);
        item.folded.iter().for_each(|folded| shelf.text.add(index, folded));
        shelf.items.push(Arc::new(item));
    }
    shelf.rank();
    Ok(shelf)
}

fn folded(product: &Product, before: &Shelf) -> Arc<[Box<str>; 2]> {
    let same = |item: &&Arc<Item>| {
        (&item.product.name, &item.product.description) == (&product.name, &product.description)
    };
    match before.any_item(&product.id).filter(same) {
        Some(item) => Arc::clone(&item.folded),
        None => {
            Arc::new([&product.name, &product.description].map(|text| fold(text).into_boxed_str()))
        }
    }
}

/// The documents of a collection that can be read. One that cannot must not keep the others from
/// being sold.
fn read_all<T: DeserializeOwned>(engine: &Engine, collection: &str) -> Vec<T> {
    let parse = |(id, body): (String, Vec<u8>)| {
        let parsed = document::read(&body);
        parsed.inspect_err(|cause| leave_out(collection, &id, cause)).ok()
    };
    engine.documents(collection).into_iter().filter_map(parse).collect()
}

fn leave_out(collection: &str, id: &str, cause: &dyn std::fmt::Display) {
    tracing::error!(collection, id, %cause, "a document of the catalogue cannot be read, and is left out");
}

#[cfg(test)]
mod tests {
    use super::super::tests::category;
    use super::*;

    #[test]
    fn a_subtree_is_walked_upwards_and_a_loop_ends() {
        let categories = vec![
            category("top", None),
            category("below", Some("top")),
            category("a", Some("b")),
            category("b", Some("a")),
        ];
        let shelf = Shelf { categories, ..Shelf::default() };
        assert!(shelf.is_within("below", "top"), "a child is within its parent");
        assert!(!shelf.is_within("top", "below"), "a parent is not within its child");
        assert!(!shelf.is_within("a", "top"), "a loop ends");
    }
}
