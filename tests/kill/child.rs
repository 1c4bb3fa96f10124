//! The process that is killed: several threads at the engine, each answer written to the pipe after
//! it was durable.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;

use stockhold::test_util::make_mistake;
use stockhold::{Engine, ReservationId, TimeMs};

use super::request::{Ask, Borrowed, Effect, RESERVED, Rng, ask_all, done, key};
use super::shop::{Order, PRICE, PRODUCTS, Shop, USERS};

pub const THREADS: u64 = 5;
/// The most requests of one batch.
pub const BATCH_MAX: u64 = 4;

/// Asks until it is killed.
pub fn run(dir: &Path) -> ! {
    abort_on_panic();
    if let Ok(mistake) = std::env::var(super::MISTAKE) {
        assert!(make_mistake(&mistake), "there is a mistake of the name {mistake}");
    }
    let mut said =
        std::io::stdin().lock().lines().map(|line| parse(&line.expect("the pipe reads")));
    let first = said.next().expect("the parent says which life this is");
    let [seed, life] = first[..] else { panic!("the first line is the seed and the life") };
    let handed: Vec<_> = said.flatten().map(ReservationId::from_number).collect();
    let engine = super::builder(dir).open().expect("what a kill leaves behind opens");
    let shop = Shop::open(&engine);
    // Some have lapsed since.
    let handed = handed.into_iter().filter_map(|id| {
        let pending = engine.pending(id)?;
        Some((id, shop.order_of(pending.owner, &pending.lines)))
    });
    let handed: Vec<_> = handed.collect();
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let orders: BTreeMap<_, _> =
                handed.iter().copied().skip(number as usize).step_by(THREADS as usize).collect();
            let mut caller = Caller {
                engine: &engine,
                shop: &shop,
                rng: Rng(seed ^ life << 8 ^ number),
                next_key: life << 40 | number << 32,
                pending: orders.keys().copied().collect(),
                orders,
                confirmed: Vec::new(),
                lapsed: Vec::new(),
                keyed: Vec::new(),
                purses: Vec::new(),
            };
            scope.spawn(move || {
                loop {
                    caller.step();
                }
            });
        }
    });
    unreachable!("the callers never stop")
}

/// A thread that finds something wrong ends the whole process, which the parent sees.
fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |what| {
        print(what);
        std::process::abort();
    }));
}

fn parse(line: &str) -> Vec<u64> {
    line.split(' ').map(|text| text.parse().expect("a number")).collect()
}

struct Caller<'a> {
    engine: &'a Engine,
    shop: &'a Shop<'a>,
    rng: Rng,
    next_key: u64,
    /// What this caller may confirm or release.
    pending: Vec<ReservationId>,
    confirmed: Vec<ReservationId>,
    /// What could not be confirmed or released: mostly, because it had expired.
    lapsed: Vec<ReservationId>,
    /// What each of them was made for.
    orders: BTreeMap<ReservationId, Order>,
    /// The newest keyed requests that had an effect.
    keyed: Vec<(Vec<Ask>, u64, Vec<Effect>)>,
    /// Whose points that end were awarded here.
    purses: Vec<(u64, TimeMs)>,
}

