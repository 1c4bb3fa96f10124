//! What a table is to migrations: its columns with their types, wide enough for what the ledger
//! holds. The tables themselves are in `tables`.

use std::borrow::Cow;

/// A table with what it must have.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: Vec<Column>,
    /// Columns that reports look rows up by; each makes an index `idx_COLUMN`.
    pub(super) indexed: &'static [&'static str],
    /// Whether a row of it comes from events. What is lost of it only a reload brings back.
    pub(super) is_filled: bool,
    /// Columns that no application's table has: by them it is the mirror's, though it lack `seq`.
    pub(super) marks: &'static [&'static str],
    /// Whether a row of others becomes the mirror's when the ledger has one of its id.
    pub(super) is_shared: bool,
    /// Whether others keep things of theirs in a row, which therefore stays when the ledger does not
    /// know it.
    pub(super) is_kept: bool,
}

/// A column as it should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) takes_null: bool,
    /// What follows type and `NOT NULL`.
    pub(super) rest: &'static str,
    /// Whether the mirror writes it; what it does not may be of any type.
    pub(super) is_written: bool,
    /// Whether older tables may lack it: it is filled from now on, and by a reload.
    pub(super) is_late: bool,
    /// Whether it tells of a delivery: while the mall has sent nothing, whoever delivers may write it.
    pub(super) is_shipping: bool,
    /// What it holds, for the written schema.
    #[cfg_attr(not(test), expect(dead_code, reason = "`docs/mirror-schema.sql` is held to it"))]
    pub(super) about: &'static str,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An id of at most this many characters; upper and lower case differ.
    Id(u64),
    /// A text of at most this many characters.
    Name(u64),
    Text,
    LongText,
    Json,
    /// 0 or 1.
    Flag,
    /// A small number that may be negative.
    Small,
    Big,
    Unsigned,
    Price,
    /// From 0 to 1, in hundredths.
    Share,
    /// In UTC, with milliseconds.
    Time,
    /// One of these, of a set that others may extend.
    OneOf(&'static [&'static str]),
}

/// Digits of a price before the point, and after it.
pub(super) const PRICE_DIGITS: (u64, u64) = (20, 2);

impl Kind {
    /// The type that a new column gets.
    pub(super) fn sql(self) -> Cow<'static, str> {
        match self {
            Self::Id(chars) => {
                format!("VARCHAR({chars}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin").into()
            }
            Self::Name(chars) => format!("VARCHAR({chars}) CHARACTER SET utf8mb4").into(),
            Self::Text => "TEXT CHARACTER SET utf8mb4".into(),
            Self::LongText => "LONGTEXT CHARACTER SET utf8mb4".into(),
            Self::Json => "JSON".into(),
            Self::Flag => "BOOLEAN".into(),
            Self::Small => "TINYINT".into(),
            Self::Big => "BIGINT".into(),
            Self::Unsigned => "BIGINT UNSIGNED".into(),
            Self::Price => {
                format!("DECIMAL({},{})", PRICE_DIGITS.0 + PRICE_DIGITS.1, PRICE_DIGITS.1).into()
            }
            Self::Share => "DECIMAL(3,2)".into(),
            Self::Time => "DATETIME(3)".into(),
            Self::OneOf(values) => format!("ENUM('{}')", values.join("', '")).into(),
        }
    }
}

impl Column {
    /// The column of a new table.
    pub(super) fn sql(&self) -> String {
        let null = if self.takes_null { " NULL" } else { " NOT NULL" };
        let rest = if self.rest.is_empty() { String::new() } else { format!(" {}", self.rest) };
        format!("{} {}{null}{rest}", self.name, self.kind.sql())
    }

    /// The column where there are rows that have no value for it.
    pub(super) fn sql_added(&self) -> String {
        if self.takes_null || !self.rest.is_empty() {
            self.sql()
        } else {
            format!("{} {} NULL", self.name, self.kind.sql())
        }
    }
}

impl Table {
    /// A table that no event fills.
    pub(super) fn own(
        name: &'static str,
        columns: Vec<Column>,
        indexed: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            columns,
            indexed,
            is_filled: false,
            marks: &[],
            is_shared: false,
            is_kept: false,
        }
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The statement that makes it.
    pub(super) fn sql(&self) -> String {
        let mut parts: Vec<String> = self.columns.iter().map(Column::sql).collect();
        parts.push("PRIMARY KEY (id)".to_owned());
        parts.extend(self.indexed.iter().map(|column| format!("INDEX idx_{column} ({column})")));
        let parts = parts.join(",\n  ");
        format!(
            "CREATE TABLE {} (\n  {parts}\n) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4",
            self.name
        )
    }
}

/// A column that may be null.
pub(super) const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        takes_null: true,
        rest: "",
        is_written: true,
        is_late: false,
        is_shipping: false,
        about: "",
    }
}

/// A column that is never null; `rest` follows its type.
pub(super) const fn must(name: &'static str, kind: Kind, rest: &'static str) -> Column {
    Column { takes_null: false, rest, ..column(name, kind) }
}

/// A column that may be null and has a default.
pub(super) const fn or(name: &'static str, kind: Kind, rest: &'static str) -> Column {
    Column { rest, ..column(name, kind) }
}

/// A column that is somebody else's to write.
pub(super) const fn theirs(name: &'static str, kind: Kind, rest: &'static str) -> Column {
    Column { rest, is_written: false, ..column(name, kind) }
}

/// A column that older tables do not have.
pub(super) const fn late(name: &'static str, kind: Kind) -> Column {
    Column { is_late: true, ..column(name, kind) }
}

/// The default of times.
pub(super) const NOW: &str = "DEFAULT (UTC_TIMESTAMP(3))";
