//! Stock as operators see and change it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::note;
use crate::base::{QUANTITY_MAX, Seq, TimeMs};
use crate::history::record::ChangeRecord;
use crate::http::api::shop::catalogue::StockWire;
use crate::http::api::shop::waiting::PlaceWire;
use crate::http::body::Sent;
use crate::http::call::OperatorCall;
use crate::http::decimal::Whole;
use crate::http::error::ApiError;
use crate::http::query;
use crate::http::reply::Answer;
use crate::http::text::text;
use crate::ledger::Level;
use crate::mall::model::change_type;
use crate::mall::{
    InLine, LOCATION_CHARS_MAX, Note, REASON_CHARS_MAX, StockPlace, StockTransfer, is_location,
    order_id,
};

const CHANGES: u64 = 20;
const CHANGES_MAX: u64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct ReceiveBody {
    quantity: Whole<u64>,
    reason: Option<String>,
    location: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct AdjustBody {
    delta: Whole<i64>,
    reason: Option<String>,
    location: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct CountBody {
    counted: Whole<u64>,
    reason: String,
    location: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct WriteOffBody {
    quantity: Whole<u64>,
    reason: String,
    location: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct TransferBody {
    /// A location; what is sold from when it is not said. One of the two is.
    from: Option<String>,
    to: Option<String>,
    quantity: Whole<u64>,
    reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StockedWire<'a> {
    product_id: &'a str,
    /// Null for what is sold from.
    location: Option<&'a str>,
    stock_quantity: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransferredWire<'a> {
    product_id: &'a str,
    quantity: u64,
    from: AtWire<'a>,
    to: AtWire<'a>,
}

/// What is available at a place.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AtWire<'a> {
    location: Option<&'a str>,
    stock_quantity: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InventoryWire<'a> {
    product_id: &'a str,
    name: &'a str,
    #[serde(flatten)]
    stock: StockWire,
    /// What is elsewhere.
    locations: Vec<AtWire<'a>>,
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
    /// Who changed it; null for what came of an order.
    operator: Option<&'a str>,
    description: &'a str,
    created_at: TimeMs,
}

impl<'a> ChangeWire<'a> {
    fn of(change: &'a ChangeRecord) -> Self {
        let Note { operator, reason } = Note::read(&change.note);
        Self {
            seq: change.seq,
            change_type: change_type(change.kind),
            kind: change.kind.name(),
            quantity_change: change.delta,
            // History keeps what was after; what was before follows from it.
            stock_before: change.available.saturating_sub(change.delta),
            stock_after: change.available,
            quantity: change.quantity,
            related_order_id: change.reservation.map(order_id),
            operator,
            description: reason,
            created_at: change.at,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WaitingListWire<'a> {
    product_id: &'a str,
    places: Vec<InLineWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InLineWire<'a> {
    user_id: &'a str,
    #[serde(flatten)]
    place: PlaceWire,
    /// The service that took the place for its user.
    service: Option<&'a str>,
}

impl<'a> InLineWire<'a> {
    fn of(waiting: &'a InLine) -> Self {
        let InLine { user_id, place, service } = waiting;
        Self { user_id, place: PlaceWire::of(place), service: service.as_deref() }
    }
}

/// Everybody in line, the first first: a line has a thousand places at most.
pub(in crate::http) async fn waiting_list(call: OperatorCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let line = call.app.mall.line(product_id)?;
    Ok(call.success(&WaitingListWire {
        product_id,
        places: line.iter().map(InLineWire::of).collect(),
    }))
}

pub(in crate::http) async fn receive(call: OperatorCall<'_, 1>, body: Sent<ReceiveBody>) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let quantity = quantity(request.quantity)?;
    let place = place(&call, request.location.as_deref())?;
    let note = why(&call, request.reason.as_deref())?;
    let stock_quantity = call.app.mall.receive(place, quantity, &note, key).await?;
    Ok(call.success(&StockedWire::of(place, stock_quantity)))
}

pub(in crate::http) async fn adjust(call: OperatorCall<'_, 1>, body: Sent<AdjustBody>) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let delta = request.delta.0;
    if !(1..=QUANTITY_MAX).contains(&delta.unsigned_abs()) {
        return Err(ApiError::invalid(format!("delta must be 1 to {QUANTITY_MAX}, up or down")));
    }
    let place = place(&call, request.location.as_deref())?;
    let note = why(&call, request.reason.as_deref())?;
    let stock_quantity = call.app.mall.adjust(place, delta, &note, key).await?;
    Ok(call.success(&StockedWire::of(place, stock_quantity)))
}

pub(in crate::http) async fn count(call: OperatorCall<'_, 1>, body: Sent<CountBody>) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let counted = request.counted.0;
    if counted > QUANTITY_MAX {
        return Err(ApiError::invalid(format!("counted must be 0 to {QUANTITY_MAX}")));
    }
    let place = place(&call, request.location.as_deref())?;
    let note = because(&call, &request.reason)?;
    let stock_quantity = call.app.mall.count(place, counted, &note, key).await?;
    Ok(call.success(&StockedWire::of(place, stock_quantity)))
}

pub(in crate::http) async fn write_off(
    call: OperatorCall<'_, 1>,
    body: Sent<WriteOffBody>,
) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let quantity = quantity(request.quantity)?;
    let place = place(&call, request.location.as_deref())?;
    let note = because(&call, &request.reason)?;
    let stock_quantity = call.app.mall.write_off(place, quantity, &note, key).await?;
    Ok(call.success(&StockedWire::of(place, stock_quantity)))
}

pub(in crate::http) async fn transfer(
    call: OperatorCall<'_, 1>,
    body: Sent<TransferBody>,
) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let quantity = quantity(request.quantity)?;
    let at = |path, location| at(&call, path, location);
    let (from, to) = (at("from", request.from.as_deref())?, at("to", request.to.as_deref())?);
    if from.location == to.location {
        return Err(ApiError::invalid("to must be another place than from"));
    }
    let note = because(&call, &request.reason)?;
    let StockTransfer { from: left, to: there } =
        call.app.mall.transfer((from, to), quantity, &note, key).await?;
    Ok(call.success(&TransferredWire {
        product_id: from.product_id,
        quantity,
        from: AtWire { location: from.location, stock_quantity: left },
        to: AtWire { location: to.location, stock_quantity: there },
    }))
}

/// The level and the newest change records.
pub(in crate::http) async fn inventory(call: OperatorCall<'_, 1>) -> Answer {
    let mut limit = CHANGES;
    for (name, value) in call.query()? {
        match name.as_str() {
            "limit" => limit = query::number(&name, &value, 1..=CHANGES_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let [product_id] = call.path;
    let inventory = call.app.mall.inventory(product_id, limit as usize).await?;
    Ok(call.success(&InventoryWire {
        product_id: &inventory.item.product.id,
        name: &inventory.item.product.name,
        stock: StockWire::of(&inventory.level),
        locations: inventory.locations.iter().map(AtWire::of).collect(),
        records: inventory.changes.iter().map(ChangeWire::of).collect(),
    }))
}

impl<'a> StockedWire<'a> {
    fn of(place: StockPlace<'a>, stock_quantity: i64) -> Self {
        Self { product_id: place.product_id, location: place.location, stock_quantity }
    }
}

impl<'a> AtWire<'a> {
    fn of(level: &'a Level) -> Self {
        Self { location: level.key.location(), stock_quantity: level.available }
    }
}

fn quantity(Whole(quantity): Whole<u64>) -> Result<u64, ApiError> {
    match quantity {
        1..=QUANTITY_MAX => Ok(quantity),
        _ => Err(ApiError::invalid(format!("quantity must be 1 to {QUANTITY_MAX}"))),
    }
}

fn place<'a>(
    call: &OperatorCall<'a, 1>,
    location: Option<&'a str>,
) -> Result<StockPlace<'a>, ApiError> {
    at(call, "location", location)
}

/// Where the field at `path` says.
fn at<'a>(
    call: &OperatorCall<'a, 1>,
    path: &str,
    location: Option<&'a str>,
) -> Result<StockPlace<'a>, ApiError> {
    let [product_id] = call.path;
    if location.is_some_and(|name| !is_location(name)) {
        return Err(ApiError::invalid(format!(
            "{path} must be 1 to {LOCATION_CHARS_MAX} of the characters A-Z a-z 0-9 _ - ."
        )));
    }
    Ok(StockPlace { product_id, location })
}

/// A reason that may be absent.
fn why<'a>(
    call: &'a OperatorCall<'_, 1>,
    reason: Option<&'a str>,
) -> Result<Cow<'a, str>, ApiError> {
    let reason = reason.map(|it| text("reason", it, 0..=REASON_CHARS_MAX)).transpose()?;
    Ok(note(call.identity(), reason))
}

/// A reason that there must be.
fn because<'a>(call: &'a OperatorCall<'_, 1>, reason: &'a str) -> Result<Cow<'a, str>, ApiError> {
    let reason = text("reason", reason, 1..=REASON_CHARS_MAX)?;
    Ok(note(call.identity(), Some(reason)))
}
