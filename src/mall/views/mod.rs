//! Events as changes of the mall: its orders, stock, points and catalogue. Told once here, for the
//! mirror's tables and whatever else follows the journal; nothing is decided, and the same events
//! make the same changes.

mod names;
mod orders;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use smallvec::SmallVec;

pub(crate) use names::Lookup;
use names::{Name, Names};
#[cfg_attr(not(feature = "mysql"), allow(unused_imports, reason = "the mirror shows more"))]
pub(crate) use orders::{OrderChange, OrderEnd, OrderStep, Returned, Subject};

use super::facts::document::{self, Kept};
use super::facts::{ALERTS, Alert, BROWSED, Browsed, PREFERENCES, Parting, Preferences};
use super::model::{CATEGORIES, Category, LEVELS, MallLevels, PRODUCTS, Product};
use crate::base::ReservationId;
use crate::base::error::Result;
use crate::event::effects::{self, AccountChange, Effects, LineStep, Opened, Written};
use crate::event::{ChangeKind, Event};
use crate::ledger::Pending;

/// A change of the mall.
#[derive(Debug)]
pub(crate) enum Change<'e> {
    Order(Box<OrderChange>),
    /// What can be bought of a product, or is at one of its locations.
    Stock(Movement<'e>),
    /// What a user can spend.
    Points(Movement<'e>),
    Category(Entry<'e, Category>),
    Product(Entry<'e, Product>),
    /// Who waits for a product.
    Line(LineChange),
    /// What operators are told of a product.
    Alert(Entry<'e, Alert>),
    /// The levels of members.
    Levels(Entry<'e, MallLevels>),
    /// By how much what a user has earned changed, by which levels go.
    Earned {
        user: Arc<str>,
        by: i64,
    },
    /// What a user says that it likes.
    Preferences(Entry<'e, Preferences>),
    /// What a user looked at last.
    Browsed(Entry<'e, Browsed>),
}

/// Somebody joins the line for a product, or leaves it. Whoever tells users that they have got
/// something begins here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineChange {
    pub(crate) product: Arc<str>,
    pub(crate) user: Arc<str>,
    /// The number of the place: each product counts its own.
    pub(crate) place: u64,
    pub(crate) step: InLine,
}

/// What somebody does in the line for a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InLine {
    Joined,
    /// It was their turn: this order was made for them, in the same event.
    Granted(ReservationId),
    /// They left without; `None` where it was not the mall that said why.
    Left(Option<Parting>),
}

/// The changes of one event.
pub(crate) type Changes<'e> = SmallVec<[Change<'e>; 4]>;

/// A change of a product's stock, or of a user's points.
#[derive(Clone, Debug)]
pub(crate) struct Movement<'e> {
    /// The product, or the user.
    pub(crate) owner: Arc<str>,
    /// Of a product: where the units are, when they are not sold from there.
    pub(crate) location: Option<Arc<str>>,
    pub(crate) change: AccountChange<'e>,
}

/// A document of the catalogue, of an alert or of a user was written, or removed when there is none.
#[derive(Debug)]
pub(crate) struct Entry<'e, T> {
    pub(crate) id: &'e str,
    pub(crate) to: std::result::Result<Option<Box<Kept<T>>>, Unreadable<'e>>,
}

/// A document that the mall did not write.
#[derive(Debug)]
pub(crate) struct Unreadable<'e> {
    pub(crate) body: &'e [u8],
    pub(crate) reason: String,
}

/// By how much what users have earned changed in one event.
type Earned = SmallVec<[(Arc<str>, i64); 1]>;

/// Turns events into changes, one after the other.
pub(crate) struct Views {
    names: Names,
}

impl Views {
    /// `lookup` finds the names of accounts that no event told.
    pub(crate) fn new(lookup: Lookup) -> Self {
        Self { names: Names::new(lookup) }
    }

    /// What the next event changes in the mall.
    ///
    /// # Errors
    /// `Corrupt` when the event speaks of an account that was never opened, or of quantities that
    /// cannot be.
    pub(crate) fn changes<'e>(&mut self, event: &'e Event<'_>) -> Result<Changes<'e>> {
        let (mut all, mut earned) = (Changes::new(), Earned::new());
        for Effects { opened, changes, reservation, document, line } in Effects::of(event)? {
            if let Some(opened) = opened {
                self.names.learn(opened.account, opened.key);
                let begun = begun_with(&opened);
                all.extend(self.movement(&begun)?);
                self.earn(&begun, &mut earned)?;
            }
            if let Some(life) = &reservation {
                all.extend(self.order(life)?.map(|order| Change::Order(Box::new(order))));
            }
            for change in &changes {
                all.extend(self.movement(change)?);
                self.earn(change, &mut earned)?;
            }
            all.extend(document.and_then(|written| entry(&written)));
            if let Some(line) = line {
                all.extend(self.line(&line)?);
            }
        }
        let earned = earned.into_iter().filter(|(_, by)| *by != 0);
        all.extend(earned.map(|(user, by)| Change::Earned { user, by }));
        Ok(all)
    }

    /// An order that waits, of which only the reservation is known.
    ///
    /// # Errors
    /// `Corrupt` when it holds an account that was never opened.
    pub(crate) fn pending(&mut self, pending: &Pending) -> Result<Option<Subject>> {
        let lines = pending.lines.iter().map(|line| (line.account, line.quantity));
        orders::subject(&mut self.names, lines)
    }

    fn line<'e>(&mut self, line: &effects::InLine<'_>) -> Result<Option<Change<'e>>> {
        let effects::InLine { account, place, owner, step } = *line;
        let (Name::Product(product), Name::User(user)) =
            (self.names.of(account)?, self.names.of(owner)?)
        else {
            return Ok(None);
        };
        let step = match step {
            LineStep::Joined => InLine::Joined,
            LineStep::Granted(reservation) => InLine::Granted(reservation),
            LineStep::Left(note) => InLine::Left(Parting::read(note)),
        };
        Ok(Some(Change::Line(LineChange { product, user, place, step })))
    }

    /// Adds up what a change says of what its user has earned: what came in, but for what is not earned.
    fn earn(&mut self, change: &AccountChange<'_>, earned: &mut Earned) -> Result<()> {
        let came_in = match change.kind {
            ChangeKind::Received | ChangeKind::TransferredIn => change.delta,
            ChangeKind::Adjusted => change.delta.max(0),
            ChangeKind::WrittenOff
            | ChangeKind::TransferredOut
            | ChangeKind::Reserved
            | ChangeKind::Bought
            | ChangeKind::Confirmed
            | ChangeKind::Released
            | ChangeKind::Expired
            | ChangeKind::Returned
            | ChangeKind::Discarded => 0,
        };
        if came_in == 0 {
            return Ok(());
        }
        let (user, by) = match self.names.of(change.account)? {
            Name::User(user) => (user, came_in),
            Name::NotEarned(user) => (user, -came_in),
            Name::Product(_) | Name::Location { .. } | Name::FreeOrders(_) | Name::Unseen => {
                return Ok(());
            }
        };
        match earned.iter_mut().find(|(of, _)| *of == user) {
            Some((_, sum)) => *sum = sum.saturating_add(by),
            None => earned.push((user, by)),
        }
        Ok(())
    }

    fn movement<'e>(&mut self, change: &AccountChange<'e>) -> Result<Option<Change<'e>>> {
        let change = *change;
        Ok(match self.names.of(change.account)? {
            Name::Product(owner) => Some(Change::Stock(Movement { owner, location: None, change })),
            Name::Location { product: owner, location } => {
                Some(Change::Stock(Movement { owner, location: Some(location), change }))
            }
            Name::User(owner) => Some(Change::Points(Movement { owner, location: None, change })),
            Name::FreeOrders(_) | Name::NotEarned(_) | Name::Unseen => None,
        })
    }
}

