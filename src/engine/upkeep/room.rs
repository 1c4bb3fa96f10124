//! The thread that looks how much room there is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_utils::sync::Parker;

use crate::engine::core::Core;

/// How often the room is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often history's files are measured: there may be thousands.
const MEASURE_EVERY: Duration = Duration::from_secs(30);

/// Looks at the room now.
pub(in crate::engine) fn look(core: &Core) {
    match core.files.vfs.free_bytes(core.files.directory.path()) {
        Ok(free_bytes) => core.space.note(free_bytes),
        Err(error) => tracing::warn!(%error, "the room on the disk cannot be told"),
    }
    core.journal.look_for_room();
}

/// Measures history's files now.
pub(in crate::engine) fn measure(core: &Core) {
    let measured = core.history.store.get().map_or(Ok(0), |store| store.measure());
    match measured {
        Ok(bytes) => core.space.note_history(bytes),
        Err(error) => tracing::warn!(%error, "history's files cannot be measured"),
    }
}

/// Looks again and again until the engine stops.
pub(in crate::engine) fn run(core: &Arc<Core>, parker: &Parker) {
    let mut measured = Instant::now();
    while !core.is_stopped() {
        parker.park_timeout(LOOK_EVERY);
        if measured.elapsed() >= MEASURE_EVERY {
            measure(core);
            measured = Instant::now();
        }
        look(core);
    }
}
