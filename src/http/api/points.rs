//! A user's own points.

use serde::Serialize;

use crate::http::call::UserCall;
use crate::http::reply::Answer;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BalanceWire<'a> {
    user_id: &'a str,
    balance: i64,
    reserved: u64,
    consumed: u64,
    received: u64,
}

pub(in crate::http) async fn balance(call: UserCall<'_>) -> Answer {
    call.no_query()?;
    let user = &call.identity().user;
    let balance = call.app.mall.balance(user)?;
    Ok(call.success(&BalanceWire {
        user_id: user.id(),
        balance: balance.available,
        reserved: balance.reserved,
        consumed: balance.consumed,
        received: balance.received,
    }))
}
