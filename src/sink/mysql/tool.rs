//! What the command line does with the mirror, beside a server that may run.

use std::path::Path;
use std::sync::Arc;

use super::conn::Conn;
use super::fault::Fault;
use super::migrate as schema;
use super::session::{Position, connect, in_time, read_position};
use super::target::Target;
use crate::base::clock::{Clock, SystemClock};
use crate::base::error::{Error, Result};
use crate::base::{Seq, TimeMs};
use crate::mall::views::Lookup;
use crate::reader::{DirectoryReader, LedgerView};
use crate::sink::Database;

/// How far the tables are, for people and programs.
#[derive(Debug)]
pub(crate) struct TablesStatus {
    pub(crate) database: String,
    /// What the tables are in: `empty` when no mirror ever wrote there.
    pub(crate) phase: &'static str,
    pub(crate) ledger_id: String,
    pub(crate) watermark: Seq,
    pub(crate) event_at: Option<TimeMs>,
    pub(crate) mirrored_at: Option<TimeMs>,
    /// The last event of the ledger.
    pub(crate) last_seq: Seq,
    pub(crate) lag_events: u64,
    /// How long ago the first event happened that the tables do not show; `None` when it is not
    /// kept any more.
    pub(crate) lag_ms: Option<u64>,
    pub(crate) rejected: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) last_error_at: Option<TimeMs>,
}

/// Brings the tables up to date; returns the steps that were made.
///
/// # Errors
/// `Invalid` when the URL, the rights or the tables are wrong; `Unavailable` when the database does
/// not answer.
pub(crate) fn migrate(database: &Database) -> Result<Vec<String>> {
    connected(database, async |conn| schema::migrate(conn).await)
}

/// The statements that [`migrate`] would make.
///
/// # Errors
/// As [`migrate`].
pub(crate) fn dry_run(database: &Database) -> Result<Vec<String>> {
    connected(database, async |conn| schema::dry_run(conn).await)
}

/// Statements that make views in the names of the mall's document, and the names that are taken.
///
/// # Errors
/// As [`migrate`].
pub(crate) fn views(database: &Database) -> Result<(Vec<String>, Vec<&'static str>)> {
    connected(database, async |conn| schema::views(conn).await)
}

fn connected<T>(
    database: &Database,
    work: impl AsyncFnOnce(&mut Conn) -> std::result::Result<T, Fault>,
) -> Result<T> {
    let target = Target::of(database)?;
    run(&target, async {
        let pool = target.pool().await;
        let mut conn = connect(&pool).await?;
        let done = work(&mut conn).await;
        drop(conn);
        pool.disconnect().await?;
        done
    })
}

/// How far the tables are behind the ledger in `dir`.
///
/// # Errors
/// As [`migrate`], and what reading the ledger meets.
pub(crate) fn status(dir: &Path, database: &Database) -> Result<TablesStatus> {
    let target = Target::of(database)?;
    let position = run(&target, async {
        let pool = target.pool().await;
        let mut conn = connect(&pool).await?;
        let position = in_time("reading the state", async {
            schema::check(&mut conn).await?;
            read_position(&mut conn, "").await
        })
        .await;
        drop(conn);
        pool.disconnect().await?;
        position
    })?;
    let reader = DirectoryReader::open(dir)?;
    Ok(status_of(&target, position, &reader))
}

fn status_of(
    target: &Target,
    position: Option<Position>,
    reader: &DirectoryReader,
) -> TablesStatus {
    let phase = position.as_ref().map_or("empty", |position| position.phase.name());
    let watermark = position.as_ref().map_or(0, |position| position.watermark);
    let last_seq = reader.last_seq();
    let lag_events = last_seq.saturating_sub(watermark);
    let missing =
        reader.events(watermark + 1..=watermark + 1).ok().and_then(|mut events| events.next());
    let lag_ms = match missing {
        _ if lag_events == 0 => Some(0),
        Some(Ok((_, event))) => Some(SystemClock::default().now_ms().saturating_sub(event.at)),
        _ => None,
    };
    TablesStatus {
        database: target.shown(),
        phase,
        ledger_id: position.as_ref().map(|position| position.ledger_id.clone()).unwrap_or_default(),
        watermark,
        event_at: position.as_ref().and_then(|position| position.event_at),
        mirrored_at: position.as_ref().and_then(|position| position.mirrored_at),
        last_seq,
        lag_events,
        lag_ms,
        rejected: position.as_ref().map_or(0, |position| position.rejected),
        last_error_at: position.as_ref().and_then(|position| position.last_error_at),
        last_error: position.and_then(|position| position.last_error),
    }
}

/// The claim's number as the tables keep it.
pub(super) fn ledger_id(claim_id: u128) -> String {
    format!("{claim_id:032x}")
}

/// Finds the names of accounts in a ledger that knows all of them.
pub(super) fn lookup(ledger: &Arc<LedgerView>) -> Lookup {
    let ledger = Arc::clone(ledger);
    Box::new(move |account| ledger.level_of(account).map(|level| level.key))
}

/// Does something with the database at `target`; what goes wrong there names it.
pub(super) fn run<T>(
    target: &Target,
    work: impl Future<Output = std::result::Result<T, Fault>>,
) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| Error::io("the runtime did not start", cause))?;
    runtime.block_on(work).map_err(|fault| fault.at(&target.shown()).into_error())
}
