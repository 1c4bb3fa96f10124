//! `POST /api/mall/exchange`: the hot path.

use hyper::body::Incoming;
use serde::Deserialize;

use super::auth::Identity;
use super::body;
use super::call::Call;
use super::error::ApiError;
use super::orders::ReceiptWire;
use super::reply::HttpResponse;
use crate::error::Result;
use crate::mall::Exchange;

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
    let receipt = call.app.mall.exchange(&identity.user, &exchange).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}
