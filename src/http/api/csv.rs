//! Tables for spreadsheets, of orders and of what changed stock: comma-separated values, as RFC 4180
//! has them.

use std::borrow::Cow;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::base::{TimeMs, rfc3339};
use crate::http::answer::Body;
use crate::http::error::ApiError;
use crate::http::reply::{Answer, HttpResponse};
use crate::mall::{Order, Orders, order_id, order_no};

/// What the next page is older than; it is not there at the end.
const NEXT: HeaderName = HeaderName::from_static("x-next-before");

const COLUMNS: &str = "order_id,order_no,status,state,user_id,product_id,product_name,quantity,\
    points_cost,returned_quantity,returned_points,delivery_info,delivery_status,tracking_no,carrier,created_at,expires_at,\
    exchanged_at,shipped_at,delivered_at,completed_at,cancelled_at\r\n";

/// Orders as a table, one on each line.
pub(in crate::http) fn orders(orders: &Orders) -> Answer {
    let mut table = COLUMNS.to_owned();
    for order in orders.iter() {
        line(&mut table, &order?);
    }
    Ok(answer(table, orders.next_before().map(order_id)))
}

/// A table, and what the next page is older than.
pub(in crate::http) fn answer(table: String, next_before: Option<String>) -> HttpResponse {
    let mut response = Response::new(Body::from(Bytes::from(table)));
    let headers = response.headers_mut();
    headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    if let Some(next) = next_before.and_then(|next| HeaderValue::try_from(next).ok()) {
        headers.insert(NEXT, next);
    }
    response
}

/// Whether a table is asked for by its name.
pub(super) fn is_named(format: &str) -> Result<bool, ApiError> {
    match format {
        "csv" => Ok(true),
        "json" => Ok(false),
        _ => Err(ApiError::invalid("format must be json or csv")),
    }
}

fn line(table: &mut String, order: &Order) {
    let (details, fulfilment) = (&order.details, &order.fulfilment);
    let info = order.delivery_info().and_then(|info| serde_json::to_string(info).ok());
    let fields = [
        order_id(order.reservation).into(),
        order_no(order.reservation).into(),
        order.status.number().to_string().into(),
        order.status.name().into(),
        field(&details.user),
        field(&details.product.id),
        field(&details.product.name),
        details.quantity.to_string().into(),
        details.points_cost.to_string().into(),
        order.returned_quantity.to_string().into(),
        order.returned_points.to_string().into(),
        optional(info.as_deref()),
        fulfilment.delivery_status().to_string().into(),
        optional(fulfilment.tracking_no.as_deref()),
        optional(fulfilment.carrier.as_deref()),
        time(Some(order.created_at)),
        time(Some(order.expires_at)),
        time(order.exchanged_at),
        time(fulfilment.shipped_at),
        time(fulfilment.delivered_at),
        time(fulfilment.completed_at),
        time(order.cancelled_at),
    ];
    table.push_str(&fields.join(","));
    table.push_str("\r\n");
}

/// A text as a field. One that a spreadsheet would take for a formula gets an apostrophe before it:
/// it may come from anybody.
pub(crate) fn field(text: &str) -> Cow<'_, str> {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !is_formula && !text.contains(['"', ',', '\r', '\n']) {
        return Cow::Borrowed(text);
    }
    let apostrophe = if is_formula { "'" } else { "" };
    Cow::Owned(format!("\"{apostrophe}{}\"", text.replace('"', "\"\"")))
}

pub(super) fn optional(text: Option<&str>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), field)
}

/// A time as RFC 3339 writes it, in UTC; nothing when there is none, or none that it can write.
pub(super) fn time(at: Option<TimeMs>) -> Cow<'static, str> {
    at.and_then(rfc3339).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_one_whatever_it_has() {
        for (text, want) in [
            ("", ""),
            ("顺丰", "顺丰"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=1+1", "\"'=1+1\""),
            ("-1", "\"'-1\""),
        ] {
            assert_eq!(field(text), want, "{text:?}");
        }
    }

    #[test]
    fn a_time_is_written_while_it_can_be() {
        assert_eq!(time(Some(1_750_000_000_123)), "2025-06-15T15:06:40.123Z");
        assert_eq!((time(None), time(Some(u64::MAX))), ("".into(), "".into()));
    }
}
