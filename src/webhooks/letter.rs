//! A message, and what becomes of events: what receivers are told of each.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::kind::Kind;
#[cfg(feature = "bin")]
use crate::base::error::{Error, Result};
use crate::base::{ReservationId, Seq, TimeMs, rfc3339};
#[cfg(feature = "bin")]
use crate::mall::Report;
use crate::mall::facts::{Alert, OrderFact};
use crate::mall::views::{Change, Entry, InLine, LineChange, OrderChange, OrderEnd, OrderStep};
use crate::mall::views::{Returned, Subject};
use crate::mall::{order_id, order_no};

/// A message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Letter {
    /// The `webhook-id`: the same for the same message, however often and from wherever it is sent.
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// What it is about: messages about one thing arrive in their order.
    pub(crate) about: String,
    /// The event that it tells of.
    pub(crate) seq: Seq,
    /// The body, as it is sent and signed.
    pub(crate) body: String,
    /// When it was put into the outbox: from then on it is tried for so long.
    pub(crate) queued_at: TimeMs,
    #[serde(default)]
    pub(crate) attempts: u32,
    /// When it may be tried next.
    #[serde(default)]
    pub(crate) next_at: TimeMs,
    #[serde(default)]
    pub(crate) last_error: Option<String>,
}

impl Letter {
    fn new(id: String, kind: Kind, about: String, seq: Seq, at: TimeMs, data: Value) -> Self {
        let body = json!({"type": kind.name(), "timestamp": rfc3339(at), "data": data});
        let (attempts, next_at, last_error) = (0, 0, None);
        let body = body.to_string();
        Self { id, kind, about, seq, body, queued_at: 0, attempts, next_at, last_error }
    }

    pub(super) fn test_id(number: u64) -> String {
        format!("msg_test{number:016x}")
    }

    /// What an operator sends to see whether a receiver can be reached; `number` is any.
    pub(super) fn test(receiver: &str, number: u64, seq: Seq, at: TimeMs) -> Self {
        let id = Self::test_id(number);
        let data = json!({"receiverId": receiver});
        Self::new(id.clone(), Kind::Test, id, seq, at, data)
    }

    /// A report of a period that is over. The same report is the same message, whoever makes it
    /// anew.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    #[cfg(feature = "bin")]
    pub(super) fn report(report: &Report, origin: u128, seq: Seq) -> Result<Self> {
        let data = serde_json::to_value(report)
            .map_err(|cause| Error::unavailable("a report cannot be written").with_source(cause))?;
        let (kind, span) = (Kind::of_report(report.span), report.span.name());
        let id = format!("msg_{:016x}_{span}_{}", origin as u64, report.period);
        Ok(Self::new(id, kind, format!("report/{span}"), seq, report.to, data))
    }
}