/// A stock or points account that is opened with units has received them.
fn begun_with(opened: &Opened<'_>) -> AccountChange<'static> {
    AccountChange {
        account: opened.account,
        kind: ChangeKind::Received,
        delta: opened.units,
        held: 0,
        consumed: 0,
        available: opened.units,
        quantity: opened.units.unsigned_abs(),
        reservation: None,
        note: "",
    }
}

/// A document as the change that it is; `None` when it is in another collection.
pub(crate) fn entry<'e>(written: &Written<'e>) -> Option<Change<'e>> {
    let Written { collection, key: id, body } = *written;
    match collection {
        CATEGORIES => Some(Change::Category(Entry { id, to: read(body) })),
        PRODUCTS => Some(Change::Product(Entry { id, to: read(body) })),
        ALERTS => Some(Change::Alert(Entry { id, to: read(body) })),
        LEVELS => Some(Change::Levels(Entry { id, to: read(body) })),
        PREFERENCES => Some(Change::Preferences(Entry { id, to: read(body) })),
        BROWSED => Some(Change::Browsed(Entry { id, to: read(body) })),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(
    body: Option<&[u8]>,
) -> std::result::Result<Option<Box<Kept<T>>>, Unreadable<'_>> {
    let Some(body) = body else {
        return Ok(None);
    };
    match document::read(body) {
        Ok(kept) => Ok(Some(Box::new(kept))),
        Err(error) => {
            Err(Unreadable { body, reason: format!("not a document of the mall: {error}") })
        }
    }
}
