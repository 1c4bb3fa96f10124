//! The mirror as operators see it: how far the reporting tables are, and waiting until they show
//! something.

use std::time::Duration;

use serde::Serialize;

use crate::base::{Seq, TimeMs};
use crate::http::call::AdminCall;
use crate::http::error::{ApiError, Code};
use crate::http::query;
use crate::http::reply::Answer;
use crate::sink::MirrorView;

/// How long one request waits, in milliseconds.
const WAIT_MS: u64 = 5_000;
const WAIT_MS_MAX: u64 = 60_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MirrorWire {
    state: &'static str,
    /// The tables show every event up to this one.
    seq: Seq,
    event_at: Option<TimeMs>,
    mirrored_at: Option<TimeMs>,
    durable_seq: Seq,
    lag_events: u64,
    lag_ms: u64,
    rejected_rows: u64,
    held_bytes: u64,
    backlog_full: bool,
    last_error: Option<String>,
    last_error_at: Option<TimeMs>,
    /// Only for a wait: whether what was awaited is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<bool>,
}

pub(in crate::http) async fn status(call: AdminCall<'_>) -> Answer {
    call.no_query()?;
    let mirror = running(&call)?;
    Ok(call.success(&wire(&call, mirror, None)))
}

/// Answers once the tables show `seq`, or everything that was durable when it was asked.
pub(in crate::http) async fn wait(call: AdminCall<'_>) -> Answer {
    let mirror = running(&call)?;
    let (mut seq, mut timeout_ms) = (call.app.mall.engine().durable_seq(), WAIT_MS);
    for (name, value) in call.query()? {
        match name.as_str() {
            "seq" => seq = query::number(&name, &value, 0..=u64::MAX)?,
            "timeout_ms" => timeout_ms = query::number(&name, &value, 0..=WAIT_MS_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let reached = mirror.wait(seq, Duration::from_millis(timeout_ms)).await;
    Ok(call.success(&wire(&call, mirror, Some(reached))))
}

fn running<'a>(call: &AdminCall<'a>) -> Result<&'a MirrorView, ApiError> {
    call.app
        .mirror
        .as_ref()
        .ok_or_else(|| ApiError::new(Code::NotFound).detail("this server has no mirror"))
}

fn wire(call: &AdminCall<'_>, mirror: &MirrorView, reached: Option<bool>) -> MirrorWire {
    let engine = call.app.mall.engine();
    let (status, lag_events, lag_ms) = mirror.status_of(engine);
    MirrorWire {
        state: status.state.name(),
        seq: status.watermark,
        event_at: status.event_at,
        mirrored_at: status.mirrored_at,
        durable_seq: engine.durable_seq(),
        lag_events,
        lag_ms,
        rejected_rows: status.rejected,
        held_bytes: status.held_bytes,
        backlog_full: status.backlog_full,
        last_error: status.last_error,
        last_error_at: status.last_error_at,
        reached,
    }
}
