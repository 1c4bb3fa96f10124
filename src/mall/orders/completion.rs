//! Orders that are completed by themselves, so long after they were sent.
//!
//! Which were sent is in history alone. So the mall looks through it once after each start, a piece
//! at a time; from then on whatever is sent is remembered here, in the order in which it is due.
//! What is completed, or taken back, before it is due is found out when it is.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use super::{Order, facts_of, status_of};
use crate::base::error::Result;
use crate::base::{ReservationId, TimeMs};
use crate::engine::{NoteOutcome, NoteWhen};
use crate::history::record::ReservationRecord;
use crate::mall::Mall;
use crate::mall::facts::OrderFact;
use crate::mall::model::OrderStatus;

/// How many reservations one call looks at.
const LOOKED_AT: usize = 512;
/// How many are completed at once: those who ask for refunds wait for the same thread.
const COMPLETED_AT_ONCE: usize = 256;
/// How many are remembered, some 40 bytes each. Those that are due later are looked for again.
const REMEMBERED_MAX: usize = 1 << 20;

/// The orders that were sent and are not over, as far as this process knows.
#[derive(Debug, Default)]
pub(in crate::mall) struct Sent(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By when they were sent.
    waiting: BTreeSet<(TimeMs, ReservationId)>,
    look: Look,
    /// Some that were sent had to be forgotten.
    forgot: bool,
}

/// How much of history is looked through.
#[derive(Clone, Copy, Debug, Default)]
enum Look {
    #[default]
    NotBegun,
    /// What is older than this is not.
    Before(ReservationId),
    Done,
}

impl State {
    fn remember(&mut self, at: TimeMs, order: ReservationId) {
        self.waiting.insert((at, order));
        if self.waiting.len() > REMEMBERED_MAX {
            self.waiting.pop_last();
            self.forgot = true;
        }
    }

    /// The orders that were sent at this time or before, some of them.
    fn take(&mut self, sent_by: TimeMs) -> Vec<(TimeMs, ReservationId)> {
        let mut taken = Vec::new();
        while taken.len() < COMPLETED_AT_ONCE
            && let Some(first) = self.waiting.first().copied().filter(|(at, _)| *at <= sent_by)
        {
            self.waiting.remove(&first);
            taken.push(first);
        }
        if self.forgot && self.waiting.is_empty() {
            (self.forgot, self.look) = (false, Look::NotBegun);
        }
        taken
    }
}

impl Mall {
    /// Completes orders that were sent as long ago as the configuration says, some hundred at most;
    /// whether there may be more to do at once. A server calls this by itself. It blocks on the
    /// disk.
    ///
    /// # Errors
    /// What the engine reports; it is tried again then.
    pub fn complete_due(&self) -> Result<bool> {
        let Some(after_ms) = self.config().completion_after_ms else {
            return Ok(false);
        };
        let looks_on = self.look_for_sent()?;
        let Some(sent_by) = self.now_ms().checked_sub(after_ms) else {
            return Ok(looks_on);
        };
        let due = self.shared.sent.0.lock().take(sent_by);
        let completed = self.complete(&due);
        if completed.is_err() {
            let mut state = self.shared.sent.0.lock();
            due.iter().for_each(|&(at, order)| state.remember(at, order));
        }
        completed.map(|()| looks_on || due.len() == COMPLETED_AT_ONCE)
    }

    /// An order was sent.
    pub(super) fn remember_sent(&self, order: &Order) {
        if let Some(at) = order.fulfilment.shipped_at
            && order.status == OrderStatus::Shipped
        {
            self.shared.sent.0.lock().remember(at, order.reservation);
        }
    }

    /// Looks at the next piece of history; whether there is more.
    fn look_for_sent(&self) -> Result<bool> {
        let look = self.shared.sent.0.lock().look;
        let before = match look {
            Look::Done => return Ok(false),
            Look::Before(order) => Some(order),
            Look::NotBegun => {
                // Whatever is sent from now on is remembered by whoever sends it.
                self.engine().catch_up().wait()?;
                None
            }
        };
        let piece = self.engine().history().reservations(before, LOOKED_AT)?;
        let mut state = self.shared.sent.0.lock();
        for record in &piece {
            if let Some(at) = sent_at(record) {
                state.remember(at, record.reservation);
            }
        }
        state.look = match piece.last() {
            Some(last) if piece.len() == LOOKED_AT => Look::Before(last.reservation),
            Some(_) | None => Look::Done,
        };
        Ok(matches!(state.look, Look::Before(_)))
    }

    fn complete(&self, due: &[(TimeMs, ReservationId)]) -> Result<()> {
        let fact = OrderFact::Completed { operator: None }.encode();
        let note = |order| NoteWhen::new(order, &fact, super::fact::may_be_noted);
        let asked = due.iter().map(|&(_, order)| self.engine().note_when(note(order)));
        let tickets = asked.collect::<Result<Vec<_>>>()?;
        for ticket in tickets {
            match ticket.wait()? {
                // Somebody was faster, or it was taken back.
                NoteOutcome::Noted { .. } | NoteOutcome::Unmet { .. } => {}
            }
        }
        Ok(())
    }
}

/// When an order was sent that is not over.
fn sent_at(record: &ReservationRecord) -> Option<TimeMs> {
    // Most are told apart without reading what was noted.
    if record.notes.is_empty() || status_of(record, 0) != OrderStatus::Shipped {
        return None;
    }
    let sent = |(at, fact)| matches!(fact, OrderFact::Shipped { .. }).then_some(at);
    facts_of(record).find_map(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_first_is_remembered_and_what_was_forgotten_is_looked_for() {
        let id = ReservationId::from_number;
        let mut state = State { look: Look::Done, ..State::default() };
        for number in 0..REMEMBERED_MAX as u64 {
            state.remember(number, id(number));
        }
        assert!(!state.forgot);
        state.remember(7, id(u64::MAX));
        assert!(state.forgot && !state.waiting.contains(&(REMEMBERED_MAX as u64 - 1, id(0))));
        assert_eq!(state.take(1), [(0, id(0)), (1, id(1))]);
        let mut taken = 2;
        while matches!(state.look, Look::Done) {
            taken += state.take(TimeMs::MAX).len();
        }
        assert_eq!(
            (taken, state.forgot),
            (REMEMBERED_MAX, false),
            "then history is looked through"
        );
    }
}
