//! Rows into a table, by their ids. An upsert takes the row that any unique key of the table names,
//! and others may have made such keys: it would be somebody else's row. So it is looked up first
//! which ids are there, and whose they are; what is there is locked until the commit, and only that
//! is changed. The rest is inserted, or refused.

use std::borrow::Cow;
use std::collections::HashMap;

use mysql_async::{Error as MysqlError, Params, Row as Found, Value};

use super::batch::Rejected;
use super::conn::Conn;
use super::errors::{Meaning, meaning};
use super::fault::Fault;
use super::statement::{Statement, There};
use super::tables::{Row, Rows};
use super::variables::Server;

/// How many rows one statement takes. Few different counts make few different statements to
/// prepare.
const CHUNKS: [usize; 5] = [256, 64, 16, 4, 1];
/// A key that is there already.
const DUPLICATE: u16 = 1062;

/// Whose the rows are that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Mirror,
    Somebody,
}

/// Writes rows within a transaction. What the database refuses of them, and what would be somebody
/// else's, is set aside.
pub(super) struct Insertion<'a> {
    pub(super) conn: &'a mut Conn,
    pub(super) server: Server,
    pub(super) rejected: &'a mut Vec<Rejected>,
}

impl Insertion<'_> {
    /// # Errors
    /// Those that are not about a row: then the transaction is to be undone.
    pub(super) async fn insert(&mut self, rows: &Rows) -> Result<(), Fault> {
        let statement = &rows.statement;
        let bytes_max = self.server.statement_bytes_max;
        let (all, too_large): (Vec<&Row>, Vec<&Row>) =
            rows.rows.iter().partition(|row| row_bytes(row) <= bytes_max);
        for row in too_large {
            let reason = format!(
                "a row of {} bytes, and the server takes {bytes_max}: max_allowed_packet",
                row_bytes(row)
            );
            self.reject(statement, row, reason);
        }
        let mut rest = &all[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk_len(rest, bytes_max));
            match statement.there {
                There::Refused => self.add(statement, chunk).await?,
                There::Kept | There::Changed(_) | There::ChangedOnly(_) | There::Taken(_) => {
                    self.by_id(statement, chunk).await?;
                }
            }
            rest = after;
        }
        Ok(())
    }

    /// Inserts what is not there and changes what is.
    async fn by_id(&mut self, statement: &Statement, rows: &[&Row]) -> Result<(), Fault> {
        let found = self.look(statement, rows).await?;
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for &row in rows {
            match found.get(row.id.as_bytes()) {
                None => new.push(row),
                Some(owner) => old.push((row, *owner)),
            }
        }
        if !matches!(statement.there, There::ChangedOnly(_)) {
            self.add(statement, &new).await?;
        }
        self.change(statement, &old).await
    }

    /// Which of the ids are there, and whose; they stay so until the commit. A column that takes
    /// upper and lower case for one answers ids that are others.
    async fn look(
        &mut self,
        statement: &Statement,
        rows: &[&Row],
    ) -> Result<HashMap<Vec<u8>, Owner>, Fault> {
        let mut found = HashMap::new();
        let mut rest = rows;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(sized(rest.len()));
            let marks = vec!["?"; chunk.len()].join(",");
            let query = format!(
                "SELECT id, seq IS NOT NULL FROM {} WHERE id IN ({marks}) FOR UPDATE",
                statement.table
            );
            let ids: Vec<Value> = chunk.iter().map(|row| row.id.as_str().into()).collect();
            let answers: Vec<Found> = self.conn.exec(query, Params::Positional(ids)).await?;
            found.extend(answers.iter().filter_map(owned));
            rest = after;
        }
        Ok(found)
    }

    async fn add(&mut self, statement: &Statement, rows: &[&Row]) -> Result<(), Fault> {
        let sql = |count| inserting(statement, count);
        for (row, error) in self.execute(&sql, rows).await? {
            // Whoever makes rows of its own may have made this one since it was looked for.
            if is_duplicate(&error) && !matches!(statement.there, There::Refused) {
                let found = self.look(statement, &[row]).await?;
                if let Some(owner) = found.get(row.id.as_bytes()) {
                    self.change(statement, &[(row, *owner)]).await?;
                    continue;
                }
            }
            self.reject(statement, row, error.to_string());
        }
        Ok(())
    }

    async fn change(&mut self, statement: &Statement, rows: &[(&Row, Owner)]) -> Result<(), Fault> {
        let (set, takes) = match &statement.there {
            There::Taken(set) => (set.as_str(), true),
            There::Changed(set) | There::ChangedOnly(set) => (set.as_str(), false),
            There::Kept | There::Refused => ("", false),
        };
        let mut changed = Vec::new();
        for (row, owner) in rows {
            match owner {
                Owner::Somebody if !takes => {
                    let reason = format!(
                        "{} has a row with this id that is not the mirror's",
                        statement.table
                    );
                    self.reject(statement, row, reason);
                }
                _ if set.is_empty() => {}
                _ => changed.push(*row),
            }
        }
        let has_row_alias = self.server.has_row_alias;
        let sql = |count| changing(statement, set, count, has_row_alias);
        for (row, error) in self.execute(&sql, &changed).await? {
            self.reject(statement, row, error.to_string());
        }
        Ok(())
    }

    /// Executes statements of this many rows each, and returns the rows that the database refuses.
    /// When it refuses a statement, its halves are tried, down to the row: a statement that fails
    /// leaves nothing behind, and the transaction goes on.
    async fn execute<'r>(
        &mut self,
        sql: &impl Fn(usize) -> String,
        rows: &[&'r Row],
    ) -> Result<Vec<(&'r Row, MysqlError)>, Fault> {
        let mut refused = Vec::new();
        let mut waiting = vec![rows];
        while let Some(rows) = waiting.pop() {
            let len = sized(rows.len());
            if len < rows.len() {
                // The first part last, so that it is taken first: rows are written in their order.
                let (first, second) = rows.split_at(len);
                waiting.extend([second, first]);
                continue;
            }
            let values = rows.iter().flat_map(|row| row.values.iter().cloned()).collect();
            match (self.execute_one(sql(len), values).await, rows) {
                (Ok(()), _) | (_, []) => {}
                (Err(error), _) if meaning(&error) != Meaning::Row => return Err(error.into()),
                (Err(error), [row]) => refused.push((*row, error)),
                (Err(_), _) => {
                    let (first, second) = rows.split_at(half(rows.len()));
                    waiting.extend([second, first]);
                }
            }
        }
        Ok(refused)
    }

    async fn execute_one(&mut self, sql: String, values: Vec<Value>) -> Result<(), MysqlError> {
        if values.is_empty() {
            return Ok(());
        }
        self.conn.exec_drop(sql, Params::Positional(values)).await
    }

    fn reject(&mut self, statement: &Statement, row: &Row, reason: String) {
        let fields = statement.columns.iter().zip(&row.values);
        let content: serde_json::Map<_, _> =
            fields.map(|(name, it)| ((*name).to_owned(), readable(it))).collect();
        self.rejected.push(Rejected {
            table: statement.table,
            row_id: row.id.clone(),
            seq: row.seq,
            content: serde_json::Value::Object(content).to_string(),
            reason,
        });
    }
}

