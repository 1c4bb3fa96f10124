//! What the callers ask, and how it goes over the pipe: as numbers, a request or an answer a row.

use stockhold::command::{Atomic, Command, WriteOff};
use stockhold::outcome::{Changed, FirstAnswer, Outcome, Reserved};
use stockhold::{
    AccountId, AccountKey, Confirm, ConfirmOutcome, Engine, IdempotencyKey, Line, Policy,
    Reacquire, ReacquireOutcome, Receive, Refund, RefundOutcome, Release, ReleaseOutcome,
    ReservationId, Reserve, Window,
};

pub const USERS: u64 = 6;
pub const PRODUCTS: u64 = 3;
/// Points for a unit of anything, so that points spent and units sold can be held against each
/// other.
pub const PRICE: u64 = 7;

/// The accounts that a request names by user and product.
pub struct Shop {
    points: Vec<AccountId>,
    quotas: Vec<AccountId>,
    caps: Vec<AccountId>,
    pub stocks: Vec<AccountId>,
}

impl Shop {
    /// Opens the accounts, or finds them.
    pub fn open(engine: &Engine) -> Self {
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
        Self {
            points: users
                .clone()
                .map(|user| open(format!("points/u{user}"), Policy::strict()))
                .collect(),
            quotas: users
                .clone()
                .flat_map(|user| (0..PRODUCTS).map(move |product| (user, product)))
                .map(|(user, product)| quota(user, product))
                .collect(),
            caps: users.map(cap).collect(),
            stocks: products
                .map(|product| open(format!("stock/p{product}"), Policy::strict()))
                .collect(),
        }
    }

    fn points(&self, user: u64) -> AccountId {
        self.points[user as usize]
    }

    fn stock(&self, product: u64) -> AccountId {
        self.stocks[product as usize]
    }

    /// The order that a reservation with these lines is of.
    pub fn order_of(&self, lines: &[Line]) -> Order {
        let place = |accounts: &[AccountId], line: &Line| {
            accounts.iter().position(|account| *account == line.account)
        };
        let [points, _, _, stock] = lines else { panic!("no order has the lines {lines:?}") };
        let user = place(&self.points, points).expect("points come first");
        let product = place(&self.stocks, stock).expect("stock comes last");
        Order { user: user as u64, product: product as u64, quantity: stock.quantity }
    }

    /// Points, quota, cap on what is outstanding, stock: an exchange.
    fn lines(&self, order: Order) -> [Line; 4] {
        let quota = self.quotas[(order.user * PRODUCTS + order.product) as usize];
        let cap = self.caps[order.user as usize];
        let accounts = [self.points(order.user), quota, cap, self.stock(order.product)];
        let quantities = parts(order.quantity);
        std::array::from_fn(|at| Line { account: accounts[at], quantity: quantities[at] })
    }
}

/// What an exchange of so many units takes of each account, line by line.
fn parts(quantity: u64) -> [u64; 4] {
    [quantity * PRICE, quantity, 1, quantity]
}

/// So many units of a product for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub user: u64,
    pub product: u64,
    pub quantity: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Reserve {
        order: Order,
        ttl_ms: u64,
        at_once: bool,
    },
    /// With 0 units: the whole reservation.
    Confirm {
        reservation: ReservationId,
        units: u64,
    },
    Release {
        reservation: ReservationId,
    },
    /// Whatever is left of it.
    Refund {
        reservation: ReservationId,
    },
    /// So many units of what was ordered, and their points; `is_broken` ones are written off.
    RefundPart {
        reservation: ReservationId,
        order: Order,
        is_broken: bool,
    },
    /// Whatever it held, when it has expired.
    Reacquire {
        reservation: ReservationId,
    },
    Award {
        user: u64,
        quantity: u64,
    },
    Receive {
        product: u64,
        quantity: u64,
    },
    WriteOff {
        product: u64,
        quantity: u64,
    },
}

pub type Row = [u64; 7];

