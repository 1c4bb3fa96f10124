//! Setting back the time of a journal that is ahead of the machine's clock, because that clock was
//! ahead once.

use std::path::Path;
use std::sync::Arc;

use super::Engine;
use super::time::JUMP_MS;
use crate::base::clock::Clock;
use crate::base::error::Result;
use crate::base::{Seq, TimeMs};
use crate::event::{Event, Fact, Recorder};
use crate::ledger::{Release, made_at_ms};

/// What was ahead, and what was done.
#[derive(Debug)]
pub(crate) struct Mended {
    /// The newest time of the journal, and that of the machine.
    pub(crate) journal_ms: TimeMs,
    pub(crate) machine_ms: TimeMs,
    /// Whether that is more than clocks differ.
    pub(crate) is_ahead: bool,
    /// How many reservations wait that were made in the time that was ahead.
    pub(crate) reservations: usize,
    /// The event that sets the time back; `None` when nothing was done.
    pub(crate) seq: Option<Seq>,
}

/// Looks how far the journal in `dir` is ahead of `clock`, and, with `mend`, sets its time back to
/// the clock's. What waits since before keeps its deadline; reservations made in the time that was
/// ahead are released, since their deadlines are of that time.
///
/// # Errors
/// Those of opening the directory, which no server may have open, and `Unavailable` when the disk
/// fails.
pub(crate) fn mend_clock(dir: &Path, clock: Arc<dyn Clock>, mend: bool) -> Result<Mended> {
    let engine = Engine::builder(dir).clock(clock).without_expiry().open()?;
    let core = &engine.0.core;
    let (journal_ms, machine_ms) = (core.now_ms(), core.time.wall_ms());
    let is_ahead = core.time.ahead_ms() > 0;
    let pending = core.ledger.all_pending().into_iter().map(|pending| pending.reservation);
    // Those of an earlier try, which a crash ended between setting the time back and releasing them,
    // too: nothing else can be that far ahead.
    let tolerated_ms = if is_ahead { 0 } else { JUMP_MS };
    let made_ahead: Vec<_> = pending
        .filter(|reservation| made_at_ms(*reservation) > machine_ms.saturating_add(tolerated_ms))
        .collect();
    let mut mended =
        Mended { journal_ms, machine_ms, is_ahead, reservations: made_ahead.len(), seq: None };
    let recorder = core.recorder();
    if is_ahead && mend {
        recorder.admit()?;
        let fact = Fact::ClockMended { from: journal_ms };
        mended.seq = Some(recorder.record(&Event { at: machine_ms, request: None, fact }));
        core.time.set_back(machine_ms);
    }
    if mend {
        // After the event that sets the time back: theirs are of the machine's time.
        for reservation in made_ahead {
            core.ledger.execute(&Release::new(reservation).into(), machine_ms, &recorder)?;
        }
        core.journal.wait(recorder.last_seq())?;
    }
    engine.close()?;
    Ok(mended)
}
