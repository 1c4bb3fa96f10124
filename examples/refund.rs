//! An order's whole life: reserved, confirmed in part, returned in two steps, with its story in
//! history.
//!
//! ```sh
//! cargo run --example refund
//! ```

use stockhold::command::Note;
use stockhold::history::ReservationState;
use stockhold::{
    AccountKey, Confirm, ConfirmOutcome, Engine, Line, Policy, Receive, Refund, RefundOutcome,
    Reserve, Result,
};

const QUARTER_HOUR_MS: u64 = 15 * 60 * 1000;

fn main() -> Result<()> {
    let dir = tempfile::tempdir().expect("there is a temporary directory");
    let engine = Engine::builder(dir.path()).open()?;
    let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    let points = engine.open_account(&AccountKey::points("ann")?, Policy::strict())?;
    engine.receive(Receive::new(tea, 10).note("first delivery"))?.wait()?;
    engine.receive(Receive::new(points, 500).note("welcome"))?.wait()?;

    // Three for 300 points. Whose it is, and what the shop knows of it, goes along.
    let lines = [Line { account: points, quantity: 300 }, Line { account: tea, quantity: 3 }];
    let reserve = Reserve::new(&lines, QUARTER_HOUR_MS).owner(points).details(b"3 x tea, gift");
    let order = engine.reserve(reserve)?.wait()?.reserved().expect("both are there").reservation;

    // Only two can be sent: what is not confirmed goes back in the same step.
    let confirmed = engine.confirm(Confirm::new(order).part(&[200, 2]))?.wait()?;
    assert_eq!(confirmed, ConfirmOutcome::Confirmed { reservation: order });
    assert_eq!((engine.level(tea)?.available, engine.level(points)?.available), (8, 300));
    engine.note(Note::new(order, b"sent on Monday"))?.wait()?;

    // One of them comes back broken: half of the points go back, and the unit is written off.
    let half = [Line { account: points, quantity: 100 }, Line { account: tea, quantity: 1 }];
    let broken = [tea];
    let part = Refund::new(order).part(&half).written_off(&broken).note("it broke");
    let returned = engine.refund(part)?.wait()?;
    assert_eq!(returned, RefundOutcome::ReturnedInPart { reservation: order });
    assert_eq!((engine.level(tea)?.available, engine.level(points)?.available), (8, 400));

    // The rest comes back. The owner is checked, and what is left is returned, points and stock.
    let refund = Refund::new(order).owner(points).note("did not like it");
    let returned = engine.refund(refund)?.wait()?;
    assert_eq!(returned, RefundOutcome::Returned { reservation: order });
    let again = engine.refund(refund)?.wait()?;
    assert_ne!(again, RefundOutcome::Returned { reservation: order }, "a refund happens once");
    assert_eq!((engine.level(tea)?.available, engine.level(points)?.available), (9, 500));

    // Reads show what was acknowledged once history has caught up.
    engine.catch_up().wait()?;
    let record = engine.history().reservation(order)?.expect("history has it");
    assert_eq!(
        (record.state, record.details.as_slice()),
        (ReservationState::Returned, &b"3 x tea, gift"[..])
    );
    assert_eq!(record.notes[0].body, b"sent on Monday");
    println!(
        "{order}: made at {}, confirmed at {:?}, returned at {:?}",
        record.created_at, record.ended_at, record.returned_at
    );
    assert_eq!(engine.history().reservations_of(points, None, 10)?.len(), 1);
    // Newest first, and each change goes on from the one before.
    let changes = engine.history().changes_of(tea, None, 10)?;
    let chain: Vec<i64> = changes.iter().rev().map(|change| change.available).collect();
    assert_eq!((chain.first(), chain.last()), (Some(&10), Some(&9)));
    for change in changes.iter().rev() {
        println!(
            "  {:+3} units, {:2} available: {:?} {}",
            change.delta, change.available, change.kind, change.note
        );
    }
    engine.close()
}
