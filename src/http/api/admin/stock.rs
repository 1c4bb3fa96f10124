//! Stock as operators see and change it.

use serde::{Deserialize, Serialize};

use super::note;
use crate::base::{Seq, TimeMs};
use crate::history::record::ChangeRecord;
use crate::http::api::shop::catalogue::StockWire;
use crate::http::body::Sent;
use crate::http::call::OperatorCall;
use crate::http::decimal::Whole;
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::model::change_type;
use crate::mall::{Note, order_id};

const CHANGES: u64 = 20;
const CHANGES_MAX: u64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct ReceiveBody {
    quantity: Whole<u64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct AdjustBody {
    delta: Whole<i64>,
    reason: Option<String>,
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

pub(in crate::http) async fn receive(call: OperatorCall<'_, 1>, body: Sent<ReceiveBody>) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let (request, key) = body.read(&call).await?;
    let note = note(call.identity(), request.reason.as_deref());
    let stock_quantity = call.app.mall.receive(product_id, request.quantity.0, &note, key).await?;
    Ok(call.success(&StockedWire { product_id, stock_quantity }))
}

pub(in crate::http) async fn adjust(call: OperatorCall<'_, 1>, body: Sent<AdjustBody>) -> Answer {
    call.no_query()?;
    let [product_id] = call.path;
    let (request, key) = body.read(&call).await?;
    let note = note(call.identity(), request.reason.as_deref());
    let stock_quantity = call.app.mall.adjust(product_id, request.delta.0, &note, key).await?;
    Ok(call.success(&StockedWire { product_id, stock_quantity }))
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
        records: inventory.changes.iter().map(ChangeWire::of).collect(),
    }))
}
