//! A mirror's hold on the tables: a lock that the connection holds which writes, and an epoch that
//! every write must find.

use std::time::Duration;

use mysql_async::{Row, Value};

use super::conn::Conn;
use super::fault::Fault;
use super::pool::Pool;
use super::variables::Server;
use super::write::{self, Fence};
use super::{migrate, time};
use crate::base::{Seq, TimeMs};

pub(super) use super::phase::Phase;

/// How long connecting and each short question may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What the name of the lock begins with, under which one mirror writes.
const LOCK: &str = "stockhold-mirror";

/// What the tables say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) ledger_id: String,
    pub(super) phase: Phase,
    pub(super) epoch: u64,
    pub(super) watermark: Seq,
    pub(super) mark: u64,
    pub(super) event_at: Option<TimeMs>,
    pub(super) mirrored_at: Option<TimeMs>,
    pub(super) rejected: u64,
    /// Where a reload that is under way begins, and up to where it goes.
    pub(super) reload: Option<(Seq, Seq)>,
    pub(super) last_error: Option<String>,
    pub(super) last_error_at: Option<TimeMs>,
}

/// The right to write, until another one takes it.
pub(super) struct Session {
    pool: Pool,
    /// The name of the lock. It is this connection's: it cannot end without the writing ending with
    /// it, and while something is written it does not rest so long that the server ends it.
    lock: String,
    pub(super) conn: Conn,
    pub(super) server: Server,
    pub(super) position: Position,
}

/// How a session begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    pub(super) ledger_id: &'a str,
    pub(super) migrate: bool,
    /// How long to wait for another mirror to let go, in seconds.
    pub(super) lock_wait_s: u32,
    /// Takes the tables over from another ledger.
    pub(super) adopt: bool,
    /// Makes all of them anew, whatever they show.
    pub(super) reload: bool,
    /// The connection of this mirror's session before, which the server may still believe in.
    pub(super) stale_lock: Option<u32>,
}

impl Session {
    /// Takes the lock, brings the tables up to date where that is wanted, and raises the epoch:
    /// no earlier writer can write any more.
    pub(super) async fn open(pool: Pool, opening: Opening<'_>) -> Result<Self, Fault> {
        let (mut conn, server) = connect_to(&pool).await?;
        let lock = in_time("naming the lock", conn.lock_name(LOCK)).await?;
        take_lock(&mut conn, &lock, opening).await?;
        if opening.migrate {
            migrate::migrate(&mut conn).await?;
        } else {
            migrate::check(&mut conn).await?;
        }
        let position = in_time("taking the tables over", take_over(&mut conn, opening)).await?;
        Ok(Self { pool, lock, conn, server, position })
    }

    pub(super) fn fence(&self) -> Fence {
        Fence { epoch: self.position.epoch, watermark: self.position.watermark }
    }

    /// Shows the server that this mirror lives, and looks whether another one took over.
    pub(super) async fn keep(&mut self) -> Result<(), Fault> {
        let query =
            "SELECT epoch, IS_USED_LOCK(?) <=> CONNECTION_ID() FROM mirror_state WHERE id = 1";
        let found: Option<(u64, bool)> = in_time("keeping the connection", async {
            Ok(self.conn.exec_first(query, (&self.lock,)).await?)
        })
        .await?;
        match found {
            Some((epoch, true)) if epoch == self.position.epoch => Ok(()),
            Some((_, false)) => Err(Fault::Fenced(
                "the lock that one mirror writes under is not held any more".to_owned(),
            )),
            _ => Err(Fault::Fenced("another mirror has taken over the tables".to_owned())),
        }
    }

    /// Keeps an error where reports can see it, if the database takes it.
    pub(super) async fn keep_error(&mut self, message: &str, at: TimeMs) {
        let kept = write::keep_error(&mut self.conn, self.position.epoch, message, at);
        if tokio::time::timeout(PATIENCE, kept).await.is_err() {
            tracing::debug!("an error was not kept in the database in time");
        }
    }

    /// Ends the connection, with the lock.
    pub(super) async fn close(self) {
        drop(self.conn);
        // A server that does not answer must not delay the end.
        drop(tokio::time::timeout(Duration::from_secs(1), self.pool.disconnect()).await);
    }
}

/// Bounds how long the database may take for something short.
pub(super) async fn in_time<T>(
    what: &str,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => Err(Fault::Lost(format!(
            "{what}: the database did not answer in {} s",
            PATIENCE.as_secs()
        ))),
    }
}

pub(super) async fn connect(pool: &Pool) -> Result<Conn, Fault> {
    Ok(connect_to(pool).await?.0)
}

/// A connection whose session is as the mirror needs it, and what the server is.
async fn connect_to(pool: &Pool) -> Result<(Conn, Server), Fault> {
    in_time("connecting", pool.connect()).await
}

