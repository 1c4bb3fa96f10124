//! What the catalogue keeps a document of.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::category::{CATEGORIES, Category};
use super::product::{PRODUCTS, Product};
use super::rule::Checked;

pub(crate) trait Document: Clone + PartialEq + Serialize + DeserializeOwned {
    const COLLECTION: &'static str;

    fn id(&self) -> &str;

    /// What can be said of it alone.
    fn check(&self) -> Checked;

    /// The same, and nobody is shown it.
    fn hidden(self) -> Self;
}

impl Document for Category {
    const COLLECTION: &'static str = CATEGORIES;

    fn id(&self) -> &str {
        &self.id
    }

    fn check(&self) -> Checked {
        Self::check(self)
    }

    fn hidden(self) -> Self {
        Self { active: false, ..self }
    }
}

impl Document for Product {
    const COLLECTION: &'static str = PRODUCTS;

    fn id(&self) -> &str {
        &self.id
    }

    fn check(&self) -> Checked {
        Self::check(self)
    }

    fn hidden(self) -> Self {
        Self { active: false, ..self }
    }
}
