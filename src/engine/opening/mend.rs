//! Setting back the time of a journal that is ahead of the machine's clock, because that clock was
//! ahead once.

use std::collections::HashMap;

use crate::base::error::{ErrorKind, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{ReservationId, Seq, TimeMs};
use crate::engine::core::Core;
use crate::engine::time::JUMP_MS;
use crate::engine::{Engine, EngineBuilder};
use crate::event::{Event, Fact, Recorder};
use crate::ledger::{Release, made_at_ms};

/// What was ahead, and what was done.
#[cfg_attr(not(feature = "bin"), allow(dead_code, reason = "the command tells them"))]
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

/// Looks how far the journal that `builder` opens is ahead of its clock, and, with `mend`, sets its
/// time back to the clock's. What waits since before keeps its deadline; reservations made in the
/// time that was ahead are released, since their deadlines are of that time. A mend that a crash
/// cut off is finished by another.
///
/// # Errors
/// Those of opening the directory, which no server may have open, and of reading its events;
/// `Unavailable` when the disk fails.
pub(crate) fn mend_clock(builder: EngineBuilder, mend: bool) -> Result<Mended> {
    let engine = builder.without_expiry().open()?;
    let core = &engine.0.core;
    let (journal_ms, machine_ms) = (core.now_ms(), core.time.wall_ms());
    let is_ahead = core.time.ahead_ms() > 0;
    // Where the time is not ahead any more, an earlier try may have set it back and released
    // nothing.
    let tolerated_ms = if is_ahead { 0 } else { JUMP_MS };
    let made_ahead = made_after(&engine, machine_ms.saturating_add(tolerated_ms), is_ahead)?;
    let mut mended =
        Mended { journal_ms, machine_ms, is_ahead, reservations: made_ahead.len(), seq: None };
    let recorder = core.recorder();
    if is_ahead && mend {
        recorder.admit()?;
        if flaw::is_made(Flaw::MendsLate) {
            core.time.set_back(machine_ms);
            made_ahead.iter().try_for_each(|reservation| release(core, *reservation))?;
        }
        let fact = Fact::ClockMended { from: journal_ms };
        mended.seq = Some(recorder.record(&Event { at: machine_ms, request: None, fact }));
        core.time.set_back(machine_ms);
    }
    if mend {
        // After the event that sets the time back: theirs are of the machine's time.
        made_ahead.into_iter().try_for_each(|reservation| release(core, reservation))?;
        core.journal.wait(recorder.last_seq())?;
    }
    engine.close()?;
    Ok(mended)
}

/// The pending reservations that were made later than `at_ms`. A number is no lower than the time
/// at which it was given out, and may be higher: once time was set back, a shard goes on from its
/// highest number. So the events say when, and numbers only where events are no longer kept.
fn made_after(engine: &Engine, at_ms: TimeMs, is_ahead: bool) -> Result<Vec<ReservationId>> {
    let pending = engine.0.core.ledger.all_pending().into_iter().map(|pending| pending.reservation);
    let mut made: Vec<_> = pending.filter(|id| made_at_ms(*id) > at_ms).collect();
    if made.is_empty() {
        return Ok(made);
    }
    let mut by_event: HashMap<ReservationId, Option<TimeMs>> =
        made.iter().map(|id| (*id, None)).collect();
    // Whatever was made before the events that are kept was made before a mend among them.
    let mut is_old_ahead = is_ahead;
    let mut events = engine.subscribe(engine.status().oldest_seq)?;
    while let Some((_, event)) = events.try_next()? {
        for fact in event.facts() {
            match fact {
                Fact::Reserved { reservation, .. } => {
                    by_event.entry(*reservation).and_modify(|at_ms| *at_ms = Some(event.at));
                }
                Fact::ClockMended { .. } => is_old_ahead = true,
                _ => {}
            }
        }
    }
    made.retain(|id| by_event[id].map_or(is_old_ahead, |made_ms| made_ms > at_ms));
    Ok(made)
}

fn release(core: &Core, reservation: ReservationId) -> Result<()> {
    let command = Release::new(reservation).into();
    let mut released = core.ledger.execute(&command, core.now_ms(), &core.recorder());
    if released.as_ref().is_err_and(|error| error.kind() == ErrorKind::Overloaded) {
        // The queue is full: what is in it is written first.
        core.journal.wait(core.recorder().last_seq())?;
        released = core.ledger.execute(&command, core.now_ms(), &core.recorder());
    }
    released.map(drop)
}
