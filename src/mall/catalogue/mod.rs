//! Categories and products: JSON documents in the engine, and a parsed copy that readers share.

mod shelf;

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};
use serde::Serialize;

use super::facts::document;
use super::model::{CATEGORIES, Category, PRODUCTS, Product};
use crate::base::error::{Error, Result};
use crate::base::{AccountKey, QUANTITY_MAX};
use crate::engine::Engine;
use crate::ledger::PutDocument;

use shelf::read_shelf;
pub(crate) use shelf::{Item, Shelf};

/// The parsed copy of the catalogue, replaced as a whole.
pub(in crate::mall) struct Catalogue {
    shelf: RwLock<Arc<Shelf>>,
    /// Held while a document is checked, written, and read for a new copy: one change at a time,
    /// and an older reading never replaces a newer one.
    writing: Mutex<()>,
}

impl Catalogue {
    pub(in crate::mall) fn load(engine: &Engine) -> Result<Self> {
        Ok(Self {
            shelf: RwLock::new(Arc::new(read_shelf(engine, &Shelf::default())?)),
            writing: Mutex::new(()),
        })
    }

    pub(in crate::mall) fn shelf(&self) -> Arc<Shelf> {
        self.shelf.read().clone()
    }

    /// Does something while the catalogue stays as it is: whoever changes it waits.
    pub(in crate::mall) fn with_shelf<T>(&self, act: impl FnOnce(&Shelf) -> T) -> T {
        act(&self.shelf.read())
    }

    pub(in crate::mall) fn put_category(&self, engine: &Engine, category: &Category) -> Result<()> {
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

    pub(in crate::mall) fn put_product(&self, engine: &Engine, product: &Product) -> Result<()> {
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
        content: &T,
    ) -> Result<()> {
        let body = document::written(content)?;
        engine.put_document(PutDocument::new(collection, id, &body))?.wait()?;
        let shelf = read_shelf(engine, &self.shelf())?;
        *self.shelf.write() = Arc::new(shelf);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn category(id: &str, parent: Option<&str>) -> Category {
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
}
