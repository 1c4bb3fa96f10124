//! Categories as operators see and change them.

use serde::Serialize;
use serde_json::{Map, Value};

use super::documents::Edited;
use crate::base::TimeMs;
use crate::http::call::OperatorCall;
use crate::http::error::ApiError;
use crate::http::reply::Answer;
use crate::http::told::Told;
use crate::mall::fields::{CategoryFields, members, read_category};
use crate::mall::model::{CATEGORIES, Violation};
use crate::mall::{Category, Kept, Mall, Unreadable};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CategoryWire<'a> {
    #[serde(flatten)]
    fields: CategoryFields<'a>,
    level: u32,
    updated_at: Option<TimeMs>,
    updated_by: Option<&'a str>,
}

#[derive(Serialize)]
struct CategoriesWire<'a> {
    categories: Vec<CategoryWire<'a>>,
    unreadable: Vec<&'a Unreadable>,
}

impl<'a> CategoryWire<'a> {
    fn of(kept: &'a Kept<Category>) -> Self {
        let Kept { content, stamp, .. } = kept;
        Self {
            fields: CategoryFields::of(content),
            level: content.level,
            updated_at: stamp.updated_at,
            updated_by: stamp.updated_by.as_deref(),
        }
    }
}

impl Edited for Category {
    fn read(known: Option<&str>, members: Map<String, Value>) -> Result<Self, Violation> {
        read_category(known, members)
    }

    fn members(&self) -> Map<String, Value> {
        members(&CategoryFields::of(self))
    }

    fn told(_: &Mall, kept: &Kept<Self>) -> Result<Told, ApiError> {
        Told::of(&CategoryWire::of(kept), Some(kept.tag))
    }
}

pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    call.no_query()?;
    let shelf = call.app.mall.shelf();
    let categories = shelf.categories.iter().map(|kept| CategoryWire::of(kept)).collect();
    let unreadable = shelf.unreadable_of(CATEGORIES);
    Ok(call.success(&CategoriesWire { categories, unreadable }))
}
