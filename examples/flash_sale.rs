//! Many threads race for one product. However they interleave, not a unit more is sold than there
//! was.
//!
//! ```sh
//! cargo run --release --example flash_sale
//! ```

use std::process::ExitCode;
use std::thread;

use stockhold::outcome::Reserved;
use stockhold::{
    AccountId, AccountKey, ConfirmOutcome, Engine, Line, Policy, Receive, Reserve, ReserveOutcome,
    Result,
};

const UNITS: u64 = 500;
const BUYERS: usize = 16;
const TRIES_PER_BUYER: usize = 100;
const TTL_MS: u64 = 60_000;

/// What one buyer came to.
#[derive(Default)]
struct Tally {
    sold: u64,
    refused: u64,
}

fn main() -> ExitCode {
    match sale() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the sale failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the sale; true when every unit is accounted for.
fn sale() -> Result<bool> {
    let dir = tempfile::tempdir().expect("there is a temporary directory");
    let engine = Engine::builder(dir.path()).open()?;
    let lamp = engine.open_account(&AccountKey::stock("lamp")?, Policy::strict())?;
    engine.receive(Receive::new(lamp, UNITS).note("for the sale"))?.wait()?;

    // An engine's clones share it; each thread has its own handle.
    let buyers: Vec<_> = (0..BUYERS)
        .map(|_| {
            let engine = engine.clone();
            thread::spawn(move || buy(&engine, lamp))
        })
        .collect();
    let mut total = Tally::default();
    for buyer in buyers {
        let tally = buyer.join().expect("a buyer does not panic")?;
        total.sold += tally.sold;
        total.refused += tally.refused;
    }

    let level = engine.level(lamp)?;
    let oversold = total.sold.saturating_sub(UNITS);
    println!("sold {} of {UNITS}, refused {}, oversold={oversold}", total.sold, total.refused);
    engine.close()?;
    let tries = (BUYERS * TRIES_PER_BUYER) as u64;
    Ok(oversold == 0
        && level.consumed == total.sold
        && level.available == 0
        && total.sold + total.refused == tries)
}

/// One buyer: reserve a unit, pay, confirm.
fn buy(engine: &Engine, product: AccountId) -> Result<Tally> {
    let one = [Line { account: product, quantity: 1 }];
    let mut tally = Tally::default();
    for _ in 0..TRIES_PER_BUYER {
        match engine.reserve(Reserve::new(&one, TTL_MS))?.wait()? {
            ReserveOutcome::Reserved(Reserved { reservation, .. }) => {
                // This is where a shop takes the money.
                if let ConfirmOutcome::Confirmed { .. } = engine.confirm(reservation)?.wait()? {
                    tally.sold += 1;
                }
            }
            ReserveOutcome::Refused(_) => tally.refused += 1,
        }
    }
    Ok(tally)
}
