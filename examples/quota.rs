//! Purchase limits: two of a product in thirty days for each buyer, and a limit that changes while
//! the shop is open.
//!
//! ```sh
//! cargo run --example quota
//! ```

use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::command::SetPolicy;
use stockhold::outcome::{Refusal, Reserved};
use stockhold::{AccountId, AccountKey, Engine, Line, Policy, Receive, Reserve, Result, Window};

const DAY_MS: u64 = 24 * 3600 * 1000;
const QUARTER_HOUR_MS: u64 = 15 * 60 * 1000;

struct Shop {
    engine: Engine,
    lamp: AccountId,
    /// What each buyer may have of it.
    limit: Policy,
}

impl Shop {
    /// Buys and pays at once, or says what was short. Stock and limit move together or not at all.
    fn buy(&self, buyer: &str, quantity: u64) -> Result<std::result::Result<Reserved, Refusal>> {
        // A quota is an account like any other. It is opened when the buyer first comes.
        let key = AccountKey::quota(buyer, "lamp")?;
        let quota = match self.engine.account(&key) {
            Some(quota) => quota,
            None => self.engine.open_account(&key, self.limit)?,
        };
        let lines = [Line { account: quota, quantity }, Line { account: self.lamp, quantity }];
        let bought = self.engine.reserve(Reserve::new(&lines, QUARTER_HOUR_MS).confirmed())?;
        Ok(bought.wait()?.reserved())
    }

    /// Another limit for everybody who has one. It holds at once, and counts what was bought before.
    fn set_limit(&mut self, limit: Policy) -> Result<()> {
        self.limit = limit;
        for quotas in self.engine.accounts_of_kind("quota") {
            for quota in quotas {
                self.engine.set_policy(SetPolicy::new(quota.account, limit))?.wait()?;
            }
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let engine = Engine::in_memory().clock(Arc::clone(&clock) as _).open()?;
    let lamp = engine.open_account(&AccountKey::stock("lamp")?, Policy::strict())?;
    engine.receive(Receive::new(lamp, 100))?.wait()?;
    let limit = Policy::quota(2, Window::Rolling { length_ms: 30 * DAY_MS });
    let mut shop = Shop { engine, lamp, limit };

    assert!(shop.buy("ann", 2)?.is_ok());
    // The refusal names the line that was short, the first one: the limit, and not the stock.
    let refusal = shop.buy("ann", 1)?.expect_err("two is the limit");
    assert_eq!((refusal.line, refusal.available), (0, 0));
    let again_at = refusal.next_release_at.expect("the limit renews itself");
    assert_eq!(again_at, 1_700_000_000_000 + 30 * DAY_MS);
    println!("ann has bought two lamps, and may buy another in {} days", 30);
    assert!(shop.buy("ben", 1)?.is_ok(), "everybody has a limit of their own");

    // Thirty days later her two lamps no longer count.
    clock.advance(30 * DAY_MS);
    assert!(shop.buy("ann", 1)?.is_ok());

    // Three from now on: she has one in these thirty days, and may buy two more.
    shop.set_limit(Policy::quota(3, Window::Rolling { length_ms: 30 * DAY_MS }))?;
    assert!(shop.buy("ann", 2)?.is_ok());
    assert!(shop.buy("ann", 1)?.is_err());

    let level = shop.engine.level(lamp)?;
    assert_eq!((level.consumed, level.available), (6, 94));
    println!("six lamps were sold, none beyond a limit");
    shop.engine.close()
}
