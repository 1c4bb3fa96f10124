//! The threads of an engine.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_utils::sync::Parker;

use crate::base::error::{Error, Result};
use crate::engine::core::Core;
use crate::engine::following::{follower, writer};
use crate::engine::upkeep::checkpoint;
use crate::engine::upkeep::expire;
use crate::engine::upkeep::room;
use crate::engine::{EngineBuilder, Running};

/// The threads without which history shows nothing more.
const OF_HISTORY: [&str; 2] = [follower::HISTORY_THREAD, writer::STORE_THREAD];

/// Starts those that the settings want; a stepped engine has none.
///
/// # Errors
/// `Unavailable` when a thread cannot be started.
pub(super) fn start_all(running: &Running, settings: &EngineBuilder) -> Result<()> {
    if settings.journal.stepped.is_some() {
        return Ok(());
    }
    start(running, "stockhold-space", room::run)?;
    start(running, follower::HISTORY_THREAD, follower::run)?;
    start(running, writer::STORE_THREAD, writer::run)?;
    start(running, "stockhold-checkpoint", checkpoint::run)?;
    if settings.running {
        start(running, "stockhold-expiry", expire::run)?;
    }
    Ok(())
}

/// Starts a background thread that sleeps between its rounds. Should it die, the status tells.
pub(in crate::engine) fn start(
    running: &Running,
    name: &'static str,
    run: fn(&Arc<Core>, &Parker),
) -> Result<()> {
    let parker = Parker::new();
    let core = Arc::clone(&running.core);
    core.life.add_sleeper(parker.unparker().clone());
    let builder = thread::Builder::new().name(name.to_owned());
    let thread: JoinHandle<()> = builder
        .spawn(move || {
            let dead = match OF_HISTORY.contains(&name) {
                true => &core.life.dead_history,
                false => &core.life.dead_thread,
            };
            dead.watch(name, || run(&core, &parker));
        })
        .map_err(|error| Error::io(format_args!("starting the thread {name}"), error))?;
    running.threads.lock().push(thread);
    Ok(())
}
