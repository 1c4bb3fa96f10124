//! The mall as its clients see it, one request at a time: a product, its buyers' points, and their
//! orders.

use std::collections::BTreeMap;

use stockhold::Policy;
use stockhold::test_util::oracle::Account;

use super::checker::{Stuck, Timed, linearize};

pub const PRICE: i64 = 10;

/// A user by its place in the round.
pub type User = usize;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Exchange { user: User, quantity: i64, confirm: bool, key: Option<u8> },
    Confirm { user: User, order: String },
    Cancel { user: User, order: String },
    Balance { user: User },
    Inventory,
    Receive { quantity: i64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Order {
        id: String,
        status: i64,
    },
    NoPoints {
        available: i64,
    },
    NoStock {
        available: i64,
    },
    /// The order has ended in another way.
    Ended,
    /// Available, reserved, consumed, received.
    Numbers([i64; 4]),
    Stock(i64),
    /// The answer did not arrive: it may have had its effect, at any time after the call, or none.
    Lost,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub number: usize,
    pub what: What,
    pub said: Said,
}

/// The answer of an exchange that did not arrive has an order whose name nobody knows, until a
/// retry hears it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Known(String),
    Lost(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Order {
    user: User,
    quantity: i64,
    /// 0 waits, 1 is confirmed, -1 is cancelled.
    status: i64,
}

/// What of the mall is looked at: all of it, or one account by itself. A refusal that was read from
/// one number, without a lock, is held to that account alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Whole,
    Stock,
    Points(User),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    stock: Account,
    points: Vec<Account>,
    orders: BTreeMap<Name, Order>,
    keys: BTreeMap<(User, u8), Name>,
}

/// A product's stock or a user's points, with so many units. One that the view does not show may
/// fall below zero: nothing that is looked at says whether it does.
fn account(available: i64, is_shown: bool) -> Account {
    let policy = if is_shown { Policy::strict() } else { Policy::backorder(1 << 30) };
    let mut account = Account::open(policy);
    account.add(available);
    account
}

fn numbers(it: &Account) -> [i64; 4] {
    let out = [it.reserved, it.consumed, it.received].map(|units| units as i64);
    [it.available, out[0], out[1], out[2]]
}

/// Moves units as the status of their order goes: -1 holds none, 0 reserves them, and 1 consumes
/// them.
fn go(account: &mut Account, units: i64, from: i64, to: i64) {
    let units = units.unsigned_abs();
    let gone = match (from, to) {
        (-1, 0 | 1) => account.take(units, to == 1, 0),
        (0, -1 | 1) => account.end(units, if to == 1 { units } else { 0 }, 0),
        (1, -1) => account.give_back(units, 0, 0),
        _ => Ok(()),
    };
    gone.expect("an order goes only where its units can");
    account.forget_times();
}

impl View {
    fn shows_stock(self) -> bool {
        matches!(self, Self::Whole | Self::Stock)
    }

    fn shows_points(self, user: User) -> bool {
        self == Self::Whole || self == Self::Points(user)
    }

    fn shows(self, call: &Call) -> bool {
        match (&call.what, &call.said) {
            (
                What::Exchange { key: None, confirm: false, .. },
                Said::NoPoints { .. } | Said::NoStock { .. },
            ) if self == Self::Whole => false,
            (What::Exchange { user, .. }, Said::NoPoints { .. }) | (What::Balance { user }, _) => {
                self.shows_points(*user)
            }
            (What::Exchange { .. }, Said::NoStock { .. })
            | (What::Inventory | What::Receive { .. }, _) => self.shows_stock(),
            (
                What::Exchange { user, .. }
                | What::Confirm { user, .. }
                | What::Cancel { user, .. },
                _,
            ) => self.shows_stock() || self.shows_points(*user),
        }
    }
}

impl State {
    fn step(&self, view: View, call: &Call) -> Vec<Self> {
        let next = match &call.what {
            What::Exchange { user, quantity, confirm, key } => {
                return self.exchange(view, call, (*user, *quantity, *confirm), *key);
            }
            What::Confirm { user, order } => self.turn(*user, order, 1, &call.said),
            What::Cancel { user, order } => self.turn(*user, order, -1, &call.said),
            What::Balance { user } => {
                self.agrees(call.said == Said::Numbers(numbers(&self.points[*user])))
            }
            What::Inventory => self.agrees(call.said == Said::Numbers(numbers(&self.stock))),
            What::Receive { quantity } => {
                let mut next = self.clone();
                next.stock.add(*quantity);
                (call.said == Said::Stock(next.stock.available) || call.said == Said::Lost)
                    .then_some(next)
            }
        };
        let unchanged = (call.said == Said::Lost).then(|| self.clone());
        next.into_iter().chain(unchanged).collect()
    }

