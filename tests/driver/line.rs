//! Those who wait for units of an account.

use stockhold::Line;
use stockhold::Reserve;
use stockhold::command::{Grant, Join, Leave};
use stockhold::outcome::GrantOutcome;
use stockhold::test_util::oracle::{Bounds, Said};

use super::Run;
use crate::reference::Place;

impl Run {
    pub(super) fn join(&mut self, place: Place, owner: Place, places_max: usize) {
        self.open_all([place, owner]);
        let join = Join::new(self.id(place), self.id(owner), places_max).body(b"one");
        let due = self.reference.books.decide_join(&join, self.reference.now, &Bounds::NONE);
        let said = self.engine().join(join).and_then(|ticket| ticket.wait());
        let said = said.map(Said::from).map_err(|error| error.kind());
        self.hear_due(due, None, &said, &join);
    }

    pub(super) fn leave(&mut self, place: Place, owner: Place, is_first: bool) {
        self.open_all([place, owner]);
        let mut leave = Leave::new(self.id(place), self.id(owner)).note("enough");
        if is_first {
            leave = leave.place(0);
        }
        let due = self.reference.books.decide_leave(&leave, self.reference.now, &Bounds::NONE);
        let said = self.engine().leave(leave).and_then(|ticket| ticket.wait());
        let said = said.map(Said::from).map_err(|error| error.kind());
        self.hear_due(due, None, &said, &leave);
    }

    pub(super) fn grant(&mut self, place: Place, units: u64, ttl_ms: u64, is_last: bool) {
        self.open_all([place]);
        let account = self.id(place);
        let line = &self.reference.books.accounts[&account].line;
        let waiting = if is_last { line.last() } else { line.first() };
        let number = waiting.map_or(0, |waiting| waiting.place);
        let lines = [Line { account, quantity: units }];
        let reserve = Reserve::new(&lines, ttl_ms).owner(waiting.map(|waiting| waiting.owner));
        let grant = Grant::new(account, number, reserve);
        let said = self.engine().grant(grant).and_then(|ticket| ticket.wait());
        let made = match &said {
            Ok(GrantOutcome::Granted(reserved)) => Some(reserved.reservation),
            _ => None,
        };
        let (books, now) = (&self.reference.books, self.reference.now);
        let due = books.decide_grant(&grant, now, made, &Bounds::NONE);
        let said = said.map(Said::from).map_err(|error| error.kind());
        self.hear_due(due, None, &said, &grant);
        self.made.extend(made);
    }
}
