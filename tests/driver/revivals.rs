//! Reservations that expired are confirmed after all, and others are not.

use stockhold::test_util::oracle::{Ask, Bounds, Said};
use stockhold::{Reacquire, ReservationId};

use super::plan::Revival;
use super::{Asked, Run, key_of};

impl Run {
    pub(super) fn pick_revival(&mut self, wish: Revival) -> Reacquire {
        let Revival { pick, owner } = wish;
        self.open_all(owner);
        let owner = owner.map(|place| self.id(place));
        Reacquire::new(self.lapsed(pick)).owner(owner)
    }

    /// Mostly one of the newest that expired.
    fn lapsed(&self, pick: usize) -> ReservationId {
        let expired = &self.reference.books.expired;
        let among = expired.len().min(4);
        let found = (among > 0 && !pick.is_multiple_of(5)).then(|| pick / 5 % among);
        let found = found.and_then(|at| expired.keys().nth_back(at).copied());
        found.unwrap_or_else(|| self.recent(pick))
    }

    pub(super) fn revive(&mut self, asked: Reacquire, key: Option<u8>) {
        // It asks for what a confirm asks for.
        let Reacquire { reservation, owner, .. } = asked;
        let told = key.map(|key| Ask::Confirm { reservation, owner, parts: None }.key(key));
        let said = self.engine().reacquire(asked.key(key.map(key_of))).and_then(|it| it.wait());
        let said = said.map(Said::from).map_err(|error| error.kind());
        let (books, now) = (&self.reference.books, self.reference.now);
        let due = books.decide_reacquire(&asked.key(told), now, &Bounds::NONE);
        self.hear_due(due, told, &said, &asked);
        self.asked.extend(key.map(|key| (Asked::Revive(asked), key)));
    }
}