async fn take_lock(conn: &mut Conn, lock: &str, opening: Opening<'_>) -> Result<(), Fault> {
    let wait = Duration::from_secs(opening.lock_wait_s.into()) + PATIENCE;
    for _ in 0..2 {
        let get = conn
            .exec_first::<Option<u8>, _, _>("SELECT GET_LOCK(?, ?)", (lock, opening.lock_wait_s));
        let got = tokio::time::timeout(wait, get).await;
        let got = got.map_err(|_| {
            Fault::Lost("the database did not answer a request for the lock".to_owned())
        })??;
        if got.flatten() == Some(1) {
            return Ok(());
        }
        let holder: Option<Option<u32>> =
            conn.exec_first("SELECT IS_USED_LOCK(?)", (lock,)).await?;
        let Some(holder) = holder.flatten().filter(|holder| Some(*holder) == opening.stale_lock)
        else {
            break;
        };
        // The server has not noticed that our connection is gone.
        if let Err(error) = conn.query_drop(format!("KILL CONNECTION {holder}")).await {
            tracing::debug!(%error, "our old connection was not ended");
        }
    }
    Err(Fault::Fenced("another mirror writes the tables".to_owned()))
}

async fn take_over(conn: &mut Conn, opening: Opening<'_>) -> Result<Position, Fault> {
    conn.query_drop("START TRANSACTION").await?;
    let position = match read_position(conn, "FOR UPDATE").await? {
        Some(position) if position.ledger_id != opening.ledger_id && !opening.adopt => {
            conn.query_drop("ROLLBACK").await?;
            return Err(foreign(&position, opening));
        }
        Some(position) => {
            let epoch = position.epoch + 1;
            // What another ledger wrote is nothing to follow on.
            let phase = if position.ledger_id == opening.ledger_id {
                position.phase
            } else {
                Phase::Incomplete
            };
            let statement =
                "UPDATE mirror_state SET epoch = ?, ledger_id = ?, phase = ? WHERE id = 1";
            conn.exec_drop(statement, (epoch, opening.ledger_id, phase.name())).await?;
            Position { epoch, ledger_id: opening.ledger_id.to_owned(), phase, ..position }
        }
        None if !opening.reload && migrate::has_rows(conn).await? => {
            conn.query_drop("ROLLBACK").await?;
            return Err(Fault::ReloadNeeded(
                "the tables have rows of a mirror, and mirror_state does not say up to which event: was it lost, or left out \
                 of a backup? Run `stockhold mirror reload`"
                    .to_owned(),
            ));
        }
        None => {
            let phase = if opening.reload { Phase::Incomplete } else { Phase::Following };
            let statement = "INSERT INTO mirror_state (id, ledger_id, phase, epoch, watermark, mark) \
                             VALUES (1, ?, ?, 1, 0, 0)";
            conn.exec_drop(statement, (opening.ledger_id, phase.name())).await?;
            Position {
                ledger_id: opening.ledger_id.to_owned(),
                phase,
                epoch: 1,
                watermark: 0,
                mark: 0,
                event_at: None,
                mirrored_at: None,
                rejected: 0,
                reload: None,
                last_error: None,
                last_error_at: None,
            }
        }
    };
    conn.query_drop("COMMIT").await?;
    Ok(position)
}

fn foreign(position: &Position, opening: Opening<'_>) -> Fault {
    Fault::Misconfigured(format!(
        "the database is the mirror of another ledger ({}, not {}): give this one a database of its own, or make that one \
         its mirror with `stockhold mirror reload --adopt`",
        position.ledger_id, opening.ledger_id
    ))
}

/// What the tables say of themselves; `None` when no mirror ever wrote there. `lock` is how the row
/// is read.
pub(super) async fn read_position(conn: &mut Conn, lock: &str) -> Result<Option<Position>, Fault> {
    let query = format!(
        "SELECT ledger_id, phase, epoch, watermark, mark, event_at, mirrored_at, rejected, reload_from, reload_to, \
         last_error, last_error_at FROM mirror_state WHERE id = 1 {lock}"
    );
    // As a prepared statement: times come as times then, not as texts.
    let row: Option<Row> = conn.exec_first(query, ()).await?;
    row.map(position).transpose()
}

fn position(row: Row) -> Result<Position, Fault> {
    let wrong = || Fault::Misconfigured("mirror_state has columns of another shape".to_owned());
    let number =
        |name: &str| row.get_opt::<Option<u64>, _>(name).and_then(Result::ok).ok_or_else(wrong);
    let text =
        |name: &str| row.get_opt::<Option<String>, _>(name).and_then(Result::ok).ok_or_else(wrong);
    let at = |name: &str| row.get::<Value, _>(name).and_then(|value| time::read(&value));
    Ok(Position {
        ledger_id: text("ledger_id")?.unwrap_or_default(),
        phase: Phase::parse(&text("phase")?.unwrap_or_default())?,
        epoch: number("epoch")?.unwrap_or_default(),
        watermark: number("watermark")?.unwrap_or_default(),
        mark: number("mark")?.unwrap_or_default(),
        event_at: at("event_at"),
        mirrored_at: at("mirrored_at"),
        rejected: number("rejected")?.unwrap_or_default(),
        reload: number("reload_from")?.zip(number("reload_to")?),
        last_error: text("last_error")?,
        last_error_at: at("last_error_at"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::mysql::conn::lock_of;

    #[test]
    fn a_lock_is_named_by_its_database_in_no_more_than_a_server_takes() {
        let name = lock_of(LOCK, "mall");
        assert_eq!(name, "stockhold-mirror-b469b6378b6b546b0f80177f6414ba93");
        assert!(lock_of("stockhold-migrate", &"x".repeat(64)).len() <= 64);
        assert_ne!(name, lock_of(LOCK, "Mall"));
    }
}
