//! Anybody's points, as operators see and move them.

use crate::http::api::points::eligibility::check_of;
use crate::http::api::points::moving::{MoveBody, moved};
use crate::http::api::points::{balance_of, records as of_points};
use crate::http::body::Sent;
use crate::http::call::OperatorCall;
use crate::http::reply::Answer;
use crate::mall::User;
use crate::mall::model::Moving;

pub(in crate::http) async fn balance(call: OperatorCall<'_, 1>) -> Answer {
    balance_of(&call, &user_of_path(&call)?).await
}

pub(in crate::http) async fn eligibility(call: OperatorCall<'_, 1>) -> Answer {
    check_of(&call, &user_of_path(&call)?).await
}

pub(in crate::http) async fn records(call: OperatorCall<'_, 1>) -> Answer {
    of_points::list_of(&call, &user_of_path(&call)?).await
}

pub(in crate::http) async fn award(call: OperatorCall<'_, 1>, body: Sent<MoveBody>) -> Answer {
    by_operator(&call, body, Moving::Award).await
}

pub(in crate::http) async fn deduct(call: OperatorCall<'_, 1>, body: Sent<MoveBody>) -> Answer {
    by_operator(&call, body, Moving::Deduct).await
}

pub(in crate::http) async fn refund(call: OperatorCall<'_, 1>, body: Sent<MoveBody>) -> Answer {
    by_operator(&call, body, Moving::Refund).await
}

async fn by_operator(call: &OperatorCall<'_, 1>, body: Sent<MoveBody>, moving: Moving) -> Answer {
    moved(call, body, moving, &user_of_path(call)?, call.identity().user.id()).await
}

fn user_of_path(call: &OperatorCall<'_, 1>) -> crate::base::error::Result<User> {
    let [user_id] = call.path;
    User::new(user_id)
}
