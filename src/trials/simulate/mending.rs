//! A clock that was ahead is set right, and the journal's time with it, by a process of its own that
//! may be cut off at any operation.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::step::Ending;
use super::world::{Slot, World};
use crate::base::error::ErrorKind;
use crate::base::{ReservationId, TimeMs};
use crate::engine::{Mended, mend_clock};
use crate::event::Fact;
use crate::trials::oracle::{Checked, hold};
use crate::vfs::crash::Fault;

/// How far clocks may differ that agree.
const AGREES_MS: u64 = 2_000;

impl World<'_> {
    /// Sets the machine's clock back and mends the journal; power is cut after so many operations
    /// of that.
    pub(super) fn mend(&mut self, back_ms: u64, cut_after: Option<u64>) -> Checked {
        self.end(Ending::Drop)?;
        if self.vfs.is_off() {
            return Ok(());
        }
        let oldest = self.engine()?.status().oldest_seq;
        drop(self.engine.take());
        self.machine.set_back(back_ms);
        let now_ms = self.machine.now_ms();
        let (sure, unsure) =
            (self.made_after(now_ms + AGREES_MS, 1), self.made_after(now_ms, oldest));
        if let Some(after) = cut_after {
            self.vfs.fault_at(self.vfs.operations() + after, Fault::PowerCut);
        }
        self.openings += 1;
        let builder = self.builder_on(&self.vfs, self.plan.seed ^ self.openings << 32);
        let mended = mend_clock(builder, true);
        self.shown = self.books.ended.keys().chain(&unsure).copied().collect();
        let recorded = match &mended {
            Ok(mended) => usize::from(mended.seq.is_some()) + mended.reservations,
            Err(_) => 1 + unsure.len(),
        };
        let unsure = Rc::new(unsure);
        self.log.extend((0..recorded).map(|_| Slot::Mending(now_ms, Rc::clone(&unsure))));
        match mended {
            Ok(mended) => self.check_mended(&mended, now_ms, &sure),
            Err(error) => {
                self.counts.add("mends", "cut off");
                let may_fail = [ErrorKind::Unavailable, ErrorKind::Poisoned, ErrorKind::Closed];
                hold(may_fail.contains(&error.kind()) && self.has_failed(), || {
                    format!("a mend fails: {error}")
                })?;
                self.vfs.make_room();
                if self.vfs.is_off() {
                    self.lose_power();
                }
                self.reopen()
            }
        }
    }

    fn check_mended(
        &mut self,
        mended: &Mended,
        now_ms: TimeMs,
        sure: &BTreeSet<ReservationId>,
    ) -> Checked {
        let what = match (mended.is_ahead, mended.reservations) {
            (true, 0) => "set back",
            (true, _) => "set back, and reservations released",
            (false, 0) => "nothing to mend",
            (false, _) => "finished",
        };
        self.counts.add("mends", what);
        self.acknowledged = self.log.len() as u64;
        if self.vfs.is_off() {
            self.lose_power();
        }
        self.reopen()?;
        if self.vfs.is_off() {
            return Ok(());
        }
        let now = self.engine()?.now_ms();
        hold(now <= now_ms + AGREES_MS, || {
            format!("the time is {now} after a mend, and {now_ms} by the machine's clock")
        })?;
        let left = self.books.pending.keys().find(|id| sure.contains(id));
        hold(left.is_none(), || format!("{left:?} was made ahead, and a mend leaves it"))
    }

    /// What waits and was made after this time, and what was made before event `kept_from`: of
    /// that the journal does not tell when.
    fn made_after(&self, at_ms: TimeMs, kept_from: u64) -> BTreeSet<ReservationId> {
        let made = (1..).zip(&self.log).filter_map(|(seq, slot)| match slot {
            Slot::Known(event) if event.at > at_ms || seq < kept_from => Some(event.facts()),
            Slot::Known(_) | Slot::Lapsed(..) | Slot::Mending(..) => None,
        });
        let made = made.flatten().filter_map(|fact| match fact {
            Fact::Reserved { reservation, .. } => Some(*reservation),
            _ => None,
        });
        made.filter(|id| self.books.pending.contains_key(id)).collect()
    }
}
