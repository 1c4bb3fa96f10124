//! How to test a shop that is built on the ledger: the real engine in memory, and a clock in the
//! test's hand. No test sleeps, and none depends on how fast the machine is.
//!
//! ```sh
//! cargo run --example manual_clock
//! ```

use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::{
    AccountId, AccountKey, ConfirmOutcome, Engine, Line, Policy, Receive, ReservationId, Reserve,
    Result,
};

/// The code to be tested: a shop that holds a seat for ten minutes.
struct Shop {
    engine: Engine,
    seats: AccountId,
}

impl Shop {
    const HOLD_MS: u64 = 10 * 60 * 1000;

    fn open(engine: Engine, seats: u64) -> Result<Self> {
        let account = engine.open_account(&AccountKey::stock("seats")?, Policy::strict())?;
        engine.receive(Receive::new(account, seats))?.wait()?;
        Ok(Self { engine, seats: account })
    }

    /// A seat that is held, or `None` when all are.
    fn hold(&self) -> Result<Option<ReservationId>> {
        let lines = [Line { account: self.seats, quantity: 1 }];
        let outcome = self.engine.reserve(Reserve::new(&lines, Self::HOLD_MS))?.wait()?;
        Ok(outcome.reserved().ok().map(|it| it.reservation))
    }

    /// Whether the payment came in time.
    fn pay(&self, seat: ReservationId) -> Result<bool> {
        let outcome = self.engine.confirm(seat)?.wait()?;
        Ok(matches!(outcome, ConfirmOutcome::Confirmed { .. }))
    }

    fn free(&self) -> Result<i64> {
        Ok(self.engine.level(self.seats)?.available)
    }
}

/// What every test begins with: a shop with two seats, and its clock.
fn fixture() -> Result<(Shop, Arc<ManualClock>)> {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let engine = Engine::in_memory().clock(Arc::clone(&clock) as _).open()?;
    Ok((Shop::open(engine, 2)?, clock))
}

/// Moves time, and lets what is due by then lapse: an engine whose clock stands still waits for that.
fn pass(shop: &Shop, clock: &ManualClock, ms: u64) -> Result<usize> {
    clock.advance(ms);
    shop.engine.expire_due()
}

fn a_seat_that_is_paid_for_is_kept() -> Result<()> {
    let (shop, clock) = fixture()?;
    let seat = shop.hold()?.expect("two are free");
    pass(&shop, &clock, Shop::HOLD_MS - 1)?;
    assert!(shop.pay(seat)?, "a millisecond before the deadline is in time");
    pass(&shop, &clock, Shop::HOLD_MS)?;
    assert_eq!(shop.free()?, 1);
    Ok(())
}

fn a_seat_that_nobody_pays_for_is_free_again() -> Result<()> {
    let (shop, clock) = fixture()?;
    let seats = [shop.hold()?, shop.hold()?];
    assert_eq!((shop.hold()?, shop.free()?), (None, 0));
    assert_eq!(pass(&shop, &clock, Shop::HOLD_MS)?, 2);
    assert_eq!(shop.free()?, 2);
    assert!(!shop.pay(seats[0].expect("it was held"))?, "too late");
    Ok(())
}

/// The deadline decides, not the moment at which somebody looks: nothing has lapsed yet here.
fn a_payment_at_the_deadline_is_too_late() -> Result<()> {
    let (shop, clock) = fixture()?;
    let seat = shop.hold()?.expect("two are free");
    clock.advance(Shop::HOLD_MS);
    assert!(!shop.pay(seat)?);
    assert_eq!(shop.engine.expire_due()?, 1);
    Ok(())
}

// In a crate of your own these are functions with #[test].
fn main() -> Result<()> {
    a_seat_that_is_paid_for_is_kept()?;
    a_seat_that_nobody_pays_for_is_free_again()?;
    a_payment_at_the_deadline_is_too_late()?;
    println!("twenty minutes passed in no time, three times");
    Ok(())
}
