//! Making the tables anew: emptied, then filled from the oldest event that is kept, and where the beginning is gone, from
//! the ledger as it stood at the end. It can be cut short at any moment and begun again.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mysql_async::prelude::Queryable;

use super::batch::Batch;
use super::fault::Fault;
use super::live::CLAIM;
use super::pace::Pace;
use super::place::Place;
use super::projection::{Projector, document};
use super::session::{Opening, Phase, Session, connect, in_time, read_position};
use super::tool::{ledger_id, lookup, run};
use super::{migrate, write};
use crate::clock::{Clock, SystemClock};
use crate::engine::{Engine, LedgerView, Past};
use crate::error::Result;
use crate::mall::{CATEGORIES, PRODUCTS};
use crate::mirror::Database;
use crate::types::{AccountKind, Seq};

/// How long to wait for the mirror of a server to let go, in seconds. It looks every few.
const LOCK_WAIT_S: u32 = 60;
/// How many rows are deleted at once.
const DELETED: usize = 20_000;

/// What a reload did.
#[derive(Debug)]
pub(crate) struct Reloaded {
    /// The first event that the tables were filled from.
    pub(crate) from_seq: Seq,
    /// The tables show every event up to this one.
    pub(crate) through: Seq,
    /// Whether it went on where another one was cut short.
    pub(crate) resumed: bool,
    pub(crate) rows: u64,
    pub(crate) rejected: u64,
}

/// Makes the tables anew from the ledger in `dir`, which a server may have open. `adopt` takes them from another ledger;
/// `progress` hears how many events of how many are done.
///
/// # Errors
/// `Conflict` when another mirror does not let go; `Invalid` when the database is another ledger's, or cannot be used;
/// `Unavailable` when it does not answer; and what reading the ledger meets.
pub(crate) fn reload(
    dir: &Path,
    database: &Database,
    adopt: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Reloaded> {
    let place = Place::of(database)?;
    let ledger_id = claimed(dir)?;
    run(&place, async {
        let mut session = take(&place, &ledger_id, adopt).await?;
        let past = Past::open(dir)?;
        let mut load = Load::begin(&mut session, &past).await?;
        load.events(&past, progress).await?;
        if load.reloaded.from_seq > 1 {
            load.base(&past).await?;
        }
        let reloaded = load.finish().await?;
        session.close().await;
        Ok(reloaded)
    })
}

/// The number of the ledger's claim, which is made when there is none yet.
fn claimed(dir: &Path) -> Result<String> {
    if let Some(id) = Past::open(dir)?.claim_id(CLAIM)? {
        return Ok(ledger_id(id));
    }
    // Nobody has the directory open with a mirror, or there would be one.
    let engine = Engine::builder(dir).history(false).open()?;
    let claim = engine.claim(CLAIM)?;
    claim.hold_from(1)?;
    engine.close()?;
    Ok(ledger_id(claim.id()))
}

/// Takes the tables from whoever writes them.
async fn take(place: &Place, ledger_id: &str, adopt: bool) -> Result<Session, Fault> {
    let pool = place.pool().await;
    let mut conn = connect(&pool).await?;
    // The first time there is nothing to take.
    if migrate::migrate(&mut conn).await?.is_empty() {
        in_time("taking the tables over", async {
            let position = read_position(&mut conn, "").await?;
            if position.is_some_and(|position| adopt || position.ledger_id == ledger_id) {
                // Whoever writes finds another epoch with the next batch, or when it looks, and lets go.
                conn.query_drop("UPDATE mirror_state SET epoch = epoch + 1 WHERE id = 1").await?;
            }
            Ok(())
        })
        .await?;
    }
    drop(conn);
    let opening = Opening { ledger_id, migrate: false, lock_wait_s: LOCK_WAIT_S, adopt, stale_lock: None };
    Session::open(pool, opening).await
}

/// A load under way.
struct Load<'a> {
    session: &'a mut Session,
    projector: Projector,
    reloaded: Reloaded,
    target: Seq,
}

impl<'a> Load<'a> {
    /// Goes on where a load was cut short, if the journal still has what comes next; otherwise empties the tables.
    async fn begin(session: &'a mut Session, past: &Past) -> Result<Self, Fault> {
        let (oldest, target) = (past.oldest_seq(), past.last_seq());
        let position = &session.position;
        let kept = position.watermark + 1 >= oldest && position.watermark <= target;
        let resumed = match position.reload {
            Some((from_seq, _)) if position.phase == Phase::Loading && kept => Some(from_seq),
            _ => None,
        };
        let from_seq = match resumed {
            Some(from_seq) => from_seq,
            None => {
                empty(session, oldest, target).await?;
                oldest
            }
        };
        let projector = Projector::new(lookup(past.ledger_at(target)?));
        let reloaded = Reloaded { from_seq, through: 0, resumed: resumed.is_some(), rows: 0, rejected: 0 };
        Ok(Self { session, projector, reloaded, target })
    }

