//! A user's own points.

use serde::Serialize;

use crate::base::error::Result;
use crate::http::auth::Identity;
use crate::http::call::Call;
use crate::http::error::ApiError;
use crate::http::reply::HttpResponse;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BalanceWire<'a> {
    user_id: &'a str,
    balance: i64,
    reserved: u64,
    consumed: u64,
    received: u64,
}

/// `GET /api/points/balance`.
pub(in crate::http) fn balance(
    call: &Call<'_>,
    identity: &Identity,
) -> Result<HttpResponse, ApiError> {
    call.no_query()?;
    let balance = call.app.mall.balance(&identity.user)?;
    Ok(call.success(&BalanceWire {
        user_id: identity.user.id(),
        balance: balance.available,
        reserved: balance.reserved,
        consumed: balance.consumed,
        received: balance.received,
    }))
}
