//! Requests that are no commands: places in a line, late payments, and what goes back.

use stockhold::command::{Grant, Join, Leave};
use stockhold::test_util::oracle::{Bounds, Due, Said};
use stockhold::{AccountId, Engine, Error, ErrorKind, Line, Reacquire, Refund, Reserve};
use stockhold::{ReservationId, TimeMs};

use crate::reference::{Place, Reference};

/// A request, with accounts by their places.
#[derive(Clone, Debug)]
pub enum Wish {
    Join {
        account: Place,
        owner: Place,
        places_max: usize,
    },
    /// Only the place with this number, or whichever it is.
    Leave {
        account: Place,
        owner: Place,
        only: Option<u64>,
    },
    /// Whoever has the place with this number takes these units.
    Grant {
        account: Place,
        number: u64,
        owner: Place,
        lines: Vec<(Place, u64)>,
        ttl_ms: u64,
    },
    /// What has expired is paid.
    Revive {
        reservation: ReservationId,
    },
    /// So many units go back; those of what is `broken` are written off.
    GiveBack {
        reservation: ReservationId,
        part: Vec<(Place, u64)>,
        broken: Option<Place>,
    },
}

impl Wish {
    /// Asks the engine.
    pub fn ask(&self, engine: &Engine, id: impl Fn(Place) -> AccountId) -> Result<Said, ErrorKind> {
        let said = match self {
            Self::Join { account, owner, places_max } => {
                let join = Join::new(id(*account), id(*owner), *places_max);
                engine.join(join).map(|ticket| ticket.outcome().into())
            }
            Self::Leave { account, owner, only } => {
                let leave = leave(id(*account), id(*owner), *only);
                engine.leave(leave).map(|ticket| ticket.outcome().into())
            }
            Self::Grant { account, number, owner, lines, ttl_ms } => {
                let lines = lines_of(lines, &id);
                let reserve = Reserve::new(&lines, *ttl_ms).owner(id(*owner));
                let grant = Grant::new(id(*account), *number, reserve);
                engine.grant(grant).map(|ticket| ticket.outcome().into())
            }
            // These two are decided by another thread, and told once they are durable.
            Self::Revive { reservation } => engine
                .reacquire(Reacquire::new(*reservation))
                .and_then(|ticket| ticket.wait())
                .map(Said::from),
            Self::GiveBack { reservation, part, broken } => {
                let (part, broken) = (lines_of(part, &id), broken.map(&id));
                let refund = Refund::new(*reservation).part(&part).written_off(broken.as_slice());
                engine.refund(refund).and_then(|ticket| ticket.wait()).map(Said::from)
            }
        };
        said.map_err(|error: Error| error.kind())
    }

    /// What must come of it; what was said tells the number of a reservation that it made.
    pub fn due(
        &self,
        state: &Reference,
        id: impl Fn(Place) -> AccountId,
        said: &Result<Said, ErrorKind>,
    ) -> Due {
        let (books, now): (_, TimeMs) = (&state.books, state.now);
        match self {
            Self::Join { account, owner, places_max } => {
                let join = Join::new(id(*account), id(*owner), *places_max);
                books.decide_join(&join, now, &Bounds::NONE)
            }
            Self::Leave { account, owner, only } => {
                books.decide_leave(&leave(id(*account), id(*owner), *only), now, &Bounds::NONE)
            }
            Self::Grant { account, number, owner, lines, ttl_ms } => {
                let lines = lines_of(lines, &id);
                let reserve = Reserve::new(&lines, *ttl_ms).owner(id(*owner));
                let made = match said {
                    Ok(Said::Reserved { reservation, .. }) => Some(*reservation),
                    _ => None,
                };
                let grant = Grant::new(id(*account), *number, reserve);
                books.decide_grant(&grant, now, made, &Bounds::NONE)
            }
            Self::Revive { reservation } => {
                books.decide_reacquire(&Reacquire::new(*reservation), now, &Bounds::NONE)
            }
            Self::GiveBack { reservation, part, broken } => {
                let (part, broken) = (lines_of(part, &id), broken.map(&id));
                let refund = Refund::new(*reservation).part(&part).written_off(broken.as_slice());
                books.decide_refund(&refund, now, &Bounds::NONE)
            }
        }
    }
}

fn leave<'a>(account: AccountId, owner: AccountId, only: Option<u64>) -> Leave<'a> {
    let leave = Leave::new(account, owner);
    only.into_iter().fold(leave, Leave::place)
}

fn lines_of(lines: &[(Place, u64)], id: impl Fn(Place) -> AccountId) -> Vec<Line> {
    lines
        .iter()
        .map(|(place, quantity)| Line { account: id(*place), quantity: *quantity })
        .collect()
}
