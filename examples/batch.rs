//! Many commands in one call: they are decided in one round of locks and made durable by one sync.
//! Each has an outcome of its own; one that fails leaves the others alone.
//!
//! ```sh
//! cargo run --release --example batch
//! ```

use std::time::Instant;

use stockhold::command::Command;
use stockhold::outcome::Outcome;
use stockhold::{
    AccountKey, Confirm, ConfirmOutcome, Engine, ErrorKind, Line, Policy, Receive, Reserve,
    ReserveOutcome, Result,
};

const UNITS: u64 = 900;
const ORDERS: usize = 1_000;
const TTL_MS: u64 = 60_000;

fn main() -> Result<()> {
    let dir = tempfile::tempdir().expect("there is a temporary directory");
    let engine = Engine::builder(dir.path()).open()?;
    let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    engine.receive(Receive::new(tea, UNITS).note("for the batch"))?.wait()?;

    // A thousand orders for nine hundred units, and one that is malformed.
    let (one, none) = ([Line { account: tea, quantity: 1 }], [Line { account: tea, quantity: 0 }]);
    let mut commands: Vec<Command<'_>> =
        (0..ORDERS).map(|_| Reserve::new(&one, TTL_MS).into()).collect();
    commands.push(Reserve::new(&none, TTL_MS).into());
    let started = Instant::now();
    let outcomes = engine.batch(&commands)?.wait()?;
    let took = started.elapsed();

    // Outcomes are in the order of the commands.
    let mut reserved = Vec::new();
    let mut refused = 0;
    for outcome in &outcomes[..ORDERS] {
        match outcome {
            Ok(Outcome::Reserve(ReserveOutcome::Reserved(it))) => reserved.push(it.reservation),
            Ok(Outcome::Reserve(ReserveOutcome::Refused(_))) => refused += 1,
            other => panic!("a sound reserve is reserved or refused, not {other:?}"),
        }
    }
    assert_eq!((reserved.len() as u64, refused), (UNITS, ORDERS as u64 - UNITS));
    let malformed = outcomes[ORDERS].as_ref().expect_err("nobody can take nothing");
    assert_eq!(malformed.kind(), ErrorKind::Invalid);

    // The payments came in: another batch.
    let confirms: Vec<Command<'_>> = reserved.iter().map(|it| Confirm::new(*it).into()).collect();
    for outcome in engine.batch(&confirms)?.wait()? {
        assert!(matches!(outcome?, Outcome::Confirm(ConfirmOutcome::Confirmed { .. })));
    }
    let level = engine.level(tea)?;
    assert_eq!((level.consumed, level.available), (UNITS, 0));
    println!("{ORDERS} orders, decided and durable in {took:?}: {UNITS} sold, {refused} refused");
    engine.close()
}
