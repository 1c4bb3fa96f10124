//! A user's own orders.

use hyper::body::Incoming;
use serde::Serialize;

use super::auth::Identity;
use super::call::Call;
use super::error::{ApiError, Code};
use super::reply::HttpResponse;
use super::{body, query};
use crate::error::Result;
use crate::mall::{Order, OrderState, Receipt, order_id, order_no, parse_order_id};
use crate::types::{ReservationId, TimeMs};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderWire<'a> {
    order_id: String,
    order_no: String,
    status: i8,
    state: &'static str,
    product_id: &'a str,
    product_snapshot: SnapshotWire<'a>,
    quantity: u64,
    points_cost: u64,
    delivery_info: Option<&'a serde_json::Map<String, serde_json::Value>>,
    created_at: TimeMs,
    expires_at: TimeMs,
    /// When it was confirmed; null when it never was.
    exchanged_at: Option<TimeMs>,
    /// When it was given up, returned or expired.
    cancelled_at: Option<TimeMs>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotWire<'a> {
    id: &'a str,
    name: &'a str,
    category_id: &'a str,
    points_price: u64,
    image: Option<&'a str>,
}

impl<'a> OrderWire<'a> {
    fn of(order: &'a Order) -> Self {
        let was_confirmed = order.state == OrderState::Confirmed || order.returned_at.is_some();
        let exchanged_at = order.ended_at.filter(|_| was_confirmed);
        let expired_at = (order.state == OrderState::Expired).then_some(order.expires_at);
        let given_up_at = order.ended_at.filter(|_| !was_confirmed).or(expired_at);
        Self {
            order_id: order_id(order.reservation),
            order_no: order_no(order.reservation),
            status: order.state.number(),
            state: order.state.name(),
            product_id: &order.product_id,
            product_snapshot: SnapshotWire {
                id: &order.product_id,
                name: &order.product_name,
                category_id: &order.category_id,
                points_price: order.points_price,
                image: order.image.as_deref(),
            },
            quantity: order.quantity,
            points_cost: order.points_cost,
            delivery_info: order.delivery_info.as_ref(),
            created_at: order.created_at,
            expires_at: order.expires_at,
            exchanged_at,
            cancelled_at: order.returned_at.or(given_up_at),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrdersWire<'a> {
    orders: Vec<OrderWire<'a>>,
    /// Ask with `before` set to this for the next page; null at the end.
    next_before: Option<String>,
}

/// The answer to whoever makes, confirms or cancels an order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptWire {
    order_id: String,
    order_no: String,
    status: i8,
    points_cost: u64,
    expires_at: TimeMs,
}

impl ReceiptWire {
    pub(super) fn of(receipt: &Receipt) -> Self {
        Self {
            order_id: order_id(receipt.reservation),
            order_no: order_no(receipt.reservation),
            status: receipt.state.number(),
            points_cost: receipt.points_cost,
            expires_at: receipt.expires_at,
        }
    }
}

/// `GET /api/mall/orders`: newest first.
pub(super) async fn list(call: &Call<'_>, identity: &Identity) -> Result<HttpResponse, ApiError> {
    let (before, page_size) = parse_page(call.query)?;
    // One more than asked for tells whether there is a next page.
    let mut orders = call.app.mall.orders(&identity.user, before, page_size + 1).await?;
    let has_more = orders.len() > page_size;
    orders.truncate(page_size);
    let next_before = orders.last().filter(|_| has_more).map(|order| order_id(order.reservation));
    Ok(call.success(&OrdersWire { orders: orders.iter().map(OrderWire::of).collect(), next_before }))
}

fn parse_page(query: Option<&str>) -> Result<(Option<ReservationId>, usize), ApiError> {
    let (mut before, mut page_size) = (None, PAGE_SIZE);
    for (name, value) in query::pairs(query)? {
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

/// `GET /api/mall/orders/{id}`.
pub(super) async fn get(call: &Call<'_>, identity: &Identity) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let order = call.app.mall.order(&identity.user, order_of_path(call)?).await?;
    Ok(call.success(&OrderWire::of(&order)))
}

/// `POST /api/mall/orders/{id}/confirm`.
pub(super) async fn confirm(call: &Call<'_>, identity: &Identity, body: Incoming) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let (order, key) = (order_of_path(call)?, call.idempotency_key(identity)?);
    body::read_nothing(call, body).await?;
    let receipt = call.app.mall.confirm(&identity.user, order, key).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

/// `POST /api/mall/orders/{id}/cancel`.
pub(super) async fn cancel(call: &Call<'_>, identity: &Identity, body: Incoming) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let (order, key) = (order_of_path(call)?, call.idempotency_key(identity)?);
    body::read_nothing(call, body).await?;
    let receipt = call.app.mall.cancel(&identity.user, order, key).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

/// What is no order's id is no order.
fn order_of_path(call: &Call<'_>) -> Result<ReservationId, ApiError> {
    parse_order_id(call.id).ok_or_else(|| ApiError::new(Code::OrderNotFound))
}
