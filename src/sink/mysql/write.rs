//! A batch into the database: its rows and the watermark in one transaction.

use mysql_async::Value;

use super::batch::{Batch, Rejected};
use super::conn::Conn;
use super::fault::Fault;
use super::insert::Insertion;
use super::tables::Rows;
use super::time::{datetime, optional};
use super::variables::Server;
use crate::base::{Seq, TimeMs};

/// How much of a refused row is kept, and of the reason, in bytes.
const CONTENT_BYTES_MAX: usize = 128 << 10;
const REASON_BYTES_MAX: usize = 4 << 10;

/// What a batch must find, so that nobody else has written meanwhile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fence {
    pub(super) epoch: u64,
    pub(super) watermark: Seq,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) rejected: u64,
}

/// Writes a batch and commits it.
///
/// # Errors
/// [`Fault::Fenced`] when the epoch or the watermark is another one: nothing was written. After any
/// other the outcome of the commit may be unknown; the watermark tells.
pub(super) async fn write(
    conn: &mut Conn,
    server: Server,
    batch: &Batch,
    fence: Fence,
    now_ms: TimeMs,
) -> Result<Written, Fault> {
    in_transaction(conn, async |conn| {
        // First of all the watermark: its row is locked until the commit, so two mirrors never
        // write side by side.
        advance(conn, batch, fence, now_ms).await?;
        let fence = Fence { watermark: batch.last_seq, ..fence };
        write_rows(conn, server, (batch, batch.rows()), fence, now_ms).await
    })
    .await
}

/// Writes how everything stands at the watermark, which stays.
///
/// # Errors
/// As [`write()`].
pub(super) async fn write_base(
    conn: &mut Conn,
    server: Server,
    batch: &Batch,
    fence: Fence,
    now_ms: TimeMs,
) -> Result<Written, Fault> {
    in_transaction(conn, async |conn| {
        hold(conn, fence).await?;
        write_rows(conn, server, (batch, batch.base_rows()), fence, now_ms).await
    })
    .await
}

async fn in_transaction(
    conn: &mut Conn,
    work: impl AsyncFnOnce(&mut Conn) -> Result<Written, Fault>,
) -> Result<Written, Fault> {
    conn.query_drop("START TRANSACTION").await?;
    match work(conn).await {
        Ok(written) => {
            // Whatever goes wrong here, whether it is committed is for the watermark to say.
            conn.query_drop("COMMIT").await.map_err(|error| Fault::Lost(error.to_string()))?;
            Ok(written)
        }
        Err(fault) => {
            // Without an answer the server rolls back when the connection ends.
            if !matches!(fault, Fault::Lost(_)) {
                conn.query_drop("ROLLBACK").await?;
            }
            Err(fault)
        }
    }
}

/// Locks the watermark where it is.
async fn hold(conn: &mut Conn, fence: Fence) -> Result<(), Fault> {
    let query =
        "SELECT 1 FROM mirror_state WHERE id = 1 AND epoch = ? AND watermark = ? FOR UPDATE";
    let found: Option<u8> = conn.exec_first(query, (fence.epoch, fence.watermark)).await?;
    found.map(drop).ok_or_else(fenced)
}

/// Moves the watermark to the end of a batch.
async fn advance(
    conn: &mut Conn,
    batch: &Batch,
    fence: Fence,
    now_ms: TimeMs,
) -> Result<(), Fault> {
    let statement = "UPDATE mirror_state SET watermark = ?, mark = ?, event_at = ?, mirrored_at = ?, \
                     last_error = NULL, last_error_at = NULL WHERE id = 1 AND epoch = ? AND watermark = ?";
    let values: Vec<Value> = vec![
        batch.last_seq.into(),
        batch.mark.into(),
        datetime(batch.last_at),
        datetime(now_ms),
        fence.epoch.into(),
        fence.watermark.into(),
    ];
    conn.exec_drop(statement, values).await?;
    if conn.affected_rows() == 1 { Ok(()) } else { Err(fenced()) }
}

fn fenced() -> Fault {
    Fault::Fenced("another mirror has taken over the tables".to_owned())
}

async fn write_rows(
    conn: &mut Conn,
    server: Server,
    (batch, all): (&Batch, Vec<Rows>),
    fence: Fence,
    now_ms: TimeMs,
) -> Result<Written, Fault> {
    let mut rejected = Vec::new();
    let mut written = Written::default();
    let mut insertion = Insertion { conn: &mut *conn, server, rejected: &mut rejected };
    for rows in all {
        written.rows += rows.rows.len() as u64;
        insertion.insert(&rows).await?;
    }
    written.rejected = (rejected.len() + batch.rejected.len()) as u64;
    if written.rejected > 0 {
        let bytes_max = CONTENT_BYTES_MAX.min(server.statement_bytes_max / 4);
        set_aside(conn, batch.rejected.iter().chain(&rejected), bytes_max, now_ms).await?;
        count_aside(conn, written.rejected, fence).await?;
    }
    Ok(written)
}

async fn set_aside<'a>(
    conn: &mut Conn,
    rejected: impl Iterator<Item = &'a Rejected>,
    content_bytes_max: usize,
    now_ms: TimeMs,
) -> Result<(), Fault> {
    for Rejected { table, row_id, seq, content, reason } in rejected {
        tracing::error!(
            table,
            row = row_id,
            seq,
            reason,
            "the database refused a row; it is set aside"
        );
        let values: Vec<Value> = vec![
            (*table).into(),
            cut(row_id, 128).into(),
            (*seq).into(),
            cut(content, content_bytes_max).into(),
            cut(reason, REASON_BYTES_MAX).into(),
            datetime(now_ms),
        ];
        let statement = "INSERT INTO mirror_rejected (table_name, row_id, seq, content, reason, rejected_at) \
                         VALUES (?, ?, ?, ?, ?, ?)";
        conn.exec_drop(statement, values).await?;
    }
    Ok(())
}

/// Counts the rows that were set aside, where the transaction is still the one that began: after a
/// refusal a server may have undone it, and every statement since would be a transaction of its
/// own.
async fn count_aside(conn: &mut Conn, count: u64, fence: Fence) -> Result<(), Fault> {
    let statement = "UPDATE mirror_state SET rejected = rejected + ? WHERE id = 1 AND epoch = ? AND watermark = ?";
    conn.exec_drop(statement, (count, fence.epoch, fence.watermark)).await?;
    match conn.affected_rows() {
        1 => Ok(()),
        _ => Err(Fault::ReloadNeeded(
            "the database undid a transaction in its middle without a word".to_owned(),
        )),
    }
}

/// At most this many bytes of a text, in whole characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Keeps an error where reports can see it. What cannot be written is in the log anyway.
pub(super) async fn keep_error(conn: &mut Conn, epoch: u64, message: &str, at: TimeMs) {
    let values: Vec<Value> =
        vec![cut(message, REASON_BYTES_MAX).into(), optional(Some(at)), epoch.into()];
    let statement =
        "UPDATE mirror_state SET last_error = ?, last_error_at = ? WHERE id = 1 AND epoch = ?";
    if let Err(error) = conn.exec_drop(statement, values).await {
        tracing::debug!(%error, "an error was not kept in the database");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!((cut("茶茶", 4), cut("tea", 9), cut("", 0)), ("茶", "tea", ""));
    }
}
