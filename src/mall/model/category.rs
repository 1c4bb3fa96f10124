//! Categories of the catalogue.

use serde::{Deserialize, Serialize};

use super::rule::{self, Characters, Checked};

/// The collection of their documents.
pub(crate) const CATEGORIES: &str = "category";

/// How many categories there may be: each change reads them all.
pub(crate) const CATEGORIES_MAX: usize = 2_000;
/// How deep they are nested.
pub(crate) const LEVEL_MAX: u32 = 2;
const NAME_CHARS_MAX: usize = 100;
const DESCRIPTION_CHARS_MAX: usize = 2_000;
const ICON_CHARS_MAX: usize = 500;

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
    /// 1 at the top, 2 below another. It follows from `parent_id`: what is put is not looked at.
    pub level: u32,
    /// Its place among its siblings, smallest first.
    #[serde(default)]
    pub sort_order: i64,
    /// Whether it is shown.
    pub active: bool,
}

impl Category {
    /// A category at the top that is shown, with nothing said of it but its name.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            description: String::new(),
            icon: None,
            parent_id: None,
            level: 1,
            sort_order: 0,
            active: true,
        }
    }

    /// What can be said of it alone.
    pub(crate) fn check(&self) -> Checked {
        rule::id("$.id", &self.id)?;
        rule::text(|| "$.name".into(), &self.name, 1..=NAME_CHARS_MAX, Characters::Line)?;
        let description = || "$.description".into();
        rule::text(description, &self.description, 0..=DESCRIPTION_CHARS_MAX, Characters::Lines)?;
        if let Some(icon) = &self.icon {
            rule::text(|| "$.icon".into(), icon, 1..=ICON_CHARS_MAX, Characters::Word)?;
        }
        if let Some(parent) = &self.parent_id {
            rule::id("$.parentId", parent)?;
        }
        rule::number("$.sortOrder", self.sort_order, i32::MIN.into()..=i32::MAX.into())
    }
}
