//! An engine with something in it, for the cases to start from.

use std::path::Path;

use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey, ReservationId};
use crate::engine::{Engine, EngineBuilder};
use crate::event::Policy;
use crate::ledger::{Command, Line, Receive, Reserve, ReserveOutcome};

/// Long enough that nothing lapses unasked.
pub(super) const TTL_MS: u64 = 3_600_000;
/// Enough that nothing sells out unasked.
pub(super) const PLENTY: u64 = 1 << 40;
pub(super) const MILLION: usize = 1_000_000;
/// Commands of a batch.
pub(super) const BATCH: usize = 1_000;

/// An engine without history, which follows the journal on a thread of its own and would share
/// these cores, and without checkpoints that nobody asked for.
pub(super) fn builder(dir: &Path) -> EngineBuilder {
    Engine::builder(dir).history(false).archive_bytes_max(None).checkpoint_events(u64::MAX)
}

/// A product with `units` in stock.
pub(super) fn product(engine: &Engine, name: &str, units: u64) -> Result<AccountId> {
    let account = engine.open_account(&AccountKey::stock(name)?, Policy::strict())?;
    if units > 0 {
        engine.receive(Receive::new(account, units))?.wait()?;
    }
    Ok(account)
}

pub(super) fn one_of(account: AccountId) -> [Line; 1] {
    [Line { account, quantity: 1 }]
}

/// The number of a reservation that nothing could refuse.
pub(super) fn number_of(outcome: ReserveOutcome) -> Result<ReservationId> {
    match outcome.reserved() {
        Ok(reserved) => Ok(reserved.reservation),
        Err(refusal) => Err(Error::unavailable(format!(
            "the measurement expected a reservation, and got {refusal:?}"
        ))),
    }
}

/// Makes `count` reservations, durably, in batches; `lines_of` says what each takes and until when.
pub(super) fn fill(
    engine: &Engine,
    count: usize,
    ttl_ms: u64,
    lines_of: impl Fn(usize) -> Vec<Line>,
) -> Result<()> {
    for first in (0..count).step_by(Engine::BATCH_MAX) {
        let lines: Vec<_> = (first..count.min(first + Engine::BATCH_MAX)).map(&lines_of).collect();
        let reserves: Vec<_> =
            lines.iter().map(|lines| Command::Reserve(Reserve::new(lines, ttl_ms))).collect();
        for outcome in engine.batch(&reserves)?.wait()? {
            number_of(outcome?.try_into()?)?;
        }
    }
    Ok(())
}

/// Waits, outside of what is measured, until the journal's thread has written everything.
pub(super) fn settle(engine: &Engine, account: AccountId) -> Result<()> {
    engine.receive(Receive::new(account, 1))?.wait().map(drop)
}
