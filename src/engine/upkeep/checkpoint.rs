//! Writing checkpoints: when enough has happened, and when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::sync::Parker;

use crate::base::Seq;
use crate::base::error::{ErrorKind, Result};
use crate::engine::core::Core;
use crate::engine::files::snapshot;

/// How often the thread looks whether a checkpoint is due.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The longest pause after one that failed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// Writes a checkpoint. Returns the event up to which it is complete.
///
/// # Errors
/// `Unavailable` when the disk fails; the snapshots before it still hold.
pub(in crate::engine) fn write(core: &Core) -> Result<Seq> {
    write_with(core, &mut |_| {})
}

/// Writes a checkpoint, and calls `between` before each part is captured: commands go on meanwhile.
///
/// # Errors
/// As [`write()`].
pub(in crate::engine) fn write_with(core: &Core, between: &mut dyn FnMut(usize)) -> Result<Seq> {
    let written = try_write(core, between);
    core.checkpoints.note_outcome(&written);
    written
}

fn try_write(core: &Core, between: &mut dyn FnMut(usize)) -> Result<Seq> {
    let mut generations = core.checkpoints.generations.lock();
    let _hold = core.files.directory.hold()?;
    let (vfs, dir) = (&*core.files.vfs, snapshot::directory(core.files.directory.path()));
    let aside = snapshot::write_aside(vfs, &dir, core.now_ms(), &mut |part, bytes| {
        between(part);
        core.ledger.capture(part, &core.recorder(), bytes)
    })?;
    // A snapshot may not show what a crash could still take back.
    if aside.last > 0 {
        core.journal.wait(aside.last)?;
    }
    let (first, last) = (aside.first, aside.last);
    let generation = aside.put_in_place(vfs, &dir)?;
    core.checkpoints.note_written(last, core.now_ms());
    generations.add(vfs, generation);
    core.journal.set_pin("checkpoint", generations.needed_from());
    Ok(first)
}

/// Writes a checkpoint whenever enough has happened since the last one. One that fails is tried
/// again, after pauses that double: what kept it from being written passes, as a full disk does,
/// and until then the journal grows.
pub(in crate::engine) fn run(core: &Arc<Core>, parker: &Parker) {
    let mut pause = LOOK_EVERY;
    while !core.is_stopped() {
        parker.park_timeout(pause);
        pause = LOOK_EVERY;
        let since = core.journal.durable_seq().saturating_sub(core.checkpoints.seq());
        if core.is_stopped() || since < core.checkpoints.every_events {
            continue;
        }
        if let Err(error) = write(core) {
            if error.kind() == ErrorKind::Closed || core.journal.status().poisoned {
                return;
            }
            pause = retry_after(core.checkpoints.failures());
            tracing::error!(%error, ?pause, "a checkpoint failed and is tried again; the one before it still holds");
        }
    }
}

/// How long to wait after this many failures in a row.
fn retry_after(failures: u32) -> Duration {
    LOOK_EVERY.saturating_mul(1 << failures.min(16)).min(RETRY_AFTER_MAX)
}
