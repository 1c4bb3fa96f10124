//! The engine's condition.

use serde::Serialize;

use crate::base::Seq;
use crate::http::call::AdminCall;
use crate::http::reply::Answer;
use crate::mall::{UNREADABLE_MAX, Unreadable};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusWire<'a> {
    durable_seq: Seq,
    free_bytes: Option<u64>,
    history_bytes: u64,
    checkpoint_failures: u32,
    stalled: bool,
    poisoned: bool,
    /// Documents of the catalogue that cannot be read, and are left out: the first of them.
    unreadable_documents: Vec<&'a Unreadable>,
    /// How many there are.
    unreadable_count: usize,
}

pub(in crate::http) async fn status(call: AdminCall<'_>) -> Answer {
    call.no_query()?;
    let (status, shelf) = (call.app.mall.engine().status(), call.app.mall.shelf());
    let unreadable = shelf.unreadable();
    Ok(call.success(&StatusWire {
        durable_seq: status.durable_seq,
        free_bytes: status.free_bytes,
        history_bytes: status.history_bytes,
        checkpoint_failures: status.checkpoint_failures,
        stalled: status.stalled,
        poisoned: status.poisoned,
        unreadable_documents: unreadable.iter().take(UNREADABLE_MAX).collect(),
        unreadable_count: unreadable.len(),
    }))
}
