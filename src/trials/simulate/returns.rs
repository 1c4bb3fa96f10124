//! Returns of what was consumed: all of it, a part, more than is left, and once more.

use super::step::Then;
use super::wish::Returned;
use super::world::World;
use crate::base::error::ErrorKind;
use crate::base::{AccountId, ReservationId};
use crate::engine::{Engine, Ticket};
use crate::event::PartLine;
use crate::ledger::{Line, Refund, Return, Used};
use crate::trials::oracle::{Checked, Due, Said, agree};

impl World<'_> {
    /// Everything that is left of one goes back.
    pub(super) fn refund(&mut self, pick: usize) -> Checked {
        self.refund_foreign(pick)?;
        let Some(reservation) = self.consumed(pick) else {
            return Ok(());
        };
        let returned = Returned { reservation, part: None, written_off: Vec::new() };
        self.counts.add("requests", "refund");
        self.give_back(&returned, None)
    }

    pub(super) fn return_part(
        &mut self,
        pick: usize,
        units: u64,
        is_more: bool,
        written_off: u8,
        key: Option<u8>,
    ) -> Checked {
        let Some(reservation) = self.consumed(pick) else {
            return Ok(());
        };
        let used = &self.books.consumed[&reservation].lines;
        let mut part: Vec<Line> = (0..)
            .zip(used)
            .filter_map(|(place, line)| some_of(line, units >> (2 * place)))
            .collect();
        if let Some(last) = part.last_mut().filter(|_| is_more) {
            let same = used.iter().filter(|line| line.account == last.account);
            last.quantity = same.map(PartLine::left).sum::<u64>() + 1;
        }
        let accounts = (0..8).zip(used).filter(|(place, _)| written_off >> place & 1 == 1);
        let mut written_off: Vec<AccountId> = accounts.map(|(_, line)| line.account).collect();
        written_off.dedup();
        // Nothing of it is everything that is left.
        let part = Some(part).filter(|part| !part.is_empty());
        let returned = Returned { reservation, part, written_off };
        self.counts.add("requests", "refund in part");
        self.returned.extend(key.map(|key| (returned.clone(), key)));
        self.give_back(&returned, key)
    }

    /// A retry, though nothing may be left of the reservation.
    pub(super) fn return_again(&mut self, pick: usize) -> Checked {
        let recent = &self.returned[self.returned.len().saturating_sub(8)..];
        let Some((returned, key)) = recent.get(pick % recent.len().max(1)).cloned() else {
            return Ok(());
        };
        // A crash may have taken back that it was confirmed, or that an account was opened.
        let is_known = self.books.consumed.contains_key(&returned.reservation)
            && returned.written_off.iter().all(|it| self.books.accounts.contains_key(it));
        if !is_known {
            return Ok(());
        }
        self.counts.add("requests", "refund again");
        self.give_back(&returned, Some(key))
    }

    /// One of those of which something is consumed still.
    fn consumed(&self, pick: usize) -> Option<ReservationId> {
        let count = self.books.consumed.len().max(1);
        self.books.consumed.keys().nth(pick % count).copied()
    }

    fn give_back(&mut self, returned: &Returned, key: Option<u8>) -> Checked {
        const WHY: &str = "refund";
        let engine = self.engine()?;
        let now = engine.now_ms();
        let Returned { reservation, part, written_off } = returned;
        let (part, key) = (part.as_deref(), key.map(|key| returned.key(key)));
        let mut refund = Refund::new(*reservation).written_off(written_off).note(WHY).key(key);
        refund.part = part;
        let due = self.books.decide_return(&refund, now, &self.plan.setup.terms().bounds);
        let request = key.map(|key| self.plan.setup.terms().request(key, now));
        let used = self.books.consumed[reservation].clone();
        let used = Used { reservation: *reservation, lines: &used.lines, consumed_at: used.at };
        let asked = Return { part, written_off, note: WHY, key, ..Return::default() };
        let said = engine.give_back(&used, &asked);
        self.counts.add("returns", name_of(&due));
        self.hear_other(now, due, request, said, Then::Wait)
    }

    /// What a history that is not this ledger's would tell is refused: of one that waits, and of
    /// one that was never made.
    fn refund_foreign(&mut self, pick: usize) -> Checked {
        let engine = self.engine()?;
        let waiting =
            self.books.pending.keys().nth(pick % self.books.pending.len().max(1)).copied();
        let never = ReservationId::from_number(u64::MAX >> 1);
        for reservation in waiting.into_iter().chain([never]) {
            let held = self.books.pending.get(&reservation);
            let lines = held.map(|held| held.lines.clone()).unwrap_or_default();
            let said = give_back_foreign(&engine, reservation, &lines);
            if said.is_err_and(|kind| self.excuses(kind)) {
                continue;
            }
            self.counts.add("requests", "refund of what was not consumed");
            agree("a return of what was not consumed", &said, &Err(ErrorKind::Conflict))?;
        }
        Ok(())
    }
}

fn some_of(line: &PartLine, units: u64) -> Option<Line> {
    let quantity = line.left().min(units & 3);
    (quantity > 0).then_some(Line { account: line.account, quantity })
}

fn give_back_foreign(
    engine: &Engine,
    reservation: ReservationId,
    lines: &[Line],
) -> Result<Said, ErrorKind> {
    let consumed =
        |line: &Line| PartLine { account: line.account, consumed: line.quantity, returned: 0 };
    let lines: Vec<PartLine> = lines.iter().map(consumed).collect();
    let used = Used { reservation, lines: &lines, consumed_at: engine.now_ms() };
    let said = engine.give_back(&used, &Return { note: "refund", ..Return::default() });
    said.map(|ticket: Ticket<_>| Said::from(ticket.outcome())).map_err(|error| error.kind())
}

fn name_of(due: &Due) -> &'static str {
    match due {
        Due::Facts(_, Said::ReturnedInPart { .. }) => "in part",
        Due::Facts(..) => "the last",
        Due::Nothing(_) => "too much",
        Due::Again(..) => "first answer again",
        Due::Error(ErrorKind::Conflict) => "another request",
        Due::Error(_) => "refused",
    }
}
