//! The process that is killed: several threads at the engine, each answer written to the pipe after
//! it was durable.

use std::io::{BufRead, Write};
use std::path::Path;

use stockhold::outcome::{FirstAnswer, Reserved};
use stockhold::{Engine, ReservationId};

use super::request::{
    Ask, Borrowed, Order, PRICE, PRODUCTS, Rng, Shop, USERS, done, key, numbers_of,
};

pub const THREADS: u64 = 5;
/// The most requests of one batch.
pub const BATCH_MAX: u64 = 4;

/// Asks until it is killed.
pub fn run(dir: &Path) -> ! {
    abort_on_panic();
    let mut said =
        std::io::stdin().lock().lines().map(|line| parse(&line.expect("the pipe reads")));
    let (seed, life) = said.next().expect("the parent says which life this is");
    let handed: Vec<_> =
        said.map(|(number, quantity)| (ReservationId::from_number(number), quantity)).collect();
    let engine = super::builder(dir).open().expect("what a kill leaves behind opens");
    let shop = Shop::open(&engine);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let pending: Vec<_> =
                handed.iter().copied().skip(number as usize).step_by(THREADS as usize).collect();
            let mut caller = Caller {
                engine: &engine,
                shop: &shop,
                rng: Rng(seed ^ life << 8 ^ number),
                next_key: life << 40 | number << 32,
                pending,
                confirmed: Vec::new(),
                keyed: Vec::new(),
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

fn parse(line: &str) -> (u64, u64) {
    let (first, second) = line.split_once(' ').expect("two numbers");
    let number = |text: &str| text.parse().expect("a number");
    (number(first), number(second))
}

struct Caller<'a> {
    engine: &'a Engine,
    shop: &'a Shop,
    rng: Rng,
    next_key: u64,
    /// What this caller may confirm or release, with how many units each holds.
    pending: Vec<(ReservationId, u64)>,
    confirmed: Vec<ReservationId>,
    /// The newest keyed requests that had an effect.
    keyed: Vec<(Ask, u64, FirstAnswer)>,
}

impl Caller<'_> {
    fn step(&mut self) {
        match self.rng.below(100) {
            0 => drop(self.engine.checkpoint().expect("the disk works")),
            1..8 => self.retry(),
            8..16 => self.batch(),
            _ => {
                let ask = self.invent();
                // A refund takes no key: it happens once as it is.
                let key_number =
                    if matches!(ask, Ask::Refund { .. }) { 0 } else { self.invent_key() };
                let outcome =
                    ask.ask(self.engine, self.shop, key(key_number)).expect("the request is sound");
                self.note(ask, key_number, outcome);
            }
        }
    }

    fn invent(&mut self) -> Ask {
        let rng = &mut self.rng;
        let order = Order {
            user: rng.below(USERS),
            product: rng.below(PRODUCTS),
            quantity: 1 + rng.below(3),
        };
        match rng.below(100) {
            0..5 => Ask::Award { user: order.user, quantity: PRICE * (1 + rng.below(40)) },
            5..10 => Ask::Receive { product: order.product, quantity: 1 + rng.below(40) },
            10 => Ask::WriteOff { product: order.product, quantity: order.quantity },
            11..14 if !self.confirmed.is_empty() => {
                Ask::Refund { reservation: rng.pick(&self.confirmed).expect("there is one") }
            }
            14..50 if !self.pending.is_empty() => {
                let at = rng.below(self.pending.len() as u64) as usize;
                let (reservation, quantity) = self.pending.swap_remove(at);
                match rng.below(3) {
                    0 => Ask::Release { reservation },
                    1 => Ask::Confirm { reservation, units: 0 },
                    _ => Ask::Confirm { reservation, units: 1 + rng.below(quantity) },
                }
            }
            _ => {
                // Some lapse within this life, some in a later one, some never.
                let ttl_ms = [15, 150, 1_500, 3_600_000][rng.below(4) as usize];
                Ask::Reserve { order, ttl_ms, at_once: rng.below(5) == 0 }
            }
        }
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
            .filter(|(ask, _)| !matches!(ask, Ask::Refund { .. }))
            .collect();
        let mut borrowed: Vec<Borrowed> = asks.iter().map(|_| Borrowed::default()).collect();
        let commands = asks.iter().zip(&mut borrowed).map(|((ask, key_number), borrowed)| {
            ask.command(self.shop, key(*key_number), borrowed)
        });
        let commands: Vec<_> = commands.collect();
        let outcomes =
            self.engine.batch(&commands).and_then(|ticket| ticket.wait()).expect("the disk works");
        for ((ask, key_number), outcome) in asks.into_iter().zip(outcomes) {
            self.note(ask, key_number, done(outcome.expect("the request is sound")));
        }
    }

    fn retry(&mut self) {
        let Some((ask, key_number, first)) = self.rng.pick(&self.keyed) else {
            return;
        };
        let again = ask.ask(self.engine, self.shop, key(key_number)).expect("a retry is sound");
        assert_eq!(again, Some(first), "{ask:?} with key {key_number}");
        say("retry");
    }

    /// Remembers what there is to do next, and acknowledges.
    fn note(&mut self, ask: Ask, key_number: u64, answer: Option<FirstAnswer>) {
        let Some(answer) = answer else {
            return say("refused");
        };
        match (ask, answer.clone()) {
            (
                Ask::Reserve { .. },
                FirstAnswer::Reserved(Reserved { reservation, confirmed: true, .. }),
            )
            | (_, FirstAnswer::Confirmed { reservation }) => self.confirmed.push(reservation),
            (Ask::Reserve { order, .. }, FirstAnswer::Reserved(Reserved { reservation, .. })) => {
                self.pending.push((reservation, order.quantity));
            }
            _ => {}
        }
        if key_number > 0 {
            self.keyed.push((ask, key_number, answer.clone()));
        }
        let numbers = [key_number].into_iter().chain(ask.to_row()).chain(numbers_of(answer));
        say(&numbers.fold("ack".to_owned(), |line, number| format!("{line} {number}")));
    }
}

/// One write for a line, so that a kill never leaves half of one: a pipe takes a short write whole.
fn say(line: &str) {
    let line = format!("{line}\n");
    let written = std::io::stdout().lock().write_all(line.as_bytes());
    written.expect("the parent listens");
}
