//! The engine's time beside the machine's.

use serde::Serialize;

use crate::base::TimeMs;
use crate::http::body::Empty;
use crate::http::call::AdminCall;
use crate::http::reply::Answer;

/// Times are in milliseconds since 1970; `aheadMs` is negative while the machine's clock is ahead
/// and not followed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClockWire {
    engine_time: TimeMs,
    machine_time: TimeMs,
    ahead_ms: i64,
}

pub(in crate::http) async fn clock(call: AdminCall<'_>) -> Answer {
    call.no_query()?;
    Ok(call.success(&wire(&call)))
}

/// The machine's clock jumped forwards, and is right.
pub(in crate::http) async fn confirm(call: AdminCall<'_>, body: Empty) -> Answer {
    call.no_query()?;
    body.read(&call).await?;
    let engine = call.app.mall.engine();
    tracing::warn!(
        by = call.identity().user.id(),
        ahead_ms = engine.status().clock_ahead_ms,
        "the machine's clock is confirmed"
    );
    engine.confirm_clock();
    Ok(call.success(&wire(&call)))
}

fn wire(call: &AdminCall<'_>) -> ClockWire {
    let engine = call.app.mall.engine();
    ClockWire {
        engine_time: engine.now_ms(),
        machine_time: engine.clock_ms(),
        ahead_ms: engine.status().clock_ahead_ms,
    }
}
