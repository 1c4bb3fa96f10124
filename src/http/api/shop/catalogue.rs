//! Categories and products, for everybody.

use serde::Serialize;

use crate::base::error::Result;
use crate::base::{QUANTITY_MAX, TimeMs};
use crate::http::answer::Body;
use crate::http::auth::Identity;
use crate::http::call::PublicCall;
use crate::http::error::ApiError;
use crate::http::format::Format;
use crate::http::reply::{self, Answer, success};
use crate::http::{Limits, media, query};
use crate::ledger::Level;
use crate::mall::fields::LevelsFields;
use crate::mall::{
    After, ByLevel, Category, Filter, Item, ListOrder, ListingPage, Mall, Page, Place, Product,
    PurchaseLimit, Shelf,
};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;
const PAGE_MAX: u64 = 1_000_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CategoryWire<'a> {
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
pub(super) struct ProductWire<'a> {
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
    /// What is otherwise from a level on.
    by_level: &'a ByLevel,
    /// Null where it is as the mall is configured.
    waiting_places: Option<u64>,
    /// Nobody gets it before then; null where its sale has no beginning.
    sale_starts_at: Option<TimeMs>,
    sort_order: i64,
    created_at: TimeMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock_info: Option<StockWire>,
    /// What holds for the caller, where the caller has said who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    yours: Option<YoursWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct YoursWire {
    mall_level: u8,
    points_price: u64,
    limit_per_user: Option<PurchaseLimit>,
}

impl YoursWire {
    fn of(product: &Product, level: u8) -> Self {
        Self {
            mall_level: level,
            points_price: product.price_at(level),
            limit_per_user: product.limit_at(level),
        }
    }
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
            in_stock: level.available > 0 && level.waiting == 0,
        }
    }
}

/// How many units of a product can be bought at a moment.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct WatchedWire {
    available: u64,
    /// How many wait in line.
    waiting: usize,
    sold: u64,
}

impl WatchedWire {
    pub(in crate::http) fn of(level: &Level) -> Self {
        Self { available: for_sale(level), waiting: level.waiting, sold: level.consumed }
    }
}

/// How many units can be bought: what others wait for cannot.
pub(in crate::http) fn for_sale(level: &Level) -> u64 {
    if level.waiting > 0 { 0 } else { u64::try_from(level.available).unwrap_or(0) }
}

impl<'a> ProductWire<'a> {
    pub(super) fn of(shelf: &'a Shelf, item: &'a Item, level: &Level, whose: Option<u8>) -> Self {
        let product = &item.product;
        let category = shelf.category(&product.category_id);
        Self {
            id: &product.id,
            name: &product.name,
            description: &product.description,
            category: ProductCategoryWire {
                id: &product.category_id,
                name: category.map_or("", |category| &*category.name),
                icon: category.and_then(|category| category.icon.as_deref()),
            },
            points_price: product.points_price,
            original_price: product.original_price_cents.map(|cents| cents as f64 / 100.0),
            stock_quantity: for_sale(level),
            sales_count: level.consumed,
            images: &product.images,
            specifications: &product.specifications,
            is_hot: product.is_hot,
            is_new: product.is_new,
            limit_per_user: product.limit_per_user,
            by_level: &product.by_level,
            waiting_places: product.waiting_places,
            sale_starts_at: product.sale_starts_at,
            sort_order: product.sort_order,
            created_at: product.created_at,
            stock_info: None,
            yours: whose.map(|level| YoursWire::of(product, level)),
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
pub(in crate::http) struct PaginationWire {
    /// 0 where the list was asked for what comes after a product.
    page: usize,
    page_size: usize,
    total: usize,
    total_pages: usize,
    /// Ask with `after` set to it for what comes next; null on the last page.
    next_after: Option<String>,
}

impl PaginationWire {
    pub(in crate::http) fn of(page: &Page, listing: &ListingPage) -> Self {
        let number = match page.place {
            Place::Numbered { number, .. } => number,
            Place::After(_) => 0,
        };
        Self {
            page: number,
            page_size: page.size,
            total: listing.total,
            total_pages: listing.total.div_ceil(page.size),
            next_after: listing.next.as_ref().map(ToString::to_string),
        }
    }
}

/// Which products a list may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Shown {
    /// Those that are for sale.
    ForSale,
    /// All of them, or as `status` says.
    Everything,
}

/// The tree of what is shown.
pub(in crate::http) async fn categories(call: PublicCall<'_>) -> Answer {
    call.no_query()?;
    Ok(call.success(&tree(&call.app.mall.shelf())))
}

/// The tree of the categories that are shown.
pub(super) fn tree(shelf: &Shelf) -> Vec<CategoryWire<'_>> {
    let shown = shelf.categories.iter().map(|kept| &kept.content);
    let shown: Vec<&Category> = shown.filter(|category| category.active).collect();
    children(&shown, None, shown.len())
}

/// The categories under `parent`. `depth` bounds the recursion, should the data hold a loop.
fn children<'a>(all: &[&'a Category], parent: Option<&str>, depth: usize) -> Vec<CategoryWire<'a>> {
    if depth == 0 {
        return Vec::new();
    }
    all.iter()
        .filter(|category| category.parent_id.as_deref() == parent)
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
    let (filter, page) = parse_listing(call.query()?, Shown::ForSale)?;
    let (mall, format) = (call.app.mall.clone(), call.format);
    let (is_long, whose) =
        (mall.is_long_search(&filter), level_of(&call, call.signed_in().as_deref())?);
    let list = move || list(&mall, format, &filter, &page, whose);
    if is_long { call.lanes().searches.run(list).await } else { list() }
}

