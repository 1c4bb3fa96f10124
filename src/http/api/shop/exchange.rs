//! `POST /api/mall/exchange`: the hot path.

use serde::Deserialize;

use crate::http::api::order::ReceiptWire;
use crate::http::body::Sent;
use crate::http::call::UserCall;
use crate::http::decimal::Whole;
use crate::http::document::Document;
use crate::http::reply::Answer;
use crate::mall::Exchange;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct ExchangeBody {
    product_id: String,
    quantity: Whole<u64>,
    delivery_info: Option<Document>,
    confirm: Option<bool>,
}

pub(in crate::http) async fn exchange(call: UserCall<'_>, body: Sent<ExchangeBody>) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let exchange = Exchange {
        product_id: &request.product_id,
        quantity: request.quantity.0,
        delivery_info: request.delivery_info.as_ref().map(|document| &document.0),
        confirm: request.confirm.unwrap_or_default(),
        key,
    };
    let receipt = call.app.mall.exchange(&call.identity().user, &exchange).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}
