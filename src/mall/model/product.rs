//! Products of the catalogue.

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::event::{Policy, Window};

/// The collection of their documents.
pub(crate) const PRODUCTS: &str = "product";

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
    pub(crate) fn check(self) -> Result<()> {
        match self.quantity {
            0 => Err(Error::invalid("a purchase limit is at least 1 unit")),
            _ => self.policy().check(),
        }
    }

    pub(crate) fn policy(self) -> Policy {
        let window = match self.period {
            Period::Lifetime => Window::Never,
            Period::Rolling { length_ms } => Window::Rolling { length_ms },
            Period::Fixed { length_ms, offset_ms } => Window::Fixed { length_ms, offset_ms },
        };
        Policy::quota(self.quantity, window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_document_keeps_its_shape() {
        let json = r#"{"id":"p","name":"P","categoryId":"c","pointsPrice":5,"active":true,
            "limitPerUser":{"quantity":2,"period":{"rolling":{"lengthMs":1000}}}}"#;
        let product: Product = serde_json::from_str(json).expect("a valid document");
        let limit = product.limit_per_user.expect("the limit was given");
        assert_eq!(limit.policy(), Policy::quota(2, Window::Rolling { length_ms: 1000 }));
    }
}
