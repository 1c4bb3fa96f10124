//! Categories and products: JSON documents in the engine, and a parsed copy that readers share.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::search::{SearchText, fold};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey, QUANTITY_MAX, TimeMs};
use crate::engine::Engine;
use crate::event::{Policy, Window};
use crate::ledger::PutDocument;

/// The collections of the documents.
pub(crate) const CATEGORIES: &str = "category";
pub(crate) const PRODUCTS: &str = "product";
/// How old the sales counts that order a list may be, in milliseconds.
const SALES_AGE_MS_MAX: u64 = 1_000;

/// A category of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Category {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it holds.
    #[serde(default)]
    pub description: String,
    /// The path of its icon.
    #[serde(default)]
    pub icon: Option<String>,
    /// The category above it.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// 1 at the top.
    pub level: u32,
    /// Its place among its siblings, smallest first.
    #[serde(default)]
    pub sort_order: i64,
    /// Whether it is shown.
    pub active: bool,
}

/// A product of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its id, which also names its stock account.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub description: String,
    /// The category it is in.
    pub category_id: String,
    /// What one unit costs, in points.
    pub points_price: u64,
    /// What it costs in a shop, in hundredths of the currency's unit.
    #[serde(default)]
    pub original_price_cents: Option<u64>,
    /// Paths of pictures.
    #[serde(default)]
    pub images: Vec<String>,
    /// Free-form properties.
    #[serde(default)]
    pub specifications: serde_json::Map<String, serde_json::Value>,
    /// Shown among the popular.
    #[serde(default)]
    pub is_hot: bool,
    /// Shown among the new.
    #[serde(default)]
    pub is_new: bool,
    /// Whether it is for sale.
    pub active: bool,
    /// Its place in lists, largest first.
    #[serde(default)]
    pub sort_order: i64,
    /// How many one user may take.
    #[serde(default)]
    pub limit_per_user: Option<PurchaseLimit>,
    /// When it was created, in milliseconds since 1970.
    #[serde(default)]
    pub created_at: TimeMs,
}

/// How many units of a product one user may take in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PurchaseLimit {
    /// How many units.
    pub quantity: u64,
    /// In which period.
    #[serde(default)]
    pub period: Period,
}

/// The period of a [`PurchaseLimit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Period {
    /// For ever.
    #[default]
    Lifetime,
    /// From each purchase on.
    Rolling {
        /// How long, in milliseconds.
        length_ms: u64,
    },
    /// In calendar windows.
    Fixed {
        /// How long a window is, in milliseconds.
        length_ms: u64,
        /// Where windows start after the epoch, in milliseconds.
        #[serde(default)]
        offset_ms: u64,
    },
}

impl PurchaseLimit {
    fn check(self) -> Result<()> {
        match self.quantity {
            0 => Err(Error::invalid("a purchase limit is at least 1 unit")),
            _ => self.policy().check(),
        }
    }

