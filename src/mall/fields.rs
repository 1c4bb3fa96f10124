//! Categories and products as operators write them: objects whose members are looked at one by one,
//! so that what is wrong with one is told with its path.

use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::model::{
    ByLevel, Category, LevelTerms, Period, Product, PurchaseLimit, Violation, member,
};
use crate::base::{PLACES_MAX, QUANTITY_MAX, TimeMs};

mod levels;
mod points;
mod preferences;

pub(crate) use levels::{LevelsFields, read_levels};
pub(crate) use points::read_points;
pub(crate) use preferences::{Tastes, read_tastes};

type Read<T> = Result<T, Violation>;

/// The members of an object that are not looked at yet. One that is null is as one that is absent.
struct Fields<'p> {
    path: &'p str,
    members: Map<String, Value>,
}

impl Fields<'_> {
    fn new(members: Map<String, Value>) -> Fields<'static> {
        Fields { path: "$", members }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn wrong<T>(&self, name: &str, why: impl Into<std::borrow::Cow<'static, str>>) -> Read<T> {
        Err(Violation::new(member(self.path, name), why))
    }

    fn must<T>(&self, name: &str, value: Option<T>) -> Read<T> {
        value.map_or_else(|| self.wrong(name, "it must be there"), Ok)
    }

    fn text(&mut self, name: &str) -> Read<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.wrong(name, "it must be a text"),
        }
    }

    fn flag(&mut self, name: &str) -> Read<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => self.wrong(name, "it must be true or false"),
        }
    }

    /// A whole number, also one that is written as 437.0.
    fn whole(&mut self, name: &str, range: RangeInclusive<i64>) -> Read<Option<i64>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match value.as_number().and_then(whole).filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let (least, most) = (range.start(), range.end());
                self.wrong(name, format!("it must be a whole number from {least} to {most}"))
            }
        }
    }

    fn count(&mut self, name: &str, range: RangeInclusive<u64>) -> Read<Option<u64>> {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let number = self.whole(name, signed(*range.start())..=signed(*range.end()))?;
        Ok(number.map(i64::unsigned_abs))
    }

    /// A price with at most two decimals, in hundredths.
    fn cents(&mut self, name: &str) -> Read<Option<u64>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match value.as_number().and_then(cents) {
            Some(cents) => Ok(Some(cents)),
            None => self.wrong(name, "it must be a number from 0 to 99999999.99 with two decimals"),
        }
    }

    fn texts(&mut self, name: &str) -> Read<Vec<String>> {
        let items = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return self.wrong(name, "it must be a list"),
        };
        let text = |(index, item)| match item {
            Value::String(text) => Ok(text),
            _ => self.wrong(name, "it must be a text").map_err(|violation: Violation| {
                Violation::new(format!("{}[{index}]", violation.path), violation.why)
            }),
        };
        items.into_iter().enumerate().map(text).collect()
    }

    fn object(&mut self, name: &str) -> Read<Option<Map<String, Value>>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => self.wrong(name, "it must be an object"),
        }
    }

    /// How many units one user may take.
    fn limit(&mut self) -> Read<Option<PurchaseLimit>> {
        let path = member(self.path, "limitPerUser");
        let members = self.object("limitPerUser")?;
        members.map(|members| read_limit(&path, members)).transpose()
    }

    /// What is otherwise from a level on. A level that says nothing is left out.
    fn by_level(&mut self) -> Read<ByLevel> {
        let all = member(self.path, "byLevel");
        let members = self.object("byLevel")?.unwrap_or_default();
        let mut by_level = ByLevel::default();
        for (name, terms) in members {
            let path = member(&all, &name);
            let wrong = |why: &'static str| Violation::new(path.clone(), why);
            let level: u8 = name.parse().map_err(|_| wrong("its name must be that of a level"))?;
            if level.to_string() != name {
                return Err(wrong("its name must be that of a level"));
            }
            let members = match terms {
                Value::Null => continue,
                Value::Object(members) => members,
                _ => return Err(wrong("it must be an object")),
            };
            let mut fields = Fields { path: &path, members };
            let points_price = fields.count("pointsPrice", 0..=QUANTITY_MAX)?;
            let terms = LevelTerms { points_price, limit_per_user: fields.limit()? };
            fields.end()?;
            if terms != LevelTerms::default() {
                by_level.set(level, terms);
            }
        }
        Ok(by_level)
    }

    /// 1 on the shelf, which is what holds where nothing is said, and 0 off it.
    fn status(&mut self) -> Read<bool> {
        Ok(self.whole("status", 0..=1)?.is_none_or(|status| status == 1))
    }

    /// The id, which a path may have named already.
    fn id(&mut self, known: Option<&str>) -> Read<String> {
        match (known, self.text("id")?) {
            (Some(known), Some(id)) if id != known => {
                self.wrong("id", format!("it must be {known}, or absent"))
            }
            (Some(known), _) => Ok(known.to_owned()),
            (None, id) => self.must("id", id),
        }
    }

    /// Nothing is left.
    fn end(self) -> Read<()> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => self.wrong(name, "there is no such field"),
        }
    }
}

fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    let float = || number.as_f64().filter(|it| it.fract() == 0.0 && it.abs() <= EXACT);
    number.as_i64().or_else(|| float().map(|it| it as i64))
}

fn cents(number: &Number) -> Option<u64> {
    // As it is written: a number that is kept exactly has one shortest form.
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let fraction = match fraction.len() {
        1 => fraction.parse::<u64>().ok()?.checked_mul(10)?,
        2 => fraction.parse().ok()?,
        _ => return None,
    };
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(fraction)
}

/// What a category is to be, with the id that a path has named.
pub(crate) fn read_category(known: Option<&str>, members: Map<String, Value>) -> Read<Category> {
    let mut fields = Fields::new(members);
    let id = fields.id(known)?;
    let name = fields.text("name")?;
    let category = Category {
        id,
        name: fields.must("name", name)?,
        description: fields.text("description")?.unwrap_or_default(),
        icon: fields.text("icon")?,
        parent_id: fields.text("parentId")?,
        level: 1,
        sort_order: fields.whole("sortOrder", i32::MIN.into()..=i32::MAX.into())?.unwrap_or(0),
        active: fields.status()?,
    };
    fields.end()?;
    Ok(category)
}

/// What a product is to be. `createdAt` is 0 where it is not said.
pub(crate) fn read_product(known: Option<&str>, members: Map<String, Value>) -> Read<Product> {
    let mut fields = Fields::new(members);
    let id = fields.id(known)?;
    let (name, category_id) = (fields.text("name")?, fields.text("categoryId")?);
    let points_price = fields.count("pointsPrice", 0..=QUANTITY_MAX)?;
    let product = Product {
        id,
        name: fields.must("name", name)?,
        description: fields.text("description")?.unwrap_or_default(),
        category_id: fields.must("categoryId", category_id)?,
        points_price: fields.must("pointsPrice", points_price)?,
        original_price_cents: fields.cents("originalPrice")?,
        images: fields.texts("images")?,
        specifications: fields.object("specifications")?.unwrap_or_default(),
        is_hot: fields.flag("isHot")?.unwrap_or(false),
        is_new: fields.flag("isNew")?.unwrap_or(false),
        active: fields.status()?,
        sort_order: fields.whole("sortOrder", i32::MIN.into()..=i32::MAX.into())?.unwrap_or(0),
        low_stock_threshold: fields.count("lowStockThreshold", 1..=QUANTITY_MAX)?,
        limit_per_user: fields.limit()?,
        by_level: fields.by_level()?,
        waiting_places: fields.count("waitingPlaces", 0..=PLACES_MAX as u64)?,
        sale_starts_at: fields.count("saleStartsAt", 0..=u64::MAX >> 1)?,
        created_at: fields.count("createdAt", 0..=u64::MAX >> 1)?.unwrap_or(0),
    };
    fields.end()?;
    Ok(product)
}

fn read_limit(path: &str, members: Map<String, Value>) -> Read<PurchaseLimit> {
    let mut fields = Fields { path, members };
    let quantity = fields.count("quantity", 1..=QUANTITY_MAX)?;
    let quantity = fields.must("quantity", quantity)?;
    let period = match fields.take("period") {
        None => Period::Lifetime,
        Some(Value::String(word)) if word == "lifetime" => Period::Lifetime,
        Some(Value::Object(members)) => read_period(&member(path, "period"), members)?,
        Some(_) => {
            return fields.wrong("period", "it must be \"lifetime\", or have rolling or fixed");
        }
    };
    fields.end()?;
    Ok(PurchaseLimit { quantity, period })
}