fn owned(found: &Found) -> Option<(Vec<u8>, Owner)> {
    let Some(Value::Bytes(id)) = found.as_ref(0) else {
        return None;
    };
    let is_mirrors: bool = found.get_opt(1)?.ok()?;
    Some((id.clone(), if is_mirrors { Owner::Mirror } else { Owner::Somebody }))
}

fn is_duplicate(error: &MysqlError) -> bool {
    matches!(error, MysqlError::Server(error) if error.code == DUPLICATE)
}

fn inserting(statement: &Statement, count: usize) -> String {
    let Statement { table, columns, .. } = statement;
    let row = format!("({})", vec!["?"; columns.len()].join(","));
    format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), vec![row; count].join(","))
}

/// Changes rows that are there. Their ids are, so it is by them that the new rows meet the old
/// ones: the first key of a table is looked at first.
fn changing(statement: &Statement, set: &str, count: usize, has_row_alias: bool) -> String {
    let set = set.replace("old.", &format!("{}.", statement.table));
    let (alias, set) = match has_row_alias {
        true => (" AS new", set.replace('{', "new.").replace('}', "")),
        false => ("", set.replace('{', "VALUES(").replace('}', ")")),
    };
    format!("{}{alias} ON DUPLICATE KEY UPDATE {set}", inserting(statement, count))
}

