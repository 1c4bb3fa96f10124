//! How well recommendations foresee what users take next, beside a list of what sells.
//!
//! A real mall in a directory of its own is led through a history of exchanges in the order of their
//! times. Just before the last one of each user, the mall is asked what it recommends to that user, and
//! it is a hit when that product is among the first of a list. So nothing is known that came later. A
//! user with one exchange alone is not asked about: there is nothing to go by. What is told is a
//! function of the history.

mod data;
mod generate;
mod report;

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tempfile::TempDir;

pub(crate) use data::History;
pub(crate) use report::Evaluation;
use report::Tally;

use crate::base::AccountKey;
use crate::base::clock::ManualClock;
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::event::Policy;
use crate::ledger::Receive;
use crate::mall::{
    Category, Entry, Exchange, Failure, Import, Lists, Mall, MallConfig, Period, Product,
    PurchaseLimit, Recommended, User, Wanted, Wanting,
};

/// How many users are asked about at most: every so many of those that could be.
const ASKED_MAX: usize = 10_000;
/// So many exchanges wait for the disk at one time.
const WAITING_MAX: usize = 512;
/// Nobody runs out of points, and nothing of units.
const PLENTY: u64 = 1 << 40;
const BEGIN_MS: u64 = 1_000_000_000_000;
/// Sales are counted anew after so long.
const SALES_AGE_MS: u64 = 1_000;

type Taking<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// Asks about the last exchange of each user, with so many products in a list.
///
/// # Errors
/// `Unavailable` when the mall in the temporary directory fails.
pub(crate) fn evaluate(history: &History, at: usize) -> Result<Evaluation> {
    let dir = TempDir::new().map_err(|cause| Error::io("a temporary directory", cause))?;
    let clock = Arc::new(ManualClock::new(BEGIN_MS));
    let engine = Engine::builder(dir.path()).clock(clock.clone() as _).open()?;
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    let stage = Stage { mall: &mall, clock: &clock, history, users: prepare(&mall, history)? };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|cause| Error::io("starting a runtime", cause))?;
    let evaluation = runtime.block_on(stage.run(at))?;
    engine.close()?;
    Ok(evaluation)
}

/// The mall with everything of the history on its shelf, and its users with points.
fn prepare(mall: &Mall, history: &History) -> Result<Vec<User>> {
    let limit_per_user =
        history.is_once().then_some(PurchaseLimit { quantity: 1, period: Period::Lifetime });
    let categories = history.categories().iter().map(|id| Entry::Category(Category::new(id, id)));
    let products = (0..history.items().len())
        .map(|item| Entry::Product(product(history, item, limit_per_user)));
    let import = Import {
        entries: categories.chain(products).enumerate().map(|(at, it)| (at as u64, it)).collect(),
        is_refused: false,
        by: "evaluate",
        keep_going: false,
        dry_run: false,
    };
    let imported = mall.import(import, |_, _| {})?;
    if let Some(refused) = imported.refused.first() {
        return Err(Error::invalid(format!("the shelf refuses a product: {:?}", refused.why)));
    }
    let (engine, mut last) = (mall.engine(), None);
    for item in 0..history.items().len() {
        let key = AccountKey::stock(&item_id(item))?;
        let stock = engine.account(&key).ok_or_else(|| Error::not_found("a product's stock"))?;
        last = Some(engine.receive(Receive::new(stock, PLENTY))?);
    }
    let users = (0..history.users_count()).map(|user| User::new(&format!("user-{user}")));
    let users = users.collect::<Result<Vec<_>>>()?;
    for user in &users {
        let points = engine.open_account(&AccountKey::points(user.id())?, Policy::strict())?;
        last = Some(engine.receive(Receive::new(points, PLENTY))?);
    }
    last.map(|ticket| ticket.wait()).transpose()?;
    Ok(users)
}

fn product(history: &History, item: usize, limit_per_user: Option<PurchaseLimit>) -> Product {
    let known = &history.items()[item];
    let category = &history.categories()[known.category];
    Product {
        limit_per_user,
        created_at: BEGIN_MS,
        ..Product::new(item_id(item), item_id(item), category, known.price)
    }
}

/// Products are numbered in the order in which they come, so that names decide nothing.
fn item_id(item: usize) -> String {
    format!("item-{item:06}")
}

struct Stage<'a> {
    mall: &'a Mall,
    clock: &'a ManualClock,
    history: &'a History,
    users: Vec<User>,
}

impl Stage<'_> {
    async fn run(&self, at: usize) -> Result<Evaluation> {
        let mut tally = Tally::new(self.history, at);
        let asked = self.asked();
        let (mut taken, mut waiting) = (BTreeSet::new(), Vec::new());
        for (place, exchange) in self.history.exchanges().iter().enumerate() {
            if asked.contains(&place) {
                settle(&mut waiting).await?;
                let found = self.ask(&self.users[exchange.user], at).await?;
                let wanted = item_id(exchange.item);
                tally.add(!taken.contains(&exchange.item), |list| holds(&found, list, &wanted));
            }
            taken.insert(exchange.item);
            self.clock.advance(1);
            let mut taking = self.take(&self.users[exchange.user], exchange.item);
            // The first look decides it, so exchanges are in the order of the history; the disk is
            // waited for later.
            match poll_fn(|cx| Poll::Ready(taking.as_mut().poll(cx))).await {
                Poll::Ready(taken) => taken.map_err(failed)?,
                Poll::Pending => waiting.push(taking),
            }
            if waiting.len() >= WAITING_MAX {
                settle(&mut waiting).await?;
            }
        }
        settle(&mut waiting).await?;
        Ok(tally.finish())
    }

    /// The places of the exchanges that are to be foreseen.
    fn asked(&self) -> BTreeSet<usize> {
        let last = self.history.last_of_each();
        let every = last.len().div_ceil(ASKED_MAX).max(1);
        last.into_iter().step_by(every).collect()
    }

    async fn ask(&self, user: &User, at: usize) -> Result<Lists> {
        self.mall.engine().catch_up().await?;
        self.clock.advance(SALES_AGE_MS);
        let balance = self.mall.balance_if_known(user).await.map_err(failed)?;
        let wanting = Wanting { expected_points: 0, limit: at };
        let found = self.mall.recommend(user, balance, wanting, true).map_err(failed)?;
        Ok(found.lists)
    }

    fn take<'a>(&'a self, user: &'a User, item: usize) -> Taking<'a> {
        Box::pin(async move {
            let id = item_id(item);
            let items = [Wanted { product_id: &id, quantity: 1 }];
            let exchange = Exchange { confirm: true, ..Exchange::of(&items) };
            self.mall.exchange(user, &exchange).await.map(drop)
        })
    }
}

async fn settle(waiting: &mut Vec<Taking<'_>>) -> Result<()> {
    for taking in waiting.drain(..) {
        taking.await.map_err(failed)?;
    }
    Ok(())
}

fn failed(failure: Failure) -> Error {
    match failure {
        Failure::Engine(error) => error,
        other => Error::unavailable(format!("the mall refused an exchange: {other:?}")),
    }
}

/// Whether a list has a product; none has any while history is behind, which it is not here.
fn holds(found: &Lists, list: &str, wanted: &str) -> bool {
    let Lists::Personal { affordable, preferred, together, popular } = found else {
        return false;
    };
    let list: &[Recommended] = match list {
        report::AFFORDABLE => affordable,
        report::PREFERRED => preferred,
        report::TOGETHER => together,
        _ => popular,
    };
    list.iter().any(|it| it.item.product.id == wanted)
}

#[cfg(test)]
mod tests;
