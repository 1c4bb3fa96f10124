//! Expires reservations whose deadline has passed: the thread that turns the shards' wheels. What
//! happens to one shard is in `ledger/expire.rs`.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::sync::Parker;

use crate::base::SHARD_COUNT;
use crate::base::error::{ErrorKind, Result};
use crate::engine::core::Core;

/// How often the wheels are turned. Units are back within this, plus the time that what lapsed with
/// them takes: less than a microsecond each.
pub(in crate::engine) const TURN_EVERY: Duration = Duration::from_millis(10);

/// Reservations expired under one hold of a shard's lock: what a concurrent reserve waits at most,
/// some 100 us.
const BATCH: usize = 256;

/// Turns the wheels until the engine stops.
pub(in crate::engine) fn run(core: &Arc<Core>, parker: &Parker) {
    while !core.is_stopped() {
        if let Err(error) = expire_due(core) {
            if matches!(
                error.kind(),
                ErrorKind::Closed | ErrorKind::Poisoned | ErrorKind::Unavailable
            ) {
                return;
            }
            tracing::warn!(%error, "expiring");
        }
        parker.park_timeout(TURN_EVERY);
    }
}

/// Expires what is due now; returns how many reservations that were.
pub(in crate::engine) fn expire_due(core: &Core) -> Result<usize> {
    let now = core.now_ms();
    let mut count = 0;
    for shard in 0..SHARD_COUNT {
        loop {
            let before = core.journal.last_seq();
            let (last, done) = match core.ledger.expire(shard, now, BATCH, &core.recorder()) {
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Overloaded | ErrorKind::Stalled | ErrorKind::LowSpace
                    ) =>
                {
                    // The disk is behind: let it catch up rather than give up.
                    core.journal.wait(before)?;
                    continue;
                }
                outcome => outcome?,
            };
            count += last.map_or(0, |(_, expired)| expired);
            if last.is_some() {
                core.journal.kick();
            }
            if done {
                break;
            }
        }
    }
    Ok(count)
}
