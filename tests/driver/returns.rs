//! Returns of what was consumed: all of it, a part, more than is left, and once more.

use stockhold::test_util::oracle::{Ask, Bounds, Said, key_of as reference_key_of};
use stockhold::{AccountId, IdempotencyKey, Line, Refund, ReservationId};

use super::plan::Return;
use super::{Asked, Run, key_of};

/// A return that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Returned {
    reservation: ReservationId,
    part: Option<Vec<Line>>,
    written_off: Vec<AccountId>,
    owner: Option<AccountId>,
}

impl Returned {
    /// A return of everything that is left.
    pub(super) fn whole(reservation: ReservationId) -> Self {
        Self { reservation, part: None, written_off: Vec::new(), owner: None }
    }

    pub(super) fn reservation(&self) -> ReservationId {
        self.reservation
    }

    /// The name of this request. One of everything that is left asks for what a release asks for.
    fn key(&self, key: u8) -> IdempotencyKey {
        match self {
            Self { reservation, part: None, written_off, owner } if written_off.is_empty() => {
                Ask::Release { reservation: *reservation, owner: *owner }.key(key)
            }
            _ => reference_key_of(key, &format!("{self:?}")),
        }
    }

    fn refund(&self) -> Refund<'_> {
        let refund = Refund::new(self.reservation).written_off(&self.written_off);
        let refund = refund.owner(self.owner).note("back");
        self.part.iter().fold(refund, |refund, part| refund.part(part))
    }
}

impl Run {
    pub(super) fn pick_return(&mut self, wish: Return) -> Returned {
        let Return { pick, units, is_more, written_off, owner } = wish;
        self.open_all(owner);
        let reservation = self.consumed(pick);
        let used = self.reference.books.consumed.get(&reservation);
        let used = used.map(|used| used.lines.clone()).unwrap_or_default();
        // Two bits of units for each of the first lines.
        let asked = (0..4).zip(&used).map(|(place, line)| Line {
            account: line.account,
            quantity: line.left().min(u64::from(units >> (2 * place) & 3)),
        });
        let mut part: Vec<Line> = asked.filter(|line| line.quantity > 0).collect();
        if let Some(last) = part.last_mut().filter(|_| is_more) {
            let same = used.iter().filter(|line| line.account == last.account);
            last.quantity = same.map(|line| line.left()).sum::<u64>() + 1;
        }
        let broken = (0..8).zip(&used).filter(|(place, _)| written_off >> place & 1 == 1);
        let mut written_off: Vec<AccountId> = broken.map(|(_, line)| line.account).collect();
        written_off.sort();
        written_off.dedup();
        let part = Some(part).filter(|part| !part.is_empty());
        Returned { reservation, part, written_off, owner: owner.map(|place| self.id(place)) }
    }

    /// Mostly one of those of which something is consumed still.
    fn consumed(&self, pick: usize) -> ReservationId {
        let consumed = &self.reference.books.consumed;
        let count = consumed.len();
        let found = (count > 0 && !pick.is_multiple_of(6)).then(|| pick / 6 % count);
        let found = found.and_then(|at| consumed.keys().nth(at).copied());
        found.unwrap_or_else(|| self.recent(pick))
    }

    pub(super) fn give_back(&mut self, returned: Returned, key: Option<u8>) {
        let told = key.map(|key| returned.key(key));
        let refund = returned.refund();
        let said = self.engine().refund(refund.key(key.map(key_of))).and_then(|it| it.wait());
        let said = said.map(Said::from).map_err(|error| error.kind());
        let (books, now) = (&self.reference.books, self.reference.now);
        let due = books.decide_refund(&refund.key(told), now, &Bounds::NONE);
        self.hear_due(due, told, &said, &returned);
        self.asked.extend(key.map(|key| (Asked::Return(returned), key)));
    }
}
