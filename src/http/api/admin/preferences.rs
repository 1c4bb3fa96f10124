//! What any user says that it likes, as operators see it.

use crate::http::api::shop::preferences::told;
use crate::http::call::OperatorCall;
use crate::http::reply::Answer;
use crate::mall::User;

pub(in crate::http) async fn get(call: OperatorCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [user_id] = call.path;
    call.tell(&told(&call.app.mall.preferences(&User::new(user_id)?)?)?)
}
