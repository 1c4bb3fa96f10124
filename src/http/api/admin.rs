//! What operators do: points and stock.

use std::borrow::Cow;

use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::catalogue::StockWire;
use crate::base::error::Result;
use crate::base::{Seq, TimeMs};
use crate::history::record::{ChangeKind, ChangeRecord};
use crate::http::auth::Identity;
use crate::http::call::Call;
use crate::http::decimal::Whole;
use crate::http::error::ApiError;
use crate::http::reply::HttpResponse;
use crate::http::{body, query};
use crate::mall::{Note, User, order_id};

const CHANGES: u64 = 20;
const CHANGES_MAX: u64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AwardBody {
    points: Whole<u64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReceiveBody {
    quantity: Whole<u64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AdjustBody {
    delta: Whole<i64>,
    reason: Option<String>,
}

/// Times are in milliseconds since 1970; `aheadMs` is negative while the machine's clock is ahead
/// and not followed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClockWire {
    engine_time: TimeMs,
    machine_time: TimeMs,
    ahead_ms: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AwardedWire<'a> {
    user_id: &'a str,
    balance: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StockedWire<'a> {
    product_id: &'a str,
    stock_quantity: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InventoryWire<'a> {
    product_id: &'a str,
    name: &'a str,
    #[serde(flatten)]
    stock: StockWire,
    records: Vec<ChangeWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeWire<'a> {
    seq: Seq,
    /// 1 in, 2 out, 3 reserved, 4 given back, 5 adjusted: the mall's own numbers.
    change_type: u8,
    kind: &'static str,
    quantity_change: i64,
    stock_before: i64,
    stock_after: i64,
    quantity: u64,
    related_order_id: Option<String>,
    description: &'a str,
    created_at: TimeMs,
}

impl<'a> ChangeWire<'a> {
    fn of(change: &'a ChangeRecord) -> Self {
        let (change_type, kind) = match change.kind {
            ChangeKind::Received => (1, "received"),
            ChangeKind::WrittenOff => (2, "writtenOff"),
            ChangeKind::Bought => (2, "bought"),
            ChangeKind::Confirmed => (2, "confirmed"),
            ChangeKind::Reserved => (3, "reserved"),
            ChangeKind::Released => (4, "released"),
            ChangeKind::Expired => (4, "expired"),
            ChangeKind::Returned => (4, "returned"),
            ChangeKind::Adjusted => (5, "adjusted"),
        };
        Self {
            seq: change.seq,
            change_type,
            kind,
            quantity_change: change.delta,
            // History keeps what was after; what was before follows from it.
            stock_before: change.available.saturating_sub(change.delta),
            stock_after: change.available,
            quantity: change.quantity,
            related_order_id: change.reservation.map(order_id),
            description: Note::read(&change.note).reason,
            created_at: change.at,
        }
    }
}

/// `GET /api/admin/clock`: the engine's time, and the machine's.
pub(in crate::http) fn clock(call: &Call<'_>, _: &Identity) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let engine = call.app.mall.engine();
    let (engine_time, machine_time) = (engine.now_ms(), engine.clock_ms());
    Ok(call.success(&ClockWire {
        engine_time,
        machine_time,
        ahead_ms: engine.status().clock_ahead_ms,
    }))
}

/// `POST /api/admin/clock/confirm`: the machine's clock jumped forwards, and is right.
pub(in crate::http) async fn confirm_clock(
    call: &Call<'_>,
    identity: &Identity,
    body: Incoming,
) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    body::read_nothing(call, body).await?;
    let engine = call.app.mall.engine();
    tracing::warn!(
        by = identity.user.id(),
        ahead_ms = engine.status().clock_ahead_ms,
        "the machine's clock is confirmed"
    );
    engine.confirm_clock();
    clock(call, identity)
}

/// The reason with who gives it.
fn note<'a>(identity: &'a Identity, reason: Option<&'a str>) -> Cow<'a, str> {
    Note { operator: Some(identity.user.id()), reason: reason.unwrap_or_default() }.text()
}

/// `POST /api/admin/points/{userId}/award`.
pub(in crate::http) async fn award(
    call: &Call<'_>,
    identity: &Identity,
    body: Incoming,
) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let user = User::new(call.id)?;
    let (request, key): (AwardBody, _) = body::read_keyed(call, identity, body).await?;
    let balance = call
        .app
        .mall
        .award(&user, request.points.0, &note(identity, request.reason.as_deref()), key)
        .await?;
    Ok(call.success(&AwardedWire { user_id: user.id(), balance }))
}

/// `POST /api/admin/inventory/{productId}/receive`.
pub(in crate::http) async fn receive(
    call: &Call<'_>,
    identity: &Identity,
    body: Incoming,
) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let (request, key): (ReceiveBody, _) = body::read_keyed(call, identity, body).await?;
    let stock_quantity = call
        .app
        .mall
        .receive(call.id, request.quantity.0, &note(identity, request.reason.as_deref()), key)
        .await?;
    Ok(call.success(&StockedWire { product_id: call.id, stock_quantity }))
}

/// `POST /api/admin/inventory/{productId}/adjust`.
pub(in crate::http) async fn adjust(
    call: &Call<'_>,
    identity: &Identity,
    body: Incoming,
) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let (request, key): (AdjustBody, _) = body::read_keyed(call, identity, body).await?;
    let stock_quantity = call
        .app
        .mall
        .adjust(call.id, request.delta.0, &note(identity, request.reason.as_deref()), key)
        .await?;
    Ok(call.success(&StockedWire { product_id: call.id, stock_quantity }))
}

/// `GET /api/admin/inventory/{productId}`: the level and the newest change records.
pub(in crate::http) async fn inventory(
    call: &Call<'_>,
    _: &Identity,
) -> Result<HttpResponse, ApiError> {
    let mut limit = CHANGES;
    for (name, value) in query::pairs(call.query)? {
        match name.as_str() {
            "limit" => limit = query::number(&name, &value, 1..=CHANGES_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let inventory = call.app.mall.inventory(call.id, limit as usize).await?;
    Ok(call.success(&InventoryWire {
        product_id: &inventory.item.product.id,
        name: &inventory.item.product.name,
        stock: StockWire::of(&inventory.level),
        records: inventory.changes.iter().map(ChangeWire::of).collect(),
    }))
}
