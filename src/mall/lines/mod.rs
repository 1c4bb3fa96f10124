//! Those who wait for a product that is sold out.
//!
//! The line itself, and that nobody else gets a unit while it has places, is the ledger's: it is in
//! the journal and in its checkpoints, and needs nothing here after a restart. The mall says who may
//! join, and makes the order of who is next ([`serve`]).
//!
//! A place is for one unit, so that nobody holds up those behind with a wish for many. Whoever cannot
//! take the unit when it is their turn loses the place, with a reason that is on record, and the unit
//! goes to the next at once: a place that stayed would be tried again with every unit, before
//! everybody behind it, for somebody who may never have the points.

mod rate;
mod serve;

use std::collections::BTreeSet;

use parking_lot::Mutex;

use super::facts::{Parting, PlaceDetails};
use super::{Failure, Item, Mall, Shortage, User};
use crate::base::error::Result;
use crate::base::{AccountId, IdempotencyKey, PLACES_MAX, TimeMs};
use crate::engine::Engine;
use crate::ledger::{Join, JoinOutcome, Leave, LeaveOutcome, Waiting};

/// The lines that have places, as far as this process knows: at least all that do.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: Mutex<BTreeSet<AccountId>>,
    /// Somebody joined a line.
    joined: tokio::sync::Notify,
}

/// How somebody stands in the line for a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) product_id: String,
    /// `None` for who is not in it.
    pub(crate) place: Option<PlaceInLine>,
    /// How many wait.
    pub(crate) waiting: usize,
}

/// A place in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlaceInLine {
    /// 1 for who is next.
    pub(crate) position: usize,
    pub(crate) joined_at: TimeMs,
    /// In how many milliseconds it may be their turn; `None` where nothing tells.
    pub(crate) estimated_wait_ms: Option<u64>,
}

/// Somebody who waits, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InLine {
    pub(crate) user_id: String,
    pub(crate) place: PlaceInLine,
    /// The service that took the place for its user.
    pub(crate) service: Option<String>,
}

/// What whoever is refused a product that is sold out may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The product that one waits for.
    pub(crate) product_id: String,
    /// Whether others wait: then nobody but the first of them gets a unit.
    pub(crate) others_wait: bool,
    /// Whether there is a line to join.
    pub(crate) may_join: bool,
}

impl Lines {
    /// The lines that a ledger has.
    pub(super) fn of(engine: &Engine) -> Self {
        let stock = engine.accounts_of_kind("stock").flatten();
        let open = stock.filter(|level| level.waiting > 0).map(|level| level.account);
        Self { open: Mutex::new(open.collect()), ..Self::default() }
    }
}

