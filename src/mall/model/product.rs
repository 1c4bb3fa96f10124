//! Products of the catalogue.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::level::ByLevel;
use super::limit::PurchaseLimit;
use super::rule::{self, Characters, Checked, Violation, member};
use crate::base::{PLACES_MAX, QUANTITY_MAX, TimeMs};

/// The collection of their documents.
pub(crate) const PRODUCTS: &str = "product";

/// What no product may be called: a user's quota of this name says that the user ordered something
/// that cost nothing, and stands for the points in such an order.
pub(crate) const FREE_ORDERS: &str = ":free";
/// The API has these words where other paths have a product's id.
pub(crate) const RESERVED_IDS: [&str; 4] = ["alerts", "health", "records", "reservations"];

const NAME_CHARS_MAX: usize = 200;
const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// What a `DECIMAL(10,2)` holds, in hundredths.
pub(crate) const ORIGINAL_PRICE_CENTS_MAX: u64 = 9_999_999_999;
const IMAGES_MAX: usize = 16;
const IMAGE_CHARS_MAX: usize = 500;
/// How many names and values specifications have in all.
const SPECIFICATIONS_MAX: usize = 200;
const SPECIFICATION_CHARS_MAX: usize = 1_000;
const SPECIFICATION_NAME_CHARS_MAX: usize = 100;
const SPECIFICATION_DEPTH_MAX: usize = 8;
/// The greatest time of a document, in milliseconds since 1970: the end of the year 9999.
const TIME_MS_MAX: TimeMs = 253_402_300_799_999;

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
    /// What one unit costs, in points; it may cost nothing.
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
    /// Operators are told when no more than so many units can be bought; `None` is never.
    #[serde(default)]
    pub low_stock_threshold: Option<u64>,
    /// What is otherwise for members of a level.
    #[serde(default, skip_serializing_if = "ByLevel::is_empty")]
    pub by_level: ByLevel,
    /// How many may wait for it in line when it is sold out; 0 is nobody, and without a number it is as
    /// the mall is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_places: Option<u64>,
    /// Nobody gets it before then, in milliseconds since 1970; `None` is as soon as it is for sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale_starts_at: Option<TimeMs>,
    /// When it was created, in milliseconds since 1970.
    #[serde(default)]
    pub created_at: TimeMs,
}

