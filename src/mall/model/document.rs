//! What the catalogue keeps a document of.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::category::{CATEGORIES, Category};
use super::level::{LEVELS, MallLevels};
use super::product::{PRODUCTS, Product};
use super::rule::Checked;

pub(crate) trait Document:
    Clone + PartialEq + Serialize + DeserializeOwned + Send + 'static
{
    const COLLECTION: &'static str;

    fn id(&self) -> &str;

    /// What can be said of it alone.
    fn check(&self) -> Checked;

    /// The same, shown or not.
    fn with_active(self, active: bool) -> Self;
}

/// Their documents have an id, are active or not, and know what they may be.
macro_rules! documents {
    ($($kind:ident in $collection:ident;)*) => {$(
        impl Document for $kind {
            const COLLECTION: &'static str = $collection;

            fn id(&self) -> &str {
                &self.id
            }

            fn check(&self) -> Checked {
                Self::check(self)
            }

            fn with_active(self, active: bool) -> Self {
                Self { active, ..self }
            }
        }
    )*};
}

documents! {
    Category in CATEGORIES;
    Product in PRODUCTS;
}

/// There is one document of them, which is always shown.
impl Document for MallLevels {
    const COLLECTION: &'static str = LEVELS;

    fn id(&self) -> &str {
        &self.id
    }

    fn check(&self) -> Checked {
        Self::check(self)
    }

    fn with_active(self, _active: bool) -> Self {
        self
    }
}
