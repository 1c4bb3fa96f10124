//! Which tokens are good no more, as administrators say it.

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;
use crate::http::body::{Empty, Sent};
use crate::http::call::AdminCall;
use crate::http::decimal::Whole;
use crate::http::error::ApiError;
use crate::http::query;
use crate::http::reply::Answer;
use crate::http::text::text;
use crate::mall::facts::{EVERYBODY, Revocation};
use crate::mall::{Editor, Kept, User};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;
const REASON_CHARS_MAX: usize = 500;
/// How far ahead of our clock that of those who make tokens may be, in milliseconds.
const AHEAD_MS_MAX: u64 = 300_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct RevokeBody {
    /// Whose; `*` for everybody's.
    user_id: String,
    /// Unix time in milliseconds; now when absent.
    issued_before: Option<Whole<u64>>,
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevocationWire<'a> {
    user_id: &'a str,
    issued_before: TimeMs,
    reason: Option<&'a str>,
    revoked_by: Option<&'a str>,
    revoked_at: Option<TimeMs>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevocationsWire<'a> {
    revocations: Vec<RevocationWire<'a>>,
    /// Ask with `after` set to this for the next page; null at the end.
    next_after: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LiftedWire<'a> {
    user_id: &'a str,
}

impl<'a> RevocationWire<'a> {
    fn of(kept: &'a Kept<Revocation>) -> Self {
        let Revocation { user_id, issued_before, reason } = &kept.content;
        Self {
            user_id,
            issued_before: *issued_before,
            reason: reason.as_deref(),
            revoked_by: kept.stamp.updated_by.as_deref(),
            revoked_at: kept.stamp.updated_at,
        }
    }
}

/// A user that there may be, or everybody.
fn named(user_id: &str) -> Result<&str, ApiError> {
    if user_id != EVERYBODY {
        User::new(user_id)?;
    }
    Ok(user_id)
}

pub(in crate::http) async fn list(call: AdminCall<'_>) -> Answer {
    let (mut after, mut limit) = (None, PAGE_SIZE);
    for (name, value) in call.query()? {
        match name.as_str() {
            "after" => after = Some(query::short(&name, value)?),
            "page_size" => limit = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let page = call.app.mall.revocations(after, limit as usize).await?;
    Ok(call.success(&RevocationsWire {
        revocations: page.revocations.iter().map(|kept| RevocationWire::of(kept)).collect(),
        next_after: page.next_after,
    }))
}

/// It holds for the next request, whoever asks.
pub(in crate::http) async fn revoke(call: AdminCall<'_>, body: Sent<RevokeBody>) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(&call).await?;
    let now_ms = call.app.mall.clock_ms();
    let issued_before = request.issued_before.map_or(now_ms, |at| at.0);
    if !(1..=now_ms.saturating_add(AHEAD_MS_MAX)).contains(&issued_before) {
        return Err(ApiError::invalid("issuedBefore must not be later than in five minutes"));
    }
    let reason = request.reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| text("reason", reason, 1..=REASON_CHARS_MAX)).transpose()?;
    let made = Revocation {
        user_id: named(&request.user_id)?.to_owned(),
        issued_before,
        reason: reason.map(str::to_owned),
    };
    let editor = Editor { name: call.identity().user.id().to_owned(), key };
    let kept = call.app.mall.revoke(made, editor).await?;
    Ok(call.success(&RevocationWire::of(&kept)))
}

pub(in crate::http) async fn lift(call: AdminCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let [user_id] = call.path;
    let key = body.read_keyed(&call).await?;
    let user_id = named(user_id)?;
    let editor = Editor { name: call.identity().user.id().to_owned(), key };
    call.app.mall.lift_revocation(user_id, editor).await?;
    Ok(call.success(&LiftedWire { user_id }))
}