impl Product {
    /// A product that is for sale at this price in points, with nothing said of it but its name.
    ///
    /// ```
    /// use stockhold::mall::Product;
    /// let tea = Product { is_hot: true, ..Product::new("tea", "Tea", "drinks", 90) };
    /// assert!(tea.active && tea.limit_per_user.is_none());
    /// ```
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        category_id: impl Into<String>,
        points_price: u64,
    ) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            description: String::new(),
            category_id: category_id.into(),
            points_price,
            original_price_cents: None,
            images: Vec::new(),
            specifications: serde_json::Map::new(),
            is_hot: false,
            is_new: false,
            active: true,
            sort_order: 0,
            limit_per_user: None,
            low_stock_threshold: None,
            by_level: ByLevel::default(),
            waiting_places: None,
            sale_starts_at: None,
            created_at: 0,
        }
    }

    /// What can be said of it alone.
    pub(crate) fn check(&self) -> Checked {
        rule::id("$.id", &self.id)?;
        if self.id == FREE_ORDERS || RESERVED_IDS.contains(&self.id.as_str()) {
            return Err(Violation::new("$.id", "no product may have this id"));
        }
        rule::text(|| "$.name".into(), &self.name, 1..=NAME_CHARS_MAX, Characters::Line)?;
        let description = || "$.description".into();
        rule::text(description, &self.description, 0..=DESCRIPTION_CHARS_MAX, Characters::Lines)?;
        rule::id("$.categoryId", &self.category_id)?;
        rule::number("$.pointsPrice", self.points_price, 0..=QUANTITY_MAX)?;
        if self.original_price_cents.is_some_and(|cents| cents > ORIGINAL_PRICE_CENTS_MAX) {
            return Err(Violation::new("$.originalPrice", "it must be 0 to 99999999.99"));
        }
        self.check_images()?;
        let mut count = 0;
        for (name, value) in &self.specifications {
            check_specification("$.specifications", name, value, 1, &mut count)?;
        }
        rule::number("$.sortOrder", self.sort_order, i32::MIN.into()..=i32::MAX.into())?;
        if let Some(threshold) = self.low_stock_threshold {
            rule::number("$.lowStockThreshold", threshold, 1..=QUANTITY_MAX)?;
        }
        rule::number("$.waitingPlaces", self.waiting_places.unwrap_or(0), 0..=PLACES_MAX as u64)?;
        rule::number("$.saleStartsAt", self.sale_starts_at.unwrap_or(0), 0..=TIME_MS_MAX)?;
        rule::number("$.createdAt", self.created_at, 0..=TIME_MS_MAX)?;
        self.by_level.check()?;
        match self.limit_per_user.map_or(Ok(()), PurchaseLimit::check) {
            Ok(()) => Ok(()),
            Err(error) => Err(Violation::new("$.limitPerUser", error.to_string())),
        }
    }

    /// When its sale begins, while that is still to come.
    pub(crate) fn begins_later(&self, now_ms: impl FnOnce() -> TimeMs) -> Option<TimeMs> {
        self.sale_starts_at.filter(|starts_at| *starts_at > now_ms())
    }

    /// What one unit costs for a member of a level.
    pub(crate) fn price_at(&self, level: u8) -> u64 {
        self.by_level.price_at(level).unwrap_or(self.points_price)
    }

    /// How many a member of a level may take.
    pub(crate) fn limit_at(&self, level: u8) -> Option<PurchaseLimit> {
        self.by_level.limit_at(level).or(self.limit_per_user)
    }

    fn check_images(&self) -> Checked {
        if self.images.len() > IMAGES_MAX {
            return Err(Violation::new("$.images", format!("there are at most {IMAGES_MAX}")));
        }
        for (index, image) in self.images.iter().enumerate() {
            let path = || format!("$.images[{index}]");
            rule::text(path, image, 1..=IMAGE_CHARS_MAX, Characters::Word)?;
        }
        Ok(())
    }
}

/// A name with its value, and what is in it. Recursion ends at the bound of the depth.
fn check_specification(
    path: &str,
    name: &str,
    value: &Value,
    depth: usize,
    count: &mut usize,
) -> Checked {
    let path = member(path, name);
    rule::text(|| path.clone(), name, 1..=SPECIFICATION_NAME_CHARS_MAX, Characters::Line)
        .map_err(|Violation { path, why }| Violation::new(path, format!("its name: {why}")))?;
    check_value(&path, value, depth, count)
}

fn check_value(path: &str, value: &Value, depth: usize, count: &mut usize) -> Checked {
    *count += 1;
    if *count > SPECIFICATIONS_MAX {
        let why = format!("specifications have at most {SPECIFICATIONS_MAX} values");
        return Err(Violation::new(path, why));
    }
    let is_nested = matches!(value, Value::Array(_) | Value::Object(_));
    if is_nested && depth >= SPECIFICATION_DEPTH_MAX {
        let why = format!("it is nested deeper than {SPECIFICATION_DEPTH_MAX} levels");
        return Err(Violation::new(path, why));
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) => {
            rule::text(|| path.to_owned(), text, 0..=SPECIFICATION_CHARS_MAX, Characters::Lines)
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            check_value(&format!("{path}[{index}]"), item, depth + 1, count)
        }),
        Value::Object(entries) => entries
            .iter()
            .try_for_each(|(name, value)| check_specification(path, name, value, depth + 1, count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Policy, Window};

    #[test]
    fn a_product_document_keeps_its_shape() {
        let json = r#"{"id":"p","name":"P","categoryId":"c","pointsPrice":5,"active":true,
            "limitPerUser":{"quantity":2,"period":{"rolling":{"lengthMs":1000}}}}"#;
        let product: Product = serde_json::from_str(json).expect("a valid document");
        let limit = product.limit_per_user.expect("the limit was given");
        assert_eq!(limit.policy(), Policy::quota(2, Window::Rolling { length_ms: 1000 }));
    }
}
