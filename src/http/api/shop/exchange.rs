//! `POST /api/mall/exchange`: the hot path.

use serde::Deserialize;
use smallvec::{SmallVec, smallvec};

use crate::http::api::order::ReceiptWire;
use crate::http::body::Sent;
use crate::http::call::UserCall;
use crate::http::decimal::Whole;
use crate::http::document::Document;
use crate::http::error::ApiError;
use crate::http::reply::Answer;
use crate::mall::{Exchange, ITEMS_MAX, Wanted};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct ExchangeBody {
    product_id: Option<String>,
    quantity: Option<Whole<u64>>,
    /// In place of one product.
    items: Option<Vec<ItemBody>>,
    delivery_info: Option<Document>,
    confirm: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ItemBody {
    product_id: String,
    quantity: Whole<u64>,
}

pub(in crate::http) async fn exchange(call: UserCall<'_>, body: Sent<ExchangeBody>) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let items = wanted(&request)?;
    let exchange = Exchange {
        items: &items,
        is_basket: request.items.is_some(),
        delivery_info: request.delivery_info.as_ref().map(|document| &document.0),
        confirm: request.confirm.unwrap_or_default(),
        key,
    };
    let receipt = call.app.mall.exchange(&call.identity().user, &exchange).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

/// The one product, or those of the basket.
fn wanted(request: &ExchangeBody) -> Result<SmallVec<[Wanted<'_>; 1]>, ApiError> {
    match (&request.items, &request.product_id, &request.quantity) {
        (None, Some(product_id), Some(quantity)) => {
            Ok(smallvec![Wanted { product_id, quantity: quantity.0 }])
        }
        (None, None, _) => Err(ApiError::invalid("missing field `productId`")),
        (None, Some(_), None) => Err(ApiError::invalid("missing field `quantity`")),
        (Some(items), None, None) if items.len() <= ITEMS_MAX => Ok(items
            .iter()
            .map(|item| Wanted { product_id: &item.product_id, quantity: item.quantity.0 })
            .collect()),
        (Some(_), None, None) => Err(ApiError::invalid(format!("items must be 1 to {ITEMS_MAX}"))),
        (Some(_), _, _) => Err(ApiError::invalid("items stand in place of productId and quantity")),
    }
}
