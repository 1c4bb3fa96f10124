//! What is taken by those who take the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::Result;
use crate::base::{AccountId, AccountKey};
use crate::mall::facts::OrderDetails;
use crate::mall::model::OrderStatus;
use crate::mall::{Mall, OrderFilter, User};

/// Of so many products that a user took last it is looked for who took them as well.
const PRODUCTS_MAX: usize = 3;
/// So many of the newest changes of each product's stock are looked at.
const CHANGES_MAX: usize = 64;
/// So many others are looked at for each product, the newest.
const OTHERS_MAX: usize = 16;
/// So many of the newest orders of each of them.
const ORDERS_MAX: usize = 8;

/// Orders that were given up tell of no taste.
pub(super) const STANDING: [OrderStatus; 3] =
    [OrderStatus::Confirmed, OrderStatus::Shipped, OrderStatus::Completed];

/// With what, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct With {
    /// How many others took it, counted once for each product that they share with the user.
    pub(super) times: u64,
    /// The product of the user's own that it goes with most.
    pub(super) product: String,
    best: u64,
}

/// What others took who took one of these, but for these.
pub(super) fn with(mall: &Mall, user: &User, taken: &[String]) -> Result<BTreeMap<String, With>> {
    let mut all = BTreeMap::<String, With>::new();
    for product in taken.iter().take(PRODUCTS_MAX) {
        let mut times = BTreeMap::<String, u64>::new();
        for other in others(mall, user, product)? {
            for id in taken_by(mall, &other)? {
                *times.entry(id).or_default() += 1;
            }
        }
        for (id, times) in times.into_iter().filter(|(id, _)| !taken.contains(id)) {
            let with = all.entry(id).or_default();
            with.times += times;
            if times > with.best {
                with.best = times;
                with.product.clone_from(product);
            }
        }
    }
    Ok(all)
}

/// Who took this product, newest first.
fn others(mall: &Mall, user: &User, product: &str) -> Result<Vec<String>> {
    let (engine, mut others) = (mall.engine(), Vec::<String>::new());
    let Some(stock) = engine.account(&AccountKey::stock(product)?) else {
        return Ok(others);
    };
    let history = engine.history();
    let mine: Option<AccountId> = user.points(engine);
    for change in history.changes_of(stock, None, CHANGES_MAX)? {
        let Some(reservation) = change.reservation else { continue };
        let Some(record) = history.reservation(reservation)?.filter(|it| it.owner != mine) else {
            continue;
        };
        let who = OrderDetails::read(&record.details).map(|details| details.user);
        others.extend(who.filter(|who| !others.contains(who)));
        if others.len() == OTHERS_MAX {
            break;
        }
    }
    Ok(others)
}

/// What somebody took lately, each product once.
fn taken_by(mall: &Mall, who: &str) -> Result<BTreeSet<String>> {
    let filter = OrderFilter {
        user: Some(User::new(who)?),
        statuses: STANDING.to_vec(),
        ..OrderFilter::default()
    };
    let orders = mall.find_orders(&filter, None, ORDERS_MAX, |_| true)?;
    let mut taken = BTreeSet::new();
    for order in orders.iter() {
        taken.extend(order?.details.products().map(|product| product.id.clone()));
    }
    Ok(taken)
}