fn list(mall: &Mall, format: Format, filter: &Filter, page: &Page, whose: Option<u8>) -> Answer {
    let (listing, shelf) = (mall.products(filter, page)?, mall.shelf());
    let shown =
        listing.items.iter().map(|(item, level)| ProductWire::of(&shelf, item, level, whose));
    let products = shown.collect();
    let pagination = PaginationWire::of(page, &listing);
    Ok(success(format, &ProductsWire { products, pagination }, mall.now_ms()))
}

/// The level of who asks, where that is said.
fn level_of<const N: usize>(
    call: &PublicCall<'_, N>,
    caller: Option<&Identity>,
) -> Result<Option<u8>> {
    let Some(caller) = caller else {
        return Ok(None);
    };
    let shelf = call.app.mall.shelf();
    call.app.mall.terms(&caller.user, &shelf).level().map(Some)
}

#[derive(Serialize)]
struct LevelsWire<'a> {
    levels: LevelsFields<'a>,
}

pub(in crate::http) async fn levels(call: PublicCall<'_>) -> Answer {
    call.no_query()?;
    let shelf = call.app.mall.shelf();
    Ok(call.success(&LevelsWire { levels: LevelsFields::of(&shelf.levels.content) }))
}

/// What a list is asked for.
pub(in crate::http) fn parse_listing(
    query: Vec<(String, String)>,
    shown: Shown,
) -> Result<(Filter, Page), ApiError> {
    let mut filter = Filter { is_active: Some(true), ..Filter::default() };
    if shown == Shown::Everything {
        filter.is_active = None;
    }
    let (mut number, mut size, mut order, mut after) = (None, PAGE_SIZE, None, None);
    for (name, value) in query {
        match name.as_str() {
            "category_id" => filter.category_id = Some(query::short(&name, value)?),
            "include_children" => filter.include_children = query::flag(&name, &value)?,
            "keyword" => filter.keyword = Some(query::short(&name, value)?),
            "min_points" => {
                filter.points_min = Some(query::number(&name, &value, 0..=QUANTITY_MAX)?)
            }
            "max_points" => {
                filter.points_max = Some(query::number(&name, &value, 0..=QUANTITY_MAX)?)
            }
            "is_hot" => filter.is_hot = Some(query::flag(&name, &value)?),
            "is_new" => filter.is_new = Some(query::flag(&name, &value)?),
            "in_stock" => filter.is_in_stock = Some(query::flag(&name, &value)?),
            "status" if shown == Shown::Everything => {
                filter.is_active = Some(query::number(&name, &value, 0..=1)? == 1)
            }
            "sort" => order = Some(parse_order(&value)?),
            "after" => after = Some(parse_after(&value)?),
            "page" => number = Some(query::number(&name, &value, 1..=PAGE_MAX)? as usize),
            "page_size" => size = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let place = match after {
        Some(_) if number.is_some() => {
            return Err(ApiError::invalid("a list has either page or after"));
        }
        Some(after) if order.is_some_and(|order| order != after.order()) => {
            return Err(ApiError::invalid("after is of a list in another order than sort says"));
        }
        Some(after) => Place::After(after),
        None => Place::Numbered { number: number.unwrap_or(1), order: order.unwrap_or_default() },
    };
    Ok((filter, Page { place, size: size as usize }))
}

fn parse_order(name: &str) -> Result<ListOrder, ApiError> {
    ListOrder::named(name).ok_or_else(|| {
        let names: Vec<&str> = ListOrder::ALL.iter().map(|order| order.name()).collect();
        ApiError::invalid(format!("sort must be one of {}", names.join(", ")))
    })
}

fn parse_after(text: &str) -> Result<After, ApiError> {
    let wrong = || ApiError::invalid("after must be the nextAfter of a list");
    After::parse(text).ok_or_else(wrong)
}

/// One product, with its stock as it is now.
pub(in crate::http) async fn product(call: PublicCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let ((item, level), shelf) = (call.app.mall.product(product_id)?, call.app.mall.shelf());
    let caller = call.signed_in();
    let whose = level_of(&call, caller.as_deref())?;
    call.app.mall.record_view(caller.as_deref().map(|caller| &caller.user), product_id);
    Ok(call.success(&ProductWire {
        stock_info: Some(StockWire::of(&level)),
        ..ProductWire::of(&shelf, &item, &level, whose)
    }))
}

/// The stock of a product now, or as it changes to whoever asks for a stream of events.
pub(in crate::http) async fn stock(call: PublicCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let app = call.app;
    if !media::is_wanted(media::EVENT_STREAM, call.headers()) {
        let (_, level) = app.mall.product(product_id)?;
        return Ok(call.success(&WatchedWire::of(&level)));
    }
    let watcher = app.watchers.join(&app.mall, call.visit(), product_id)?;
    let (maker, body) = Body::pieces();
    let Limits { event_heartbeat, event_patience, .. } = app.limits;
    tokio::spawn(watcher.tell(maker, app.draining.subscribe(), event_heartbeat, event_patience));
    Ok(reply::events(body))
}
