//! Categories of the catalogue.

use serde::{Deserialize, Serialize};

/// The collection of their documents.
pub(crate) const CATEGORIES: &str = "category";

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