    pub(super) fn policy(self) -> Policy {
        let window = match self.period {
            Period::Lifetime => Window::Never,
            Period::Rolling { length_ms } => Window::Rolling { length_ms },
            Period::Fixed { length_ms, offset_ms } => Window::Fixed { length_ms, offset_ms },
        };
        Policy::quota(self.quantity, window)
    }
}

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
    pub(super) fn sales(&self) -> u64 {
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
    pub(super) fn ranking(&self) -> Arc<[usize]> {
        self.ranking.read().clone()
    }

    /// For each item whether `keyword` is in its name or its description.
    pub(super) fn find(&self, keyword: &str) -> Vec<bool> {
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

/// The parsed copy of the catalogue, replaced as a whole.
pub(super) struct Catalogue {
    shelf: RwLock<Arc<Shelf>>,
    /// Held while a document is checked, written, and read for a new copy: one change at a time,
    /// and an older reading never replaces a newer one.
    writing: Mutex<()>,
}

impl Catalogue {
    pub(super) fn load(engine: &Engine) -> Result<Self> {
        Ok(Self {
            shelf: RwLock::new(Arc::new(read_shelf(engine, &Shelf::default())?)),
            writing: Mutex::new(()),
        })
    }

    pub(super) fn shelf(&self) -> Arc<Shelf> {
        self.shelf.read().clone()
    }

    /// Does something while the catalogue stays as it is: whoever changes it waits.
    pub(super) fn with_shelf<T>(&self, act: impl FnOnce(&Shelf) -> T) -> T {
        act(&self.shelf.read())
    }

    pub(super) fn put_category(&self, engine: &Engine, category: &Category) -> Result<()> {
        // Checked and written under one lock: two changes that are sound one by one could make a
        // loop together.
        let mut writing = self.writing.lock();
        if let Some(parent) = &category.parent_id {
            let shelf = self.shelf();
            if shelf.category(parent).is_none() {
                return Err(Error::invalid(format!("the parent category {parent} does not exist")));
            }
            if shelf.is_within(parent, &category.id) {
                return Err(Error::invalid(format!(
                    "the category {} cannot be its own ancestor",
                    category.id
                )));
            }
        }
        self.put(&mut writing, engine, CATEGORIES, &category.id, category)
    }

    pub(super) fn put_product(&self, engine: &Engine, product: &Product) -> Result<()> {
        AccountKey::stock(&product.id)?;
        if product.points_price == 0 || product.points_price > QUANTITY_MAX {
            return Err(Error::invalid(format!("a price is 1 to {QUANTITY_MAX} points")));
        }
        if let Some(limit) = product.limit_per_user {
            limit.check()?;
        }
        let mut writing = self.writing.lock();
        if self.shelf().category(&product.category_id).is_none() {
            return Err(Error::invalid(format!(
                "the category {} does not exist",
                product.category_id
            )));
        }
        self.put(&mut writing, engine, PRODUCTS, &product.id, product)
    }

    /// Writes a document and takes the new copy into use once it is durable.
    fn put<T: Serialize>(
        &self,
        _writing: &mut MutexGuard<'_, ()>,
        engine: &Engine,
        collection: &str,
        id: &str,
        document: &T,
    ) -> Result<()> {
        let body = serde_json::to_vec(document).map_err(|cause| {
            Error::invalid("a document cannot be written as JSON").with_source(cause)
        })?;
        engine.put_document(PutDocument::new(collection, id, &body))?.wait()?;
        let shelf = read_shelf(engine, &self.shelf())?;
        *self.shelf.write() = Arc::new(shelf);
        Ok(())
    }
}

/// Reads the catalogue. What did not change since `before` is not folded again.
fn read_shelf(engine: &Engine, before: &Shelf) -> Result<Shelf> {
    let mut categories: Vec<Category> = read_all(engine, CATEGORIES);
    categories.sort_by(|a, b| (a.level, a.sort_order, &a.id).cmp(&(b.level, b.sort_order, &b.id)));
    let mut shelf = Shelf { categories, ..Shelf::default() };
    for product in read_all::<Product>(engine, PRODUCTS) {
        let Ok(key) = AccountKey::stock(&product.id) else {
            leave_out(PRODUCTS, &product.id, &"its id cannot name an account");
            continue;
        };
        let stock = super::account(engine, &key)?;
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
        let parsed = serde_json::from_slice(&body);
        parsed.inspect_err(|cause| leave_out(collection, &id, cause)).ok()
    };
    engine.documents(collection).into_iter().filter_map(parse).collect()
}

fn leave_out(collection: &str, id: &str, cause: &dyn std::fmt::Display) {
    tracing::error!(collection, id, %cause, "a document of the catalogue cannot be read, and is left out");
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::mall) fn category(id: &str, parent: Option<&str>) -> Category {
        Category {
            id: id.into(),
            name: id.into(),
            description: String::new(),
            icon: None,
            parent_id: parent.map(Into::into),
            level: 1,
            sort_order: 0,
            active: true,
        }
    }

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

    fn engine() -> (tempfile::TempDir, Engine) {
        let dir = tempfile::TempDir::new().expect("a directory");
        let engine = Engine::builder(dir.path()).segment_bytes(256 << 10).open().expect("it opens");
        (dir, engine)
    }

    #[test]
    fn a_category_is_never_its_own_ancestor() {
        let (_dir, engine) = engine();
        let catalogue = Catalogue::load(&engine).expect("an empty catalogue");
        for (id, parent) in [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", None)] {
            catalogue.put_category(&engine, &category(id, parent)).expect(id);
        }
        for (id, parent) in [("a", "a"), ("a", "b"), ("a", "c"), ("b", "c")] {
            let error =
                catalogue.put_category(&engine, &category(id, Some(parent))).expect_err("a loop");
            assert!(error.to_string().contains("own ancestor"), "{id} below {parent}: {error}");
        }
        catalogue
            .put_category(&engine, &category("b", Some("d")))
            .expect("another place is no loop");
        catalogue
            .put_category(&engine, &category("a", Some("c")))
            .expect("it is no ancestor any more");
    }

    #[test]
    fn a_document_that_cannot_be_read_is_left_out_and_kept() {
        let (_dir, engine) = engine();
        let good = br#"{"id":"tea","name":"Tea","categoryId":"c","pointsPrice":5,"active":true}"#;
        let nameless =
            br#"{"id":"no/name","name":"Tea","categoryId":"c","pointsPrice":5,"active":true}"#;
        for (id, body) in [("tea", &good[..]), ("torn", br#"{"id":"torn""#), ("nameless", nameless)]
        {
            engine
                .put_document(PutDocument::new(PRODUCTS, id, body))
                .and_then(|ticket| ticket.wait())
                .expect("it is written");
        }
        let shelf = Catalogue::load(&engine).expect("the others read").shelf();
        assert_eq!(shelf.items.iter().map(|item| &*item.product.id).collect::<Vec<_>>(), ["tea"]);
        assert_eq!(engine.documents(PRODUCTS).len(), 3, "nothing is removed");
    }

    #[test]
    fn a_product_document_keeps_its_shape() {
        let json = r#"{"id":"p","name":"P","categoryId":"c","pointsPrice":5,"active":true,
            "limitPerUser":{"quantity":2,"period":{"rolling":{"lengthMs":1000}}}}"#;
        let product: Product = serde_json::from_str(json).expect("a valid document");
        let limit = product.limit_per_user.expect("the limit was given");
        assert_eq!(limit.policy(), Policy::quota(2, Window::Rolling { length_ms: 1000 }));
    }
}
