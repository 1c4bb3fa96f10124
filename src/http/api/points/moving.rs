//! Points that are awarded, deducted and refunded: by operators to any user, by a service to the
//! user that it names.

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;
use crate::http::body::Sent;
use crate::http::call::{Call, Known, ServiceCall};
use crate::http::decimal::Whole;
use crate::http::error::ApiError;
use crate::http::reply::Answer;
use crate::mall::model::{Moving, PointsSource};
use crate::mall::{MovePoints, Moved, User};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct MoveBody {
    points: Whole<u64>,
    source: Option<String>,
    reason: Option<String>,
    order_id: Option<String>,
    /// Until when they are to be good, Unix time in milliseconds; of an award.
    expires_at: Option<Whole<u64>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MovedWire<'a> {
    user_id: &'a str,
    balance: i64,
    /// Until when they are good: the end of that day.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<TimeMs>,
}

impl<'a> MovedWire<'a> {
    pub(super) fn of(user_id: &'a str, moved: Moved) -> Self {
        let Moved { balance, expires_at } = moved;
        Self { user_id, balance, expires_at }
    }
}

pub(in crate::http) async fn award(call: ServiceCall<'_>, body: Sent<MoveBody>) -> Answer {
    by_service(&call, body, Moving::Award).await
}

pub(in crate::http) async fn deduct(call: ServiceCall<'_>, body: Sent<MoveBody>) -> Answer {
    by_service(&call, body, Moving::Deduct).await
}

pub(in crate::http) async fn refund(call: ServiceCall<'_>, body: Sent<MoveBody>) -> Answer {
    by_service(&call, body, Moving::Refund).await
}

async fn by_service(call: &ServiceCall<'_>, body: Sent<MoveBody>, moving: Moving) -> Answer {
    let user = &call.identity().user;
    // Whoever may ask acts for somebody.
    let service = user.service().unwrap_or_else(|| user.id());
    moved(call, body, moving, user, service).await
}

/// Moves the points of a user, and answers with the balance after it.
pub(in crate::http) async fn moved<Who: Known, const N: usize>(
    call: &Call<'_, Who, N>,
    body: Sent<MoveBody>,
    moving: Moving,
    user: &User,
    operator: &str,
) -> Answer {
    call.no_query()?;
    let (request, key) = body.read(call).await?;
    let change = MovePoints {
        moving,
        points: request.points.0,
        source: request.source.as_deref().map(|name| source(moving, name)).transpose()?,
        operator,
        reason: request.reason.as_deref().unwrap_or_default(),
        order: request.order_id.as_deref(),
        expires_at: request.expires_at.map(|at| at.0),
    };
    let moved = call.app.mall.move_points(user, &change, key).await?;
    Ok(call.success(&MovedWire::of(user.id(), moved)))
}

fn source(moving: Moving, name: &str) -> Result<PointsSource, ApiError> {
    PointsSource::named(name).ok_or_else(|| {
        let names: Vec<&str> = moving.sources().collect();
        ApiError::invalid(format!("source must be one of {}", names.join(", ")))
    })
}
