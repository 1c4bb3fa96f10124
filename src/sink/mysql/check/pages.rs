//! The tables page by page, and how a row differs from what it should be.

use std::collections::HashMap;
use std::sync::Arc;

use mysql_async::{Params, Row as DbRow};

use crate::base::Seq;
use crate::sink::mysql::conn::Conn;
use crate::sink::mysql::fault::Fault;
use crate::sink::mysql::tables::{Meeting, RecordRow, Table};
use crate::sink::mysql::value::text;

/// How many rows are read at once.
const PAGE: usize = 4_096;

/// The mirror's rows of a table by id, page by page.
pub(super) struct Pager {
    query: String,
    from_seq: Seq,
    after: Option<String>,
}

impl Pager {
    pub(super) fn new(table: &str, columns: &str, from_seq: Seq) -> Self {
        let query = format!(
            "SELECT {columns} FROM {table} WHERE id > ? AND seq IS NOT NULL AND seq >= ? ORDER BY id LIMIT {PAGE}"
        );
        Self { query, from_seq, after: Some(String::new()) }
    }

    /// The next rows, each value as a text; `None` after the last.
    pub(super) async fn next(
        &mut self,
        conn: &mut Conn,
    ) -> Result<Option<Vec<Vec<String>>>, Fault> {
        let Some(after) = self.after.take() else {
            return Ok(None);
        };
        let values = Params::Positional(vec![after.into(), self.from_seq.into()]);
        let rows: Vec<DbRow> = conn.exec(self.query.as_str(), values).await?;
        let page: Vec<Vec<String>> = rows.into_iter().map(texts).collect();
        if page.len() == PAGE {
            self.after = page.last().map(|row| row[0].clone());
        }
        Ok((!page.is_empty()).then_some(page))
    }
}

/// The columns of a row.
fn texts(row: DbRow) -> Vec<String> {
    let values = row.unwrap_raw().into_iter();
    values.map(|value| text(&value.expect("nobody has taken a value out of it"))).collect()
}

/// Whose a record is: a user's, or a product's and where its units are.
type Whose = (Arc<str>, Option<Arc<str>>);

/// The records of a table in the order of the journal.
pub(super) struct Records {
    pub(super) columns: Vec<&'static str>,
    pager: Pager,
    page: std::vec::IntoIter<Vec<String>>,
    next: Option<Vec<String>>,
    /// What each user had after its last record, and each product where it is, to hold the chain
    /// together.
    after: HashMap<Whose, i64, foldhash::fast::RandomState>,
    table: &'static str,
}

impl Records {
    pub(super) fn new(of: &Table<RecordRow>, from_seq: Seq) -> Self {
        let columns = of.statement((), Meeting::Refused).columns;
        let (table, pager) = (of.name, Pager::new(of.name, &columns.join(", "), from_seq));
        let page = Vec::new().into_iter();
        Self { columns, pager, page, next: None, after: HashMap::default(), table }
    }

    pub(super) fn table(&self) -> &'static str {
        self.table
    }

    pub(super) async fn peek(&mut self, conn: &mut Conn) -> Result<Option<Vec<String>>, Fault> {
        if self.next.is_none() {
            self.next = self.page.next();
        }
        if self.next.is_none()
            && let Some(page) = self.pager.next(conn).await?
        {
            self.page = page.into_iter();
            self.next = self.page.next();
        }
        Ok(self.next.clone())
    }

    pub(super) fn skip(&mut self) {
        self.next = None;
    }

    /// The records that do not begin where the one before them of the same product or user ended.
    pub(super) fn chain(&mut self, records: &[RecordRow]) -> Vec<(String, Arc<str>)> {
        let mut broken = Vec::new();
        for record in records {
            let before = record.available - record.delta;
            let whose = (Arc::clone(&record.owner), record.location.clone());
            let after = self.after.insert(whose, record.available);
            if after.is_some_and(|after| after != before) {
                broken.push((record.seq.to_string(), Arc::clone(&record.owner)));
            }
        }
        broken
    }
}

/// A row as it should be, each value as a text; `None` where anything may stand.
pub(super) type Shown = Vec<Option<String>>;

/// The columns in which a row is not as it should be; `None` when there are none.
pub(super) fn difference(
    columns: &[&str],
    expected: &[Option<String>],
    found: &[String],
) -> Option<String> {
    let columns = columns.iter().zip(expected.iter().zip(found));
    let told: Vec<String> = columns
        .filter_map(|(column, (expected, found))| {
            let expected = expected.as_ref().filter(|expected| *expected != found)?;
            Some(format!("{column} is {found} and should be {expected}"))
        })
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_its_columns() {
        let found = ["x", "1", "3"].map(str::to_owned);
        let expected = |values: [Option<&str>; 3]| values.map(|value| value.map(str::to_owned));
        let told =
            difference(&["id", "a", "b"], &expected([Some("x"), Some("1"), Some("2")]), &found);
        assert_eq!(told.as_deref(), Some("b is 3 and should be 2"));
        assert_eq!(
            difference(&["id", "a", "b"], &expected([Some("x"), None, Some("3")]), &found),
            None
        );
    }
}