    fn agrees(&self, agrees: bool) -> Option<Self> {
        agrees.then(|| self.clone())
    }

    fn exchange(
        &self,
        view: View,
        call: &Call,
        asked: (User, i64, bool),
        key: Option<u8>,
    ) -> Vec<Self> {
        let (user, quantity, confirm) = asked;
        if let Some(name) = key.and_then(|key| self.keys.get(&(user, key))) {
            return Vec::from_iter(self.again(name, confirm, &call.said));
        }
        let (points, stock) = (self.points[user].available, self.stock.available);
        let poor = view.shows_points(user) && points < quantity * PRICE;
        let sold_out = view.shows_stock() && stock < quantity;
        if poor || sold_out {
            let refusal = if poor {
                Said::NoPoints { available: points }
            } else {
                Said::NoStock { available: stock }
            };
            return Vec::from_iter(self.agrees(call.said == refusal || call.said == Said::Lost));
        }
        let status = i64::from(confirm);
        let (name, unchanged) = match &call.said {
            Said::Order { id, status: said } if *said == status => (Name::Known(id.clone()), None),
            Said::Lost => (Name::Lost(call.number), Some(self.clone())),
            _ => return Vec::new(),
        };
        let mut next = self.clone();
        go(&mut next.points[user], quantity * PRICE, -1, status);
        go(&mut next.stock, quantity, -1, status);
        next.keys.extend(key.map(|key| ((user, key), name.clone())));
        let new = next.orders.insert(name, Order { user, quantity, status }).is_none();
        unchanged.into_iter().chain(new.then_some(next)).collect()
    }

    /// A retry hears the first answer, whatever became of the order since.
    fn again(&self, name: &Name, confirm: bool, said: &Said) -> Option<Self> {
        let Said::Order { id, status } = said else {
            return self.agrees(*said == Said::Lost);
        };
        if *status != i64::from(confirm) {
            return None;
        }
        let known = Name::Known(id.clone());
        if *name == known {
            return Some(self.clone());
        }
        let is_lost = matches!(name, Name::Lost(_)) && !self.orders.contains_key(&known);
        is_lost.then(|| {
            let mut next = self.clone();
            let order = next.orders.remove(name).expect("every key has an order");
            next.orders.insert(known.clone(), order);
            next.keys.values_mut().filter(|of| *of == name).for_each(|of| *of = known.clone());
            next
        })
    }

    /// A confirm or a cancel.
    fn turn(&self, user: User, order: &str, to: i64, said: &Said) -> Option<Self> {
        let name = Name::Known(order.to_owned());
        let Order { user: owner, quantity, status } = *self.orders.get(&name)?;
        if to == 1 && status == -1 {
            return self.agrees(matches!(said, Said::Ended | Said::Lost) && owner == user);
        }
        let should = Said::Order { id: order.to_owned(), status: to };
        if owner != user || ![should, Said::Lost].contains(said) {
            return None;
        }
        let mut next = self.clone();
        go(&mut next.points[user], quantity * PRICE, status, to);
        go(&mut next.stock, quantity, status, to);
        next.orders.get_mut(&name).expect("it was there").status = to;
        Some(next)
    }
}

/// Whether some order of the calls explains what this view shows of them.
pub fn explain(
    calls: &[Timed<Call>],
    view: View,
    stock: i64,
    points: &[i64],
) -> Result<(), String> {
    let shown: Vec<Timed<Call>> =
        calls.iter().filter(|timed| view.shows(&timed.op)).cloned().collect();
    let points = points.iter().enumerate();
    let points = points.map(|(user, points)| account(*points, view.shows_points(user))).collect();
    let start = State {
        stock: account(stock, view.shows_stock()),
        points,
        orders: BTreeMap::new(),
        keys: BTreeMap::new(),
    };
    linearize(&shown, start, |state, call| state.step(view, call)).map_err(|Stuck { explained }| {
        let line = |at: usize| {
            format!("{:>5} {:>5} {:?}\n", shown[at].called, shown[at].returned, shown[at].op)
        };
        let rest = (0..shown.len()).filter(|at| !explained.contains(at));
        let (explained, rest) =
            (explained.iter().map(|at| line(*at)).collect::<String>(), rest.map(line));
        format!(
            "no order explains {view:?}. So far:\n{explained}and then none of:\n{}",
            rest.collect::<String>()
        )
    })
}
