//! The tables, one file each: what becomes a row of it, and its columns.

pub(super) mod categories;
mod column;
pub(super) mod inventory;
mod items;
pub(super) mod levels;
pub(super) mod orders;
pub(super) mod own;
pub(super) mod points;
pub(super) mod preferences;
pub(super) mod products;
mod record;
pub(super) mod users;

use std::borrow::Cow;
use std::sync::LazyLock;

use mysql_async::Value;

use super::schema;
use super::statement::{Statement, There};
use super::value::text;
use column::Column;
pub(super) use column::{Compared, Fill, Keyed, Record};
pub(super) use record::RecordRow;

/// A row on its way into a table.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) seq: u64,
    pub(super) values: Vec<Value>,
}

/// Rows for one statement.
pub(super) struct Rows {
    pub(super) statement: Statement,
    pub(super) rows: Vec<Row>,
}

/// A table whose rows come from events.
pub(super) struct Table<R: Record> {
    pub(super) name: &'static str,
    /// The first is its id.
    pub(super) columns: &'static [Column<R>],
    pub(super) indexed: &'static [&'static str],
    /// Columns that no application's table has: by them it is the mirror's, though it lack `seq`.
    pub(super) marks: &'static [&'static str],
    /// Whether a row of others becomes the mirror's when the ledger has one of its id.
    pub(super) is_shared: bool,
    /// Whether others keep things of theirs in a row, which therefore stays when the ledger does not
    /// know it.
    pub(super) is_kept: bool,
}

/// What a statement does about a row that is there: see [`There`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    Refused,
    Kept,
    Changed,
    ChangedOnly,
    Taken,
}

impl<R: Record> Table<R> {
    /// The statement of an occasion.
    pub(super) fn statement(&self, write: R::Write, meeting: Meeting) -> Statement {
        let filled = || {
            self.columns
                .iter()
                .filter(|column| column.value.is_some())
                .map(|column| (column.schema.name, (column.fill)(write)))
        };
        let is_inserted = |fill: &Fill| !matches!(fill, Fill::Skip | Fill::Begin);
        let columns =
            filled().filter(|(_, fill)| is_inserted(fill)).map(|(name, _)| name).collect();
        // Assignments are made from left to right, and `seq` is the last column: as long as it is
        // null, the row is somebody else's.
        let set = || {
            let set: Vec<String> = filled().filter_map(|(name, fill)| fill.sql(name)).collect();
            set.join(", ")
        };
        let there = match meeting {
            Meeting::Refused => There::Refused,
            Meeting::Kept => There::Kept,
            Meeting::Changed => There::Changed(set()),
            Meeting::ChangedOnly => There::ChangedOnly(set()),
            Meeting::Taken => There::Taken(set()),
        };
        Statement { table: self.name, columns, there }
    }

    /// A record as a row of the statement of an occasion.
    pub(super) fn row(&self, write: R::Write, record: &R) -> Row {
        let mut values = Vec::with_capacity(self.columns.len());
        for column in self.columns {
            if let Some(value) = column.value
                && !matches!((column.fill)(write), Fill::Skip | Fill::Begin)
            {
                values.push(value(record));
            }
        }
        let id = values.first().map(text).unwrap_or_default();
        Row { id, seq: record.seq(), values }
    }

    /// Records as rows.
    pub(super) fn rows<'r>(
        &self,
        write: R::Write,
        meeting: Meeting,
        records: impl Iterator<Item = &'r R>,
    ) -> Rows {
        let rows = records.map(|record| self.row(write, record)).collect();
        Rows { statement: self.statement(write, meeting), rows }
    }

    /// The columns that a check compares.
    fn compared(&self, which: &[Compared]) -> impl Iterator<Item = &'static Column<R>> {
        self.columns.iter().filter(move |column| which.contains(&column.compared))
    }

    /// Their names, id first.
    pub(super) fn compared_names(&self, which: &[Compared]) -> Vec<&'static str> {
        self.compared(which).map(|column| column.schema.name).collect()
    }

    /// What must stand in them.
    pub(super) fn shown(&self, which: &[Compared], record: &R) -> Vec<Option<String>> {
        self.compared(which).map(|column| column.shown(record)).collect()
    }

    /// What was read of them, told as [`Table::shown`] tells it.
    pub(super) fn told<'v>(
        &self,
        which: &[Compared],
        found: &'v [String],
    ) -> impl Iterator<Item = Cow<'v, str>> {
        self.compared(which).zip(found).map(|(column, value)| column.told(value))
    }

    /// The table as the database has it.
    pub(super) fn schema(&self) -> schema::Table {
        schema::Table {
            name: self.name,
            columns: self.columns.iter().map(|column| column.schema).collect(),
            indexed: self.indexed,
            is_filled: true,
            marks: self.marks,
            is_shared: self.is_shared,
            is_kept: self.is_kept,
        }
    }
}

impl Fill {
    /// What is assigned to a column of a row that is there; `{column}` is what the new row has.
    fn sql(self, column: &str) -> Option<String> {
        match self {
            Self::Skip | Self::Once => None,
            Self::Set => Some(format!("{column} = {{{column}}}")),
            Self::SetIfKnown => Some(format!(
                "{column} = COALESCE({{{column}}}, IF(old.seq IS NULL, NULL, old.{column}))"
            )),
            Self::Add => {
                Some(format!("{column} = IF(old.seq IS NULL, 0, old.{column}) + {{{column}}}"))
            }
            Self::Begin => Some(format!("{column} = IF(old.seq IS NULL, 0, old.{column})")),
        }
    }
}

/// Every table but `mirror_migrations`, which is there before them, in the order in which they are
/// made.
pub(super) static SCHEMA: LazyLock<[schema::Table; 10]> = LazyLock::new(|| {
    [
        categories::TABLE.schema(),
        products::TABLE.schema(),
        orders::TABLE.schema(),
        inventory::TABLE.schema(),
        points::TABLE.schema(),
        users::TABLE.schema(),
        preferences::TABLE.schema(),
        levels::TABLE.schema(),
        own::state(),
        own::rejected(),
    ]
});

/// The tables that rows come to before those that refer to them.
pub(super) const ORDERED: [&str; 8] = [
    categories::TABLE.name,
    products::TABLE.name,
    users::TABLE.name,
    orders::TABLE.name,
    inventory::TABLE.name,
    points::TABLE.name,
    preferences::TABLE.name,
    levels::TABLE.name,
];

/// Tables that older mirrors did not have: they are filled from now on, and by a reload.
pub(super) const LATE: [&str; 1] = [levels::TABLE.name];

#[cfg(test)]
mod tests;
