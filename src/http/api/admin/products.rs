//! Products as operators see and change them.

use serde::Serialize;
use serde_json::{Map, Value};

use super::documents::Edited;
use crate::base::TimeMs;
use crate::http::api::shop::catalogue::{PaginationWire, Shown, parse_listing};
use crate::http::call::OperatorCall;
use crate::http::error::ApiError;
use crate::http::format::Format;
use crate::http::reply::{Answer, success};
use crate::http::told::Told;
use crate::ledger::Level;
use crate::mall::fields::{ProductFields, members, read_product};
use crate::mall::model::{PRODUCTS, Violation};
use crate::mall::{Filter, Item, Mall, Page, Product, Unreadable};

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

impl Edited for Product {
    fn read(known: Option<&str>, members: Map<String, Value>) -> Result<Self, Violation> {
        read_product(known, members)
    }

    fn members(&self) -> Map<String, Value> {
        members(&ProductFields::of(self))
    }

    fn told(mall: &Mall, item: &Item) -> Result<Told, ApiError> {
        let level = mall.engine().level(item.stock)?;
        Told::of(&ProductWire::of(item, &level), Some(item.tag))
    }
}

/// A search that may take long is made beside the threads that sell.
pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    let (filter, page) = parse_listing(call.query()?, Shown::Everything)?;
    let (mall, format) = (call.app.mall.clone(), call.format);
    let is_long = mall.is_long_search(&filter);
    let answer = move || found(&mall, format, &filter, &page);
    if is_long { call.lanes().searches.run(answer).await } else { answer() }
}

fn found(mall: &Mall, format: Format, filter: &Filter, page: &Page) -> Answer {
    let (listing, shelf) = (mall.products(filter, page)?, mall.shelf());
    let products = listing.items.iter().map(|(item, level)| ProductWire::of(item, level)).collect();
    let pagination = PaginationWire::of(page, &listing);
    let unreadable = shelf.unreadable_of(PRODUCTS);
    Ok(success(format, &ProductsWire { products, pagination, unreadable }, mall.now_ms()))
}
