//! `POST /api/mall/exchange`: the hot path.

use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::auth::Identity;
use super::body;
use super::reply::{ApiError, HttpResponse};
use super::router::Call;
use crate::error::Result;
use crate::mall::{Exchange, order_id, order_no};
use crate::types::TimeMs;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExchangeBody {
    product_id: String,
    quantity: u64,
    #[serde(default)]
    delivery_info: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    confirm: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExchangeWire<'a> {
    order_id: &'a str,
    order_no: &'a str,
    status: i8,
    product_id: &'a str,
    quantity: u64,
    points_cost: u64,
    expires_at: TimeMs,
}

pub(super) async fn exchange(call: &Call<'_>, identity: &Identity, body: Incoming) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let (request, key): (ExchangeBody, _) = body::read_keyed(call, identity, body).await?;
    let exchange = Exchange {
        product_id: &request.product_id,
        quantity: request.quantity,
        delivery_info: request.delivery_info.as_ref(),
        confirm: request.confirm,
        key,
    };
    let exchanged = call.app.mall.exchange(&identity.user, &exchange).await?;
    Ok(call.success(&ExchangeWire {
        order_id: &order_id(exchanged.reservation),
        order_no: &order_no(exchanged.reservation),
        status: i8::from(exchanged.confirmed),
        product_id: &request.product_id,
        quantity: request.quantity,
        points_cost: exchanged.points_cost,
        expires_at: exchanged.expires_at,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::format::Format;
    use super::*;

    #[test]
    fn a_body_is_read_strictly() {
        let parse = |body: &str| Format::Json.decode::<ExchangeBody>(body.as_bytes()).ok();
        let body = parse(r#"{"productId":"p","quantity":2,"deliveryInfo":{"name":"安"},"confirm":true}"#);
        let body = body.expect("a valid body");
        assert_eq!((body.product_id.as_str(), body.quantity, body.confirm), ("p", 2, true));
        for wrong in [
            "",
            "null",
            "[]",
            "{",
            r#"{"productId":"p"}"#,
            r#"{"quantity":1}"#,
            r#"{"productId":"p","quantity":-1}"#,
            r#"{"productId":"p","quantity":1.5}"#,
            r#"{"productId":"p","quantity":1.0}"#,
            r#"{"productId":"p","quantity":"1"}"#,
            r#"{"productId":"p","quantity":99999999999999999999}"#,
            r#"{"productId":1,"quantity":1}"#,
            r#"{"productId":"p","quantity":1,"price":0}"#,
            r#"{"productId":"p","quantity":1,"quantity":2}"#,
            r#"{"productId":"p","quantity":1,"deliveryInfo":[]}"#,
            r#"{"productId":"p","quantity":1,"confirm":1}"#,
            r#"{"productId":"p","quantity":1} x"#,
        ] {
            assert!(parse(wrong).is_none(), "{wrong} must be refused");
        }
    }
}
