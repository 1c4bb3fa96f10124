//! A user's own orders.

use std::cell::Cell;

use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use crate::base::error::{Error, Result};
use crate::base::{ReservationId, TimeMs};
use crate::http::body::{Empty, Sent};
use crate::http::call::UserCall;
use crate::http::document::Document;
use crate::http::error::{ApiError, Code};
use crate::http::format::Format;
use crate::http::query;
use crate::http::reply::{Answer, success};
use crate::mall::facts::{OrderDetails, Progress, SnapshotShown};
use crate::mall::{ORDER_BYTES_MAX, Order, Orders, Receipt, order_id, order_no, parse_order_id};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct OrderWire<'a> {
    order_id: String,
    order_no: String,
    status: i8,
    state: &'static str,
    product_id: &'a str,
    product_snapshot: SnapshotShown<'a>,
    quantity: u64,
    points_cost: u64,
    delivery_info: Option<&'a serde_json::Map<String, serde_json::Value>>,
    created_at: TimeMs,
    expires_at: TimeMs,
    /// When it was confirmed; null when it never was.
    exchanged_at: Option<TimeMs>,
    /// When it was given up, returned or expired.
    cancelled_at: Option<TimeMs>,
    /// 0 not sent, 1 under way, 2 delivered.
    delivery_status: u8,
    #[serde(flatten)]
    progress: &'a Progress,
}

impl<'a> OrderWire<'a> {
    pub(in crate::http) fn of(order: &'a Order) -> Self {
        let OrderDetails { product, quantity, points_cost, .. } = &order.details;
        Self {
            order_id: order_id(order.reservation),
            order_no: order_no(order.reservation),
            status: order.status.number(),
            state: order.status.name(),
            product_id: &product.id,
            product_snapshot: product.shown(),
            quantity: *quantity,
            points_cost: *points_cost,
            delivery_info: order.delivery_info(),
            created_at: order.created_at,
            expires_at: order.expires_at,
            exchanged_at: order.exchanged_at,
            cancelled_at: order.cancelled_at,
            delivery_status: order.progress.delivery_status(),
            progress: &order.progress,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrdersWire<'a> {
    orders: OneByOne<'a>,
    /// Ask with `before` set to this for the next page; null at the end.
    next_before: Option<String>,
}

/// Orders that are read out as they are written, so that one at a time is in memory.
struct OneByOne<'a> {
    orders: &'a Orders,
    /// Why one could not be read.
    failed: &'a Cell<Option<Error>>,
}

impl Serialize for OneByOne<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.orders.len()))?;
        for order in self.orders.iter() {
            let order = order.map_err(|error| {
                let told = S::Error::custom(&error);
                self.failed.set(Some(error));
                told
            })?;
            list.serialize_element(&OrderWire::of(&order))?;
        }
        list.end()
    }
}

/// The answer to whoever makes, confirms or cancels an order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ReceiptWire {
    order_id: String,
    order_no: String,
    status: i8,
    points_cost: u64,
    expires_at: TimeMs,
}

impl ReceiptWire {
    pub(in crate::http) fn of(receipt: &Receipt) -> Self {
        Self {
            order_id: order_id(receipt.reservation),
            order_no: order_no(receipt.reservation),
            status: receipt.status.number(),
            points_cost: receipt.points_cost,
            expires_at: receipt.expires_at,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct RedirectBody {
    pub(in crate::http) delivery_info: Document,
}

/// The answer to whoever sends an order elsewhere: nothing that changes afterwards.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct RedirectedWire<'a> {
    order_id: String,
    order_no: String,
    delivery_info: &'a serde_json::Map<String, serde_json::Value>,
}

impl<'a> RedirectedWire<'a> {
    pub(in crate::http) fn of(
        order: ReservationId,
        delivery_info: &'a serde_json::Map<String, serde_json::Value>,
    ) -> Self {
        Self { order_id: order_id(order), order_no: order_no(order), delivery_info }
    }
}

/// Newest first. The list is read and written beside the threads that sell, and what is read counts
/// as memory of the caller.
pub(in crate::http) async fn list(call: UserCall<'_>) -> Answer {
    let (before, page_size) = parse_page(call.query()?)?;
    let charge = call.charge((page_size + 1) * ORDER_BYTES_MAX)?;
    call.app.mall.show_orders().await?;
    let (mall, format, identity) = (call.app.mall.clone(), call.format, call.share_identity());
    let write = move || {
        // One more than asked for tells whether there is a next page.
        let mut orders = mall.orders(&identity.user, before, page_size + 1)?;
        let has_more = orders.truncate(page_size);
        let answer = write_page(&orders, has_more, format, mall.now_ms());
        drop((orders, charge));
        answer
    };
    call.app.lists.run(write).await
}

fn write_page(orders: &Orders, has_more: bool, format: Format, now_ms: TimeMs) -> Answer {
    let next_before = orders.last().filter(|_| has_more).map(order_id);
    let failed = Cell::new(None);
    let page = OrdersWire { orders: OneByOne { orders, failed: &failed }, next_before };
    let answer = success(format, &page, now_ms);
    match failed.into_inner() {
        Some(error) => Err(error.into()),
        None => Ok(answer),
    }
}

fn parse_page(query: Vec<(String, String)>) -> Result<(Option<ReservationId>, usize), ApiError> {
    let (mut before, mut page_size) = (None, PAGE_SIZE);
    for (name, value) in query {
        match name.as_str() {
            "before" => {
                let order = parse_order_id(&value)
                    .ok_or_else(|| ApiError::invalid("before must be an order's id or number"))?;
                before = Some(order);
            }
            "page_size" => page_size = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    Ok((before, page_size as usize))
}

pub(in crate::http) async fn get(call: UserCall<'_, 1>) -> Answer {
    call.no_query()?;
    let order = call.app.mall.order(&call.identity().user, order_of_path(&call)?).await?;
    Ok(call.success(&OrderWire::of(&order)))
}

pub(in crate::http) async fn confirm(call: UserCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let key = body.read_keyed(&call).await?;
    let receipt = call.app.mall.confirm(&call.identity().user, order, key).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

pub(in crate::http) async fn cancel(call: UserCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let key = body.read_keyed(&call).await?;
    let receipt = call.app.mall.cancel(&call.identity().user, order, key).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

pub(in crate::http) async fn redirect(call: UserCall<'_, 1>, body: Sent<RedirectBody>) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let (request, key) = body.read(&call).await?;
    let info = request.delivery_info.0;
    call.app.mall.redirect(&call.identity().user, order, info.clone(), key).await?;
    Ok(call.success(&RedirectedWire::of(order, &info)))
}

fn order_of_path(call: &UserCall<'_, 1>) -> Result<ReservationId, ApiError> {
    let [order] = call.path;
    order_in(order)
}

/// A text that is no order's id names no order.
pub(in crate::http) fn order_in(path: &str) -> Result<ReservationId, ApiError> {
    parse_order_id(path).ok_or_else(|| ApiError::new(Code::OrderNotFound))
}
