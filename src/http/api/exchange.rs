//! `POST /api/mall/exchange`: the hot path.

use hyper::body::Incoming;
use serde::Deserialize;

use super::orders::ReceiptWire;
use crate::base::error::Result;
use crate::http::auth::Identity;
use crate::http::body;
use crate::http::call::Call;
use crate::http::decimal::Whole;
use crate::http::document::Document;
use crate::http::error::ApiError;
use crate::http::reply::HttpResponse;
use crate::mall::Exchange;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExchangeBody {
    product_id: String,
    quantity: Whole<u64>,
    delivery_info: Option<Document>,
    confirm: Option<bool>,
}

pub(in crate::http) async fn exchange(
    call: &Call<'_>,
    identity: &Identity,
    body: Incoming,
) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let (request, key): (ExchangeBody, _) = body::read_keyed(call, identity, body).await?;
    let exchange = Exchange {
        product_id: &request.product_id,
        quantity: request.quantity.0,
        delivery_info: request.delivery_info.as_ref().map(|document| &document.0),
        confirm: request.confirm.unwrap_or_default(),
        key,
    };
    let receipt = call.app.mall.exchange(&identity.user, &exchange).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}
