//! A batch into the database: its rows and the watermark in one transaction.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as MysqlError, Params, Value};

use super::batch::{Batch, Rejected};
use super::fault::{Class, Fault, class};
use super::statements::Statement;
use super::tables::{Row, Rows, base_rows, rows};
use super::time::{datetime, optional};
use crate::types::{Seq, TimeMs};

/// How many rows one statement takes. Few different counts make few different statements to prepare.
const CHUNKS: [usize; 5] = [256, 64, 16, 4, 1];
/// The most bytes of one statement, well below what servers take by default.
const STATEMENT_BYTES_MAX: usize = 2 << 20;
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
/// [`Fault::Fenced`] when the epoch or the watermark is another one: nothing was written. After any other the outcome of
/// the commit may be unknown; the watermark tells.
pub(super) async fn write(conn: &mut Conn, batch: &Batch, fence: Fence, now_ms: TimeMs) -> Result<Written, Fault> {
    conn.query_drop("START TRANSACTION").await?;
    let written = write_rows(conn, batch, fence, now_ms).await;
    match written {
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

/// Writes how everything stands at the watermark, which stays.
///
/// # Errors
/// As [`write()`].
pub(super) async fn write_base(conn: &mut Conn, batch: &Batch, fence: Fence, now_ms: TimeMs) -> Result<Written, Fault> {
    conn.query_drop("START TRANSACTION").await?;
    let query = "SELECT 1 FROM mirror_state WHERE id = 1 AND epoch = ? AND watermark = ? FOR UPDATE";
    let found: Option<u8> = conn.exec_first(query, (fence.epoch, fence.watermark)).await?;
    if found.is_none() {
        return Err(fenced());
    }
    let written = write_all(conn, base_rows(batch), batch, now_ms).await?;
    conn.query_drop("COMMIT").await.map_err(|error| Fault::Lost(error.to_string()))?;
    Ok(written)
}

async fn write_rows(conn: &mut Conn, batch: &Batch, fence: Fence, now_ms: TimeMs) -> Result<Written, Fault> {
    // First of all the watermark: its row is locked until the commit, so two mirrors never write side by side.
    advance(conn, batch, fence, now_ms).await?;
    write_all(conn, rows(batch), batch, now_ms).await
}

async fn write_all(conn: &mut Conn, all: Vec<Rows>, batch: &Batch, now_ms: TimeMs) -> Result<Written, Fault> {
    let mut rejected = Vec::new();
    let mut written = Written::default();
    for rows in all {
        written.rows += rows.rows.len() as u64;
        insert(conn, &rows, &mut rejected).await?;
    }
    written.rejected = (rejected.len() + batch.rejected.len()) as u64;
    if written.rejected > 0 {
        set_aside(conn, batch.rejected.iter().chain(&rejected), written.rejected, now_ms).await?;
    }
    Ok(written)
}

async fn advance(conn: &mut Conn, batch: &Batch, fence: Fence, now_ms: TimeMs) -> Result<(), Fault> {
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
    if conn.affected_rows() == 1 {
        return Ok(());
    }
    Err(fenced())
}

fn fenced() -> Fault {
    Fault::Fenced("another mirror has taken over the tables".to_owned())
}

async fn insert(conn: &mut Conn, rows: &Rows, rejected: &mut Vec<Rejected>) -> Result<(), Fault> {
    let mut rest = &rows.rows[..];
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(chunk_len(rest));
        insert_chunk(conn, rows.statement, chunk, rejected).await?;
        rest = after;
    }
    Ok(())
}

/// How many of the next rows go into one statement.
fn chunk_len(rows: &[Row]) -> usize {
    let mut bytes = 0;
    let fitting = rows.iter().take_while(|row| {
        bytes += row.values.iter().map(value_bytes).sum::<usize>();
        bytes <= STATEMENT_BYTES_MAX
    });
    let fitting = fitting.count().max(1);
    CHUNKS.into_iter().find(|&len| len <= fitting).unwrap_or(1)
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Bytes(bytes) => bytes.len() + 4,
        _ => 12,
    }
}

/// Writes rows with one statement. When the database refuses one of them, the halves are tried, down to the row that
/// it refuses: a statement that fails leaves nothing behind, and the transaction goes on.
async fn insert_chunk(
    conn: &mut Conn,
    statement: &Statement,
    rows: &[Row],
    rejected: &mut Vec<Rejected>,
) -> Result<(), Fault> {
    let mut waiting = vec![rows];
    while let Some(rows) = waiting.pop() {
        match execute(conn, statement, rows).await {
            Ok(()) => {}
            Err(error) if class(&error) != Class::Row => return Err(error.into()),
            Err(error) => match rows {
                [row] => rejected.push(refused(statement, row, &error)),
                _ => {
                    // The first half last, so that it is taken first: rows are written in their order.
                    let (first, second) = rows.split_at(half(rows.len()));
                    waiting.extend([second, first]);
                }
            },
        }
    }
    Ok(())
}

