//! Categories and products, for everybody.

use serde::Serialize;

use crate::base::error::Result;
use crate::base::{QUANTITY_MAX, TimeMs};
use crate::http::call::PublicCall;
use crate::http::error::ApiError;
use crate::http::format::Format;
use crate::http::query;
use crate::http::reply::{Answer, success};
use crate::ledger::Level;
use crate::mall::{Category, Filter, Item, Mall, PurchaseLimit};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;
const PAGE_MAX: u64 = 1_000_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CategoryWire<'a> {
    id: &'a str,
    name: &'a str,
    description: &'a str,
    icon: Option<&'a str>,
    parent_id: Option<&'a str>,
    level: u32,
    sort_order: i64,
    children: Vec<CategoryWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductWire<'a> {
    id: &'a str,
    name: &'a str,
    description: &'a str,
    category: ProductCategoryWire<'a>,
    points_price: u64,
    original_price: Option<f64>,
    stock_quantity: u64,
    sales_count: u64,
    images: &'a [String],
    specifications: &'a serde_json::Map<String, serde_json::Value>,
    is_hot: bool,
    is_new: bool,
    limit_per_user: Option<PurchaseLimit>,
    sort_order: i64,
    created_at: TimeMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock_info: Option<StockWire>,
}

#[derive(Serialize)]
struct ProductCategoryWire<'a> {
    id: &'a str,
    name: &'a str,
    icon: Option<&'a str>,
}

/// A product's stock: `total = available + reserved + sold + writtenOff`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct StockWire {
    available: i64,
    reserved: u64,
    sold: u64,
    written_off: u64,
    total: u64,
    in_stock: bool,
}

impl StockWire {
    pub(in crate::http) fn of(level: &Level) -> Self {
        Self {
            available: level.available,
            reserved: level.reserved,
            sold: level.consumed,
            written_off: level.written_off,
            total: level.received,
            in_stock: level.available > 0,
        }
    }
}

impl<'a> ProductWire<'a> {
    fn of(item: &'a Item, level: &Level) -> Self {
        let product = &item.product;
        Self {
            id: &product.id,
            name: &product.name,
            description: &product.description,
            category: ProductCategoryWire {
                id: &product.category_id,
                name: &item.category_name,
                icon: item.category_icon.as_deref(),
            },
            points_price: product.points_price,
            original_price: product.original_price_cents.map(|cents| cents as f64 / 100.0),
            stock_quantity: level.available.max(0) as u64,
            sales_count: level.consumed,
            images: &product.images,
            specifications: &product.specifications,
            is_hot: product.is_hot,
            is_new: product.is_new,
            limit_per_user: product.limit_per_user,
            sort_order: product.sort_order,
            created_at: product.created_at,
            stock_info: None,
        }
    }
}

#[derive(Serialize)]
struct ProductsWire<'a> {
    products: Vec<ProductWire<'a>>,
    pagination: PaginationWire,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaginationWire {
    page: u64,
    page_size: u64,
    total: u64,
    total_pages: u64,
}

/// The tree of what is shown.
pub(in crate::http) async fn categories(call: PublicCall<'_>) -> Answer {
    call.no_query()?;
    let shelf = call.app.mall.shelf();
    Ok(call.success(&children(&shelf.categories, None, shelf.categories.len())))
}

/// The categories under `parent`. `depth` bounds the recursion, should the data hold a loop.
fn children<'a>(all: &'a [Category], parent: Option<&str>, depth: usize) -> Vec<CategoryWire<'a>> {
    if depth == 0 {
        return Vec::new();
    }
    all.iter()
        .filter(|category| category.active && category.parent_id.as_deref() == parent)
        .map(|category| CategoryWire {
            id: &category.id,
            name: &category.name,
            description: &category.description,
            icon: category.icon.as_deref(),
            parent_id: category.parent_id.as_deref(),
            level: category.level,
            sort_order: category.sort_order,
            children: children(all, Some(&category.id), depth - 1),
        })
        .collect()
}

/// A search that may take long is made beside the threads that sell.
pub(in crate::http) async fn products(call: PublicCall<'_>) -> Answer {
    let (filter, page, page_size) = parse_listing(call.query()?)?;
    let (mall, format) = (call.app.mall.clone(), call.format);
    let is_long = mall.is_long_search(&filter);
    let list = move || list(&mall, format, &filter, page, page_size);
    if is_long { call.app.searches.run(list).await } else { list() }
}

fn list(mall: &Mall, format: Format, filter: &Filter, page: u64, page_size: u64) -> Answer {
    let listing = mall.products(filter, page as usize, page_size as usize)?;
    let total = listing.total as u64;
    let products = listing.items.iter().map(|(item, level)| ProductWire::of(item, level)).collect();
    let pagination =
        PaginationWire { page, page_size, total, total_pages: total.div_ceil(page_size) };
    Ok(success(format, &ProductsWire { products, pagination }, mall.now_ms()))
}

fn parse_listing(query: Vec<(String, String)>) -> Result<(Filter, u64, u64), ApiError> {
    let (mut filter, mut page, mut page_size) = (Filter::default(), 1, PAGE_SIZE);
    for (name, value) in query {
        match name.as_str() {
            "category_id" => filter.category_id = Some(value),
            "include_children" => filter.include_children = query::flag(&name, &value)?,
            "keyword" => filter.keyword = Some(value),
            "min_points" => {
                filter.points_min = Some(query::number(&name, &value, 0..=QUANTITY_MAX)?)
            }
            "max_points" => {
                filter.points_max = Some(query::number(&name, &value, 0..=QUANTITY_MAX)?)
            }
            "is_hot" => filter.is_hot = Some(query::flag(&name, &value)?),
            "is_new" => filter.is_new = Some(query::flag(&name, &value)?),
            "page" => page = query::number(&name, &value, 1..=PAGE_MAX)?,
            "page_size" => page_size = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    Ok((filter, page, page_size))
}

/// One product, with its stock as it is now.
pub(in crate::http) async fn product(call: PublicCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let (item, level) = call.app.mall.product(product_id)?;
    Ok(call.success(&ProductWire {
        stock_info: Some(StockWire::of(&level)),
        ..ProductWire::of(&item, &level)
    }))
}
