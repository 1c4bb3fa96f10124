//! The ledger inside your own program: no server, no runtime, no other process.
//!
//! ```sh
//! cargo run --release --example embed
//! ```

use stockhold::outcome::{NotPending, Reserved};
use stockhold::{
    AccountKey, ConfirmOutcome, Engine, Line, Policy, Receive, Reserve, ReserveOutcome, Result,
    Ticket,
};

const QUARTER_HOUR_MS: u64 = 15 * 60 * 1000;

fn main() -> Result<()> {
    let dir = tempfile::tempdir().expect("there is a temporary directory");

    let engine = Engine::builder(dir.path()).open()?;
    let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;

    // A ticket carries the outcome at once; it is durable when the wait is over. Tell nobody
    // before.
    engine.receive(Receive::new(tea, 3).note("first delivery"))?.wait()?;

    let two = [Line { account: tea, quantity: 2 }];
    let outcome = engine.reserve(Reserve::new(&two, QUARTER_HOUR_MS))?.wait()?;
    let ReserveOutcome::Reserved(Reserved { reservation, expires_at, .. }) = outcome else {
        panic!("three units are there")
    };
    println!("reserved 2 of 3 as {reservation}, until {expires_at}");

    // Too little is an outcome, not an error, and says when asking again may pay.
    let outcome = engine.reserve(Reserve::new(&two, QUARTER_HOUR_MS)).and_then(Ticket::wait)?;
    let ReserveOutcome::Refused(refusal) = outcome else {
        panic!("one unit is left, and two were asked for")
    };
    assert_eq!((refusal.line, refusal.account, refusal.available), (0, tea, 1));
    assert_eq!(refusal.next_release_at, Some(expires_at), "when the first reservation lapses");
    println!("refused 2 more: {} left, more may come at {expires_at}", refusal.available);

    let outcome = engine.confirm(reservation)?.wait()?;
    assert_eq!(outcome, ConfirmOutcome::Confirmed { reservation });
    let outcome = engine.confirm(reservation)?.wait()?;
    assert_eq!(
        outcome,
        ConfirmOutcome::NotPending { reservation, why: NotPending::Confirmed },
        "it ended with the first confirm"
    );
    engine.close()?;

    // Everything acknowledged is there again, under the same numbers.
    let engine = Engine::builder(dir.path()).open()?;
    let level = engine.level(tea)?;
    assert_eq!((level.received, level.available, level.reserved, level.consumed), (3, 1, 0, 2));
    println!(
        "reopened: {} received, {} sold, {} left",
        level.received, level.consumed, level.available
    );
    engine.close()
}
