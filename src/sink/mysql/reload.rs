//! Making the tables anew: filled beside the others from the oldest event that is kept, and where
//! the beginning is gone, from the ledger as it stood at the end; then brought over at once. It can
//! be cut short at any moment and begun again.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::balances::Past;
use super::batch::Batch;
use super::beside;
use super::conn::Conn;
use super::fault::Fault;
use super::live::CLAIM;
use super::pace::Pace;
use super::projection::Projector;
use super::session::{Opening, Position, Session, connect, in_time, read_position};
use super::target::Target;
use super::tool::{ledger_id, lookup, run};
use super::write::Fence;
use super::{migrate, write};
use crate::base::Seq;
use crate::base::clock::{Clock, SystemClock};
use crate::base::error::Result;
use crate::engine::Engine;
use crate::reader::DirectoryReader;
use crate::sink::Database;

/// How long to wait for the mirror of a server to let go, in seconds. It looks every few.
const LOCK_WAIT_S: u32 = 60;
/// How often to try to bring everything over while somebody else holds locks.
const TRIES: u32 = 5;

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

/// Makes the tables anew from the ledger in `dir`, which a server may have open. `adopt` takes them
/// from another ledger; `progress` hears how many events of how many are done.
///
/// # Errors
/// `Conflict` when another mirror does not let go; `Invalid` when the database is another ledger's,
/// or cannot be used; `Unavailable` when it does not answer; and what reading the ledger meets.
pub(crate) fn reload(
    dir: &Path,
    database: &Database,
    adopt: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Reloaded> {
    let target = Target::of(database)?;
    let ledger_id = claimed(dir)?;
    run(&target, async {
        let mut session = take(&target, &ledger_id, adopt).await?;
        let reader = DirectoryReader::open(dir)?;
        let mut load = Load::begin(&mut session, &reader).await?;
        load.events(&reader, progress).await?;
        if load.reloaded.from_seq > 1 {
            load.base(&reader).await?;
        }
        let reloaded = load.finish().await?;
        session.close().await;
        Ok(reloaded)
    })
}

/// The number of the ledger's claim, which is made if it does not exist yet.
fn claimed(dir: &Path) -> Result<String> {
    if let Some(id) = DirectoryReader::open(dir)?.claim_id(CLAIM)? {
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
async fn take(target: &Target, ledger_id: &str, adopt: bool) -> Result<Session, Fault> {
    let pool = target.pool().await;
    let mut conn = connect(&pool).await?;
    // The first time there is nothing to take.
    if migrate::migrate(&mut conn).await?.is_empty() {
        in_time("taking the tables over", async {
            let position = read_position(&mut conn, "").await?;
            if position.is_some_and(|position| adopt || position.ledger_id == ledger_id) {
                // Whoever writes finds another epoch with the next batch, or when it looks, and
                // lets go.
                conn.query_drop("UPDATE mirror_state SET epoch = epoch + 1 WHERE id = 1").await?;
            }
            Ok(())
        })
        .await?;
    }
    drop(conn);
    let opening = Opening {
        ledger_id,
        migrate: false,
        lock_wait_s: LOCK_WAIT_S,
        adopt,
        reload: true,
        stale_lock: None,
    };
    Session::open(pool, opening).await
}

/// A load under way.
struct Load<'a> {
    session: &'a mut Session,
    /// What the tables beside show.
    side: Position,
    projector: Projector,
    reloaded: Reloaded,
    target: Seq,
}

impl<'a> Load<'a> {
    /// Goes on where a load was cut short, if the journal still has what comes next; otherwise
    /// makes the tables.
    async fn begin(session: &'a mut Session, reader: &DirectoryReader) -> Result<Self, Fault> {
        let (oldest, target) = (reader.oldest_seq(), reader.last_seq());
        let ledger_id = session.position.ledger_id.clone();
        let kept = |side: &Position| side.watermark + 1 >= oldest && side.watermark <= target;
        let begun = beside::begun(&mut session.conn, &ledger_id).await?.filter(kept);
        let resumed = begun.is_some();
        let side = match begun {
            Some(side) => side,
            None => {
                beside::make(&mut session.conn, &ledger_id, oldest, target).await?;
                let made = beside::begun(&mut session.conn, &ledger_id).await?;
                made.ok_or_else(|| {
                    Fault::Busy(
                        "the tables of the reload are gone: does another one run?".to_owned(),
                    )
                })?
            }
        };
        session.keep().await?;
        let from_seq = side.reload.map_or(oldest, |(from_seq, _)| from_seq);
        let ledger = Arc::new(reader.ledger_at(target)?);
        let balances = Past::balances(&ledger, reader, side.watermark + 1)?;
        let projector = Projector::new(lookup(&ledger), balances);
        let reloaded = Reloaded { from_seq, through: 0, resumed, rows: 0, rejected: 0 };
        Ok(Self { session, side, projector, reloaded, target })
    }

    /// Carries the events over, as a mirror that runs does.
    async fn events(
        &mut self,
        reader: &DirectoryReader,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Fault> {
        let from_seq = self.reloaded.from_seq;
        let total = (self.target + 1).saturating_sub(from_seq);
        let mut pace = Pace::new();
        let mut batch = Batch::default();
        progress(self.side.watermark + 1 - from_seq, total);
        if self.side.watermark >= self.target {
            return Ok(());
        }
        let mut events = reader.events(self.side.watermark + 1..=self.target)?;
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
        let (fence, server) = (self.fence(), self.session.server);
        let now_ms = SystemClock::default().now_ms();
        let conn = &mut self.session.conn;
        let written =
            on_side(conn, async |conn| write::write(conn, server, batch, fence, now_ms).await)
                .await?;
        self.side.watermark = batch.last_seq;
        self.reloaded.rows += written.rows;
        self.reloaded.rejected += written.rejected;
        self.session.keep().await
    }

    fn fence(&self) -> Fence {
        Fence { epoch: self.side.epoch, watermark: self.side.watermark }
    }

    /// What events that are not kept any more have left: the documents, and what accounts have.
    /// Records and orders of that time are not known any more, but for orders that still wait.
    async fn base(&mut self, reader: &DirectoryReader) -> Result<(), Fault> {
        let ledger = reader.ledger_at(self.target)?;
        let batch = self.projector.base(&ledger)?;
        self.session.keep().await?;
        let (fence, server) = (self.fence(), self.session.server);
        let now_ms = SystemClock::default().now_ms();
        let conn = &mut self.session.conn;
        let written = on_side(conn, async |conn| {
            write::write_base(conn, server, &batch, fence, now_ms).await
        })
        .await?;
        self.reloaded.rows += written.rows;
        self.reloaded.rejected += written.rejected;
        Ok(())
    }

    /// Brings everything over, and gives the tables back to the mirror that runs.
    async fn finish(mut self) -> Result<Reloaded, Fault> {
        let epoch = self.session.position.epoch;
        let mut tries = 1;
        loop {
            match beside::bring_over(&mut self.session.conn, epoch).await {
                Err(Fault::Busy(message)) if tries < TRIES => {
                    tracing::warn!(error = message, "the tables are not brought over yet");
                    tries += 1;
                    self.session.keep().await?;
                }
                done => break done?,
            }
        }
        beside::remove(&mut self.session.conn).await?;
        self.reloaded.through = self.side.watermark;
        Ok(self.reloaded)
    }
}

/// Works on the tables beside.
async fn on_side<T>(
    conn: &mut Conn,
    work: impl AsyncFnOnce(&mut Conn) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let ours = conn.prefix();
    conn.turn_to(ours.beside());
    let done = work(conn).await;
    conn.turn_to(ours);
    done
}