/// What one event is told as. `origin` tells this ledger's messages from another's.
pub(super) fn letters(changes: &[Change<'_>], origin: u128, seq: Seq, at: TimeMs) -> Vec<Letter> {
    let told = changes.iter().flat_map(told).enumerate();
    told.map(|(index, Told { kind, about, mut data })| {
        data.insert("seq".into(), seq.into());
        // Half of the directory's number tells it from any other.
        let id = format!("msg_{:016x}{seq:016x}{index:03x}", origin as u64);
        Letter::new(id, kind, about, seq, at, Value::Object(data))
    })
    .collect()
}

/// What is told, without its place.
struct Told {
    kind: Kind,
    about: String,
    data: Map<String, Value>,
}

fn told(change: &Change<'_>) -> Vec<Told> {
    match change {
        Change::Order(order) => of_order(order),
        Change::Line(line) => of_line(line).into_iter().collect(),
        Change::Alert(entry) => of_alert(entry).into_iter().collect(),
        Change::Stock(_)
        | Change::Points(_)
        | Change::Category(_)
        | Change::Product(_)
        // What users like is nobody else's.
        | Change::Levels(_) | Change::Earned { .. } | Change::Preferences(_)
        | Change::Browsed(_) => Vec::new(),
    }
}

fn of_order(change: &OrderChange) -> Vec<Told> {
    let order = |kind, more: Value| order(kind, change.reservation, more);
    match &change.step {
        OrderStep::Made { subject, expires_at, confirmed, details } => {
            let items = details.iter().flat_map(|details| &details.items);
            let items: Vec<_> = items
                .map(|item| json!({"productId": item.product.id, "quantity": item.quantity}))
                .collect();
            let mut data = of_subject(subject);
            data["expiresAt"] = json!(expires_at);
            data["items"] = json!(items);
            let mut all = vec![order(Kind::OrderCreated, data)];
            if *confirmed {
                all.push(order(Kind::OrderConfirmed, of_subject(subject)));
            }
            all
        }
        OrderStep::Ended { how, subject, .. } => {
            let mut data = of_subject(subject);
            let kind = match how {
                OrderEnd::Confirmed => Kind::OrderConfirmed,
                OrderEnd::Cancelled => Kind::OrderCancelled,
                OrderEnd::Expired => Kind::OrderExpired,
                OrderEnd::Returned => {
                    let Subject { quantity, points_cost: points, .. } = *subject;
                    refunded(&mut data, Returned { quantity, points }, true);
                    Kind::OrderRefunded
                }
            };
            vec![order(kind, data)]
        }
        OrderStep::ReturnedInPart { subject, returned, is_over, .. } => {
            let mut data = of_subject(subject);
            refunded(&mut data, *returned, *is_over);
            vec![order(Kind::OrderRefunded, data)]
        }
        OrderStep::Extended { .. } => Vec::new(),
        OrderStep::Noted(fact) => match fact {
            OrderFact::Shipped { tracking_no, carrier, operator: _ } => {
                let data = json!({"trackingNo": tracking_no, "carrier": carrier});
                vec![order(Kind::OrderShipped, data)]
            }
            OrderFact::Completed { operator: _ } => {
                vec![order(Kind::OrderCompleted, json!({}))]
            }
            // That it is over is told of the ledger's own fact; the rest is for operators.
            OrderFact::Cancelled { .. }
            | OrderFact::Refunded { .. }
            | OrderFact::Remarked { .. }
            | OrderFact::Delivered { .. }
            | OrderFact::Redirected { .. }
            | OrderFact::Served { .. }
            | OrderFact::PointsLacked { .. } => Vec::new(),
        },
    }
}

fn order(kind: Kind, reservation: ReservationId, data: Value) -> Told {
    let mut data = fields(data);
    let id = order_id(reservation);
    data.insert("orderId".into(), id.as_str().into());
    data.insert("orderNo".into(), order_no(reservation).into());
    Told { kind, about: id, data }
}

fn fields(data: Value) -> Map<String, Value> {
    match data {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn of_subject(subject: &Subject) -> Value {
    let Subject { user, product, quantity, points_cost } = subject;
    json!({"userId": **user, "productId": **product, "quantity": quantity, "pointsCost": points_cost})
}

fn refunded(data: &mut Value, returned: Returned, is_over: bool) {
    data["returnedQuantity"] = json!(returned.quantity);
    data["returnedPoints"] = json!(returned.points);
    data["isOver"] = json!(is_over);
}

fn of_line(change: &LineChange) -> Option<Told> {
    let LineChange { product, user, place, step } = change;
    match step {
        InLine::Granted(reservation) => {
            let data = json!({"userId": **user, "productId": **product, "place": place});
            Some(order(Kind::WaitingGranted, *reservation, data))
        }
        InLine::Joined | InLine::Left(_) => None,
    }
}

/// An alert that its follower wrote: it began, or is over. What an operator wrote into it says that
/// it was seen, and is no news.
fn of_alert(entry: &Entry<'_, Alert>) -> Option<Told> {
    let kept = entry.to.as_ref().ok()?.as_ref()?;
    if kept.stamp.updated_by.is_some() {
        return None;
    }
    let alert = &kept.content;
    let (kind, available) = match &alert.end {
        Some(end) => (end.kind, end.available),
        None => (alert.condition.begins(), alert.available),
    };
    let data = json!({
        "alertId": entry.id,
        "productId": alert.product_id,
        "stockQuantity": available,
        "threshold": alert.threshold,
        "begunAt": alert.begun_at,
        "endedAt": alert.end.map(|end| end.at),
    });
    let (kind, about) = (Kind::of_alert(kind), format!("stock/{}", alert.product_id));
    Some(Told { kind, about, data: fields(data) })
}