fn read_period(path: &str, members: Map<String, Value>) -> Read<Period> {
    const LENGTH_MS: RangeInclusive<u64> = 1..=u64::MAX >> 1;
    let mut fields = Fields { path, members };
    let (rolling, fixed) = (fields.object("rolling")?, fields.object("fixed")?);
    fields.end()?;
    match (rolling, fixed) {
        (Some(members), None) => {
            let mut fields = Fields { path: &member(path, "rolling"), members };
            let length_ms = fields.count("lengthMs", LENGTH_MS)?;
            let length_ms = fields.must("lengthMs", length_ms)?;
            fields.end()?;
            Ok(Period::Rolling { length_ms })
        }
        (None, Some(members)) => {
            let mut fields = Fields { path: &member(path, "fixed"), members };
            let length_ms = fields.count("lengthMs", LENGTH_MS)?;
            let length_ms = fields.must("lengthMs", length_ms)?;
            let offset_ms = fields.count("offsetMs", 0..=u64::MAX >> 1)?.unwrap_or(0);
            fields.end()?;
            Ok(Period::Fixed { length_ms, offset_ms })
        }
        (None, None) | (Some(_), Some(_)) => {
            Err(Violation::new(path, "it must have either rolling or fixed"))
        }
    }
}

/// What may be written of a category, as [`read_category`] reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CategoryFields<'a> {
    id: &'a str,
    name: &'a str,
    description: &'a str,
    icon: Option<&'a str>,
    parent_id: Option<&'a str>,
    sort_order: i64,
    status: u8,
}

impl<'a> CategoryFields<'a> {
    pub(crate) fn of(category: &'a Category) -> Self {
        let Category { id, name, description, icon, parent_id, level: _, sort_order, active } =
            category;
        Self {
            id,
            name,
            description,
            icon: icon.as_deref(),
            parent_id: parent_id.as_deref(),
            sort_order: *sort_order,
            status: u8::from(*active),
        }
    }
}

/// What may be written of a product, as [`read_product`] reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductFields<'a> {
    id: &'a str,
    name: &'a str,
    description: &'a str,
    category_id: &'a str,
    points_price: u64,
    original_price: Option<f64>,
    images: &'a [String],
    specifications: &'a Map<String, Value>,
    is_hot: bool,
    is_new: bool,
    status: u8,
    sort_order: i64,
    limit_per_user: Option<PurchaseLimit>,
    low_stock_threshold: Option<u64>,
    by_level: &'a ByLevel,
    waiting_places: Option<u64>,
    sale_starts_at: Option<TimeMs>,
    created_at: TimeMs,
}

impl<'a> ProductFields<'a> {
    pub(crate) fn of(product: &'a Product) -> Self {
        Self {
            id: &product.id,
            name: &product.name,
            description: &product.description,
            category_id: &product.category_id,
            points_price: product.points_price,
            original_price: product.original_price_cents.map(|cents| cents as f64 / 100.0),
            images: &product.images,
            specifications: &product.specifications,
            is_hot: product.is_hot,
            is_new: product.is_new,
            status: u8::from(product.active),
            sort_order: product.sort_order,
            limit_per_user: product.limit_per_user,
            low_stock_threshold: product.low_stock_threshold,
            by_level: &product.by_level,
            waiting_places: product.waiting_places,
            sale_starts_at: product.sale_starts_at,
            created_at: product.created_at,
        }
    }
}

/// The members after a patch of them: RFC 7396.
pub(crate) fn merged(members: Map<String, Value>, patch: Map<String, Value>) -> Map<String, Value> {
    let mut merged = members;
    for (name, value) in patch {
        match value {
            Value::Null => {
                merged.remove(&name);
            }
            Value::Object(patch) => {
                let before = match merged.remove(&name) {
                    Some(Value::Object(before)) => before,
                    Some(_) | None => Map::new(),
                };
                merged.insert(name, Value::Object(self::merged(before, patch)));
            }
            value => {
                merged.insert(name, value);
            }
        }
    }
    merged
}

/// The members of something that is written as an object.
pub(crate) fn members(fields: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(fields) {
        Ok(Value::Object(members)) => members,
        // What is written here has texts for names.
        Ok(_) | Err(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests;
