//! Categories as operators see and change them.

use serde::Serialize;

use super::RemovedWire;
use crate::base::TimeMs;
use crate::http::body::{Empty, Object, Sent};
use crate::http::call::OperatorCall;
use crate::http::error::{ApiError, Code};
use crate::http::etag::tagged;
use crate::http::reply::Answer;
use crate::mall::fields::{CategoryFields, members, merged, read_category};
use crate::mall::model::CATEGORIES;
use crate::mall::{Category, Kept, Make, Seen, Unreadable};

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

fn shown<const N: usize>(call: &OperatorCall<'_, N>, kept: &Kept<Category>) -> Answer {
    Ok(tagged(call.success(&CategoryWire::of(kept)), kept.tag))
}

pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    call.no_query()?;
    let shelf = call.app.mall.shelf();
    let categories = shelf.categories.iter().map(|kept| CategoryWire::of(kept)).collect();
    let unreadable = shelf.unreadable_of(CATEGORIES);
    Ok(call.success(&CategoriesWire { categories, unreadable }))
}

pub(in crate::http) async fn create(call: OperatorCall<'_>, body: Sent<Object>) -> Answer {
    call.no_query()?;
    let category = read_category(None, body.read_object(&call).await?)?;
    let by = call.identity().user.id();
    shown(&call, &*call.app.mall.create_category(category, by).await?)
}

pub(in crate::http) async fn get(call: OperatorCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [id] = call.path;
    let shelf = call.app.mall.shelf();
    match shelf.categories.get(id) {
        Some(kept) => shown(&call, kept),
        None => Err(ApiError::new(Code::CategoryNotFound)),
    }
}

pub(in crate::http) async fn replace(call: OperatorCall<'_, 1>, body: Sent<Object>) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    let members = body.read_object(&call).await?;
    let category = read_category(Some(call.path[0]), members)?;
    change(&call, seen, Box::new(move |_| Ok(category))).await
}

pub(in crate::http) async fn patch(call: OperatorCall<'_, 1>, body: Sent<Object>) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    let patch = body.read_object(&call).await?;
    let make = move |before: &Category| {
        let patched = merged(members(&CategoryFields::of(before)), patch);
        // A patch that takes the id away has nothing else to be.
        read_category(Some(&before.id), patched)
    };
    change(&call, seen, Box::new(make)).await
}

pub(in crate::http) async fn publish(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    set_active(call, body, true).await
}

pub(in crate::http) async fn withdraw(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    set_active(call, body, false).await
}

/// Who shows it or not need not have seen the rest.
async fn set_active(call: OperatorCall<'_, 1>, body: Empty, active: bool) -> Answer {
    call.no_query()?;
    let seen = call.seen()?.unwrap_or(Seen::Any);
    body.read_keyed(&call).await?;
    let make = move |before: &Category| Ok(Category { active, ..before.clone() });
    change(&call, seen, Box::new(make)).await
}

async fn change(call: &OperatorCall<'_, 1>, seen: Seen, make: Make<Category>) -> Answer {
    let ([id], by) = (call.path, call.identity().user.id());
    shown(call, &*call.app.mall.change_category(id, seen, by, make).await?)
}

pub(in crate::http) async fn remove(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    body.read_keyed(&call).await?;
    let ([id], by) = (call.path, call.identity().user.id());
    call.app.mall.remove_category(id, seen, by).await?;
    Ok(call.success(&RemovedWire { id }))
}
