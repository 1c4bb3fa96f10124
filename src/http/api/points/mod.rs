//! Points: what a user has, what is on record of it, and how they are moved. Operators ask the same
//! of any user.

pub(in crate::http) mod batch;
pub(in crate::http) mod eligibility;
pub(in crate::http) mod moving;
pub(in crate::http) mod records;

use serde::Serialize;

use crate::base::TimeMs;
use crate::http::call::{Call, UserCall};
use crate::http::reply::Answer;
use crate::mall::{Balance, Rank, User};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BalanceWire<'a> {
    user_id: &'a str,
    balance: i64,
    reserved: u64,
    consumed: u64,
    received: u64,
    written_off: u64,
    earned: u64,
    mall_level: u8,
    level_name: &'a str,
    /// How many points must be earned for the next level; null on the highest.
    next_level_at: Option<u64>,
    /// What ends next; `null` where nothing does.
    expiring: Option<ExpiringWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExpiringWire {
    expires_at: TimeMs,
    points: u64,
}

pub(in crate::http) async fn balance(call: UserCall<'_>) -> Answer {
    balance_of(&call, &call.identity().user).await
}

pub(in crate::http) async fn balance_of<Who, const N: usize>(
    call: &Call<'_, Who, N>,
    user: &User,
) -> Answer {
    call.no_query()?;
    let Balance { available, reserved, consumed, received, written_off, expiring, earned } =
        call.app.mall.balance_anywhere(user).await?;
    let Rank { level, name, next_at } = call.app.mall.rank(earned);
    Ok(call.success(&BalanceWire {
        user_id: user.id(),
        balance: available,
        reserved,
        consumed,
        received,
        written_off,
        earned,
        expiring: expiring.map(|next| ExpiringWire { expires_at: next.at, points: next.points }),
        mall_level: level,
        level_name: &name,
        next_level_at: next_at,
    }))
}