/// How many of the next rows go into one statement.
fn chunk_len(rows: &[&Row], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fitting = rows.iter().take_while(|row| {
        bytes += row_bytes(row);
        bytes <= bytes_max
    });
    sized(fitting.count().max(1))
}

/// The most rows of these that there is a statement for.
fn sized(len: usize) -> usize {
    CHUNKS.into_iter().find(|&chunk| chunk <= len).unwrap_or(1).min(len.max(1))
}

/// The first half, of a size that has a prepared statement.
fn half(len: usize) -> usize {
    sized(len / 2)
}

fn row_bytes(row: &Row) -> usize {
    row.values.iter().map(value_bytes).sum()
}

/// The most that a value takes in a packet, with its type and length.
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Bytes(bytes) => bytes.len() + 12,
        _ => 15,
    }
}

fn readable(value: &Value) -> serde_json::Value {
    match value {
        Value::NULL => serde_json::Value::Null,
        Value::Int(number) => (*number).into(),
        Value::UInt(number) => (*number).into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
        other => Cow::<str>::Owned(other.as_sql(true)).trim_matches('\'').to_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES_MAX: usize = 2 << 20;

    fn rows_of(bytes: usize, count: usize) -> Vec<Row> {
        let row = || Row { id: "x".into(), seq: 1, values: vec![Value::Bytes(vec![b'x'; bytes])] };
        (0..count).map(|_| row()).collect()
    }

    #[test]
    fn statements_have_few_sizes_and_bounded_bytes() {
        for (bytes, count, expected) in [
            (10, 1_000, vec![256, 256, 256, 64, 64, 64, 16, 16, 4, 4]),
            (10, 5, vec![4, 1]),
            (BYTES_MAX, 2, vec![1, 1]),
            (BYTES_MAX * 2, 1, vec![1]),
            (BYTES_MAX / 32, 40, vec![16, 16, 4, 4]),
        ] {
            let rows = rows_of(bytes, count);
            let rows: Vec<&Row> = rows.iter().collect();
            let (mut rest, mut lens) = (&rows[..], Vec::new());
            while !rest.is_empty() {
                lens.push(chunk_len(rest, BYTES_MAX));
                rest = &rest[chunk_len(rest, BYTES_MAX)..];
            }
            assert_eq!(lens, expected, "{count} rows of {bytes} bytes");
        }
    }

    #[test]
    fn halves_are_sizes_that_are_prepared() {
        for (len, first) in
            [(256, 64), (64, 16), (16, 4), (4, 1), (2, 1), (192, 64), (48, 16), (3, 1)]
        {
            assert_eq!(half(len), first, "{len}");
        }
    }

    #[test]
    fn a_change_is_written_as_the_server_knows_it() {
        let users = Statement { table: "users", columns: vec!["id", "n"], there: There::Refused };
        let set = "seq = {seq}, n = IF(old.seq IS NULL, 0, old.n) + {n}";
        assert!(
            changing(&users, set, 1, true).ends_with(
                " AS new ON DUPLICATE KEY UPDATE seq = new.seq, n = IF(users.seq IS NULL, 0, users.n) + new.n"
            )
        );
        assert!(
            changing(&users, set, 1, false)
                .contains("?) ON DUPLICATE KEY UPDATE seq = VALUES(seq), n = ")
        );
    }
}
