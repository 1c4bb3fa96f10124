//! A test of your own code against the real ledger: nothing on disk, and a clock in your hand.
//!
//! ```sh
//! cargo run --example in_memory --no-default-features
//! ```

use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::engine::MemoryDisk;
use stockhold::{AccountKey, Engine, Line, Policy, Receive, Reserve, Result};

const QUARTER_HOUR_MS: u64 = 15 * 60 * 1000;

fn main() -> Result<()> {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let disk = MemoryDisk::default();
    let open = || Engine::in_memory_on(&disk).clock(Arc::clone(&clock) as _).open();

    let engine = open()?;
    let seat = AccountKey::custom("seat", &["hall-1", "row-3"])?;
    let row = engine.open_account(&seat, Policy::strict())?;
    engine.receive(Receive::new(row, 10).note("the hall opens"))?.wait()?;
    let two = [Line { account: row, quantity: 2 }];
    engine.reserve(Reserve::new(&two, QUARTER_HOUR_MS))?.wait()?;
    assert_eq!((engine.level(row)?.available, engine.pending_count()), (8, 1));

    // What a restart finds: the same disk, another engine.
    engine.close()?;
    let engine = open()?;
    assert_eq!((engine.account(&seat), engine.pending_count()), (Some(row), 1));

    // The clock stands still until it is moved, and what is due expires when you say so.
    clock.advance(QUARTER_HOUR_MS - 1);
    assert_eq!(engine.expire_due()?, 0);
    clock.advance(1);
    assert_eq!(engine.expire_due()?, 1);
    assert_eq!((engine.level(row)?.available, engine.pending_count()), (10, 0));
    println!("{seat}: nobody paid for two seats, and all ten are there again");
    engine.close()?;

    // With a clock that runs, expiry comes by itself: here an hour passes in a second.
    let fast = ManualClock::running(1_700_000_000_000).at_speed(3_600);
    let engine = Engine::in_memory().clock(Arc::new(fast)).open()?;
    let row = engine.open_account(&seat, Policy::strict())?;
    engine.receive(Receive::new(row, 2).note("another ledger, empty until now"))?.wait()?;
    engine.reserve(Reserve::new(&[Line { account: row, quantity: 2 }], QUARTER_HOUR_MS))?.wait()?;
    let mut events = engine.subscribe(1)?;
    while engine.level(row)?.available < 2 {
        let next = events.next_event()?;
        assert!(next.is_some(), "the engine is open");
    }
    println!("{seat}: a quarter of an hour passed in a quarter of a second");
    engine.close()
}
