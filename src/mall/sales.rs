//! How many units of each product were sold, for the order of lists. It follows the events, so that it
//! costs what was sold and not what there is.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Mall;
use super::catalogue::Shelf;
use super::views::{Change, Movement, Views};
use crate::base::error::Result;
use crate::base::{Seq, TimeMs};
use crate::engine::{Engine, Subscription};

/// How old the counts may be, in milliseconds.
const AGE_MS_MAX: u64 = 1_000;
/// So many events are always followed. Beyond them all products are read anew where there are fewer than
/// [`READS`] for each event: that costs less.
const EVENTS_MIN: u64 = 64;
/// So many accounts are read in the time that it takes to look at one event.
const READS: u64 = 8;

/// Where to go on, and when it was last done.
#[derive(Default)]
pub(super) struct Sales(Mutex<State>);

#[derive(Default)]
struct State {
    read_at: Option<TimeMs>,
    follower: Option<Follower>,
}

struct Follower {
    subscription: Subscription,
    views: Views,
    /// The last event that was looked at.
    at: Seq,
    /// What is read once more the next time: a change of the catalogue makes rows anew, and may not
    /// have seen what was read meanwhile.
    recent: BTreeSet<Arc<str>>,
}

impl Mall {
    /// Brings the counts by which lists are ordered up to date when they are old; how many products
    /// were read for it. One caller does so, the others take what is there.
    pub(super) fn refresh_sales(&self, shelf: &Shelf) -> Result<usize> {
        let Some(mut state) = self.shared.sales.0.try_lock() else {
            return Ok(0);
        };
        let now = self.now_ms();
        if state.read_at.is_some_and(|read_at| now < read_at.saturating_add(AGE_MS_MAX)) {
            return Ok(0);
        }
        state.read_at = Some(now);
        let engine = self.engine();
        // Whatever is wrong with the events, the ledger tells the same.
        let followed = state.follower.as_mut().map(|follower| follower.follow(engine, shelf));
        if let Some(Ok(Some(count))) = followed {
            return Ok(count);
        }
        // From before the counts are read: nothing is missed between the two.
        state.follower = Follower::begin(engine).ok();
        let mut count = 0;
        for row in shelf.rows() {
            row.read_sales(engine)?;
            count += 1;
        }
        Ok(count)
    }
}

impl Follower {
    fn begin(engine: &Engine) -> Result<Self> {
        let (at, names) = (engine.durable_seq(), engine.clone());
        Ok(Self {
            subscription: engine.subscribe(at + 1)?,
            views: Views::new(Box::new(move |account| names.key_of(account))),
            at,
            recent: BTreeSet::new(),
        })
    }

    /// Reads what was sold since the last time; how many products those were. `None` where reading all
    /// of them costs less.
    fn follow(&mut self, engine: &Engine, shelf: &Shelf) -> Result<Option<usize>> {
        let behind = engine.durable_seq().saturating_sub(self.at);
        if behind > EVENTS_MIN.max(shelf.len() as u64 / READS) {
            return Ok(None);
        }
        let mut sold = BTreeSet::new();
        for _ in 0..behind {
            let Some((seq, event)) = self.subscription.try_next()? else {
                break;
            };
            self.at = seq;
            for change in self.views.changes(&event)? {
                match change {
                    Change::Stock(Movement { owner, location: None, change }) => {
                        if change.consumed != 0 {
                            sold.insert(owner);
                        }
                    }
                    // One that was there before has been sold before.
                    Change::Product(entry) => {
                        sold.insert(entry.id.into());
                    }
                    Change::Stock(Movement { location: Some(_), .. })
                    | Change::Order(_)
                    | Change::Points(_)
                    | Change::Category(_)
                    | Change::Line(_)
                    | Change::Alert(_)
                    | Change::Levels(_)
                    | Change::Earned { .. }
                    | Change::Preferences(_)
                    | Change::Browsed(_) => {}
                }
            }
        }
        let again = std::mem::replace(&mut self.recent, sold.clone());
        sold.extend(again);
        for product in &sold {
            if let Some(row) = shelf.row(product) {
                row.read_sales(engine)?;
            }
        }
        Ok(Some(sold.len()))
    }
}

#[cfg(test)]
mod tests {
    use crate::base::clock::ManualClock;
    use crate::base::{AccountKey, TimeMs};
    use crate::engine::Engine;
    use crate::ledger::{Line, Receive, Reserve};
    use crate::mall::catalogue::tests::{category, product};
    use crate::mall::{Mall, MallConfig};
    use std::sync::Arc;

    fn sell(engine: &Engine, id: &str, quantity: u64) {
        let key = AccountKey::stock(id).expect("a valid id");
        let account = engine.account(&key).expect("it is on the shelf");
        engine.receive(Receive::new(account, quantity)).and_then(|it| it.wait()).expect("it comes");
        let lines = [Line { account, quantity }];
        let mut sale = Reserve::new(&lines, 1_000);
        sale.confirm = true;
        let sold = engine.reserve(sale).and_then(|ticket| ticket.wait()).expect("it is asked");
        sold.reserved().expect("there is enough");
    }

    #[test]
    fn what_was_not_sold_is_not_read_again() {
        const PRODUCTS: usize = 50;
        let dir = tempfile::TempDir::new().expect("a directory");
        let clock = Arc::new(ManualClock::new(1_000));
        let engine = Engine::builder(dir.path()).clock(Arc::clone(&clock) as _);
        let engine = engine.segment_bytes(256 << 10).open().expect("it opens");
        let mall = Mall::open(engine, MallConfig::default()).expect("an empty mall");
        mall.put_category(&category("c", None)).expect("a valid category");
        for number in 0..PRODUCTS {
            mall.put_product(&product(&format!("p{number}"))).expect("a valid product");
        }
        let sales = |id: &str| mall.shelf().row(id).map(super::super::catalogue::Row::sales);
        let refresh = |by_ms: TimeMs| {
            clock.advance(by_ms);
            mall.refresh_sales(&mall.shelf()).expect("it reads")
        };
        sell(mall.engine(), "p7", 2);
        assert_eq!((refresh(0), sales("p7")), (PRODUCTS, Some(2)), "all of them, once");
        sell(mall.engine(), "p7", 1);
        assert_eq!((refresh(999), sales("p7")), (0, Some(2)), "it is young");
        assert_eq!((refresh(1), sales("p7")), (1, Some(3)));
        // Once more, in case the shelf was made anew meanwhile; then it costs nothing.
        assert_eq!((refresh(1_000), refresh(1_000)), (1, 0));
        // A product that is made again has been sold before.
        mall.put_product(&product("p7")).expect("a valid product");
        assert_eq!((refresh(1_000), sales("p7")), (1, Some(3)));
        // More than is worth following.
        for _ in 0..super::EVENTS_MIN {
            drop(
                mall.engine().receive(Receive::new(
                    mall.shelf().any_item("p8").expect("it is there").stock,
                    1,
                )),
            );
        }
        sell(mall.engine(), "p9", 4);
        assert_eq!((refresh(1_000), sales("p9")), (PRODUCTS, Some(4)));
        sell(mall.engine(), "p9", 1);
        assert_eq!((refresh(1_000), sales("p9")), (1, Some(5)));
    }
}
