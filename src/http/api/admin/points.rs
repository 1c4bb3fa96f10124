//! Points that operators give.

use serde::{Deserialize, Serialize};

use super::note;
use crate::http::body::Sent;
use crate::http::call::OperatorCall;
use crate::http::decimal::Whole;
use crate::http::reply::Answer;
use crate::mall::User;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct AwardBody {
    points: Whole<u64>,
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AwardedWire<'a> {
    user_id: &'a str,
    balance: i64,
}

pub(in crate::http) async fn award(call: OperatorCall<'_, 1>, body: Sent<AwardBody>) -> Answer {
    call.no_query()?;
    let [user_id] = call.path;
    let user = User::new(user_id)?;
    let (request, key) = body.read(&call).await?;
    let note = note(call.identity(), request.reason.as_deref());
    let balance = call.app.mall.award(&user, request.points.0, &note, key).await?;
    Ok(call.success(&AwardedWire { user_id: user.id(), balance }))
}
