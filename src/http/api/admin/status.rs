//! The engine's condition.

use serde::Serialize;

use crate::backup::BackupView;
use crate::base::{Seq, TimeMs};
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
    /// Absent where the server makes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<BackupWire>,
    /// Documents of the catalogue that cannot be read, and are left out: the first of them.
    unreadable_documents: Vec<&'a Unreadable>,
    /// How many there are.
    unreadable_count: usize,
}

/// The backup that the server makes by itself.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BackupWire {
    /// The last event that it has; 0 until the first run ended.
    last_seq: Seq,
    /// When the last run began that came to its end.
    complete_at: Option<TimeMs>,
    /// How far back what would be lost with the machine goes; 0 while the backup has everything.
    exposed_ms: Option<u64>,
    /// How many runs in a row failed.
    failures: u64,
    error: Option<String>,
}

pub(in crate::http) async fn status(call: AdminCall<'_>) -> Answer {
    call.no_query()?;
    let (status, shelf) = (call.app.mall.engine().status(), call.app.mall.shelf());
    let unreadable = shelf.unreadable();
    let now = call.app.mall.now_ms();
    let backup = call.app.backup.as_ref().map(BackupView::status).map(|backup| BackupWire {
        last_seq: backup.last_seq,
        complete_at: backup.complete_at,
        exposed_ms: backup.exposed_ms(now, status.durable_seq),
        failures: backup.failures,
        error: backup.error,
    });
    Ok(call.success(&StatusWire {
        durable_seq: status.durable_seq,
        free_bytes: status.free_bytes,
        history_bytes: status.history_bytes,
        checkpoint_failures: status.checkpoint_failures,
        stalled: status.stalled,
        poisoned: status.poisoned,
        backup,
        unreadable_documents: unreadable.iter().take(UNREADABLE_MAX).collect(),
        unreadable_count: unreadable.len(),
    }))
}
