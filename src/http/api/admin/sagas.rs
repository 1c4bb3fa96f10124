//! Orders whose points are kept elsewhere and are not settled: operators look at them and lend a hand.

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;
use crate::http::api::order::order_in;
use crate::http::body::Sent;
use crate::http::call::OperatorCall;
use crate::http::error::ApiError;
use crate::http::query;
use crate::http::reply::Answer;
use crate::http::text::text;
use crate::mall::elsewhere::SagaShown;
use crate::mall::facts::{Saga, SagaAct, SagaActKind, SagaTake};
use crate::mall::{Because, REASON_CHARS_MAX, order_id, order_no};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct ReasonBody {
    reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SagasWire<'a> {
    sagas: Vec<SagaWire<'a>>,
    /// How many wait in all.
    count: usize,
    /// Ask with `after` set to this for the next page; null at the end.
    next_after: Option<String>,
    /// Whether the points service answers as a rule; null where there is none.
    service_answers: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SagaWire<'a> {
    order_id: String,
    order_no: String,
    user_id: &'a str,
    points: u64,
    /// `unknown`, `taken`, `refused` or `closed`: what the service has said of them.
    take: &'static str,
    /// What is being given back; null where nothing is.
    giving_back: Option<u64>,
    /// Its points are taken, and its user has to confirm it.
    waits_for_user: bool,
    begun_at: TimeMs,
    /// How often it was driven in vain since it last came on, or this server started.
    tries: u32,
    /// What was in the way then.
    trouble: Option<&'a str>,
    /// In how many milliseconds it is tried again; null where it waits for its user.
    next_try_in_ms: Option<u64>,
    acts: Vec<ActWire<'a>>,
}

#[derive(Serialize)]
struct ActWire<'a> {
    kind: &'static str,
    operator: &'a str,
    reason: &'a str,
    at: TimeMs,
}

/// What is left of a saga after an operator lent a hand.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HandWire<'a> {
    order_id: String,
    /// Whether nothing is left to be done.
    is_over: bool,
    saga: Option<SagaWire<'a>>,
}

impl<'a> SagaWire<'a> {
    fn of(shown: &'a SagaShown) -> Self {
        let Saga { user_id, points, take, giving_back, begun_at, acts, confirms: _, was_known: _ } =
            &shown.saga;
        let act = |SagaAct { kind, operator, reason, at }: &'a SagaAct| ActWire {
            kind: match kind {
                SagaActKind::Retried => "retried",
                SagaActKind::Compensated => "compensated",
            },
            operator,
            reason,
            at: *at,
        };
        Self {
            order_id: order_id(shown.order),
            order_no: order_no(shown.order),
            user_id,
            points: *points,
            take: match take {
                SagaTake::Unknown => "unknown",
                SagaTake::Taken => "taken",
                SagaTake::Refused { .. } => "refused",
                SagaTake::Closed => "closed",
            },
            giving_back: giving_back.as_ref().map(|back| back.points),
            waits_for_user: shown.rests,
            begun_at: *begun_at,
            tries: shown.tries,
            trouble: shown.trouble.as_deref(),
            next_try_in_ms: shown.next_try.map(|left| left.as_millis() as u64),
            acts: acts.iter().map(act).collect(),
        }
    }
}

/// The oldest orders first.
pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    let (mut after, mut limit) = (None, PAGE_SIZE);
    for (name, value) in call.query()? {
        match name.as_str() {
            "after" => after = Some(order_in(&value)?),
            "page_size" => limit = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    // One more than asked for tells that there is a next page.
    let limit = limit as usize;
    let (mut sagas, count) = call.app.mall.sagas(after, limit + 1)?;
    let is_more = sagas.len() > limit;
    sagas.truncate(limit);
    let last = sagas.last().filter(|_| is_more);
    Ok(call.success(&SagasWire {
        next_after: last.map(|last| order_id(last.order)),
        sagas: sagas.iter().map(SagaWire::of).collect(),
        count,
        service_answers: call.app.mall.points_service_answers(),
    }))
}

pub(in crate::http) async fn get(call: OperatorCall<'_, 1>) -> Answer {
    call.no_query()?;
    let [order] = call.path;
    let shown = call.app.mall.saga(order_in(order)?)?;
    Ok(call.success(&SagaWire::of(&shown)))
}

pub(in crate::http) async fn retry(call: OperatorCall<'_, 1>, body: Sent<ReasonBody>) -> Answer {
    call.no_query()?;
    let order = order_in(call.path[0])?;
    // Driving on is always the same, so that a retry needs no answer of before.
    let (request, _) = body.read(&call).await?;
    let left = call.app.mall.retry_saga(order, &because(&call, &request)?).await?;
    Ok(call.success(&hand(order_id(order), left.as_ref())))
}

pub(in crate::http) async fn compensate(
    call: OperatorCall<'_, 1>,
    body: Sent<ReasonBody>,
) -> Answer {
    call.no_query()?;
    let order = order_in(call.path[0])?;
    let (request, key) = body.read(&call).await?;
    let left = call.app.mall.compensate_saga(order, &because(&call, &request)?, key).await?;
    Ok(call.success(&hand(order_id(order), left.as_ref())))
}

fn hand(order_id: String, left: Option<&SagaShown>) -> HandWire<'_> {
    HandWire { order_id, is_over: left.is_none(), saga: left.map(SagaWire::of) }
}

fn because<'a>(
    call: &'a OperatorCall<'_, 1>,
    request: &'a ReasonBody,
) -> Result<Because<'a>, ApiError> {
    let reason = text("reason", &request.reason, 1..=REASON_CHARS_MAX)?;
    Ok(Because { operator: call.identity().user.id(), reason })
}
