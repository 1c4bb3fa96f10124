//! A user's own orders.

use serde::Deserialize;

use crate::base::{IdempotencyKey, ReservationId, TTL_MS_MAX};
use crate::http::api::order::{OrderWire, ReceiptWire, RedirectBody, RedirectedWire, order_in};
use crate::http::api::orders::{self, Sight};
use crate::http::body::{Empty, Optional, Sent};
use crate::http::call::UserCall;
use crate::http::decimal::Whole;
use crate::http::error::ApiError;
use crate::http::reply::Answer;
use crate::http::told::Told;
use crate::mall::Receipt;

/// Nothing of it need be said.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ConfirmBody {
    /// Takes everything again where the deadline has passed.
    #[serde(default)]
    reacquire: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct ExtendBody {
    ttl_ms: Whole<u64>,
}

pub(in crate::http) async fn list(call: UserCall<'_>) -> Answer {
    orders::list(&call, Sight::Own).await
}

pub(in crate::http) async fn get(call: UserCall<'_, 1>) -> Answer {
    call.no_query()?;
    let order = call.app.mall.order(&call.identity().user, order_of_path(&call)?).await?;
    Ok(call.success(&OrderWire::of(&order)))
}

pub(in crate::http) async fn confirm(call: UserCall<'_, 1>, body: Optional<ConfirmBody>) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let (request, key) = body.read_keyed(&call).await?;
    if let Some(told) = call.told_before(key).await? {
        return Ok(told);
    }
    let (mall, user) = (&call.app.mall, &call.identity().user);
    let receipt = match request.reacquire {
        true => mall.confirm_late(user, order, key).await?,
        false => mall.confirm(user, order, key).await?,
    };
    receipted(&call, key, &receipt).await
}

pub(in crate::http) async fn cancel(call: UserCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let key = body.read_keyed(&call).await?;
    if let Some(told) = call.told_before(key).await? {
        return Ok(told);
    }
    let receipt = call.app.mall.cancel(&call.identity().user, order, key).await?;
    receipted(&call, key, &receipt).await
}

/// What is so already is not known by the request's key: it is kept what was told of it.
async fn receipted(
    call: &UserCall<'_, 1>,
    key: Option<IdempotencyKey>,
    receipt: &Receipt,
) -> Answer {
    let wire = ReceiptWire::of(receipt);
    match receipt.is_kept {
        true => Ok(call.success(&wire)),
        false => call.tell_for_good(key, Told::of(&wire, None)?).await,
    }
}

/// The deadline counts from now.
pub(in crate::http) async fn extend(call: UserCall<'_, 1>, body: Sent<ExtendBody>) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let (request, key) = body.read(&call).await?;
    let ttl_ms = request.ttl_ms.0;
    if !(1..=TTL_MS_MAX).contains(&ttl_ms) {
        return Err(ApiError::invalid(format!("ttlMs must be 1 to {TTL_MS_MAX}")));
    }
    let receipt = call.app.mall.extend(&call.identity().user, order, ttl_ms, key).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

pub(in crate::http) async fn redirect(call: UserCall<'_, 1>, body: Sent<RedirectBody>) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let (request, key) = body.read(&call).await?;
    let info = request.delivery_info.0;
    call.app.mall.redirect(&call.identity().user, order, info.clone(), key).await?;
    Ok(call.success(&RedirectedWire::of(order, &info)))
}

fn order_of_path(call: &UserCall<'_, 1>) -> Result<ReservationId, ApiError> {
    let [order] = call.path;
    order_in(order)
}
