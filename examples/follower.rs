//! Following the ledger from outside: a report that counts what is sold, and goes on after a restart
//! where it stopped, however long it was away.
//!
//! ```sh
//! cargo run --example follower --no-default-features
//! ```

use std::collections::BTreeMap;

use stockhold::engine::{Claim, MemoryDisk};
use stockhold::event::Fact;
use stockhold::{AccountId, AccountKey, Engine, Line, Policy, Receive, Reserve, Result, Seq};

/// What somebody else's database would hold: the figures, and up to which event they go. Both are
/// written together, so that each event counts once.
#[derive(Default)]
struct Report {
    sold: BTreeMap<AccountId, u64>,
    through: Seq,
}

impl Report {
    /// Takes in every event that is durable and not in the report yet.
    fn catch_up(&mut self, engine: &Engine, claim: &Claim) -> Result<()> {
        let mut events = engine.subscribe(self.through + 1)?;
        while let Some((seq, event)) = events.try_next()? {
            if let Fact::Confirmed(end) = &event.fact {
                for line in &end.lines {
                    *self.sold.entry(line.account()).or_default() += line.consumed;
                }
            }
            self.through = seq;
        }
        // The journal may let go of what the report has. Until this is said, it keeps everything,
        // whether this program runs or not.
        claim.hold_from(self.through + 1)
    }
}

fn sell(engine: &Engine, account: AccountId, quantity: u64) -> Result<()> {
    let lines = [Line { account, quantity }];
    engine.reserve(Reserve::new(&lines, 60_000))?.wait()?;
    let taken = engine.pending_pages().flatten().last().expect("it was taken just now");
    engine.confirm(taken.reservation)?.wait().map(drop)
}

fn main() -> Result<()> {
    let disk = MemoryDisk::default();
    let mut report = Report::default();

    let engine = Engine::in_memory_on(&disk).open()?;
    let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    engine.receive(Receive::new(tea, 10).note("first delivery"))?.wait()?;
    let claim = engine.claim("sales-report")?;
    claim.hold_from(1)?;
    sell(&engine, tea, 2)?;
    report.catch_up(&engine, &claim)?;
    assert_eq!((report.sold[&tea], claim.from_seq()), (2, Some(report.through + 1)));

    // The report is away; the sale goes on, and the engine restarts.
    sell(&engine, tea, 3)?;
    drop(claim);
    engine.close()?;
    let engine = Engine::in_memory_on(&disk).open()?;
    sell(&engine, tea, 1)?;

    let claim = engine.claim("sales-report")?;
    report.catch_up(&engine, &claim)?;
    let key = engine.key_of(tea).expect("the account is there");
    assert_eq!(report.sold[&tea], engine.level(tea)?.consumed);
    println!("{key}: {} sold, as of event {}", report.sold[&tea], report.through);
    engine.close()
}
