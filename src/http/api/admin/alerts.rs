//! What operators are told of stock: what is low or sold out, and what was.

use serde::Serialize;

use crate::base::{Seq, TimeMs};
use crate::http::body::Empty;
use crate::http::call::OperatorCall;
use crate::http::error::{ApiError, Code};
use crate::http::query;
use crate::http::reply::Answer;
use crate::http::told::Told;
use crate::mall::AlertFilter;
use crate::mall::facts::{Alert, AlertId};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertWire<'a> {
    alert_id: String,
    /// What was told when it began: `lowStock` or `soldOut`.
    kind: &'static str,
    product_id: &'a str,
    threshold: Option<u64>,
    /// What could be bought when it began.
    stock_quantity: i64,
    begun_at: TimeMs,
    begun_seq: Seq,
    /// What was told when it was over; null while it is open.
    ended_by: Option<&'static str>,
    ended_at: Option<TimeMs>,
    ended_seq: Option<Seq>,
    /// What could be bought then.
    ended_stock_quantity: Option<i64>,
    acknowledged_by: Option<&'a str>,
    acknowledged_at: Option<TimeMs>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertsWire<'a> {
    alerts: Vec<AlertWire<'a>>,
    /// Ask with `before` set to this for the next page; null at the end.
    next_before: Option<String>,
    /// How many are open in all.
    open_count: usize,
    /// They show every event up to this one.
    seq: Seq,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AcknowledgedWire<'a> {
    alert_id: &'a str,
    acknowledged_by: &'a str,
    acknowledged_at: TimeMs,
}

impl<'a> AlertWire<'a> {
    fn of(alert: &'a Alert) -> Self {
        let (end, acknowledged) = (alert.end.as_ref(), alert.acknowledged.as_ref());
        Self {
            alert_id: alert.id().to_string(),
            kind: alert.condition.begins().name(),
            product_id: &alert.product_id,
            threshold: alert.threshold,
            stock_quantity: alert.available,
            begun_at: alert.begun_at,
            begun_seq: alert.begun_seq,
            ended_by: end.map(|end| end.kind.name()),
            ended_at: end.map(|end| end.at),
            ended_seq: end.map(|end| end.seq),
            ended_stock_quantity: end.map(|end| end.available),
            acknowledged_by: acknowledged.map(|it| it.by.as_str()),
            acknowledged_at: acknowledged.map(|it| it.at),
        }
    }
}

/// Newest first.
pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    let (mut filter, mut before, mut limit) = (AlertFilter::default(), None, PAGE_SIZE);
    for (name, value) in call.query()? {
        match name.as_str() {
            "open" => filter.is_open = Some(query::flag(&name, &value)?),
            "acknowledged" => filter.is_acknowledged = Some(query::flag(&name, &value)?),
            "product_id" => filter.product_id = Some(query::short(&name, value)?),
            "before" => {
                let id = AlertId::parse(&value);
                before = Some(id.ok_or_else(|| ApiError::invalid("before must be an alert's id"))?);
            }
            "page_size" => limit = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let page = call.app.mall.alerts(filter, before, limit as usize).await?;
    Ok(call.success(&AlertsWire {
        alerts: page.alerts.iter().map(|alert| AlertWire::of(alert)).collect(),
        next_before: page.next_before.map(|id| id.to_string()),
        open_count: page.open_count,
        seq: page.seq,
    }))
}

/// Who has seen it first stays on record.
pub(in crate::http) async fn acknowledge(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let [alert_id] = call.path;
    let key = body.read_keyed(&call).await?;
    let id = AlertId::parse(alert_id)
        .ok_or_else(|| ApiError::new(Code::NotFound).detail("there is no such alert (any more)"))?;
    let acknowledge = async {
        let seen = call.app.mall.acknowledge(id, call.identity().user.id(), key).await?;
        let wire =
            AcknowledgedWire { alert_id, acknowledged_by: &seen.by, acknowledged_at: seen.at };
        Told::of(&wire, None)
    };
    call.once(key, acknowledge).await
}
