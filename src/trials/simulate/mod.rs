//! A deterministic simulation of the engine: `stockhold simulate`.
//!
//! From one seed follows everything: what callers ask and when, how the clock goes, which operation
//! of the disk fails or loses power, what a crash leaves of unsynced data, when the engine's
//! background work runs, and how far followers lag. The engine is the real one, without threads
//! ([`EngineBuilder::stepped`](crate::engine::EngineBuilder)), on a file system in memory
//! ([`CrashVfs`](crate::vfs::crash::CrashVfs)). Beside it stands the [oracle](super::oracle), which says what must
//! come of each request, and to which every event, answer, level and recovery is held. The same
//! seed is the same run, operation by operation; a trace of it is hashed.
//!
//! | file | what it knows |
//! |---|---|
//! | `step` | what can happen, with every choice in it |
//! | `draw` | steps drawn by chance |
//! | `plan` | what happens in a run: steps that follow from the seed |
//! | `world` | takes the steps, on the engine and on the books |
//! | `returns` | what was consumed goes back |
//! | `revivals` | what expired is confirmed after all |
//! | `together` | commands that happen together |
//! | `line` | those who wait for units |
//! | `record` | documents and rules, with keys |
//! | `recovery` | crashes, restarts, and what must be left |
//! | `mending` | a clock that was ahead, set right |
//! | `follower`, `following` | subscribers that lag, die and go on |
//! | `rot` | flipped bits, on a copy |
//! | `wish` | wishes as requests |
//! | `many` | many seeds, on all processors |
//! | `shrink` | a failing plan with nothing in it that it does not need |
//! | `counts` | what was tried |

mod clock;
mod counts;
mod draw;
mod follower;
mod following;
mod line;
mod many;
mod mending;
mod plan;
mod record;
mod recovery;
mod returns;
mod revivals;
mod rot;
mod setup;
mod shrink;
mod step;
#[cfg(test)]
mod tests;
mod together;
mod wish;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) use counts::Counts;
pub(crate) use many::run_many;
pub(crate) use plan::Plan;
pub(crate) use shrink::shrink;
use world::World;

/// What a run came to.
pub(crate) struct Run {
    pub(crate) counts: Counts,
    /// A hash of everything that happened.
    pub(crate) trace: u64,
    /// A hash of every record of its journal, in order.
    pub(crate) journal: blake3::Hash,
    /// What did not hold, with the step at which it was seen.
    pub(crate) failure: Option<String>,
}

/// Takes the steps of a plan.
pub(crate) fn run(plan: &Plan) -> Run {
    let mut world = World::new(plan);
    // An engine that finds itself in an impossible state panics, and that is a finding like any
    // other.
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let told = panic.downcast_ref::<String>().cloned();
        let told = told.or_else(|| panic.downcast_ref::<&str>().map(|told| (*told).to_owned()));
        Err(format!("the engine panicked: {}", told.unwrap_or_default()))
    });
    let failure = outcome.err().map(|why| format!("{}: {why}", world.place()));
    let (counts, trace, journal) = world.finish();
    Run { counts, trace, journal, failure }
}
