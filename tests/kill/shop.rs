//! The accounts that requests name, and what an order takes of them.

use stockhold::{AccountId, AccountKey, Engine, Line, Policy, TimeMs, Window};

pub const USERS: u64 = 6;
pub const PRODUCTS: u64 = 3;
/// Points for a unit of anything, so that points spent and units sold can be held against each
/// other.
pub const PRICE: u64 = 7;

/// The accounts that a request names by user and product.
pub struct Shop<'a> {
    engine: &'a Engine,
    points: Vec<AccountId>,
    quotas: Vec<AccountId>,
    caps: Vec<AccountId>,
    pub stocks: Vec<AccountId>,
    /// Where units of each product are that are not for sale.
    pub depots: Vec<AccountId>,
}

impl<'a> Shop<'a> {
    /// Opens the accounts, or finds them.
    pub fn open(engine: &'a Engine) -> Self {
        let open = |key: String, policy| {
            let key: AccountKey = key.parse().expect("a valid key");
            engine.open_account(&key, policy).expect("there is room")
        };
        let (users, products) = (0..USERS, 0..PRODUCTS);
        let window = Window::Rolling { length_ms: 60 };
        let quota = |user: u64, product: u64| {
            open(format!("quota/u{user}/p{product}"), Policy::quota(40, window))
        };
        let cap =
            |user: u64| open(format!("quota/u{user}"), Policy::quota(12, Window::Outstanding));
        let strict = |keys: Vec<String>| -> Vec<AccountId> {
            keys.into_iter().map(|key| open(key, Policy::strict())).collect()
        };
        Self {
            engine,
            points: strict(users.clone().map(|user| format!("points/u{user}")).collect()),
            quotas: users
                .clone()
                .flat_map(|user| (0..PRODUCTS).map(move |product| (user, product)))
                .map(|(user, product)| quota(user, product))
                .collect(),
            caps: users.map(cap).collect(),
            stocks: strict(products.clone().map(|product| format!("stock/p{product}")).collect()),
            depots: strict(products.map(|product| format!("stock/p{product}/depot")).collect()),
        }
    }

    pub fn points(&self, user: u64) -> AccountId {
        self.points[user as usize]
    }

    /// The points of a user that are good until a moment; 0 is for ever.
    pub fn purse(&self, user: u64, until: TimeMs) -> AccountId {
        if until == 0 {
            return self.points(user);
        }
        let key = AccountKey::points_until(&format!("u{user}"), until).expect("a whole second");
        self.engine.open_account(&key, Policy::strict()).expect("there is room")
    }

    pub fn stock(&self, product: u64) -> AccountId {
        self.stocks[product as usize]
    }

    /// The user whose points these are.
    pub fn user_of(&self, points: AccountId) -> u64 {
        let place = self.points.iter().position(|account| *account == points);
        place.expect("only users own orders and places") as u64
    }

    /// The order that a reservation with these lines on behalf of `owner` is of.
    pub fn order_of(&self, owner: Option<AccountId>, lines: &[Line]) -> Order {
        let [points, _, _, stock] = lines else { panic!("no order has the lines {lines:?}") };
        let user = self.user_of(owner.expect("every order has an owner"));
        let product = self.stocks.iter().position(|account| *account == stock.account);
        let purse = self.engine.level(points.account).expect("the account is open");
        Order {
            user,
            product: product.expect("stock comes last") as u64,
            quantity: stock.quantity,
            until: purse.key.until().unwrap_or(0),
        }
    }

    /// Points, quota, cap on what is outstanding, stock: an exchange.
    pub fn lines(&self, order: Order) -> [Line; 4] {
        let quota = self.quotas[(order.user * PRODUCTS + order.product) as usize];
        let cap = self.caps[order.user as usize];
        let purse = self.purse(order.user, order.until);
        let accounts = [purse, quota, cap, self.stock(order.product)];
        let quantities = parts(order.quantity);
        std::array::from_fn(|at| Line { account: accounts[at], quantity: quantities[at] })
    }
}

/// What an exchange of so many units takes of each account, line by line.
pub fn parts(quantity: u64) -> [u64; 4] {
    [quantity * PRICE, quantity, 1, quantity]
}

/// So many units of a product for a user, for points that are good until then, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub user: u64,
    pub product: u64,
    pub quantity: u64,
    pub until: TimeMs,
}