impl Caller<'_> {
    fn step(&mut self) {
        match self.rng.below(100) {
            0 => drop(self.engine.checkpoint().expect("the disk works")),
            1..8 => self.retry(),
            8..16 => self.batch(),
            16..26 => self.together(),
            _ => {
                let ask = self.invent();
                self.ask(vec![ask]);
            }
        }
    }

    fn together(&mut self) {
        let count = 2 + self.rng.below(BATCH_MAX - 1);
        let asks = (0..count).map(|_| self.invent()).filter(|ask| ask.is_command());
        let asks = asks.collect();
        self.ask(asks);
    }

    /// All of these together, or none.
    fn ask(&mut self, asks: Vec<Ask>) {
        if asks.is_empty() {
            return;
        }
        let key_number =
            if asks.iter().all(|ask| ask.takes_a_key()) { self.invent_key() } else { 0 };
        let did = ask_all(&asks, self.engine, self.shop, key(key_number));
        self.note(asks, key_number, did.expect("the request is sound"));
    }

    fn invent(&mut self) -> Ask {
        let rng = &mut self.rng;
        let order = Order {
            user: rng.below(USERS),
            product: rng.below(PRODUCTS),
            quantity: 1 + rng.below(3),
            until: 0,
        };
        match rng.below(100) {
            0..5 => {
                // Some end within this life.
                let second = self.engine.now_ms() / 1_000 + 1;
                let until = if rng.below(2) == 0 { second * 1_000 } else { 0 };
                Ask::Award { user: order.user, quantity: PRICE * (1 + rng.below(40)), until }
            }
            5..10 => Ask::Receive { product: order.product, quantity: 1 + rng.below(40) },
            10 => Ask::WriteOff { product: order.product, quantity: order.quantity },
            11..16 if !self.confirmed.is_empty() => {
                let reservation = rng.pick(&self.confirmed).expect("there is one");
                // Now and then more than is left.
                let order = Order { quantity: 1 + rng.below(2), ..self.orders[&reservation] };
                match rng.below(3) {
                    0 => Ask::Refund { reservation },
                    which => Ask::RefundPart { reservation, order, is_broken: which == 1 },
                }
            }
            16..52 if !self.pending.is_empty() => {
                let at = rng.below(self.pending.len() as u64) as usize;
                let reservation = self.pending.swap_remove(at);
                let quantity = self.orders[&reservation].quantity;
                match rng.below(3) {
                    0 => Ask::Release { reservation },
                    1 => Ask::Confirm { reservation, units: 0 },
                    _ => Ask::Confirm { reservation, units: 1 + rng.below(quantity) },
                }
            }
            52..60 if !self.lapsed.is_empty() => {
                let at = rng.below(self.lapsed.len() as u64) as usize;
                Ask::Reacquire { reservation: self.lapsed.swap_remove(at) }
            }
            60..65 => Ask::Join { user: order.user, product: order.product },
            65..70 => self.ask_of_the_line(order),
            70..72 => Ask::Count { product: order.product, units: rng.below(6) },
            72..74 => {
                let (product, quantity) = (order.product, order.quantity);
                Ask::Move { product, quantity, is_back: rng.below(2) == 0 }
            }
            74..79 => self.ask_of_a_purse(order),
            _ => {
                // Some lapse within this life, some in a later one, some never.
                let ttl_ms = [15, 150, 1_500, 3_600_000][rng.below(4) as usize];
                Ask::Reserve { order, ttl_ms, at_once: rng.below(5) == 0 }
            }
        }
    }

    /// Whoever is first in the line for the product gets a unit, or goes.
    fn ask_of_the_line(&mut self, order: Order) -> Ask {
        let stock = self.shop.stock(order.product);
        let first = self.engine.next_waiting(stock).expect("the account is open");
        let Some((first, _)) = first else {
            return Ask::Receive { product: order.product, quantity: 1 };
        };
        let user = self.shop.user_of(first.owner);
        if self.rng.below(4) == 0 {
            return Ask::Leave { user, product: order.product };
        }
        let ttl_ms = [15, 150, 3_600_000][self.rng.below(3) as usize];
        let order = Order { user, quantity: 1, ..order };
        Ask::Grant { order, place: first.place, ttl_ms }
    }

    /// Something is bought with points that end, mostly before that; or what has ended goes.
    fn ask_of_a_purse(&mut self, order: Order) -> Ask {
        let now = self.engine.now_ms();
        if let Some((user, until)) = self.rng.pick(&self.purses).filter(|_| self.rng.below(2) == 0)
        {
            let order = Order { user, until, ..order };
            return Ask::Reserve { order, ttl_ms: 150, at_once: false };
        }
        // Somebody's of one of the last seconds, in an earlier life perhaps.
        let (user, until) = (order.user, (now / 1_000 - self.rng.below(3)) * 1_000);
        let purse = self.engine.level(self.shop.purse(user, until)).expect("it is open");
        let quantity = u64::try_from(purse.available).unwrap_or(0).max(1);
        Ask::End { user, until, quantity }
    }

    /// 0 stands for none.
    fn invent_key(&mut self) -> u64 {
        self.next_key += 1;
        if self.rng.below(2) == 0 { self.next_key } else { 0 }
    }

    fn batch(&mut self) {
        let count = 1 + self.rng.below(BATCH_MAX);
        let asks: Vec<(Ask, u64)> = (0..count)
            .map(|_| (self.invent(), self.invent_key()))
            .filter(|(ask, _)| ask.is_command())
            .collect();
        let mut borrowed: Vec<Borrowed> = asks.iter().map(|_| Borrowed::default()).collect();
        let commands = asks.iter().zip(&mut borrowed).map(|((ask, key_number), borrowed)| {
            ask.command(self.shop, key(*key_number), borrowed)
        });
        let commands: Vec<_> = commands.collect();
        let outcomes =
            self.engine.batch(&commands).and_then(|ticket| ticket.wait()).expect("the disk works");
        for ((ask, key_number), outcome) in asks.into_iter().zip(outcomes) {
            let did = done(outcome.expect("the request is sound"));
            self.note(vec![ask], key_number, did.map(|effect| vec![effect]));
        }
    }

    fn retry(&mut self) {
        let Some((asks, key_number, first)) = self.rng.pick(&self.keyed) else {
            return;
        };
        let again = ask_all(&asks, self.engine, self.shop, key(key_number));
        let again = again.expect("a retry is sound");
        assert_eq!(again, Some(first), "{asks:?} with key {key_number}");
        say("retry");
    }

    /// Remembers what there is to do next, and acknowledges.
    fn note(&mut self, asks: Vec<Ask>, key_number: u64, effects: Option<Vec<Effect>>) {
        let Some(effects) = effects else {
            if let [Ask::Confirm { reservation, .. } | Ask::Release { reservation }] = asks[..] {
                self.lapsed.push(reservation);
            }
            return say("refused");
        };
        let mut line = format!("ack {key_number}");
        for (ask, effect) in asks.iter().zip(&effects) {
            self.remember(*ask, *effect);
            for number in ask.to_row().into_iter().chain(*effect) {
                line += &format!(" {number}");
            }
        }
        if key_number > 0 {
            self.keyed.push((asks, key_number, effects));
        }
        say(&line);
    }

    fn remember(&mut self, ask: Ask, effect: Effect) {
        let reservation = ReservationId::from_number(effect[1]);
        match ask {
            Ask::Reserve { order, at_once, .. } => {
                assert_eq!(effect[0], RESERVED, "{ask:?} did {effect:?}");
                self.orders.insert(reservation, order);
                let known = if at_once { &mut self.confirmed } else { &mut self.pending };
                known.push(reservation);
            }
            Ask::Grant { order, .. } => {
                self.orders.insert(reservation, order);
                self.pending.push(reservation);
            }
            Ask::Confirm { .. } | Ask::Reacquire { .. } => self.confirmed.push(reservation),
            Ask::Award { user, until, .. } if until > 0 => self.purses.push((user, until)),
            _ => {}
        }
    }
}

/// One write for a line, so that a kill never leaves half of one: a pipe takes a short write whole.
fn say(line: &str) {
    let line = format!("{line}\n");
    let written = std::io::stdout().lock().write_all(line.as_bytes());
    written.expect("the parent listens");
}
