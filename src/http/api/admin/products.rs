//! Products as operators see and change them.

use serde::Serialize;

use super::RemovedWire;
use crate::base::TimeMs;
use crate::http::api::shop::catalogue::{PaginationWire, Shown, parse_listing};
use crate::http::body::{Empty, Object, Sent};
use crate::http::call::OperatorCall;
use crate::http::error::{ApiError, Code};
use crate::http::etag::tagged;
use crate::http::format::Format;
use crate::http::reply::{Answer, success};
use crate::ledger::Level;
use crate::mall::fields::{ProductFields, members, merged, read_product};
use crate::mall::model::PRODUCTS;
use crate::mall::{Filter, Item, Make, Mall, Page, Product, Seen, Unreadable};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductWire<'a> {
    #[serde(flatten)]
    fields: ProductFields<'a>,
    stock_quantity: u64,
    sales_count: u64,
    updated_at: Option<TimeMs>,
    updated_by: Option<&'a str>,
}

#[derive(Serialize)]
struct ProductsWire<'a> {
    products: Vec<ProductWire<'a>>,
    pagination: PaginationWire,
    unreadable: Vec<&'a Unreadable>,
}

impl<'a> ProductWire<'a> {
    fn of(item: &'a Item, level: &Level) -> Self {
        Self {
            fields: ProductFields::of(&item.product),
            stock_quantity: level.available.max(0) as u64,
            sales_count: level.consumed,
            updated_at: item.stamp.updated_at,
            updated_by: item.stamp.updated_by.as_deref(),
        }
    }
}

fn shown<const N: usize>(call: &OperatorCall<'_, N>, item: &Item) -> Answer {
    let level = call.app.mall.engine().level(item.stock)?;
    Ok(tagged(call.success(&ProductWire::of(item, &level)), item.tag))
}

/// A search that may take long is made beside the threads that sell.
pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    let (filter, page) = parse_listing(call.query()?, Shown::Everything)?;
    let (mall, format) = (call.app.mall.clone(), call.format);
    let is_long = mall.is_long_search(&filter);
    let answer = move || found(&mall, format, &filter, &page);
    if is_long { call.app.searches.run(answer).await } else { answer() }
}

fn found(mall: &Mall, format: Format, filter: &Filter, page: &Page) -> Answer {
    let (listing, shelf) = (mall.products(filter, page)?, mall.shelf());
    let products = listing.items.iter().map(|(item, level)| ProductWire::of(item, level)).collect();
    let pagination = PaginationWire::of(page, &listing);
    let unreadable = shelf.unreadable_of(PRODUCTS);
    Ok(success(format, &ProductsWire { products, pagination, unreadable }, mall.now_ms()))
}

pub(in crate::http) async fn create(call: OperatorCall<'_>, body: Sent<Object>) -> Answer {
    call.no_query()?;
    let product = read_product(None, body.read_object(&call).await?)?;
    let by = call.identity().user.id();
    shown(&call, &*call.app.mall.create_product(product, by).await?)
}

pub(in crate::http) async fn get(call: OperatorCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [id] = call.path;
    let shelf = call.app.mall.shelf();
    match shelf.any_item(id) {
        Some(item) => shown(&call, item),
        None => Err(ApiError::new(Code::ProductNotFound)),
    }
}

pub(in crate::http) async fn replace(call: OperatorCall<'_, 1>, body: Sent<Object>) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    let members = body.read_object(&call).await?;
    let product = read_product(Some(call.path[0]), members)?;
    change(&call, seen, Box::new(move |_| Ok(product))).await
}

pub(in crate::http) async fn patch(call: OperatorCall<'_, 1>, body: Sent<Object>) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    let patch = body.read_object(&call).await?;
    let make = move |before: &Product| {
        let patched = merged(members(&ProductFields::of(before)), patch);
        read_product(Some(&before.id), patched)
    };
    change(&call, seen, Box::new(make)).await
}

pub(in crate::http) async fn publish(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    set_active(call, body, true).await
}

pub(in crate::http) async fn withdraw(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    set_active(call, body, false).await
}

/// Who puts it on the shelf or takes it off need not have seen the rest.
async fn set_active(call: OperatorCall<'_, 1>, body: Empty, active: bool) -> Answer {
    call.no_query()?;
    let seen = call.seen()?.unwrap_or(Seen::Any);
    body.read_keyed(&call).await?;
    let make = move |before: &Product| Ok(Product { active, ..before.clone() });
    change(&call, seen, Box::new(make)).await
}

async fn change(call: &OperatorCall<'_, 1>, seen: Seen, make: Make<Product>) -> Answer {
    let ([id], by) = (call.path, call.identity().user.id());
    shown(call, &*call.app.mall.change_product(id, seen, by, make).await?)
}

pub(in crate::http) async fn remove(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let seen = call.must_have_seen()?;
    body.read_keyed(&call).await?;
    let ([id], by) = (call.path, call.identity().user.id());
    call.app.mall.remove_product(id, seen, by).await?;
    Ok(call.success(&RemovedWire { id }))
}
