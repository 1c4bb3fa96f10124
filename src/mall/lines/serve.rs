//! Orders for those who are next in line.

use super::{Parting, PlaceDetails};
use crate::base::error::Result;
use crate::base::{AccountId, LINES_MAX};
use crate::engine::Ticket;
use crate::ledger::{Grant, GrantOutcome, Leave, LeaveOutcome, Reserve, Waiting};
use crate::mall::exchange::Part;
use crate::mall::{Failure, Mall, User};

/// How many are served in one line before others have their turn.
const SERVED_AT_ONCE: usize = 64;

/// What was decided, and is not durable yet.
#[derive(Default)]
struct Served {
    granted: Vec<Ticket<GrantOutcome>>,
    dropped: Vec<Ticket<LeaveOutcome>>,
}

/// What became of who was next.
enum Turn {
    Served(Ticket<GrantOutcome>),
    Dropped(Ticket<LeaveOutcome>),
    /// Somebody else was faster: another is first by now, or nobody.
    Past,
    /// It is nobody's turn now.
    Nobody,
}

impl Mall {
    /// Makes the orders of those who are next in the lines for which there are units, some dozens of
    /// each line at most; whether there may be more to do at once. A server calls this by itself,
    /// apart from the threads that sell. It blocks on the disk.
    ///
    /// It looks at the lines rather than follow the events: that costs a lock for each line, and there
    /// is nothing to catch up with after a restart. A unit that comes back meanwhile is nobody
    /// else's, so that nothing depends on when it looks.
    ///
    /// # Errors
    /// What the engine reports; it is tried again then.
    pub fn serve_lines(&self) -> Result<bool> {
        let open: Vec<AccountId> = self.shared.lines.open.lock().iter().copied().collect();
        let (mut served, mut is_more) = (Served::default(), false);
        let mut failed = None;
        for stock in open {
            match self.serve_line(stock, &mut served) {
                Ok(more) => is_more |= more,
                // The others are served all the same.
                Err(error) => failed = Some(error),
            }
        }
        for ticket in served.granted {
            ticket.wait()?;
        }
        for ticket in served.dropped {
            ticket.wait()?;
        }
        failed.map_or(Ok(is_more), Err)
    }

    /// Serves those who are next in one line; whether there may be more to do.
    fn serve_line(&self, stock: AccountId, served: &mut Served) -> Result<bool> {
        for _ in 0..SERVED_AT_ONCE {
            let Some((first, units)) = self.engine().next_waiting(stock)? else {
                self.forget_line(stock)?;
                return Ok(false);
            };
            if units == 0 {
                return Ok(false);
            }
            match self.serve(stock, &first)? {
                Turn::Served(ticket) => served.granted.push(ticket),
                Turn::Dropped(ticket) => served.dropped.push(ticket),
                Turn::Past => {}
                Turn::Nobody => return Ok(false),
            }
        }
        Ok(true)
    }

    /// A line that has no places any more.
    fn forget_line(&self, stock: AccountId) -> Result<()> {
        let mut open = self.shared.lines.open.lock();
        // Whoever joined since has put it here before, or does so after this.
        if self.engine().next_waiting(stock)?.is_none() {
            open.remove(&stock);
        }
        Ok(())
    }

    /// Serves who is next in a line.
    fn serve(&self, stock: AccountId, first: &Waiting) -> Result<Turn> {
        let keys = (self.engine().key_of(stock), self.engine().key_of(first.owner));
        let (Some(product), Some(owner)) = keys else {
            return Ok(Turn::Nobody);
        };
        let shelf = self.shelf();
        // What is off the shelf is not sold; those in line wait until it is back, or its sale begins.
        let item = shelf.item(product.owner());
        let Some(item) = item.filter(|it| it.product.begins_later(|| self.now_ms()).is_none())
        else {
            return Ok(Turn::Nobody);
        };
        let user = User::new(owner.owner())?;
        let user = match PlaceDetails::read(&first.body).service {
            Some(service) => user.served_by(&service),
            None => user,
        };
        let (details, asked) = match self.for_who_is_next(&user, first.owner, item) {
            Ok(order) => order,
            Err(Failure::Engine(error)) => return Err(error),
            Err(failure) => {
                tracing::error!(
                    ?failure,
                    product = product.owner(),
                    "a place in line is not served"
                );
                return Ok(Turn::Nobody);
            }
        };
        if asked.parts.len() > LINES_MAX {
            return self.drop_from(stock, first, Parting::LackedPoints);
        }
        let lines: Vec<_> = asked.parts.iter().map(|&(_, line)| line).collect();
        let reserve =
            Reserve::new(&lines, self.config().granted_ttl_ms).owner(first.owner).details(&details);
        let ticket = self.engine().grant(Grant::new(stock, first.place, reserve))?;
        match ticket.outcome() {
            GrantOutcome::Granted(_) => Ok(Turn::Served(ticket)),
            GrantOutcome::NotFirst => Ok(Turn::Past),
            // Another request of the user took the points that were chosen.
            GrantOutcome::Refused(refusal) if asked.was_overtaken(&refusal) => Ok(Turn::Past),
            GrantOutcome::Refused(refusal) => {
                let parting = match asked.parts.get(refusal.line).map(|&(part, _)| part) {
                    // An operator took the unit out meanwhile.
                    Some(Part::Stock(_)) | None => return Ok(Turn::Nobody),
                    Some(Part::Points) => Parting::LackedPoints,
                    Some(Part::Free | Part::ProductQuota(_) | Part::UserQuota) => Parting::AtLimit,
                };
                self.drop_from(stock, first, parting)
            }
        }
    }

    /// Takes somebody out of a line who could not have what it was their turn for.
    fn drop_from(&self, stock: AccountId, first: &Waiting, parting: Parting) -> Result<Turn> {
        let leave = Leave::new(stock, first.owner).place(first.place);
        Ok(Turn::Dropped(self.engine().leave(leave.note(parting.name()))?))
    }
}
