//! What must be done to a database so that its tables are as they should be, or why nothing may be
//! done. A table that is there may be an application's: it gets what it lacks, a column of it is
//! only ever widened, and that only where nothing else reads it.

use super::catalogue::{Catalogue, Found, FoundTable};
use super::fit::{Fit, fit};
use super::prefix::Prefix;
use super::schema::{Column, Table};
use super::tables::{LATE, SCHEMA};

/// What is to be done, in order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Whether a part of what the mirror had written is gone, which only a reload brings back.
    pub(super) is_lossy: bool,
}

/// A change of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// For people.
    pub(super) what: String,
    pub(super) change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A whole statement.
    Make(String),
    /// A column of a table gets another type; the rest of its definition stays.
    Widen { table: String, column: String, from: String, to: String },
}

/// The plan for these tables.
///
/// # Errors
/// Every reason why the tables cannot be the mirror's. Then nothing is to be done.
pub(super) fn plan(catalogue: &Catalogue, prefix: Prefix) -> Result<Plan, Vec<String>> {
    let mut drawing = Drawing { prefix, plan: Plan::default(), faults: Vec::new() };
    for table in SCHEMA.iter() {
        match catalogue.get(table.name) {
            None => drawing.make(table),
            Some(found) => drawing.mend(table, found),
        }
    }
    // Without a table that a mirror wrote, nothing was lost.
    let was_there = SCHEMA.iter().filter(|table| table.is_filled);
    let was_there =
        was_there.filter_map(|table| catalogue.get(table.name)).any(FoundTable::is_mirrors);
    drawing.plan.is_lossy &= was_there;
    if drawing.faults.is_empty() { Ok(drawing.plan) } else { Err(drawing.faults) }
}

struct Drawing {
    prefix: Prefix,
    plan: Plan,
    faults: Vec<String>,
}

impl Drawing {
    fn step(&mut self, what: String, change: Change) {
        self.plan.steps.push(Step { what, change });
    }

    fn make(&mut self, table: &Table) {
        self.plan.is_lossy |= table.is_filled && !LATE.contains(&table.name);
        self.step(
            format!("table {}", self.prefix.table(table.name)),
            Change::Make(self.prefix.sql(&table.sql()).into_owned()),
        );
    }

    fn mend(&mut self, table: &Table, found: &FoundTable) {
        let name = self.prefix.table(table.name);
        if found.is_view {
            self.faults
                .push(format!("{name} is a view, and the mirror needs a table of that name"));
            return;
        }
        if !found.engine.eq_ignore_ascii_case("InnoDB") {
            self.faults.push(format!(
                "{name} is of the engine {}, and must be of InnoDB: rows and watermark commit together",
                found.engine
            ));
        }
        let key =
            found.indices.get("PRIMARY").map(|columns| columns.join(", ")).unwrap_or_default();
        if !key.eq_ignore_ascii_case("id") {
            self.faults.push(format!("{name} has the primary key ({key}), and must have (id)"));
        }
        for column in &table.columns {
            match found.column(column.name) {
                Some(has) => self.fit(&name, column, has, found),
                None => self.add(table, &name, column, found),
            }
        }
        if table.is_filled {
            self.strangers(table, &name, found);
        }
        self.index(table, &name, found);
    }

    fn fit(&mut self, table: &str, column: &Column, has: &Found, found: &FoundTable) {
        let (name, from) = (&has.name, described(has));
        let mut fault = |to: &str, why: &str| {
            self.faults.push(format!("column {table}.{name} is {from} and must be {to}: {why}"));
        };
        match fit(has, column) {
            Fit::Fits => {}
            Fit::Wrong(why) => fault(&column.kind.sql(), why),
            Fit::Widened(to) => match found.readers.first() {
                Some(reader) => fault(
                    &to,
                    &format!("it is not widened, since {reader} may read it differently then"),
                ),
                None => self.step(
                    format!("column {table}.{name} from {from} to {to}"),
                    Change::Widen {
                        table: table.to_owned(),
                        column: name.clone(),
                        from: has.column_type.clone(),
                        to,
                    },
                ),
            },
        }
    }

    fn add(&mut self, table: &Table, name: &str, column: &Column, found: &FoundTable) {
        // Its tables lack it from before there was such a column, or lost it.
        self.plan.is_lossy |=
            table.is_filled && column.is_written && !column.is_late && found.is_mirrors()
                || column.name == "seq"
                    && !found.columns.is_empty()
                    && is_otherwise_mirrors(table, found);
        let sql = format!("ALTER TABLE {name} ADD COLUMN {}", column.sql_added());
        self.step(format!("column {name}.{}", column.name), Change::Make(sql));
    }

    /// Columns of somebody else's that must have a value would make every row one that the database
    /// refuses.
    fn strangers(&mut self, table: &Table, name: &str, found: &FoundTable) {
        let is_written = |column: &Found| {
            table.column(&column.name.to_lowercase()).is_some_and(|own| own.is_written)
        };
        for column in found.columns.iter().filter(|column| !is_written(column)) {
            let has_value = column.takes_null
                || column.default.is_some()
                || column.is_generated()
                || column.extra.contains("auto_increment");
            if !has_value {
                self.faults.push(format!(
                    "column {name}.{} ({}) must have a value, and the mirror knows none for it: give the column a default",
                    column.name, column.column_type
                ));
            }
        }
    }

    fn index(&mut self, table: &Table, name: &str, found: &FoundTable) {
        for column in table.indexed {
            let index = format!("idx_{column}");
            let is_first = |columns: &Vec<String>| {
                columns.first().is_some_and(|first| first.eq_ignore_ascii_case(column))
            };
            if found.indices.contains_key(&index) || found.indices.values().any(is_first) {
                continue;
            }
            let sql = format!("ALTER TABLE {name} ADD INDEX {index} ({column})");
            self.step(format!("index {name}.{index}"), Change::Make(sql));
        }
    }
}

/// Whether a table that lacks the mirror's mark has its other columns, which no application has.
fn is_otherwise_mirrors(table: &Table, found: &FoundTable) -> bool {
    !table.marks.is_empty() && table.marks.iter().all(|name| found.column(name).is_some())
}

fn described(column: &Found) -> String {
    let mut text = column.column_type.clone();
    if let Some(collation) = &column.collation {
        text.push_str(&format!(" collate {collation}"));
    }
    if !column.takes_null {
        text.push_str(" not null");
    }
    if !column.extra.is_empty() {
        text.push_str(&format!(" {}", column.extra));
    }
    text
}

/// The definition of a column with another type, as it stands in the text of its table; `None` when
/// it is not found there.
pub(super) fn widened(table_text: &str, column: &str, from: &str, to: &str) -> Option<String> {
    let name = format!("`{column}` ");
    let line = table_text.lines().map(str::trim_start).find(|line| {
        line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(&name))
    })?;
    let rest = line[name.len()..].trim_end_matches(',');
    let start = rest.get(..from.len()).filter(|start| start.eq_ignore_ascii_case(from))?;
    let mut rest = &rest[start.len()..];
    for word in [" CHARACTER SET ", " COLLATE "] {
        if let Some(after) = rest.strip_prefix(word) {
            rest = after.find(' ').map_or("", |end| &after[end..]);
        }
    }
    Some(format!("{name}{to}{rest}"))
}

#[cfg(test)]
mod tests;