impl Mall {
    /// Puts a user at the end of the line for a product that is sold out. Who is in it stays where
    /// they are.
    pub(crate) async fn join_line(
        &self,
        user: &User,
        product_id: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<Standing, Failure> {
        let item = self.shelf().item(product_id).cloned().ok_or(Failure::ProductNotFound)?;
        let places_max = self.places_of(&item);
        if places_max == 0 {
            return Err(Failure::NoLine);
        }
        if user.points(self.engine()).is_none() && self.engine().takeable(item.stock)? > 0 {
            // Whoever finds units opens no account.
            return Err(Failure::InStock);
        }
        let owner = super::account(self.engine(), &user.points_key)?;
        let details = PlaceDetails { service: user.service().map(str::to_owned) }.encode();
        let join = Join::new(item.stock, owner, places_max).body(&details).key(key);
        let ticket = self.engine().join(join)?;
        if matches!(ticket.outcome(), JoinOutcome::Waiting { .. }) {
            // Before anything is awaited: whoever goes away meanwhile waits all the same.
            self.shared.lines.open.lock().insert(item.stock);
            self.shared.lines.joined.notify_one();
        }
        match self.durable(ticket).await? {
            // Of a retry that nobody was answered before, how it is by now.
            JoinOutcome::Waiting { .. } | JoinOutcome::Before { .. } => {
                self.standing(user, product_id)
            }
            JoinOutcome::Available { .. } => Err(Failure::InStock),
            JoinOutcome::Full { .. } => Err(Failure::LineFull),
        }
    }

    /// Gives up a user's place in the line for a product; whether there was one.
    pub(crate) async fn leave_line(
        &self,
        user: &User,
        product_id: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<bool, Failure> {
        let stock = self.any_item(product_id)?.stock;
        let Some(owner) = user.points(self.engine()) else {
            return Ok(false);
        };
        let leave = Leave::new(stock, owner).note(Parting::Left.name()).key(key);
        match self.durable(self.engine().leave(leave)?).await? {
            LeaveOutcome::Left { .. } => Ok(true),
            LeaveOutcome::NotWaiting => Ok(false),
        }
    }

    /// How a user stands in the line for a product.
    pub(crate) fn standing(&self, user: &User, product_id: &str) -> Result<Standing, Failure> {
        let item = self.any_item(product_id)?;
        self.check_alive()?;
        let waiting = self.engine().level(item.stock)?.waiting;
        let found = match user.points(self.engine()) {
            Some(owner) => self.engine().place_of(item.stock, owner)?,
            None => None,
        };
        let served = self.engine().served(item.stock)?;
        let place = found.map(|(ahead, waiting)| self.place_in_line(&served, ahead, &waiting));
        Ok(Standing { product_id: item.product.id.clone(), place, waiting })
    }

    /// Every line that a user is in.
    pub(crate) fn standings(&self, user: &User) -> Result<Vec<Standing>, Failure> {
        self.check_alive()?;
        let Some(owner) = user.points(self.engine()) else {
            return Ok(Vec::new());
        };
        let open: Vec<AccountId> = self.shared.lines.open.lock().iter().copied().collect();
        let mut standings = Vec::new();
        for stock in open {
            let Some((ahead, found)) = self.engine().place_of(stock, owner)? else {
                continue;
            };
            let Some(key) = self.engine().key_of(stock) else {
                continue;
            };
            let waiting = self.engine().level(stock)?.waiting;
            let served = self.engine().served(stock)?;
            let place = Some(self.place_in_line(&served, ahead, &found));
            standings.push(Standing { product_id: key.owner().to_owned(), place, waiting });
        }
        Ok(standings)
    }

    /// Every line in which somebody waits, the longest first.
    pub(crate) fn lines(&self) -> Result<Vec<Standing>> {
        self.check_alive()?;
        let open: Vec<AccountId> = self.shared.lines.open.lock().iter().copied().collect();
        let mut lines = Vec::new();
        for stock in open {
            let waiting = self.engine().level(stock)?.waiting;
            if let Some(key) = self.engine().key_of(stock).filter(|_| waiting > 0) {
                let product_id = key.owner().to_owned();
                lines.push(Standing { product_id, place: None, waiting });
            }
        }
        lines.sort_by(|one, other| {
            (other.waiting, &one.product_id).cmp(&(one.waiting, &other.product_id))
        });
        Ok(lines)
    }

    /// Everybody in the line for a product, the first first.
    pub(crate) fn line(&self, product_id: &str) -> Result<Vec<InLine>, Failure> {
        let stock = self.any_item(product_id)?.stock;
        self.check_alive()?;
        let (served, mut line) = (self.engine().served(stock)?, Vec::new());
        for (ahead, waiting) in self.engine().waiting(stock)?.into_iter().enumerate() {
            let Some(key) = self.engine().key_of(waiting.owner) else {
                continue;
            };
            line.push(InLine {
                user_id: key.owner().to_owned(),
                place: self.place_in_line(&served, ahead, &waiting),
                service: PlaceDetails::read(&waiting.body).service,
            });
        }
        Ok(line)
    }

    fn place_in_line(&self, served: &[TimeMs], ahead: usize, waiting: &Waiting) -> PlaceInLine {
        PlaceInLine {
            position: ahead + 1,
            joined_at: waiting.since,
            estimated_wait_ms: rate::wait_ms(served, ahead, self.now_ms()),
        }
    }

    /// How many may wait for a product; 0 where there is no line to join.
    fn places_of(&self, item: &Item) -> usize {
        let places = item.product.waiting_places.unwrap_or(self.config().waiting_places);
        usize::try_from(places).map_or(PLACES_MAX, |places| places.min(PLACES_MAX))
    }

    /// What is short, with what may be done about it.
    pub(super) fn with_line(&self, item: &Item, shortage: Shortage) -> Result<Shortage> {
        let others_wait = self.engine().has_line(item.stock)?;
        let may_join = item.product.active && self.places_of(item) > 0;
        // What waits for others is there for nobody else.
        let has_line = shortage.available == 0 && (others_wait || may_join);
        let line =
            has_line.then(|| Line { product_id: item.product.id.clone(), others_wait, may_join });
        Ok(Shortage { line, ..shortage })
    }

    /// Waits until somebody joins a line; at once where there are lines already.
    #[cfg(feature = "server")]
    pub(crate) async fn line_opened(&self) {
        let joined = self.shared.lines.joined.notified();
        if self.shared.lines.open.lock().is_empty() {
            joined.await;
        }
    }
}
