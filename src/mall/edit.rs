//! The catalogue as operators change it.

use std::sync::Arc;

use super::catalogue::Kind;
#[cfg(feature = "bin")]
use super::catalogue::{Import, Imported};
use super::facts::document::Kept;
use super::model::{Category, Product, Violation};
use super::{Failure, Item, Mall, Seen};
#[cfg(feature = "bin")]
use crate::base::error::Result;

/// What makes another document of one.
pub(crate) type Make<T> = Box<dyn FnOnce(&T) -> std::result::Result<T, Violation> + Send>;

impl Mall {
    pub(crate) async fn create_category(
        &self,
        category: Category,
        by: &str,
    ) -> Outcome<Arc<Kept<Category>>> {
        self.create(category, by).await
    }

    pub(crate) async fn create_product(&self, product: Product, by: &str) -> Outcome<Arc<Item>> {
        self.create(product, by).await
    }

    pub(crate) async fn change_category(
        &self,
        id: &str,
        seen: Seen,
        by: &str,
        make: Make<Category>,
    ) -> Outcome<Arc<Kept<Category>>> {
        self.change(id, seen, by, make).await
    }

    pub(crate) async fn change_product(
        &self,
        id: &str,
        seen: Seen,
        by: &str,
        make: Make<Product>,
    ) -> Outcome<Arc<Item>> {
        self.change(id, seen, by, make).await
    }

    pub(crate) async fn remove_category(&self, id: &str, seen: Seen, by: &str) -> Outcome<()> {
        self.remove::<Category>(id, seen, by).await
    }

    pub(crate) async fn remove_product(&self, id: &str, seen: Seen, by: &str) -> Outcome<()> {
        self.remove::<Product>(id, seen, by).await
    }

    /// Imports documents. Blocks on the disk.
    #[cfg(feature = "bin")]
    pub(crate) fn import(
        &self,
        import: Import<'_>,
        progress: impl FnMut(u64, u64),
    ) -> Result<Imported> {
        self.shared.catalogue.import(self.engine(), import, progress)
    }
}

type Outcome<T> = std::result::Result<T, Failure>;

/// One change waits for the disk while others wait for it: beside the runtime's workers.
impl Mall {
    async fn create<T>(&self, content: T, by: &str) -> Outcome<Arc<T::Shown>>
    where
        T: Kind + Send + 'static,
        T::Shown: Send + Sync + 'static,
    {
        let (mall, by) = (self.clone(), by.to_owned());
        let act = move || Ok(mall.shared.catalogue.create(mall.engine(), content, &by));
        self.act(act).await?
    }

    async fn change<T>(
        &self,
        id: &str,
        seen: Seen,
        by: &str,
        make: Make<T>,
    ) -> Outcome<Arc<T::Shown>>
    where
        T: Kind + 'static,
        T::Shown: Send + Sync + 'static,
    {
        let (mall, id, by) = (self.clone(), id.to_owned(), by.to_owned());
        let act = move || Ok(mall.shared.catalogue.change(mall.engine(), &id, &seen, &by, make));
        self.act(act).await?
    }

    async fn remove<T: Kind>(&self, id: &str, seen: Seen, by: &str) -> Outcome<()> {
        let (mall, id, by) = (self.clone(), id.to_owned(), by.to_owned());
        let act = move || Ok(mall.shared.catalogue.remove::<T>(mall.engine(), &id, &seen, &by));
        self.act(act).await?
    }
}
