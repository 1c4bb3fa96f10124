//! Commands that happen together, or not at all.

use super::step::{Then, Wish};
use super::world::World;
use crate::base::error::Error;
use crate::engine::Ticket;
use crate::ledger::{Atomic, Command};
use crate::trials::oracle::{
    Ask, Checked, DueTogether, Said, agree, key_of, numbers_of, said_together,
};

impl World<'_> {
    pub(super) fn together(&mut self, wishes: &[Wish], key: Option<u8>, then: Then) -> Checked {
        let mut asks = Vec::new();
        for wish in wishes {
            asks.extend(self.resolve(wish)?);
        }
        if asks.is_empty() {
            return Ok(());
        }
        self.counts.add("requests", "together");
        self.ask_together(&asks, key, then)?;
        match key {
            // At once, and so mostly with the first answers.
            Some(key) if key.is_multiple_of(3) => self.ask_together(&asks, Some(key), Then::Wait),
            _ => Ok(()),
        }
    }

    fn ask_together(&mut self, asks: &[Ask], key: Option<u8>, then: Then) -> Checked {
        let commands: Vec<Command<'_>> = asks.iter().map(|ask| ask.command(None)).collect();
        let atomic = Atomic::new(&commands).key(key.map(|key| key_of(key, &format!("{asks:?}"))));
        let engine = self.engine()?;
        let now = engine.now_ms();
        let ticket = engine.atomic(atomic);
        let said = ticket.as_ref().map(|ticket| said_together(ticket.outcome()));
        let said = said.map_err(Error::kind);
        let seq = ticket.as_ref().ok().and_then(Ticket::seq);
        self.note(format_args!("{said:?} {seq:?}"));
        if said.as_ref().is_err_and(|kind| self.excuses(*kind)) {
            return Ok(());
        }
        let (numbers, terms) = (numbers_of(&said), self.plan.setup.terms());
        let due = self.books.decide_together(&atomic, now, &numbers, &terms.bounds);
        self.books.hold_together(&said, &due)?;
        self.counts.add("together", name_of(&due));
        let should = match due {
            DueTogether::Fact(fact, _) => {
                let request = atomic.key.map(|key| terms.request(key, now));
                self.enter(now, request, vec![fact])?;
                self.made.extend(numbers.into_iter().flatten());
                Some(self.books.seq)
            }
            DueTogether::Again(_, first) => Some(first),
            DueTogether::Nothing(..) | DueTogether::Error(_) => None,
        };
        agree("the event of the answer together", &seq, &should)?;
        ticket.map_or(Ok(()), |ticket| self.then(ticket.map(|_| Said::Recorded), then))
    }
}

fn name_of(due: &DueTogether) -> String {
    match due {
        DueTogether::Fact(..) => "all of it".to_owned(),
        DueTogether::Nothing(0, _) => "none, for the first".to_owned(),
        DueTogether::Nothing(..) => "none, for a later one".to_owned(),
        DueTogether::Again(..) => "first answers again".to_owned(),
        DueTogether::Error(kind) => format!("{kind:?}"),
    }
}