/// The first half, of a size that has a prepared statement.
fn half(len: usize) -> usize {
    CHUNKS.into_iter().find(|&chunk| chunk <= len / 2).unwrap_or(1)
}

async fn execute(conn: &mut Conn, statement: &Statement, rows: &[Row]) -> Result<(), MysqlError> {
    let values = rows.iter().flat_map(|row| row.values.iter().cloned()).collect();
    conn.exec_drop(sql(statement, rows.len()), Params::Positional(values)).await
}

fn sql(statement: &Statement, count: usize) -> String {
    let Statement { table, columns, otherwise } = statement;
    let row = format!("({})", vec!["?"; columns.len()].join(","));
    let mut sql = format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), vec![row; count].join(","));
    if !otherwise.is_empty() {
        sql.push_str(" ON DUPLICATE KEY UPDATE ");
        sql.push_str(otherwise);
    }
    sql
}

fn refused(statement: &Statement, row: &Row, error: &MysqlError) -> Rejected {
    let fields = statement.columns.iter().zip(&row.values);
    let content: serde_json::Map<_, _> = fields.map(|(name, value)| ((*name).to_owned(), readable(value))).collect();
    Rejected {
        table: statement.table,
        row_id: row.id.clone(),
        seq: row.seq,
        content: serde_json::Value::Object(content).to_string(),
        reason: error.to_string(),
    }
}

fn readable(value: &Value) -> serde_json::Value {
    match value {
        Value::NULL => serde_json::Value::Null,
        Value::Int(number) => (*number).into(),
        Value::UInt(number) => (*number).into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
        other => other.as_sql(true).trim_matches('\'').to_owned().into(),
    }
}

async fn set_aside<'a>(
    conn: &mut Conn,
    rejected: impl Iterator<Item = &'a Rejected>,
    count: u64,
    now_ms: TimeMs,
) -> Result<(), Fault> {
    for Rejected { table, row_id, seq, content, reason } in rejected {
        tracing::error!(table, row = row_id, seq, reason, "the database refused a row; it is set aside");
        let values: Vec<Value> = vec![
            (*table).into(),
            cut(row_id, 128).into(),
            (*seq).into(),
            cut(content, CONTENT_BYTES_MAX).into(),
            cut(reason, REASON_BYTES_MAX).into(),
            datetime(now_ms),
        ];
        let statement = "INSERT INTO mirror_rejected (table_name, row_id, seq, content, reason, rejected_at) \
                         VALUES (?, ?, ?, ?, ?, ?)";
        conn.exec_drop(statement, values).await?;
    }
    conn.exec_drop("UPDATE mirror_state SET rejected = rejected + ? WHERE id = 1", (count,)).await?;
    Ok(())
}

/// At most so many bytes of a text, in whole characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Keeps an error where reports can see it. What cannot be written is in the log anyway.
pub(super) async fn keep_error(conn: &mut Conn, epoch: u64, message: &str, at: TimeMs) {
    let values: Vec<Value> = vec![cut(message, REASON_BYTES_MAX).into(), optional(Some(at)), epoch.into()];
    let statement = "UPDATE mirror_state SET last_error = ?, last_error_at = ? WHERE id = 1 AND epoch = ?";
    if let Err(error) = conn.exec_drop(statement, values).await {
        tracing::debug!(%error, "an error was not kept in the database");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_of(bytes: usize, count: usize) -> Vec<Row> {
        let row = || Row { id: "x".into(), seq: 1, values: vec![Value::Bytes(vec![b'x'; bytes])] };
        (0..count).map(|_| row()).collect()
    }

    #[test]
    fn statements_have_few_sizes_and_bounded_bytes() {
        for (bytes, count, expected) in [
            (10, 1_000, vec![256, 256, 256, 64, 64, 64, 16, 16, 4, 4]),
            (10, 5, vec![4, 1]),
            (STATEMENT_BYTES_MAX, 2, vec![1, 1]),
            (STATEMENT_BYTES_MAX * 2, 1, vec![1]),
            (STATEMENT_BYTES_MAX / 32, 40, vec![16, 16, 4, 4]),
        ] {
            let rows = rows_of(bytes, count);
            let (mut rest, mut lens) = (&rows[..], Vec::new());
            while !rest.is_empty() {
                lens.push(chunk_len(rest));
                rest = &rest[chunk_len(rest)..];
            }
            assert_eq!(lens, expected, "{count} rows of {bytes} bytes");
        }
    }

    #[test]
    fn halves_are_sizes_that_are_prepared() {
        for (len, first) in [(256, 64), (64, 16), (16, 4), (4, 1), (2, 1), (192, 64), (48, 16), (3, 1)] {
            assert_eq!(half(len), first, "{len}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!((cut("茶茶", 4), cut("tea", 9), cut("", 0)), ("茶", "tea", ""));
    }
}
