//! Several commands that happen together, in one event, or not at all: packing gift sets takes their
//! parts from the shelf as the sets come in, and pays the packer. A retry under the same key hears
//! the first answer.
//!
//! ```sh
//! cargo run --release --example atomic
//! ```

use stockhold::command::{Atomic, Command, Transfer, WriteOff};
use stockhold::outcome::AtomicOutcome;
use stockhold::{AccountId, AccountKey, Engine, IdempotencyKey, Policy, Receive, Result};

/// What a set is made of, and what is made.
struct Shop {
    tea: AccountId,
    cup: AccountId,
    set: AccountId,
    purse: AccountId,
    packer: AccountId,
}

/// The commands that pack so many sets, at five points each.
fn packing(shop: &Shop, sets: u64) -> [Command<'static>; 4] {
    [
        WriteOff::new(shop.tea, 2 * sets).note("packed").into(),
        WriteOff::new(shop.cup, sets).note("packed").into(),
        Receive::new(shop.set, sets).note("packed").into(),
        Transfer::new(shop.purse, shop.packer, 5 * sets).note("for packing").into(),
    ]
}

fn main() -> Result<()> {
    let dir = tempfile::tempdir().expect("there is a temporary directory");
    let engine = Engine::builder(dir.path()).open()?;
    let stock = |name| engine.open_account(&AccountKey::stock(name)?, Policy::strict());
    let points = |user| engine.open_account(&AccountKey::points(user)?, Policy::strict());
    let shop = Shop {
        tea: stock("tea")?,
        cup: stock("cup")?,
        set: stock("gift-set")?,
        purse: points("shop")?,
        packer: points("ann")?,
    };
    for (account, units) in [(shop.tea, 10), (shop.cup, 3), (shop.purse, 100)] {
        engine.receive(Receive::new(account, units))?.wait()?;
    }

    // Twice, as a client does that lost the first answer.
    let commands = packing(&shop, 2);
    for _ in 0..2 {
        let key = IdempotencyKey::new("ops", "packing-17")?;
        let outcome = engine.atomic(Atomic::new(&commands).key(key))?.wait()?;
        assert!(matches!(outcome, AtomicOutcome::Done(_)), "there is enough for two: {outcome:?}");
    }
    let available = |account| engine.level(account).map(|level| level.available);
    assert_eq!((available(shop.tea)?, available(shop.cup)?, available(shop.set)?), (6, 1, 2));

    // One cup is left. The answer says which command it was, and how much there is.
    let refused = engine.atomic(&packing(&shop, 2))?.wait()?;
    let (index, outcome) = refused.done().expect_err("there is one cup for two sets");
    let left = outcome.refusal().map(|refusal| refusal.available);
    assert_eq!((index, left), (1, Some(1)), "the second command found one cup");
    assert_eq!(available(shop.tea)?, 6, "the tea stays on the shelf");
    assert_eq!(available(shop.packer)?, 10, "and nobody is paid twice");
    println!("2 sets packed; two more are refused for want of cups, and nothing moved");
    engine.close()
}