    /// Carries the events over, as a mirror that runs does.
    async fn events(&mut self, past: &Past, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Fault> {
        let from_seq = self.reloaded.from_seq;
        let total = (self.target + 1).saturating_sub(from_seq);
        let mut pace = Pace::new();
        let mut batch = Batch::default();
        progress(self.session.position.watermark + 1 - from_seq, total);
        if self.session.position.watermark >= self.target {
            return Ok(());
        }
        let mut events = past.events(self.session.position.watermark + 1..=self.target)?;
        while let Some(event) = events.next() {
            let (seq, event) = event?;
            self.projector.apply(&mut batch, seq, &event)?;
            if !pace.has_room(&batch) || seq == self.target {
                batch.mark = events.mark();
                let began = Instant::now();
                self.write(&batch).await?;
                pace.took(&batch, began.elapsed());
                progress(seq + 1 - from_seq, total);
                batch = Batch::default();
            }
        }
        Ok(())
    }

    async fn write(&mut self, batch: &Batch) -> Result<(), Fault> {
        let now_ms = SystemClock::default().now_ms();
        let fence = self.session.fence();
        let written = write::write(&mut self.session.conn, self.session.server, batch, fence, now_ms).await?;
        self.session.position.watermark = batch.last_seq;
        self.reloaded.rows += written.rows;
        self.reloaded.rejected += written.rejected;
        self.session.keep().await
    }

    /// What events that are not kept any more have left: the documents, and what accounts have. Records and orders of
    /// that time are not known any more, but for orders that still wait.
    async fn base(&mut self, past: &Past) -> Result<(), Fault> {
        let ledger = past.ledger_at(self.target)?;
        let batch = base(&mut self.projector, &ledger)?;
        self.session.keep().await?;
        let now_ms = SystemClock::default().now_ms();
        let fence = self.session.fence();
        let written = write::write_base(&mut self.session.conn, self.session.server, &batch, fence, now_ms).await?;
        self.reloaded.rows += written.rows;
        self.reloaded.rejected += written.rejected;
        Ok(())
    }

    /// Gives the tables back to the mirror that runs.
    async fn finish(mut self) -> Result<Reloaded, Fault> {
        let statement = "UPDATE mirror_state SET phase = ?, reload_from = NULL, reload_to = NULL \
                         WHERE id = 1 AND epoch = ?";
        let epoch = self.session.position.epoch;
        self.session.conn.exec_drop(statement, (Phase::Following.name(), epoch)).await?;
        self.session.keep().await?;
        self.reloaded.through = self.session.position.watermark;
        Ok(self.reloaded)
    }
}

/// The documents and levels of a ledger as rows, absolute.
fn base(projector: &mut Projector, ledger: &LedgerView) -> Result<Batch, Fault> {
    let (seq, at) = (ledger.seq(), ledger.at());
    let mut batch = Batch { first_seq: seq, last_seq: seq, first_at: at, last_at: at, ..Batch::default() };
    for (collection, key, body) in documents(ledger) {
        document(&mut batch, seq, at, (collection, &key), Some(&body));
    }
    for level in ledger.levels() {
        let owner = Arc::from(level.key.owner());
        match level.key.kind() {
            AccountKind::Stock => {
                let product = batch.product(&owner, seq, at);
                product.stock = Some(level.available);
                product.sales = i64::try_from(level.consumed).unwrap_or(i64::MAX);
            }
            AccountKind::Points => batch.user(&owner, seq, at).balance = Some(level.available),
            AccountKind::Quota => {}
        }
    }
    for pending in ledger.all_pending() {
        projector.pending(&mut batch, seq, at, &pending)?;
    }
    Ok(batch)
}

pub(super) fn documents(ledger: &LedgerView) -> impl Iterator<Item = (&'static str, String, Vec<u8>)> {
    let of = |collection: &'static str| {
        ledger.documents(collection).into_iter().map(move |(key, body)| (collection, key, body))
    };
    of(CATEGORIES).chain(of(PRODUCTS))
}

/// Takes everything out that a mirror wrote. Users stay: others keep things of theirs in the same rows.
async fn empty(session: &mut Session, oldest: Seq, target: Seq) -> Result<(), Fault> {
    let epoch = session.position.epoch;
    let begin = "UPDATE mirror_state SET phase = ?, reload_from = ?, reload_to = ? WHERE id = 1 AND epoch = ?";
    session.conn.exec_drop(begin, (Phase::Emptying.name(), oldest, target, epoch)).await?;
    for table in ["inventory_records", "points_records", "exchange_orders", "products", "product_categories"] {
        delete(session, &format!("DELETE FROM {table} WHERE seq IS NOT NULL LIMIT {DELETED}")).await?;
    }
    delete(session, &format!("DELETE FROM mirror_rejected LIMIT {DELETED}")).await?;
    let reset = "UPDATE users SET points_balance = 0, total_exchanges = 0, last_exchange_at = NULL, seq = NULL \
                 WHERE seq IS NOT NULL LIMIT ";
    delete(session, &format!("{reset}{DELETED}")).await?;
    let start = "UPDATE mirror_state SET phase = ?, watermark = ?, mark = 0, event_at = NULL, mirrored_at = NULL, \
                 rejected = 0, last_error = NULL, last_error_at = NULL WHERE id = 1 AND epoch = ?";
    let watermark = oldest.saturating_sub(1);
    session.conn.exec_drop(start, (Phase::Loading.name(), watermark, epoch)).await?;
    session.position.watermark = watermark;
    session.keep().await
}

/// Makes a statement until it finds nothing more: a transaction of all of it would be too much for the database.
async fn delete(session: &mut Session, statement: &str) -> Result<(), Fault> {
    loop {
        session.conn.query_drop(statement).await?;
        if session.conn.affected_rows() == 0 {
            return Ok(());
        }
        session.keep().await?;
    }
}
