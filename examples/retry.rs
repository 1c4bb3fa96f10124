//! A request whose answer is lost, asked again: with an idempotency key it has one effect, and every
//! retry hears the first answer, also after a restart.
//!
//! ```sh
//! cargo run --example retry
//! ```

use stockhold::engine::MemoryDisk;
use stockhold::outcome::{FirstAnswer, Reserved};
use stockhold::{
    AccountId, AccountKey, Engine, ErrorKind, IdempotencyKey, Line, Policy, Receive, Reserve,
    Result,
};

const QUARTER_HOUR_MS: u64 = 15 * 60 * 1000;

/// What a client asks for. It chooses the name of the request itself, once, before the first try.
struct Order<'a> {
    user: &'a str,
    request: &'a str,
    quantity: u64,
}

impl Order<'_> {
    /// The scope keeps the names of two users apart, and of two operations. Each user has a share of
    /// the keys that are kept, so that nobody pushes out another's.
    fn key(&self) -> Result<IdempotencyKey> {
        let scope = format!("order/{}", self.user);
        Ok(IdempotencyKey::new(&scope, self.request)?.owned_by(self.user))
    }

    fn place(&self, engine: &Engine, product: AccountId) -> Result<Reserved> {
        let lines = [Line { account: product, quantity: self.quantity }];
        let reserve = Reserve::new(&lines, QUARTER_HOUR_MS).key(self.key()?);
        let outcome = engine.reserve(reserve)?.wait()?;
        Ok(outcome.reserved().expect("there is enough for everybody here"))
    }
}

fn main() -> Result<()> {
    let disk = MemoryDisk::default();
    let engine = Engine::in_memory_on(&disk).open()?;
    let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    engine.receive(Receive::new(tea, 10))?.wait()?;

    let order = Order { user: "ann", request: "7f3c", quantity: 2 };
    let first = order.place(&engine, tea)?;
    // The connection broke before the client heard: it asks again, with the same name.
    assert_eq!(order.place(&engine, tea)?, first);
    assert_eq!(engine.level(tea)?.reserved, 2, "two units, and not four");

    // The same name for something else is a mistake of the client's, and told as one.
    let other = Order { quantity: 3, ..order };
    let conflict = other.place(&engine, tea).expect_err("the name is taken");
    assert_eq!(conflict.kind(), ErrorKind::Conflict);
    // Another user's request of that name is another request.
    let bens = Order { user: "ben", ..order };
    assert_ne!(bens.place(&engine, tea)?.reservation, first.reservation);

    // The answer is in the same record as its effect: a crash takes both or neither, and a restart
    // finds both.
    drop(engine);
    let engine = Engine::in_memory_on(&disk).open()?;
    assert_eq!(order.place(&engine, tea)?, first);
    // Who only wants to know what became of a request can ask without making it.
    let answer = engine.first_answer(order.key()?)?.expect("it was made").wait()?;
    assert_eq!(answer, FirstAnswer::Reserved(first));
    let unknown = Order { request: "0000", ..order };
    assert!(engine.first_answer(unknown.key()?)?.is_none());
    println!("asked four times, taken once: {}", first.reservation);
    engine.close()
}
