//! An order as clients see it, and what they say of it.

use serde::{Deserialize, Serialize};

use crate::base::{ReservationId, TimeMs};
use crate::http::document::Document;
use crate::http::error::{ApiError, Code};
use crate::mall::facts::{Fulfilment, OrderDetails, OrderItem, SnapshotShown};
use crate::mall::{Order, Receipt, order_id, order_no, parse_order_id};

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
    /// The products of a basket; the product above is the first, and the quantity that of all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<ItemWire<'a>>,
    delivery_info: Option<&'a serde_json::Map<String, serde_json::Value>>,
    created_at: TimeMs,
    expires_at: TimeMs,
    /// When it was confirmed; null when it never was.
    exchanged_at: Option<TimeMs>,
    /// When it was given up, returned or expired.
    cancelled_at: Option<TimeMs>,
    /// How many units went back after it was confirmed, and how many points.
    returned_quantity: u64,
    returned_points: u64,
    /// 0 not sent, 1 under way, 2 delivered.
    delivery_status: u8,
    #[serde(flatten)]
    fulfilment: &'a Fulfilment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemWire<'a> {
    product_id: &'a str,
    product_snapshot: SnapshotShown<'a>,
    quantity: u64,
}

impl<'a> ItemWire<'a> {
    fn of(item: &'a OrderItem<String>) -> Self {
        let OrderItem { product, quantity } = item;
        Self { product_id: &product.id, product_snapshot: product.shown(), quantity: *quantity }
    }
}

impl<'a> OrderWire<'a> {
    pub(in crate::http) fn of(order: &'a Order) -> Self {
        let OrderDetails { product, quantity, points_cost, items, .. } = &order.details;
        Self {
            order_id: order_id(order.reservation),
            order_no: order_no(order.reservation),
            status: order.status.number(),
            state: order.status.name(),
            product_id: &product.id,
            product_snapshot: product.shown(),
            quantity: *quantity,
            points_cost: *points_cost,
            items: items.iter().map(ItemWire::of).collect(),
            delivery_info: order.delivery_info(),
            created_at: order.created_at,
            expires_at: order.expires_at,
            exchanged_at: order.exchanged_at,
            cancelled_at: order.cancelled_at,
            returned_quantity: order.returned_quantity,
            returned_points: order.returned_points,
            delivery_status: order.fulfilment.delivery_status(),
            fulfilment: &order.fulfilment,
        }
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

/// A text that is no order's id names no order.
pub(in crate::http) fn order_in(path: &str) -> Result<ReservationId, ApiError> {
    parse_order_id(path).ok_or_else(|| ApiError::new(Code::OrderNotFound))
}