impl Ask {
    pub fn to_row(self) -> Row {
        match self {
            Self::Reserve { order: Order { user, product, quantity }, ttl_ms, at_once } => {
                [0, user, product, quantity, ttl_ms, at_once.into(), 0]
            }
            Self::Confirm { reservation, units } => [1, reservation.number(), units, 0, 0, 0, 0],
            Self::Release { reservation } => [2, reservation.number(), 0, 0, 0, 0, 0],
            Self::Refund { reservation } => [3, reservation.number(), 0, 0, 0, 0, 0],
            Self::RefundPart { reservation, order, is_broken } => {
                let Order { user, product, quantity } = order;
                [7, reservation.number(), user, product, quantity, is_broken.into(), 0]
            }
            Self::Reacquire { reservation } => [8, reservation.number(), 0, 0, 0, 0, 0],
            Self::Award { user, quantity } => [4, user, quantity, 0, 0, 0, 0],
            Self::Receive { product, quantity } => [5, product, quantity, 0, 0, 0, 0],
            Self::WriteOff { product, quantity } => [6, product, quantity, 0, 0, 0, 0],
        }
    }

    pub fn from_row(row: Row) -> Self {
        let reservation = ReservationId::from_number(row[1]);
        match row {
            [0, user, product, quantity, ttl_ms, at_once, _] => Self::Reserve {
                order: Order { user, product, quantity },
                ttl_ms,
                at_once: at_once != 0,
            },
            [1, _, units, ..] => Self::Confirm { reservation, units },
            [2, ..] => Self::Release { reservation },
            [3, ..] => Self::Refund { reservation },
            [4, user, quantity, ..] => Self::Award { user, quantity },
            [5, product, quantity, ..] => Self::Receive { product, quantity },
            [6, product, quantity, ..] => Self::WriteOff { product, quantity },
            [8, ..] => Self::Reacquire { reservation },
            [7, _, user, product, quantity, is_broken, _] => Self::RefundPart {
                reservation,
                order: Order { user, product, quantity },
                is_broken: is_broken != 0,
            },
            _ => panic!("no request is written as {row:?}"),
        }
    }

    /// Asks the engine and waits until the answer is durable.
    pub fn ask(
        self,
        engine: &Engine,
        shop: &Shop,
        key: Option<IdempotencyKey>,
    ) -> stockhold::Result<Option<FirstAnswer>> {
        match self {
            Self::Refund { reservation } => refund(engine, Refund::new(reservation).key(key)),
            Self::Reacquire { reservation } => {
                let asked = Reacquire::new(reservation).key(key);
                Ok(match engine.reacquire(asked)?.wait()? {
                    ReacquireOutcome::Revived { reservation } => {
                        Some(FirstAnswer::Revived { reservation })
                    }
                    _ => None,
                })
            }
            Self::RefundPart { reservation, order, is_broken } => {
                let [points, quota, _, stock] = shop.lines(order);
                let (part, broken) = ([points, quota, stock], [stock.account]);
                let refund_part = Refund::new(reservation).part(&part).key(key);
                match is_broken {
                    true => refund(engine, refund_part.written_off(&broken)),
                    false => refund(engine, refund_part),
                }
            }
            _ => {
                let mut borrowed = Borrowed::default();
                engine.execute(&self.command(shop, key, &mut borrowed))?.wait().map(done)
            }
        }
    }

    /// Whether it is a command, and can be one of several.
    pub fn is_command(self) -> bool {
        !matches!(self, Self::Refund { .. } | Self::RefundPart { .. } | Self::Reacquire { .. })
    }

    /// The command, for anything that is one.
    pub fn command<'a>(
        self,
        shop: &Shop,
        key: Option<IdempotencyKey>,
        borrowed: &'a mut Borrowed,
    ) -> Command<'a> {
        let note = "kill";
        match self {
            Self::Reserve { order, ttl_ms, at_once } => {
                borrowed.lines = shop.lines(order).to_vec();
                let reserve = Reserve::new(&borrowed.lines, ttl_ms).details(b"details");
                let mut reserve = reserve.owner(shop.points(order.user)).key(key);
                reserve.confirm = at_once;
                Command::Reserve(reserve)
            }
            Self::Confirm { reservation, units } => {
                borrowed.parts = parts(units).to_vec();
                let mut confirm = Confirm::new(reservation).key(key);
                confirm.quantities = (units > 0).then_some(&borrowed.parts[..]);
                Command::Confirm(confirm)
            }
            Self::Release { reservation } => Command::Release(Release::new(reservation).key(key)),
            Self::Refund { .. } | Self::RefundPart { .. } | Self::Reacquire { .. } => {
                panic!("what is asked of history is no command")
            }
            Self::Award { user, quantity } => {
                Command::Receive(Receive::new(shop.points(user), quantity).note(note).key(key))
            }
            Self::Receive { product, quantity } => {
                Command::Receive(Receive::new(shop.stock(product), quantity).note(note).key(key))
            }
            Self::WriteOff { product, quantity } => {
                Command::WriteOff(WriteOff::new(shop.stock(product), quantity).note(note).key(key))
            }
        }
    }
}

