//! From what was decided to the event: recorded first, then applied, under the same locks.

use super::apply::apply;
use super::shard::LockedShards;
use crate::base::Seq;
#[cfg(test)]
use crate::base::flaw::{self, Flaw};
use crate::event::{Event, Recorder};

/// Records and applies an event that was decided on what is held.
#[inline]
pub(super) fn commit(
    locked: &mut LockedShards<'_>,
    event: &Event<'_>,
    recorder: &impl Recorder,
) -> Seq {
    #[cfg(test)]
    if flaw::is_made(Flaw::LogsLate) {
        return late::commit(locked, event, recorder);
    }
    let seq = recorder.record(event);
    apply(locked, seq, event).expect("an event applies to the state it was decided on");
    seq
}

/// What [`Flaw::LogsLate`] makes of a commit.
#[cfg(test)]
mod late {
    use std::cell::RefCell;

    use super::{Event, LockedShards, Recorder, Seq, apply};
    use crate::event::Fact;

    thread_local! {
        static LATE: RefCell<Vec<Event<'static>>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn commit(
        locked: &mut LockedShards<'_>,
        event: &Event<'_>,
        recorder: &impl Recorder,
    ) -> Seq {
        if matches!(event.fact, Fact::Expired(_)) {
            let seq = recorder.last_seq() + 1;
            LATE.with_borrow_mut(|late| late.push(event.clone().into_owned()));
            apply(locked, seq, event).expect("an event applies to the state it was decided on");
            return seq;
        }
        let seq = recorder.record(event);
        for late in LATE.take() {
            recorder.record(&late);
        }
        apply(locked, seq, event).expect("an event applies to the state it was decided on");
        seq
    }
}
