//! The engine's condition.

use serde::Serialize;

use crate::base::Seq;
use crate::http::call::AdminCall;
use crate::http::reply::Answer;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusWire {
    durable_seq: Seq,
    free_bytes: Option<u64>,
    history_bytes: u64,
    checkpoint_failures: u32,
    stalled: bool,
    poisoned: bool,
}

pub(in crate::http) async fn status(call: AdminCall<'_>) -> Answer {
    call.no_query()?;
    let status = call.app.mall.engine().status();
    Ok(call.success(&StatusWire {
        durable_seq: status.durable_seq,
        free_bytes: status.free_bytes,
        history_bytes: status.history_bytes,
        checkpoint_failures: status.checkpoint_failures,
        stalled: status.stalled,
        poisoned: status.poisoned,
    }))
}