/// Asks for one of these, or for several that happen together, and waits until the answer is
/// durable; `None` when nothing happens.
pub fn ask_all(
    asks: &[Ask],
    engine: &Engine,
    shop: &Shop,
    key: Option<IdempotencyKey>,
) -> stockhold::Result<Option<Vec<FirstAnswer>>> {
    if let [ask] = asks {
        return Ok(ask.ask(engine, shop, key)?.map(|answer| vec![answer]));
    }
    let mut borrowed: Vec<Borrowed> = asks.iter().map(|_| Borrowed::default()).collect();
    let commands = asks.iter().zip(&mut borrowed);
    let commands: Vec<Command<'_>> =
        commands.map(|(ask, borrowed)| ask.command(shop, None, borrowed)).collect();
    let outcome = engine.atomic(Atomic::new(&commands).key(key))?.wait()?;
    let did = |outcome| done(outcome).expect("what happens together happens");
    Ok(outcome.done().ok().map(|outcomes| outcomes.into_iter().map(did).collect()))
}

fn refund(engine: &Engine, refund: Refund<'_>) -> stockhold::Result<Option<FirstAnswer>> {
    Ok(match engine.refund(refund.note("refund"))?.wait()? {
        RefundOutcome::Returned { reservation } => Some(FirstAnswer::Returned { reservation }),
        RefundOutcome::ReturnedInPart { reservation } => {
            Some(FirstAnswer::ReturnedInPart { reservation })
        }
        _ => None,
    })
}

/// What a command borrows.
#[derive(Default)]
pub struct Borrowed {
    lines: Vec<Line>,
    parts: Vec<u64>,
}

pub fn key(number: u64) -> Option<IdempotencyKey> {
    (number > 0).then(|| IdempotencyKey::new("kill", &number.to_string()).expect("a valid key"))
}

/// What a command did, as a retry with its key hears it; `None` for one that had no effect.
pub fn done(outcome: Outcome) -> Option<FirstAnswer> {
    match outcome {
        Outcome::Confirm(ConfirmOutcome::Confirmed { reservation }) => {
            Some(FirstAnswer::Confirmed { reservation })
        }
        Outcome::Release(ReleaseOutcome::Released { reservation }) => {
            Some(FirstAnswer::Released { reservation })
        }
        other => {
            let reserved = other.reserved().map(FirstAnswer::Reserved);
            reserved.or(other.changed().map(FirstAnswer::Changed))
        }
    }
}

/// An effect as numbers.
pub fn numbers_of(answer: FirstAnswer) -> [u64; 4] {
    match answer {
        FirstAnswer::Changed(Changed { account, available, .. }) => {
            [0, account.number().into(), available as u64, 0]
        }
        FirstAnswer::Reserved(Reserved { reservation, expires_at, confirmed, .. }) => {
            [1, reservation.number(), expires_at, confirmed.into()]
        }
        FirstAnswer::Confirmed { reservation } => [2, reservation.number(), 0, 0],
        FirstAnswer::Released { reservation } => [3, reservation.number(), 0, 0],
        FirstAnswer::Returned { reservation } => [4, reservation.number(), 0, 0],
        FirstAnswer::ReturnedInPart { reservation } => [5, reservation.number(), 0, 0],
        FirstAnswer::Revived { reservation } => [6, reservation.number(), 0, 0],
        other => panic!("no request here is answered {other:?}"),
    }
}

/// splitmix64: enough to vary requests, and the same from the same seed.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len() as u64) as usize].clone())
    }
}
